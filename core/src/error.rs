//! One small error type for each operation.

use thiserror::Error;

use crate::{ErrorEvent, Message};

/// Why a socket could not be constructed.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewError {
    /// There is no WebSocket here: no backend for this target is compiled in,
    /// or the JavaScript host has none (S103).
    #[error("WebSocket is not supported here")]
    NotSupported,
    /// The URL or a subprotocol is malformed (S1–S17).
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The operating system refused what a socket needs, such as a thread.
    #[error("the system refused the resources for a socket: {0}")]
    Resources(String),
    /// An option cannot be used as given, such as a request header that the
    /// opening handshake owns.
    #[error("invalid option: {0}")]
    Option(String),
}

/// What is malformed about a URL or a subprotocol.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The WHATWG URL parser refused it (S1, S11).
    #[error("invalid URL: {0}")]
    Url(String),
    /// The URL has no scheme. Browsers would resolve it against the page; a
    /// portable program has none (S5).
    #[error("relative URL: a scheme such as wss: is needed")]
    RelativeUrl,
    /// The scheme is not `ws`, `wss`, `http` or `https` (S3).
    #[error("the scheme \"{0}\" is not one of ws, wss, http and https")]
    Scheme(String),
    /// The URL has a fragment, if only an empty one (S4).
    #[error("a WebSocket URL must not have a fragment")]
    Fragment,
    /// A subprotocol is not a token of RFC 6455 section 4.1 (S16).
    #[error("the subprotocol \"{0}\" is not a token")]
    Subprotocol(String),
    /// A subprotocol is requested twice (S17).
    #[error("the subprotocol \"{0}\" is requested twice")]
    DuplicateSubprotocol(String),
}

/// Why [`WebSocket::open`](crate::WebSocket::open) gave no open socket.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The socket could not be constructed.
    #[error(transparent)]
    New(#[from] NewError),
    /// The connection could not be established.
    #[error("the WebSocket connection could not be established")]
    Failed(#[source] ErrorEvent),
}

/// Why a message was not sent. The message is in it, so nothing is lost.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum SendError {
    /// The socket is still connecting (S42: an invalid-state error).
    #[error("the socket is still connecting")]
    Connecting(Message),
    /// The socket is closing (S50).
    #[error("the socket is closing")]
    Closing(Message),
    /// The socket is closed (S51).
    #[error("the socket is closed")]
    Closed(Message),
    /// More is buffered than the send limit allows (S54). Wait for
    /// `send_ready`, then send again.
    #[error("the send buffer is full")]
    Full(Message),
}

impl SendError {
    /// The message that was not sent.
    pub fn message(&self) -> &Message {
        let (SendError::Connecting(message)
        | SendError::Closing(message)
        | SendError::Closed(message)
        | SendError::Full(message)) = self;
        message
    }

    /// The message that was not sent, to keep.
    pub fn into_message(self) -> Message {
        let (SendError::Connecting(message)
        | SendError::Closing(message)
        | SendError::Closed(message)
        | SendError::Full(message)) = self;
        message
    }
}

/// Why a transport did not queue a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The send limit is reached.
    Full,
    /// The closing handshake has begun; core had not heard of it yet.
    Closing,
    /// There is no connection, and the program wants nothing kept for the next.
    Connecting,
}

/// Why `close_with` was refused. The socket's state did not change (S64).
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// The code is neither 1000 nor in 3000–4999 (S64: an invalid-access error).
    #[error("close code {0} is neither 1000 nor in 3000 to 4999")]
    InvalidCode(u16),
    /// The reason, of this many bytes, is longer than 123 bytes of UTF-8 (S67:
    /// a syntax error).
    #[error("the close reason has {0} bytes; at most 123 are allowed")]
    ReasonTooLong(usize),
}

/// The name is not that of an event: `open`, `message`, `error` or `close`.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[error("there is no event {name:?}: the events are open, message, error and close")]
pub struct UnknownEvent {
    name: String,
}

impl UnknownEvent {
    pub(crate) fn new(name: &str) -> Self {
        UnknownEvent {
            name: name.to_owned(),
        }
    }

    /// The name that was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }
}
