//! The opening handshake of RFC 6455, section 4: it writes the request, and makes every
//! check of the reply (S23–S37). It does no I/O, and follows no redirect.

use std::sync::Arc;

use isosocket_core::Report;
use sha1_smol::Sha1;
use thiserror::Error;

use crate::base64;
use crate::engine::head::{Head, HeadError, HeadReader, excerpt};
use crate::options::headers::Headers;
use crate::options::target::Target;
use crate::response::Response;
use crate::wire::deflate::{Agreed, Deflate, NegotiationError};

/// Why the opening handshake failed, for a log.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum HandshakeError {
    #[error(transparent)]
    Head(#[from] HeadError),
    /// A header, and what is wrong with it.
    #[error("the reply's header {0} {1}")]
    Header(&'static str, String),
    #[error("the server chose the subprotocol \"{0}\", which was not offered")]
    Subprotocol(String),
    #[error("the server chose none of the offered subprotocols")]
    NoSubprotocol,
    #[error("the reply's header Sec-WebSocket-Extensions {1}: {0}")]
    Extension(NegotiationError, String),
}

/// The content of a good reply.
#[derive(Debug, PartialEq)]
pub(crate) struct Reply {
    pub(crate) established: Report,
    pub(crate) agreed: Option<Agreed>,
    /// The headers for the program; `None` if there are only those of the handshake.
    pub(crate) response: Option<Arc<Response>>,
}

/// A reply whose head is complete.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is good.
    Accepted(Reply),
    /// It has another status than 101 (S28).
    Refused(Head),
}

/// A handshake under way.
pub(crate) struct Handshake {
    accept: String,
    subprotocols: Vec<String>,
    deflate: Deflate,
    head: HeadReader,
}

impl Handshake {
    /// A handshake and the bytes of its request. `key` is random (RFC 6455, 4.1).
    pub(crate) fn new(
        target: &Target,
        subprotocols: Vec<String>,
        headers: &Headers,
        deflate: Deflate,
        key: [u8; 16],
    ) -> (Self, Vec<u8>) {
        let key = base64::encode(&key);
        let mut request = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n",
            target.resource(),
            target.authority(),
        );
        let mut add = |name: &str, value: &str| {
            for part in [name, ": ", value, "\r\n"] {
                request += part;
            }
        };
        // S15, S19: in the order given, in one header; none requested, none sent.
        if !subprotocols.is_empty() {
            add("Sec-WebSocket-Protocol", &subprotocols.join(", "));
        }
        if let Some(offer) = deflate.offer() {
            add("Sec-WebSocket-Extensions", &offer);
        }
        // S12: the user of the URL, unless the program says otherwise.
        if let Some(authorization) = target.authorization() {
            if !headers.has("Authorization") {
                add("Authorization", &authorization);
            }
        }
        headers.iter().for_each(|(name, value)| add(name, value));
        request += "\r\n";
        let handshake = Handshake {
            accept: accept_of(&key),
            subprotocols,
            deflate,
            head: HeadReader::default(),
        };
        (handshake, request.into_bytes())
    }

    /// Reads a part of the reply. When the head is complete and valid, returns its content, and
    /// how many bytes of `input` belong to the head.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<Option<(Answer, usize)>, HandshakeError> {
        Ok(match self.head.read(input)? {
            Some((head, used)) if head.status == 101 => {
                Some((Answer::Accepted(self.check(&head)?), used))
            }
            Some((head, used)) => Some((Answer::Refused(head), used)),
            None => None,
        })
    }

    /// RFC 6455, section 4.1, the client's checks 1 to 6.
    fn check(&self, head: &Head) -> Result<Reply, HandshakeError> {
        let refuse = |name| Err(HandshakeError::Header(name, found(head, name)));
        // S29, S30: compared without case, and `Connection` is a list.
        let upgrade = head.single("Upgrade");
        if !upgrade.is_some_and(|value| value.eq_ignore_ascii_case(b"websocket")) {
            return refuse("Upgrade");
        }
        let mut connection = head.tokens("Connection");
        if !connection.any(|token| token.eq_ignore_ascii_case(b"upgrade")) {
            return refuse("Connection");
        }
        // S31: one, and exactly this.
        if head.single("Sec-WebSocket-Accept") != Some(self.accept.as_bytes()) {
            return refuse("Sec-WebSocket-Accept");
        }
        // A list has at least one element (RFC 6455, section 9.1; S111).
        let extensions = "Sec-WebSocket-Extensions";
        if head.all(extensions).any(<[u8]>::is_empty) {
            return refuse(extensions);
        }
        let agreed = self
            .deflate
            .agree(head.all(extensions))
            .map_err(|error| HandshakeError::Extension(error, found(head, extensions)))?;
        let established = Report::Established {
            protocol: self.check_subprotocol(head)?,
            extensions: agreed.as_ref().map_or_else(String::new, Agreed::to_string),
        };
        Ok(Reply {
            established,
            agreed,
            response: response(head),
        })
    }

    /// S24–S27: exactly one of those offered, if any was.
    fn check_subprotocol(&self, head: &Head) -> Result<String, HandshakeError> {
        let name = "Sec-WebSocket-Protocol";
        match head.single(name) {
            Some(chosen) => {
                let mut offers = self.subprotocols.iter();
                offers
                    .find(|offer| offer.as_bytes() == chosen)
                    .cloned()
                    .ok_or_else(|| HandshakeError::Subprotocol(excerpt(chosen)))
            }
            None if head.all(name).next().is_some() => {
                Err(HandshakeError::Header(name, found(head, name)))
            }
            None if self.subprotocols.is_empty() => Ok(String::new()),
            None => Err(HandshakeError::NoSubprotocol),
        }
    }
}

/// The right answer of a server to a key (RFC 6455, section 4.2.2, step 5.4).
fn accept_of(key: &str) -> String {
    let mut hash = Sha1::from(key);
    hash.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    base64::encode(&hash.digest().bytes())
}

/// The headers of a good reply, without those that are the same in every good reply.
fn response(head: &Head) -> Option<Arc<Response>> {
    let same = ["Upgrade", "Connection", "Sec-WebSocket-Accept"];
    let is_same = |name: &[u8]| {
        same.iter()
            .any(|own| name.eq_ignore_ascii_case(own.as_bytes()))
    };
    let mut headers = head.iter().filter(|(name, _)| !is_same(name)).peekable();
    headers.peek()?;
    Some(Arc::new(Response::new(head.status, headers)))
}

/// The values of a header in a reply, for an error.
fn found(head: &Head, name: &'static str) -> String {
    let values: Vec<_> = head.all(name).take(3).map(excerpt).collect();
    match values.is_empty() {
        true => "is missing".to_owned(),
        false => format!("is \"{}\"", values.join("\" and \"")),
    }
}

#[cfg(test)]
#[path = "handshake_tests.rs"]
mod tests;
