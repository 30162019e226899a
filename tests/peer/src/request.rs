//! The request head of a client, kept as it was received.
//!
//! Invariant: any bytes parse to something or to `None`; nothing is decoded
//! before it has been split.

/// The largest request head the peer reads, in bytes.
pub(crate) const MAX_HEAD: usize = 256 * 1024;

pub(crate) struct Request {
    pub(crate) line: String,
    /// Names and values as received; only one space after the colon is gone.
    pub(crate) headers: Vec<(String, String)>,
    path: String,
    query: String,
}

impl Request {
    /// Parses a head that ends with an empty line.
    pub(crate) fn parse(head: &[u8]) -> Option<Request> {
        let text = String::from_utf8_lossy(head);
        let mut lines = text.split("\r\n");
        let line = lines.next()?.to_owned();
        let headers = lines
            .filter(|line| !line.is_empty())
            .map(|line| match line.split_once(':') {
                Some((name, value)) => (name, value.strip_prefix(' ').unwrap_or(value)),
                None => (line, ""),
            })
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let target = line.split(' ').nth(1)?;
        // The absolute form, which proxies are sent.
        let target = match target.split_once("://") {
            Some((scheme, rest)) if !scheme.contains('/') => &rest[rest.find('/')?..],
            _ => target,
        };
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        Some(Request {
            line,
            headers,
            path,
            query,
        })
    }

    /// The first header of this name, in any case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut all = self
            .headers
            .iter()
            .filter(|(known, _)| known.eq_ignore_ascii_case(name));
        all.next().map(|(_, value)| value.trim())
    }

    /// Whether it asks for a WebSocket, however badly.
    pub(crate) fn is_upgrade(&self) -> bool {
        self.header("Upgrade").is_some() || self.header("Sec-WebSocket-Key").is_some()
    }

    /// The subprotocols offered, in order.
    pub(crate) fn subprotocols(&self) -> Vec<&str> {
        let offered = self.header("Sec-WebSocket-Protocol").unwrap_or("");
        offered
            .split(',')
            .map(str::trim)
            .filter(|name| !name.is_empty())
            .collect()
    }

    /// The path, not percent-decoded.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// A parameter of the query, not percent-decoded.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters(name).next()
    }

    /// All parameters of that name, in their order.
    pub(crate) fn parameters(&self, name: &str) -> impl Iterator<Item = &str> {
        let pairs = self.query.split('&');
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value)
    }

    /// A parameter of the query as a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.parameter(name)?.parse().ok()
    }
}

/// Undoes percent-encoding; a `%` without two hex digits stays, and so does `+`.
pub(crate) fn percent_decode(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = bytes
            .get(at + 1..at + 3)
            .filter(|_| bytes[at] == b'%')
            .and_then(hex_byte);
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    out
}

/// The bytes that these hex digits stand for.
pub(crate) fn hex_decode(text: &str) -> Option<Vec<u8>> {
    text.as_bytes().chunks(2).map(hex_byte).collect()
}

fn hex_byte(digits: &[u8]) -> Option<u8> {
    let &[high, low] = digits else { return None };
    let digit = |byte: u8| char::from(byte).to_digit(16);
    Some((digit(high)? << 4 | digit(low)?) as u8)
}
