//! The proxy of a socket, as a URL or the environment names it.
//!
//! Invariant: a password never reaches a log.

use std::fmt;
use std::io;

use isosocket_core::{IntoUrl, NewError};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{Host, Url};

/// A proxy, by its URL.
///
/// ```
/// use isosocket::native::Proxy;
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let http = Proxy::new("http://user:secret@proxy.example:8080")?;
/// let socks = Proxy::new("socks5://127.0.0.1:1080")?;
/// assert!(Proxy::new("ftp://proxy.example").is_err());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) kind: Kind,
    host: Host<String>,
    port: u16,
    /// User and password.
    pub(crate) credentials: Option<(String, String)>,
}

/// How to speak with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    Socks5,
}

impl Proxy {
    /// A proxy of scheme `http`, `socks5` or `socks5h` (the last two mean the
    /// same), with user and password where it wants them. The default ports are
    /// 80 and 1080.
    ///
    /// ```
    /// use isosocket::NewError;
    /// use isosocket::native::Proxy;
    ///
    /// assert!(Proxy::new("http://proxy.example:3128").is_ok());
    /// assert!(matches!(Proxy::new("proxy.example"), Err(NewError::Option(_))));
    /// ```
    ///
    /// # Errors
    /// [`NewError::Option`] for a malformed URL or another scheme.
    pub fn new(url: impl IntoUrl) -> Result<Self, NewError> {
        Proxy::parse(&url.into_url()).map_err(|what| NewError::Option(format!("proxy: {what}")))
    }

    fn parse(url: &str) -> Result<Self, String> {
        let url = Url::parse(url).map_err(|error| error.to_string())?;
        let (kind, default) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks5" | "socks5h" => (Kind::Socks5, 1080),
            other => return Err(format!("the scheme {other:?} is not supported")),
        };
        let host = match url.host() {
            Some(Host::Domain("")) | None => return Err("the URL has no host".into()),
            // The parser takes an address for a name in schemes it does not know.
            Some(Host::Domain(name)) => Host::parse(name).map_err(|e| e.to_string())?,
            Some(address) => address.to_owned(),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decode(url.username()), decode(url.password().unwrap_or("")));
        if user.len() > 255 || password.len() > 255 {
            return Err("user or password is longer than 255 bytes".into());
        }
        let named = !user.is_empty() || url.password().is_some();
        Ok(Proxy {
            kind,
            host,
            port: url.port().unwrap_or(default),
            credentials: named.then_some((user, password)),
        })
    }

    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn unreachable(&self, source: io::Error) -> Unreachable {
        let (host, port) = (self.host.clone(), self.port);
        Unreachable { host, port, source }
    }
}

/// The proxy that the environment names for a server: `https_proxy` for `wss:`
/// and `http_proxy` for `ws:`, else `all_proxy`, unless `no_proxy` exempts the
/// host. All but `http_proxy`, which a CGI client could set, also count in
/// upper case.
pub(crate) fn from_environment(
    secure: bool,
    host: Host<&str>,
    port: u16,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, NewError> {
    let lower = |name: &'static str| {
        let value = variable(name)?.trim().to_owned();
        (!value.is_empty()).then_some((name, value))
    };
    let either = |lower_case, upper_case| lower(lower_case).or_else(|| lower(upper_case));
    let exempt = either("no_proxy", "NO_PROXY");
    if exempt.is_some_and(|(_, list)| is_exempt(&list, &host.to_string(), port)) {
        return Ok(None);
    }
    let own = match secure {
        true => either("https_proxy", "HTTPS_PROXY"),
        false => lower("http_proxy"),
    };
    let Some((name, value)) = own.or_else(|| either("all_proxy", "ALL_PROXY")) else {
        return Ok(None);
    };
    let scheme = if value.contains("://") { "" } else { "http://" };
    let proxy = Proxy::parse(&format!("{scheme}{value}"));
    proxy
        .map(Some)
        .map_err(|what| NewError::Option(format!("{name}: {what}")))
}

/// Whether a `no_proxy` list names the host: `*`, a domain (with all below it),
/// or an address; each perhaps with a port.
fn is_exempt(list: &str, host: &str, port: u16) -> bool {
    list.split(',').map(str::trim).any(|entry| {
        if entry == "*" {
            return true;
        }
        let with_port = format!(":{port}");
        let name = entry.strip_suffix(with_port.as_str()).unwrap_or(entry);
        let name = name
            .trim_start_matches("*.")
            .trim_start_matches('.')
            .to_ascii_lowercase();
        let below = host
            .strip_suffix(name.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        !name.is_empty() && below
    })
}

/// There is no connection to the proxy; the source says why.
#[derive(Debug, Error)]
#[error("the proxy {host}:{port} cannot be reached")]
pub(crate) struct Unreachable {
    host: Host<String>,
    port: u16,
    source: io::Error,
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The password is nobody's business.
        write!(f, "Proxy({:?} {}:{})", self.kind, self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_names_a_proxy() {
        let ask = |secure, host: &str, variables: &[(&str, &str)]| {
            let host = Host::parse(host).unwrap();
            let host = match &host {
                Host::Domain(name) => Host::Domain(name.as_str()),
                Host::Ipv4(address) => Host::Ipv4(*address),
                Host::Ipv6(address) => Host::Ipv6(*address),
            };
            let find = |name: &str| {
                let mut all = variables.iter();
                all.find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            from_environment(secure, host, 80, find)
                .unwrap()
                .map(|proxy| proxy.port)
        };
        let all = [
            ("http_proxy", "http://a:1"),
            ("HTTPS_PROXY", "b:2"),
            ("all_proxy", "socks5://c:3"),
        ];
        assert_eq!(ask(false, "h", &all), Some(1));
        assert_eq!(ask(true, "h", &all), Some(2));
        assert_eq!(ask(true, "h", &all[2..]), Some(3));
        assert_eq!(ask(false, "h", &[("HTTP_PROXY", "http://a:1")]), None);
        assert_eq!(ask(false, "h", &[("http_proxy", " ")]), None);
        let bad = |name: &str| (name == "HTTPS_PROXY").then(|| "h:port".to_owned());
        let error = from_environment(true, Host::Domain("h"), 80, bad).unwrap_err();
        assert!(error.to_string().contains("HTTPS_PROXY: "), "{error}");
        for (list, host, exempt) in [
            ("*", "h", true),
            ("example.org", "example.org", true),
            ("example.org", "a.example.org", true),
            (".example.org , x", "a.example.org", true),
            ("*.example.org", "a.example.org", true),
            ("example.org", "badexample.org", false),
            ("example.org:80", "example.org", true),
            ("example.org:81", "example.org", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("", "h", false),
        ] {
            let variables = [("http_proxy", "http://a:1"), ("no_proxy", list)];
            assert_eq!(
                ask(false, host, &variables).is_none(),
                exempt,
                "{list} {host}"
            );
        }
    }

    #[test]
    fn a_proxy_needs_a_scheme_that_is_known_and_a_host() {
        for bad in [
            "proxy",
            "https://proxy",
            "socks4://proxy",
            "http://",
            "socks5://:1",
        ] {
            assert!(Proxy::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Proxy::new("socks5://127.0.0.1").unwrap().port, 1080);
        let secret = format!("{:?}", Proxy::new("http://u:secret@h").unwrap());
        assert!(!secret.contains("secret"));
    }
}
