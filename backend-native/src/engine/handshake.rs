//! The opening handshake of RFC 6455, section 4: the request, and every check
//! of the reply (S23–S37). No I/O; redirects are not followed.

use isosocket_core::Report;
use thiserror::Error;
use tungstenite::handshake::client::{generate_key, generate_request};
use tungstenite::handshake::derive_accept_key;
use tungstenite::http::{HeaderMap, Request, header};

use crate::deflate::{Agreed, Deflate, NegotiationError};
use crate::options::target::Target;

/// The longest head that is read, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// The most header lines in it.
const MAX_HEADERS: usize = 128;

/// Why the opening handshake failed, for a log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    #[error("the reply is not HTTP/1.1: {0}")]
    NotHttp(String),
    #[error("the head of the reply is too large")]
    HeadTooLarge,
    #[error("the server answered with status {0}")]
    Status(u16),
    #[error("the reply has no valid {0} header")]
    Missing(&'static str),
    #[error("the server chose a subprotocol that was not offered")]
    Subprotocol,
    #[error("the server chose none of the offered subprotocols")]
    NoSubprotocol,
    #[error(transparent)]
    Extension(#[from] NegotiationError),
    #[error("the request cannot be written: {0}")]
    Request(String),
}

/// What a good reply says.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) established: Report,
    pub(crate) agreed: Option<Agreed>,
}

/// A handshake under way.
#[derive(Debug)]
pub(crate) struct Handshake {
    accept: String,
    subprotocols: Vec<String>,
    deflate: Deflate,
    head: Vec<u8>,
}

impl Handshake {
    /// A handshake and the bytes of its request.
    pub(crate) fn new(
        target: &Target,
        subprotocols: Vec<String>,
        headers: &HeaderMap,
        deflate: Deflate,
    ) -> Result<(Self, Vec<u8>), HandshakeError> {
        let bad = |error: &dyn std::fmt::Display| HandshakeError::Request(error.to_string());
        let mut request = Request::builder()
            .uri(target.resource())
            .header(header::HOST, target.authority())
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, generate_key());
        // S15, S19: in the order given, in one header; none requested, none sent.
        if !subprotocols.is_empty() {
            request = request.header(header::SEC_WEBSOCKET_PROTOCOL, subprotocols.join(", "));
        }
        if let Some(offer) = deflate.offer() {
            request = request.header(header::SEC_WEBSOCKET_EXTENSIONS, offer);
        }
        if let Some(authorization) = target.authorization() {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut request = request.body(()).map_err(|error| bad(&error))?;
        for name in headers.keys() {
            // The program's word is the last: it may set another authorization.
            request.headers_mut().remove(name);
            for value in headers.get_all(name) {
                request.headers_mut().append(name.clone(), value.clone());
            }
        }
        let (request, key) = generate_request(request).map_err(|error| bad(&error))?;
        let handshake = Handshake {
            accept: derive_accept_key(key.as_bytes()),
            subprotocols,
            deflate,
            head: Vec::new(),
        };
        Ok((handshake, request))
    }

    /// Takes in a part of the reply. Once its head is complete and valid, gives
    /// what it says and how much of `input` belonged to the head.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Option<(Reply, usize)>, HandshakeError> {
        // A head ends with an empty line; the parser's work is done once.
        let known = self.head.len();
        self.head.extend_from_slice(input);
        let from = known.saturating_sub(3);
        let end = self.head[from..]
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")
            .map(|position| from + position + 4);
        let Some(end) = end else {
            return match self.head.len() {
                // What cannot become a reply is not waited for (S33).
                1.. if !begins_like_http(&self.head) => {
                    Err(HandshakeError::NotHttp("no status line".to_owned()))
                }
                MAX_HEAD.. => Err(HandshakeError::HeadTooLarge),
                _ => Ok(None),
            };
        };
        if end > MAX_HEAD {
            return Err(HandshakeError::HeadTooLarge);
        }
        let reply = self.check(&self.head[..end])?;
        self.head = Vec::new();
        Ok(Some((reply, end - known)))
    }

    /// RFC 6455, section 4.1, the client's checks 1 to 6.
    fn check(&self, head: &[u8]) -> Result<Reply, HandshakeError> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut reply = httparse::Response::new(&mut lines);
        let parsed = reply
            .parse(head)
            .map_err(|error| HandshakeError::NotHttp(error.to_string()))?;
        if parsed.is_partial() || reply.version != Some(1) {
            return Err(HandshakeError::NotHttp(
                "incomplete or of another version".to_owned(),
            ));
        }
        match reply.code {
            Some(101) => {}
            code => return Err(HandshakeError::Status(code.unwrap_or_default())),
        }
        let headers = Headers(reply.headers);

        // S29, S30: lists of tokens, compared without case.
        let upgrade = headers.single("Upgrade");
        if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return Err(HandshakeError::Missing("Upgrade"));
        }
        if !headers
            .tokens("Connection")
            .any(|token| token.eq_ignore_ascii_case(b"upgrade"))
        {
            return Err(HandshakeError::Missing("Connection"));
        }
        // S31: one, and exactly this.
        if headers.single("Sec-WebSocket-Accept") != Some(self.accept.as_bytes()) {
            return Err(HandshakeError::Missing("Sec-WebSocket-Accept"));
        }
        let agreed = self
            .deflate
            .agree(headers.all("Sec-WebSocket-Extensions"))?;
        let established = Report::Established {
            protocol: self.check_subprotocol(&headers)?,
            extensions: agreed.as_ref().map_or_else(String::new, Agreed::to_string),
        };
        Ok(Reply {
            established,
            agreed,
        })
    }

    /// S24–S27: exactly one of those offered, if any was.
    fn check_subprotocol(&self, headers: &Headers) -> Result<String, HandshakeError> {
        if headers.all("Sec-WebSocket-Protocol").next().is_none() {
            return match self.subprotocols.is_empty() {
                true => Ok(String::new()),
                false => Err(HandshakeError::NoSubprotocol),
            };
        }
        headers
            .single("Sec-WebSocket-Protocol")
            .and_then(|chosen| {
                self.subprotocols
                    .iter()
                    .find(|offer| offer.as_bytes() == chosen)
            })
            .cloned()
            .ok_or(HandshakeError::Subprotocol)
    }
}

fn begins_like_http(head: &[u8]) -> bool {
    let expected = b"HTTP/";
    let len = head.len().min(expected.len());
    head[..len] == expected[..len]
}

/// The header lines of a reply, repeated ones included.
struct Headers<'a>(&'a [httparse::Header<'a>]);

impl<'a> Headers<'a> {
    fn all(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.0
            .iter()
            .filter(move |line| line.name.eq_ignore_ascii_case(name))
            .map(|line| line.value.trim_ascii())
    }

    /// The value of a header that is there exactly once.
    fn single(&self, name: &'static str) -> Option<&'a [u8]> {
        let mut values = self.all(name);
        let first = values.next()?;
        values.next().is_none().then_some(first)
    }

    /// The elements of a comma-separated list.
    fn tokens(&self, name: &'static str) -> impl Iterator<Item = &'a [u8]> {
        self.all(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(<[u8]>::trim_ascii)
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
