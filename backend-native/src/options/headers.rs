//! The request headers that a program adds to the opening handshake.

use tungstenite::http::{HeaderName, HeaderValue, header};

/// A request header of the program's own, checked: it cannot smuggle line
/// breaks, and the opening handshake's own headers are refused.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), String> {
    let header = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| format!("{name:?} is not a header name"))?;
    let owned = [
        header::HOST,
        header::CONNECTION,
        header::UPGRADE,
        header::CONTENT_LENGTH,
        header::TRANSFER_ENCODING,
        header::TE,
        header::TRAILER,
    ];
    if owned.contains(&header) || header.as_str().starts_with("sec-websocket-") {
        return Err(format!("the opening handshake sets {name:?} itself"));
    }
    let value = HeaderValue::from_bytes(value.as_bytes())
        .map_err(|_| format!("the value of {name:?} has a character that is not allowed"))?;
    Ok((header, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_cannot_smuggle_lines_or_break_the_handshake() {
        for (name, value) in [
            ("X\r\nY", "v"),
            ("X", "a\r\nHost: b"),
            ("", "v"),
            ("Host", "h"),
            ("sec-websocket-key", "k"),
            ("Connection", "close"),
        ] {
            assert!(check_header(name, value).is_err(), "{name:?}: {value:?}");
        }
    }
}
