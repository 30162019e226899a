//! The request headers that a program adds to the opening handshake.
//!
//! Invariant: names are sent in the program's spelling, and headers in its order (S113). No
//! header in the list can break the request.

use std::fmt;

/// The headers, in the order in which they were added.
#[derive(Clone, Default)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// Adds a header, also if there is one of this name. Refuses what is not
    /// valid HTTP, and the headers of the opening handshake itself.
    pub(crate) fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        if name.is_empty() || !name.bytes().all(is_token) {
            // A value may have slipped in behind it.
            let start = name
                .split(|c: char| !c.is_ascii() || !is_token(c as u8))
                .next();
            let start = start.unwrap_or_default();
            return Err(format!("what begins with {start:?} is not a header name"));
        }
        let owned = |own: &str| own.eq_ignore_ascii_case(name);
        let prefix = name.as_bytes().get(..PREFIX.len());
        let has_prefix = prefix.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX.as_bytes()));
        if OWNED.iter().any(|own| owned(own)) || has_prefix {
            return Err(format!("the opening handshake sets {name:?} itself"));
        }
        // A line break would begin another header.
        if value
            .bytes()
            .any(|byte| byte.is_ascii_control() && byte != b'\t')
        {
            return Err(format!(
                "the value of {name:?} has a character that is not allowed"
            ));
        }
        self.0.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// Whether there is a header of this name, in any spelling.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own.eq_ignore_ascii_case(name))
    }

    /// Names and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

/// Values may be secret, so only names are shown.
impl fmt::Debug for Headers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.0.iter().map(|(name, _)| name))
            .finish()
    }
}

/// The headers that the handshake sets, or that would change what the request is.
const OWNED: &[&str] = &[
    "Host",
    "Connection",
    "Upgrade",
    "Content-Length",
    "Transfer-Encoding",
    "TE",
    "Trailer",
];

/// All headers that begin so are the handshake's.
const PREFIX: &str = "Sec-WebSocket-";

/// RFC 9110, section 5.6.2.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cannot_smuggle_lines_or_break_the_handshake() {
        let mut headers = Headers::default();
        for (name, value) in [
            ("X\r\nY", "v"),
            ("X", "a\r\nHost: b"),
            ("X", "a\0b"),
            ("X", "a\u{7f}"),
            ("", "v"),
            ("X Y", "v"),
            ("X:", "v"),
            ("\u{f6}", "v"),
            ("Host", "h"),
            ("HOST", "h"),
            ("sec-websocket-key", "k"),
            ("SEC-WebSocket-", "k"),
            ("Connection", "close"),
        ] {
            assert!(headers.add(name, value).is_err(), "{name:?}: {value:?}");
        }
        assert_eq!(headers.iter().count(), 0);
    }

    #[test]
    fn errors_show_no_values() {
        let mut headers = Headers::default();
        for (name, value) in [
            ("Authorization: secret", ""),
            ("X", "secret\n"),
            ("Host", "secret"),
        ] {
            let error = headers.add(name, value).unwrap_err();
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_error_shows_the_name_as_far_as_it_is_one() {
        for (name, start) in [("X-Y: v", "X-Y"), ("X\u{f6}", "X"), (" X", ""), ("", "")] {
            let error = Headers::default().add(name, "v").unwrap_err();
            assert_eq!(
                error,
                format!("what begins with {start:?} is not a header name")
            );
        }
    }

    #[test]
    fn spelling_and_order_are_kept_and_values_are_not_shown() {
        let mut headers = Headers::default();
        headers.add("X-Api-KEY", "secret").unwrap();
        headers.add("x-b", "\tv \u{f6}").unwrap();
        headers.add("X-API-key", "again").unwrap();
        let names = [
            ("X-Api-KEY", "secret"),
            ("x-b", "\tv \u{f6}"),
            ("X-API-key", "again"),
        ];
        assert!(headers.iter().eq(names));
        assert!(headers.has("x-api-key") && !headers.has("x-c"));
        let shown = format!("{headers:?}");
        assert!(shown.contains("X-Api-KEY") && !shown.contains("secret"));
    }
}
