//! The parts of a URL that a connection needs: host, port, and the parts that the request
//! contains.

use std::fmt;

use isosocket_core::SyntaxError;
use percent_encoding::percent_decode_str;

use crate::base64;
use crate::url::{Host, Url, UrlError};

/// Ports that Fetch blocks (WHATWG Fetch, "bad port"; S13).
const BLOCKED_PORTS: &[u16] = &[
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101,
    102, 103, 104, 109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427,
    465, 512, 513, 514, 515, 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990,
    993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667,
    6668, 6669, 6679, 6697, 10080,
];

/// A parsed URL.
#[derive(Clone)]
pub(crate) struct Target {
    url: Url,
}

/// Without the login and the query, which may be secret.
impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Target({:?})", self.url)
    }
}

impl Target {
    /// Parses by the WHATWG URL standard (S1). Core has seen to scheme and fragment.
    pub(crate) fn parse(url: &str) -> Result<Self, SyntaxError> {
        let url = Url::parse(url, |scheme| Some(if scheme == "wss" { 443 } else { 80 }));
        url.map(|url| Target { url }).map_err(refusal)
    }

    /// The serialized URL.
    pub(crate) fn serialized(&self) -> &str {
        self.url.as_str()
    }

    pub(crate) fn is_secure(&self) -> bool {
        self.url.scheme() == "wss"
    }

    pub(crate) fn host(&self) -> &Host {
        self.url.host()
    }

    pub(crate) fn port(&self) -> u16 {
        self.url.port().unwrap_or(80)
    }

    pub(crate) fn is_blocked(&self) -> bool {
        BLOCKED_PORTS.contains(&self.port())
    }

    /// What the request line asks for: path and query.
    pub(crate) fn resource(&self) -> &str {
        self.url.resource()
    }

    /// The `Host` header: with the port where it is not the default.
    pub(crate) fn authority(&self) -> &str {
        self.url.authority()
    }

    /// User info as Basic authentication (S12, RFC 7617).
    pub(crate) fn authorization(&self) -> Option<String> {
        let (user, password) = (self.url.user(), self.url.password());
        if user.is_empty() && password.is_empty() {
            return None;
        }
        let mut credentials: Vec<u8> = percent_decode_str(user).collect();
        credentials.push(b':');
        credentials.extend(percent_decode_str(password));
        Some(format!("Basic {}", base64::encode(&credentials)))
    }
}

fn refusal(error: UrlError) -> SyntaxError {
    match error {
        #[cfg(not(feature = "idna"))]
        UrlError::NotAscii(host) => SyntaxError::InternationalHost(host),
        other => SyntaxError::Url(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_and_port_decide_on_tls_and_on_blocking() {
        for (url, is_secure, is_blocked) in [
            ("ws://h/", false, false),
            ("wss://h/", true, false),
            ("ws://h:25/", false, true),
            ("wss://h:6000/", true, true),
            ("ws://h:8080/", false, false),
        ] {
            let target = Target::parse(url).unwrap();
            let seen = (target.is_secure(), target.is_blocked());
            assert_eq!(seen, (is_secure, is_blocked), "{url}");
        }
    }

    #[test]
    fn urls_become_targets() {
        // URL, serialized, Host header, resource, port.
        let table = [
            (
                "ws://Example.ORG",
                "ws://example.org/",
                "example.org",
                "/",
                80,
            ),
            ("wss://h:443/a?b", "wss://h/a?b", "h", "/a?b", 443),
            ("ws://h:443/", "ws://h:443/", "h:443", "/", 443),
            ("ws:h", "ws://h/", "h", "/", 80),
            ("ws:\\\\h\\p q", "ws://h/p%20q", "h", "/p%20q", 80),
            (
                "ws://[::1]:9001/?é",
                "ws://[::1]:9001/?%C3%A9",
                "[::1]:9001",
                "/?%C3%A9",
                9001,
            ),
            (
                "ws://0x7f.1/%zz",
                "ws://127.0.0.1/%zz",
                "127.0.0.1",
                "/%zz",
                80,
            ),
            ("ws://u:p@h/", "ws://u:p@h/", "h", "/", 80),
        ];
        for (url, serialized, authority, resource, port) in table {
            let target = Target::parse(url).unwrap();
            let seen = (
                target.serialized(),
                target.authority(),
                target.resource(),
                target.port(),
            );
            assert_eq!(seen, (serialized, authority, resource, port), "{url}");
        }
        for bad in [
            "ws://",
            "ws:",
            "ws://h:65536/",
            "ws://a b/",
            "ws://[::1/",
            "ws://%/",
        ] {
            assert!(Target::parse(bad).is_err(), "{bad}");
        }
    }

    /// S11.
    #[test]
    fn an_international_host_needs_the_feature() {
        let host =
            Target::parse("wss://bücher.example/").map(|target| target.authority().to_owned());
        let expected = match cfg!(feature = "idna") {
            true => Ok("xn--bcher-kva.example".to_owned()),
            false => Err(SyntaxError::InternationalHost("bücher.example".to_owned())),
        };
        assert_eq!(host, expected);
    }

    #[test]
    fn a_target_is_shown_without_its_secrets() {
        let target = Target::parse("wss://u:secret@h:81/p?secret").unwrap();
        assert_eq!(format!("{target:?}"), "Target(wss://h:81/p)");
    }

    #[test]
    fn user_info_becomes_basic_authentication() {
        let authorization = |url| Target::parse(url).unwrap().authorization();
        assert_eq!(authorization("ws://h/"), None);
        assert_eq!(authorization("ws://u:p%20w@h/").unwrap(), "Basic dTpwIHc=");
        assert_eq!(authorization("ws://u@h/").unwrap(), "Basic dTo=");
    }
}
