//! The offer, and the check of the reply (RFC 7692, 5.1 and 7.1; S32).

use std::fmt;

use thiserror::Error;

use super::{Compressor, Deflate, Inflater, is_window};

/// Why the server's choice of extensions cannot be used.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum NegotiationError {
    #[error("the list of extensions is malformed")]
    Malformed,
    #[error("the server chose an extension that was not offered")]
    NotOffered,
    #[error("the server chose permessage-deflate twice")]
    Repeated,
    #[error("permessage-deflate has no parameter {0:?}")]
    Unknown(String),
    #[error("the parameter {0} is repeated")]
    RepeatedParameter(&'static str),
    #[error("the value of {0} is invalid")]
    Value(&'static str),
    #[error("the parameter {0} differs from the offer")]
    Beyond(&'static str),
    #[error("the parameter {0} was demanded, but the server did not accept it")]
    NotGranted(&'static str),
}

/// The name of the extension, and of its parameters.
const NAME: &str = "permessage-deflate";
const SERVER_TAKEOVER: &str = "server_no_context_takeover";
const CLIENT_TAKEOVER: &str = "client_no_context_takeover";
const SERVER_WINDOW: &str = "server_max_window_bits";
const CLIENT_WINDOW: &str = "client_max_window_bits";

/// What both sides agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// The reply's parameters, in its order.
    parameters: Vec<(&'static str, Option<u8>)>,
    client_takes_over: bool,
    server_takes_over: bool,
    client_window: u8,
    server_window: u8,
    level: u8,
    min_size: usize,
}

impl Agreed {
    /// The sending half.
    pub(crate) fn compressor(&self) -> Compressor {
        Compressor::new(
            self.level,
            self.client_window,
            self.client_takes_over,
            self.min_size,
        )
    }

    /// The receiving half.
    pub(crate) fn inflater(&self) -> Inflater {
        Inflater::new(self.server_window, self.server_takes_over)
    }

    fn parameter(&self, name: &str) -> Option<Option<u8>> {
        let mut found = self.parameters.iter().filter(|(known, _)| *known == name);
        found.next().map(|(_, value)| *value)
    }
}

/// The text that `extensions()` returns, as the server could have written it.
impl fmt::Display for Agreed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(NAME)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}")?;
            if let Some(value) = value {
                write!(f, "={value}")?;
            }
        }
        Ok(())
    }
}

impl Deflate {
    /// The value of `Sec-WebSocket-Extensions` in the request.
    pub(crate) fn offer(&self) -> Option<String> {
        if !self.offered {
            return None;
        }
        let mut offer = NAME.to_owned();
        for (name, asked) in [
            (SERVER_TAKEOVER, self.server_no_context_takeover),
            (CLIENT_TAKEOVER, self.client_no_context_takeover),
        ] {
            if asked {
                offer += &format!("; {name}");
            }
        }
        if let Some(bits) = self.server_max_window_bits {
            offer += &format!("; {SERVER_WINDOW}={bits}");
        }
        // Always, so that the server may choose (RFC 7692, 7.1.2.2).
        offer += &format!("; {CLIENT_WINDOW}");
        if let Some(bits) = self.client_max_window_bits {
            offer += &format!("={bits}");
        }
        Some(offer)
    }

    /// Checks the `Sec-WebSocket-Extensions` lines of the reply; `None` if the
    /// server chose no extension.
    pub(crate) fn agree<'a>(
        &self,
        lines: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Option<Agreed>, NegotiationError> {
        let mut agreed = None;
        for line in lines {
            for element in split(line, b',')? {
                let mut parts = split(element, b';')?.into_iter();
                match parts.next() {
                    // An empty element of a list is ignored.
                    Some(b"") if parts.len() == 0 => continue,
                    Some(name) if self.offered && name == NAME.as_bytes() => {}
                    _ => return Err(NegotiationError::NotOffered),
                }
                if agreed.replace(self.agree_on(parts)?).is_some() {
                    return Err(NegotiationError::Repeated);
                }
            }
        }
        Ok(agreed)
    }

    fn agree_on<'a>(
        &self,
        parts: impl Iterator<Item = &'a [u8]>,
    ) -> Result<Agreed, NegotiationError> {
        let mut agreed = Agreed {
            parameters: Vec::new(),
            client_takes_over: !self.client_no_context_takeover,
            server_takes_over: true,
            client_window: self.client_max_window_bits.unwrap_or(15),
            server_window: 15,
            level: self.level,
            min_size: self.min_size,
        };
        for part in parts {
            let (name, value) = parameter(part)?;
            let known = [
                SERVER_TAKEOVER,
                CLIENT_TAKEOVER,
                SERVER_WINDOW,
                CLIENT_WINDOW,
            ];
            let Some(name) = known.into_iter().find(|known| *known == name) else {
                return Err(NegotiationError::Unknown(name.to_owned()));
            };
            if agreed.parameter(name).is_some() {
                return Err(NegotiationError::RepeatedParameter(name));
            }
            let bits = match (name, value) {
                (SERVER_TAKEOVER | CLIENT_TAKEOVER, None) => None,
                (SERVER_WINDOW | CLIENT_WINDOW, Some(value)) => {
                    Some(window(&value).ok_or(NegotiationError::Value(name))?)
                }
                _ => return Err(NegotiationError::Value(name)),
            };
            agreed.parameters.push((name, bits));
        }
        agreed.client_takes_over &= agreed.parameter(CLIENT_TAKEOVER).is_none();
        agreed.server_takes_over = agreed.parameter(SERVER_TAKEOVER).is_none();
        // RFC 7692, 7.1.1.1 and 7.1.2.1: the reply must repeat what the offer demands. A window
        // may be smaller.
        if self.server_no_context_takeover && agreed.server_takes_over {
            return Err(NegotiationError::NotGranted(SERVER_TAKEOVER));
        }
        match (self.server_max_window_bits, agreed.parameter(SERVER_WINDOW)) {
            (Some(_), None) => return Err(NegotiationError::NotGranted(SERVER_WINDOW)),
            (Some(asked), Some(Some(bits))) if bits > asked => {
                return Err(NegotiationError::Beyond(SERVER_WINDOW));
            }
            (_, bits) => agreed.server_window = bits.flatten().unwrap_or(15),
        }
        // RFC 7692, 7.1.2.2: the same or smaller.
        if let Some(Some(bits)) = agreed.parameter(CLIENT_WINDOW) {
            if bits > agreed.client_window {
                return Err(NegotiationError::Beyond(CLIENT_WINDOW));
            }
            agreed.client_window = bits;
        }
        Ok(agreed)
    }
}

/// A parameter's name, and its value without quotes.
fn parameter(part: &[u8]) -> Result<(&str, Option<String>), NegotiationError> {
    let part = std::str::from_utf8(part).map_err(|_| NegotiationError::Malformed)?;
    let (name, value) = match part.split_once('=') {
        Some((name, value)) => (name.trim_end(), Some(value.trim_start())),
        None => (part, None),
    };
    let value = value.map(|value| match value.strip_prefix('"') {
        // `split` has checked that the quote ends.
        Some(quoted) => quoted.trim_end_matches('"').replace('\\', ""),
        None => value.to_owned(),
    });
    match name {
        "" => Err(NegotiationError::Malformed),
        _ => Ok((name, value)),
    }
}

/// RFC 7692, 7.1.2: a decimal number from 8 to 15 without leading zeros.
fn window(value: &str) -> Option<u8> {
    let bits = value.parse().ok().filter(|bits| is_window(*bits))?;
    (bits.to_string() == value).then_some(bits)
}

/// Splits at a separator that is not inside a quoted string.
fn split(list: &[u8], separator: u8) -> Result<Vec<&[u8]>, NegotiationError> {
    let (mut parts, mut start) = (Vec::new(), 0);
    let (mut quoted, mut escaped) = (false, false);
    for (at, &byte) in list.iter().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if byte == separator && !quoted => {
                parts.push(list[start..at].trim_ascii());
                start = at + 1;
            }
            _ => {}
        }
    }
    if quoted {
        return Err(NegotiationError::Malformed);
    }
    parts.push(list[start..].trim_ascii());
    Ok(parts)
}
