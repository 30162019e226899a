//! URLs, by the WHATWG URL standard (S1): those of sockets and of proxies.
//!
//! It knows only what such URLs need: absolute ones with a host, whose scheme counts as
//! special. The crate `url` is the reference in tests. Invariant: no error shows more of
//! a URL than its host, because all else may be secret.

mod host;

use std::fmt;
use std::ops::Range;

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};
use thiserror::Error;

pub(crate) use host::Host;

/// The special-query percent-encode set.
const QUERY: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'"')
    .add(b'#')
    .add(b'<')
    .add(b'>')
    .add(b'\'');

/// The path percent-encode set.
const PATH: &AsciiSet = &QUERY
    .remove(b'\'')
    .add(b'?')
    .add(b'^')
    .add(b'`')
    .add(b'{')
    .add(b'}');

/// The userinfo percent-encode set.
const USER_INFO: &AsciiSet = &PATH
    .add(b'/')
    .add(b':')
    .add(b';')
    .add(b'=')
    .add(b'@')
    .add(b'[')
    .add(b'\\')
    .add(b']')
    .add(b'|');

/// What is wrong with a URL.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum UrlError {
    #[error("relative URL without a base")]
    Relative,
    #[error("empty host")]
    EmptyHost,
    #[error("invalid port number")]
    Port,
    #[error("invalid IPv4 address")]
    Ipv4,
    #[error("invalid IPv6 address")]
    Ipv6,
    #[error("invalid character in the host")]
    Character,
    #[cfg(feature = "idna")]
    #[error("invalid international domain name")]
    International,
    /// The host, which only the feature `idna` understands.
    #[cfg(not(feature = "idna"))]
    #[error("the host {0:?} is not ASCII, which needs the feature `idna` of isosocket")]
    NotAscii(String),
}

/// A parsed URL without its fragment.
#[derive(Clone)]
pub(crate) struct Url {
    serialized: String,
    scheme: usize,
    user: Range<usize>,
    password: Range<usize>,
    /// Host and port.
    authority: Range<usize>,
    query: usize,
    host: Host,
    port: Option<u16>,
}

/// Without the login and the query, which may be secret.
impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.serialized[self.authority.end..self.query];
        write!(f, "{}://{}{path}", self.scheme(), self.authority())
    }
}

impl Url {
    /// The basic URL parser without a base, for a special scheme. `default_port` knows
    /// the ports that are omitted.
    pub(crate) fn parse(
        text: &str,
        default_port: impl FnOnce(&str) -> Option<u16>,
    ) -> Result<Self, UrlError> {
        let text = text.trim_matches(|c| c <= ' ').chars();
        let text: String = text.filter(|c| !"\t\n\r".contains(*c)).collect();
        let (scheme, rest) = text.split_once(':').ok_or(UrlError::Relative)?;
        let is_of_scheme = |c: u8| c.is_ascii_alphanumeric() || b"+-.".contains(&c);
        if !scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            || !scheme.bytes().all(is_of_scheme)
        {
            return Err(UrlError::Relative);
        }
        // Special authority slashes and ignore slashes state.
        let rest = rest.trim_start_matches(is_slash);
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query)),
            None => (rest, None),
        };
        let (authority, path) = rest.split_at(rest.find(is_slash).unwrap_or(rest.len()));

        let mut serialized = scheme.to_ascii_lowercase();
        let scheme = serialized.len();
        let default_port = default_port(&serialized);
        serialized += "://";
        // Authority state.
        let (login, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
        let (user, password) = login.split_once(':').unwrap_or((login, ""));
        let user = push_encoded(&mut serialized, user, USER_INFO);
        let mut secret = user.end..user.end;
        if !password.is_empty() {
            serialized.push(':');
            secret = push_encoded(&mut serialized, password, USER_INFO);
        }
        if secret.end > scheme + "://".len() {
            serialized.push('@');
        }
        // Host state and port state.
        let (host, port) = split_port(authority);
        let host = Host::parse(host)?;
        let port = parse_port(port)?.filter(|port| Some(*port) != default_port);
        let start = serialized.len();
        serialized += &host.to_string();
        if let Some(port) = port {
            serialized += &format!(":{port}");
        }
        let authority = start..serialized.len();
        push_path(&mut serialized, path);
        let path_end = serialized.len();
        if let Some(query) = query {
            serialized.push('?');
            push_encoded(&mut serialized, query, QUERY);
        }
        Ok(Url {
            serialized,
            scheme,
            user,
            password: secret,
            authority,
            query: path_end,
            host,
            port: port.or(default_port),
        })
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.serialized
    }

    /// In lower case.
    pub(crate) fn scheme(&self) -> &str {
        &self.serialized[..self.scheme]
    }

    /// Percent-encoded.
    pub(crate) fn user(&self) -> &str {
        &self.serialized[self.user.clone()]
    }

    /// Percent-encoded.
    pub(crate) fn password(&self) -> &str {
        &self.serialized[self.password.clone()]
    }

    pub(crate) fn host(&self) -> &Host {
        &self.host
    }

    /// The one given, or the default one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.port
    }

    /// The host, and the port if it is not the default.
    pub(crate) fn authority(&self) -> &str {
        &self.serialized[self.authority.clone()]
    }

    /// Path and query.
    pub(crate) fn resource(&self) -> &str {
        &self.serialized[self.authority.end..]
    }
}

fn is_slash(c: char) -> bool {
    c == '/' || c == '\\'
}

/// Adds `text` in percent-encoded form, and says where it stands.
fn push_encoded(serialized: &mut String, text: &str, set: &'static AsciiSet) -> Range<usize> {
    let start = serialized.len();
    serialized.extend(utf8_percent_encode(text, set));
    start..serialized.len()
}

/// At the first colon outside brackets.
fn split_port(authority: &str) -> (&str, &str) {
    let mut is_in_brackets = false;
    let colon = authority.find(|c| {
        match c {
            '[' => is_in_brackets = true,
            ']' => is_in_brackets = false,
            _ => {}
        }
        c == ':' && !is_in_brackets
    });
    match colon {
        Some(colon) => (&authority[..colon], &authority[colon + 1..]),
        None => (authority, ""),
    }
}

fn parse_port(digits: &str) -> Result<Option<u16>, UrlError> {
    if digits.is_empty() {
        return Ok(None);
    }
    // `parse` would take a sign.
    if !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(UrlError::Port);
    }
    digits.parse().map(Some).map_err(|_| UrlError::Port)
}

/// Path start state and path state: with `.` and `..` resolved.
fn push_path(serialized: &mut String, path: &str) {
    let root = serialized.len();
    let mut segments = path
        .strip_prefix(is_slash)
        .unwrap_or(path)
        .split(is_slash)
        .peekable();
    while let Some(segment) = segments.next() {
        match dots(segment) {
            Some(2) => {
                let parent = serialized[root..].rfind('/').unwrap_or(0);
                serialized.truncate(root + parent);
            }
            Some(1) => {}
            _ => {
                serialized.push('/');
                push_encoded(serialized, segment, PATH);
                continue;
            }
        }
        if segments.peek().is_none() {
            serialized.push('/');
        }
    }
}

/// How many dots a segment is, each of them perhaps percent-encoded. `None` if it has
/// anything else.
fn dots(mut segment: &str) -> Option<usize> {
    let mut dots = 0;
    while !segment.is_empty() {
        let mut forms = [".", "%2e", "%2E"].into_iter();
        segment = forms.find_map(|form| segment.strip_prefix(form))?;
        dots += 1;
    }
    Some(dots)
}

#[cfg(test)]
#[path = "url_tests.rs"]
mod tests;
