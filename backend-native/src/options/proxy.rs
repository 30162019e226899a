//! The proxy of a socket, as a URL or the environment names it.
//!
//! Invariant: a password never reaches a log.

use std::fmt;
use std::io;

use isosocket_core::{IntoUrl, NewError};
use percent_encoding::percent_decode_str;
use thiserror::Error;

use super::no_proxy::is_exempt;
use crate::url::{Host, Url};

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
    host: Host,
    port: u16,
    /// User and password.
    pub(crate) credentials: Option<(String, String)>,
}

/// How to speak with a proxy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Http,
    /// SOCKS4 with the extension for names, which is also called SOCKS4a.
    Socks4,
    Socks5,
}

impl Proxy {
    /// A proxy of scheme `http`, `socks5` or `socks4`, with user and password
    /// where it wants them. The proxy resolves the server's name, so `socks5h`
    /// means the same as `socks5`, and `socks4a` the same as `socks4`; `socks` is
    /// `socks5`. The default ports are 80 and 1080.
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
    /// [`NewError::Option`] for a malformed URL, or another scheme, such as `https`:
    /// there is no TLS to the proxy itself.
    pub fn new(url: impl IntoUrl) -> Result<Self, NewError> {
        Proxy::parse(&url.into_url()).map_err(|what| NewError::Option(format!("proxy: {what}")))
    }

    fn parse(url: &str) -> Result<Self, String> {
        // What stands before a colon could be a user.
        if !url.contains("://") {
            return Err("the URL has no scheme, such as http:".into());
        }
        let url = Url::parse(url, |_| None).map_err(|error| error.to_string())?;
        let (kind, default) = match url.scheme() {
            "http" => (Kind::Http, 80),
            "socks" | "socks5" | "socks5h" => (Kind::Socks5, 1080),
            "socks4" | "socks4a" => (Kind::Socks4, 1080),
            "https" => {
                return Err(
                    "TLS to the proxy itself is not supported; most proxies also \
                            serve wss: by http:, so try that scheme"
                        .into(),
                );
            }
            other => return Err(format!("the scheme {other:?} is not supported")),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let (user, password) = (decode(url.user()), decode(url.password()));
        if user.len() > 255 || password.len() > 255 {
            return Err("user or password is longer than 255 bytes".into());
        }
        // SOCKS4 has a user, which ends with a NUL byte, and no password.
        if kind == Kind::Socks4 && (user.contains('\0') || !password.is_empty()) {
            return Err("SOCKS4 takes a user only, without a password".into());
        }
        let named = !user.is_empty() || !password.is_empty();
        Ok(Proxy {
            kind,
            host: url.host().clone(),
            port: url.port().unwrap_or(default),
            credentials: named.then_some((user, password)),
        })
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Whether it can be asked for this server; the error says why not.
    pub(super) fn check_server(&self, server: &Host) -> Result<(), String> {
        match (self.kind, server) {
            (Kind::Socks4, Host::Ipv6(_)) => {
                Err("SOCKS4 cannot reach an IPv6 address; use a name or SOCKS5".to_owned())
            }
            _ => Ok(()),
        }
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
    host: &Host,
    port: u16,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, NewError> {
    let lower = |name: &'static str| {
        let value = variable(name)?.trim().to_owned();
        (!value.is_empty()).then_some((name, value))
    };
    let either = |lower_case, upper_case| lower(lower_case).or_else(|| lower(upper_case));
    let exempt = either("no_proxy", "NO_PROXY");
    if exempt.is_some_and(|(_, list)| is_exempt(&list, host, port)) {
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
    let checked = proxy.and_then(|proxy| proxy.check_server(host).map(|()| proxy));
    checked
        .map(Some)
        .map_err(|what| NewError::Option(format!("{name}: {what}")))
}

/// There is no connection to the proxy; the source says why.
#[derive(Debug, Error)]
#[error("the proxy {host}:{port} cannot be reached")]
pub(crate) struct Unreachable {
    host: Host,
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
            let find = |name: &str| {
                let mut all = variables.iter();
                all.find(|(key, _)| *key == name)
                    .map(|(_, value)| (*value).to_owned())
            };
            from_environment(secure, &host, 80, find)
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
        for (scheme, port) in [
            ("socks", 1080),
            ("socks4", 1080),
            ("socks4a", 1080),
            ("socks5", 1080),
            ("socks5h", 1080),
            ("http", 80),
        ] {
            let value = format!("{scheme}://proxy");
            assert_eq!(ask(true, "h", &[("ALL_PROXY", &value)]), Some(port));
        }
        for (value, says) in [
            ("h:port", "port"),
            ("https://h", "TLS to the proxy itself is not supported"),
            ("ftp://h", "the scheme \"ftp\" is not supported"),
            ("socks4://u:p@h", "without a password"),
        ] {
            let bad = |name: &str| (name == "HTTPS_PROXY").then(|| value.to_owned());
            let error = from_environment(true, &Host::Domain("h".into()), 80, bad).unwrap_err();
            let error = error.to_string();
            assert!(
                error.contains("HTTPS_PROXY: ") && error.contains(says),
                "{error}"
            );
        }
        for (list, host, exempt) in [
            ("*", "h", true),
            ("x 127.0.0.0/8", "127.0.0.1", true),
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
            "socks4://u:p@proxy",
            "socks4://u%00x@proxy",
            "http://",
            "socks5://:1",
        ] {
            assert!(Proxy::new(bad).is_err(), "{bad}");
        }
        assert_eq!(Proxy::new("socks5://127.0.0.1").unwrap().port, 1080);
        let secret = format!("{:?}", Proxy::new("http://secret:secret@h").unwrap());
        assert!(!secret.contains("secret"));
        for bad in [
            "secret:secret@h",
            "http://secret:secret@",
            "ftp://secret:secret@h",
            "http://secret:secret@h:x",
        ] {
            let error = Proxy::new(bad).unwrap_err().to_string();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    /// RFC 1929: a length is one byte.
    #[test]
    fn user_and_password_have_at_most_255_bytes() {
        let (most, more) = ("x".repeat(255), "x".repeat(256));
        let proxy =
            |user: &str, password: &str| Proxy::new(format!("socks5://{user}:{password}@h"));
        assert!(proxy(&most, &most).is_ok());
        assert!(proxy(&more, "p").is_err() && proxy("u", &more).is_err());
    }

    #[test]
    fn socks4_has_no_way_to_an_ipv6_address() {
        let proxy = |url: &str| Proxy::new(url).unwrap();
        let address = Host::parse("[::1]").unwrap();
        let error = proxy("socks4a://h").check_server(&address).unwrap_err();
        assert!(error.contains("SOCKS4"), "{error}");
        let variable = |name: &str| (name == "ALL_PROXY").then(|| "socks4://h".to_owned());
        let error = from_environment(true, &address, 80, variable).unwrap_err();
        assert!(error.to_string().contains("ALL_PROXY: SOCKS4"), "{error}");
        let name = Host::parse("h").unwrap();
        assert!(proxy("socks4a://h").check_server(&name).is_ok());
        assert!(proxy("socks5://h").check_server(&address).is_ok());
    }
}
