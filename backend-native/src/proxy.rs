//! Reaching the server through a proxy: HTTP CONNECT (RFC 9110, section 9.3.6)
//! and SOCKS5 (RFC 1928, RFC 1929). No I/O. Names are resolved by the proxy.

use std::fmt;
use std::io;

use isosocket_core::{IntoUrl, NewError};
use percent_encoding::percent_decode_str;
use thiserror::Error;
use url::{Host, Url};

/// The longest reply to CONNECT that is read, in bytes.
const MAX_HEAD: usize = 16 << 10;

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
    kind: Kind,
    host: Host<String>,
    port: u16,
    credentials: Option<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
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

/// Why a proxy did not make the connection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum ProxyError {
    #[error("the proxy's reply makes no sense")]
    Garbage,
    #[error("the proxy answered CONNECT with status {0}")]
    Status(u16),
    #[error("the proxy accepts none of our ways to log in")]
    NoMethod,
    #[error("the proxy refused user and password")]
    Login,
    #[error("the proxy could not connect: SOCKS5 reply {0}")]
    Refused(u8),
}

/// A tunnel that is being opened: bytes in, bytes out.
#[derive(Debug)]
pub(crate) struct Tunnel {
    proxy: Proxy,
    /// The server: what the proxy is asked for.
    host: Host<String>,
    port: u16,
    step: Step,
    incoming: Vec<u8>,
    /// What is to be written.
    pub(crate) outgoing: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Method,
    Login,
    Reply,
}

impl Tunnel {
    pub(crate) fn new(proxy: Proxy, host: Host<String>, port: u16) -> Self {
        let mut tunnel = Tunnel {
            step: match proxy.kind {
                Kind::Http => Step::Connect,
                Kind::Socks5 => Step::Method,
            },
            proxy,
            host,
            port,
            incoming: Vec::new(),
            outgoing: Vec::new(),
        };
        tunnel.outgoing = match (tunnel.proxy.kind, &tunnel.proxy.credentials) {
            (Kind::Http, credentials) => {
                let server = format!("{}:{}", tunnel.host, tunnel.port);
                let mut head = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n");
                if let Some((user, password)) = credentials {
                    let login = format!("{user}:{password}");
                    let login = data_encoding::BASE64.encode(login.as_bytes());
                    head += &format!("Proxy-Authorization: Basic {login}\r\n");
                }
                (head + "\r\n").into_bytes()
            }
            // Version 5, and the methods: none, and perhaps a login.
            (Kind::Socks5, None) => vec![5, 1, 0],
            (Kind::Socks5, Some(_)) => vec![5, 2, 0, 2],
        };
        tunnel
    }

    /// Takes in what the proxy said; `true` once the tunnel is open.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<bool, ProxyError> {
        self.incoming.extend_from_slice(input);
        loop {
            let used = match self.step {
                Step::Connect => return self.read_head(),
                Step::Method => match *self.incoming {
                    [5, 0, ..] => {
                        self.ask();
                        2
                    }
                    [5, 2, ..] => match &self.proxy.credentials {
                        Some((user, password)) => {
                            let (user, password) = (user.as_bytes(), password.as_bytes());
                            self.outgoing.extend([1, user.len() as u8]);
                            self.outgoing.extend_from_slice(user);
                            self.outgoing.push(password.len() as u8);
                            self.outgoing.extend_from_slice(password);
                            self.step = Step::Login;
                            2
                        }
                        None => return Err(ProxyError::NoMethod),
                    },
                    [5, _, ..] => return Err(ProxyError::NoMethod),
                    [] | [5] => return Ok(false),
                    _ => return Err(ProxyError::Garbage),
                },
                Step::Login => match *self.incoming {
                    [_, 0, ..] => {
                        self.ask();
                        2
                    }
                    [_, _, ..] => return Err(ProxyError::Login),
                    _ => return Ok(false),
                },
                Step::Reply => return self.read_reply(),
            };
            self.incoming.drain(..used);
        }
    }

    /// SOCKS5, section 4: version, CONNECT, reserved, address, port.
    fn ask(&mut self) {
        self.step = Step::Reply;
        self.outgoing.extend([5, 1, 0]);
        match &self.host {
            Host::Ipv4(address) => {
                self.outgoing.push(1);
                self.outgoing.extend(address.octets());
            }
            Host::Ipv6(address) => {
                self.outgoing.push(4);
                self.outgoing.extend(address.octets());
            }
            // A name in DNS has at most 253 bytes; a longer one fails there.
            Host::Domain(name) => {
                let name = &name.as_bytes()[..name.len().min(255)];
                self.outgoing.extend([3, name.len() as u8]);
                self.outgoing.extend_from_slice(name);
            }
        }
        self.outgoing.extend(self.port.to_be_bytes());
    }

    fn read_reply(&mut self) -> Result<bool, ProxyError> {
        let address = match *self.incoming {
            [5, 0, _, 1, ..] => 4,
            [5, 0, _, 4, ..] => 16,
            [5, 0, _, 3, length, ..] => 1 + usize::from(length),
            [5, 0, _, 3] | [5, 0, _] | [5, 0] | [5] | [] => return Ok(false),
            [5, 0, ..] => return Err(ProxyError::Garbage),
            [5, reply, ..] => return Err(ProxyError::Refused(reply)),
            _ => return Err(ProxyError::Garbage),
        };
        // The server says nothing before we do.
        match self.incoming.len().cmp(&(4 + address + 2)) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(ProxyError::Garbage),
        }
    }

    fn read_head(&mut self) -> Result<bool, ProxyError> {
        let mut lines = [httparse::EMPTY_HEADER; 64];
        let mut reply = httparse::Response::new(&mut lines);
        match reply.parse(&self.incoming) {
            Ok(httparse::Status::Complete(used)) => match reply.code {
                Some(200..=299) if used == self.incoming.len() => Ok(true),
                Some(200..=299) => Err(ProxyError::Garbage),
                code => Err(ProxyError::Status(code.unwrap_or_default())),
            },
            Ok(httparse::Status::Partial) if self.incoming.len() <= MAX_HEAD => Ok(false),
            _ => Err(ProxyError::Garbage),
        }
    }
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

    fn tunnel(proxy: &str, host: &str) -> Tunnel {
        Tunnel::new(Proxy::new(proxy).unwrap(), Host::parse(host).unwrap(), 443)
    }

    fn sent(tunnel: &mut Tunnel) -> Vec<u8> {
        std::mem::take(&mut tunnel.outgoing)
    }

    #[test]
    fn http_connect_asks_and_hears() {
        let mut open = tunnel("http://u:p@proxy:8080", "server.example");
        let request = String::from_utf8(sent(&mut open)).unwrap();
        assert_eq!(
            request,
            "CONNECT server.example:443 HTTP/1.1\r\nHost: server.example:443\r\n\
             Proxy-Authorization: Basic dTpw\r\n\r\n"
        );
        let reply = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        let (last, first) = reply.split_last().unwrap();
        for byte in first {
            assert_eq!(open.read(&[*byte]), Ok(false));
        }
        assert_eq!(open.read(&[*last]), Ok(true));

        let read = |reply: &[u8]| tunnel("http://proxy", "h").read(reply);
        assert_eq!(
            read(b"HTTP/1.1 407 x\r\n\r\n"),
            Err(ProxyError::Status(407))
        );
        assert_eq!(
            read(b"HTTP/1.1 200 x\r\n\r\nearly"),
            Err(ProxyError::Garbage)
        );
        assert_eq!(read(b"garbage\r\n\r\n"), Err(ProxyError::Garbage));
        assert_eq!(read(&[b'a'; 20_000]), Err(ProxyError::Garbage));
    }

    #[test]
    fn socks5_with_and_without_a_login() {
        let mut open = tunnel("socks5://proxy", "server.example");
        assert_eq!(sent(&mut open), [5, 1, 0]);
        assert_eq!(open.read(&[5]), Ok(false));
        assert_eq!(open.read(&[0]), Ok(false));
        let asked = [&[5, 1, 0, 3, 14], &b"server.example"[..], &[1, 187]].concat();
        assert_eq!(sent(&mut open), asked);
        for byte in [5, 0, 0, 1, 0, 0, 0, 0, 0] {
            assert_eq!(open.read(&[byte]), Ok(false));
        }
        assert_eq!(open.read(&[0]), Ok(true));

        let mut open = tunnel("socks5h://user:pass@proxy:9", "[::1]");
        assert_eq!(sent(&mut open), [5, 2, 0, 2]);
        assert_eq!(open.read(&[5, 2]), Ok(false));
        assert_eq!(sent(&mut open), b"\x01\x04user\x04pass");
        assert_eq!(open.read(&[1, 0]), Ok(false));
        assert_eq!(sent(&mut open)[..4], [5, 1, 0, 4]);
        assert_eq!(open.read(&[5, 5, 0, 1]), Err(ProxyError::Refused(5)));

        let read = |reply: &[u8]| tunnel("socks5://u:p@proxy", "h").read(reply);
        assert_eq!(read(&[5, 255]), Err(ProxyError::NoMethod));
        assert_eq!(read(&[5, 2, 1, 1]), Err(ProxyError::Login));
        assert_eq!(read(&[4, 0]), Err(ProxyError::Garbage));
        assert_eq!(
            tunnel("socks5://proxy", "h").read(&[5, 2]),
            Err(ProxyError::NoMethod)
        );
    }

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
