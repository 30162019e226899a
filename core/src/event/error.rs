//! One small error type for each operation.

use std::error::Error as StdError;
use std::fmt;

use thiserror::Error;

use crate::{Binary, ErrorEvent, Message};

/// Why a socket could not be constructed.
///
/// ```
/// use isosocket::{NewError, WebSocket};
///
/// match WebSocket::new("ws://host.invalid:99999/") {
///     Ok(socket) => drop(socket),
///     Err(NewError::NotSupported) => println!("this browser has no WebSocket"),
///     Err(NewError::Syntax(error)) => println!("check the address: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum NewError {
    /// There is no WebSocket here: no backend for this target is compiled in, or the
    /// JavaScript host has none.
    #[error("WebSocket is not supported here")]
    NotSupported,
    /// The URL or a subprotocol is malformed.
    #[error(transparent)]
    Syntax(#[from] SyntaxError),
    /// The operating system refused what a socket needs, such as a thread.
    #[error("the system refused the resources for a socket: {0}")]
    Resources(String),
    /// An option cannot be used as given, such as a request header that the
    /// opening handshake owns.
    #[error("invalid option: {0}")]
    Option(String),
    /// This host cannot do what an option asks for, which the error names.
    #[error("this host does not support the option {0}")]
    OptionNotSupported(&'static str),
}

/// What is malformed about a URL or a subprotocol.
///
/// ```
/// use isosocket::{NewError, SyntaxError, WebSocket};
///
/// let refused = |url| WebSocket::new(url).unwrap_err();
/// assert_eq!(refused("/chat"), NewError::Syntax(SyntaxError::RelativeUrl));
/// assert_eq!(refused("ws://host/#top"), NewError::Syntax(SyntaxError::Fragment));
/// let error = SyntaxError::Scheme("ftp".to_owned());
/// assert_eq!(error.to_string(), r#"the scheme "ftp" is not one of ws, wss, http and https"#);
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SyntaxError {
    /// The WHATWG URL parser refused it.
    #[error("invalid URL: {0}")]
    Url(String),
    /// The host, which is given here, has characters beyond ASCII. A native program needs the
    /// feature `idna` for such a host, or must use the host's ASCII form. Browsers know such
    /// hosts, so this variant does not exist on the web. A portable program calls
    /// [`international_host`](SyntaxError::international_host) instead.
    #[cfg(feature = "native")]
    #[error(
        "the host \"{0}\" is not ASCII: enable isosocket's feature `idna`, or write the host's \
         ASCII form, such as xn--bcher-kva.example"
    )]
    InternationalHost(String),
    /// The URL has no scheme. A browser would resolve it against the address of the page. A
    /// portable program has no page.
    #[error("relative URL: a scheme such as wss: is needed")]
    RelativeUrl,
    /// The scheme is not `ws`, `wss`, `http` or `https`.
    #[error("the scheme \"{0}\" is not one of ws, wss, http and https")]
    Scheme(String),
    /// The URL has a fragment. An empty one is an error, too.
    #[error("a WebSocket URL must not have a fragment")]
    Fragment,
    /// A subprotocol is not a token of RFC 6455 section 4.1.
    #[error("the subprotocol \"{0}\" is not a token")]
    Subprotocol(String),
    /// A subprotocol is requested twice.
    #[error("the subprotocol \"{0}\" is requested twice")]
    DuplicateSubprotocol(String),
}

impl SyntaxError {
    /// The host, if the only error is that it is not ASCII and this program was built without the
    /// feature `idna`. Always `None` on the web.
    ///
    /// ```
    /// use isosocket::{NewError, WebSocket};
    ///
    /// # let network = isosocket::mock::Network::new();
    /// match WebSocket::new("wss://b\u{fc}cher.example/") {
    ///     Err(NewError::Syntax(error)) if error.international_host().is_some() => {
    ///         println!("write the address with xn--")
    ///     }
    ///     Err(error) => println!("{error}"),
    ///     Ok(socket) => drop(socket),
    /// }
    /// ```
    pub fn international_host(&self) -> Option<&str> {
        match self {
            #[cfg(feature = "native")]
            SyntaxError::InternationalHost(host) => Some(host),
            _ => None,
        }
    }
}

/// Why [`WebSocket::open`](crate::WebSocket::open) did not return an open socket.
///
/// `{error:#}` shows the causes, too, on one line.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").refuse("401");
/// # network.block_on(async {
/// use isosocket::{OpenError, WebSocket};
///
/// match WebSocket::open("ws://peer/").await {
///     Ok(socket) => drop(socket),
///     Err(OpenError::New(error)) => println!("no such socket: {error}"),
///     Err(error) => println!("try again later: {error:#}"),
/// }
/// # });
/// # network.finish();
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OpenError {
    /// The socket could not be constructed.
    New(NewError),
    /// The connection could not be established.
    Failed(ErrorEvent),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::New(error) => fmt::Display::fmt(error, f),
            OpenError::Failed(error) => {
                f.write_str("the WebSocket connection could not be established")?;
                // The event's own text says the same in other words.
                write_causes(f, error.cause())
            }
        }
    }
}

impl StdError for OpenError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            OpenError::New(error) => error.source(),
            OpenError::Failed(error) => Some(error),
        }
    }
}

impl From<NewError> for OpenError {
    fn from(error: NewError) -> Self {
        OpenError::New(error)
    }
}

/// In the alternate form, `{:#}`, writes a cause and its causes, each after a colon.
pub(crate) fn write_causes(
    f: &mut fmt::Formatter<'_>,
    mut cause: Option<&(dyn StdError + 'static)>,
) -> fmt::Result {
    while let Some(error) = cause.filter(|_| f.alternate()) {
        write!(f, ": {error}")?;
        cause = error.source();
    }
    Ok(())
}

/// Why a message was not sent. The error holds the message, so it is not lost.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/");
/// use isosocket::{SendError, WebSocket};
///
/// let mut later = Vec::new();
/// let socket = WebSocket::new("ws://peer/")?;
/// match socket.send("hello") {
///     Ok(()) => {}
///     Err(SendError::Connecting(message) | SendError::Full(message)) => later.push(message),
///     Err(error) => println!("never sent: {:?}", error.message()),
/// }
/// assert_eq!(later, ["hello"]);
/// # network.run();
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendError {
    /// The socket is still connecting (in a browser an `InvalidStateError`).
    #[error("the socket is still connecting")]
    Connecting(Message),
    /// The socket is closing.
    #[error("the socket is closing")]
    Closing(Message),
    /// The socket is closed.
    #[error("the socket is closed")]
    Closed(Message),
    /// More is buffered than the send limit allows. Wait for `send_ready`, then send
    /// again.
    #[error("the send buffer is full")]
    Full(Message),
    /// The socket ended, and so many bytes of messages that it had accepted were not sent. Only
    /// `flush` and `close` of a [`Sender`](crate::Sender) return it.
    #[error("the socket ended before the last {0} bytes were sent")]
    Unsent(usize),
}

static NOTHING: Message = Message::Binary(Binary::EMPTY);

impl SendError {
    /// The message that was not sent. It is empty for [`Unsent`](SendError::Unsent).
    ///
    /// ```
    /// use isosocket::{Message, SendError};
    ///
    /// fn report(error: &SendError) -> String {
    ///     format!("{} bytes not sent: {error}", error.message().len())
    /// }
    ///
    /// let error = SendError::Closed(Message::from("hello"));
    /// assert_eq!(report(&error), "5 bytes not sent: the socket is closed");
    /// ```
    pub fn message(&self) -> &Message {
        match self {
            SendError::Connecting(message)
            | SendError::Closing(message)
            | SendError::Closed(message)
            | SendError::Full(message) => message,
            SendError::Unsent(_) => &NOTHING,
        }
    }

    /// The message that was not sent, to keep. It is empty for
    /// [`Unsent`](SendError::Unsent).
    ///
    /// ```
    /// use isosocket::{Message, SendError};
    ///
    /// let error = SendError::Full(Message::from("hello"));
    /// let again: Message = error.into_message();
    /// assert_eq!(again, Message::from("hello"));
    /// ```
    pub fn into_message(self) -> Message {
        match self {
            SendError::Connecting(message)
            | SendError::Closing(message)
            | SendError::Closed(message)
            | SendError::Full(message) => message,
            SendError::Unsent(_) => NOTHING.clone(),
        }
    }
}

/// Why `close_with` was refused. The socket's state did not change.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/");
/// use isosocket::{CloseError, WebSocket};
///
/// let socket = WebSocket::new("ws://peer/")?;
/// assert_eq!(socket.close_with(1001, ""), Err(CloseError::InvalidCode(1001)));
/// let long = "x".repeat(124);
/// assert_eq!(socket.close_with(1000, &long), Err(CloseError::ReasonTooLong(124)));
/// # network.run();
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum CloseError {
    /// The code is neither 1000 nor in 3000–4999 (in a browser an
    /// `InvalidAccessError`).
    #[error("close code {0} is neither 1000 nor in 3000 to 4999")]
    InvalidCode(u16),
    /// The reason, of this many bytes, is longer than 123 bytes of UTF-8 (in a browser
    /// a `SyntaxError`).
    #[error("the close reason has {0} bytes; at most 123 are allowed")]
    ReasonTooLong(usize),
}

/// The name is not that of an event: `open`, `message`, `error` or `close`.
///
/// ```
/// use isosocket::EventKind;
///
/// let error = "opened".parse::<EventKind>().unwrap_err();
/// let expected = r#"there is no event "opened": the events are open, message, error and close"#;
/// assert_eq!(error.to_string(), expected);
/// ```
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
    ///
    /// ```
    /// use isosocket::EventKind;
    ///
    /// let error = "opened".parse::<EventKind>().unwrap_err();
    /// assert_eq!(error.name(), "opened");
    /// ```
    pub fn name(&self) -> &str {
        &self.name
    }
}

#[cfg(all(test, feature = "native"))]
mod tests {
    use super::*;

    #[test]
    fn a_host_beyond_ascii_can_be_asked_for() {
        let error = SyntaxError::InternationalHost("b\u{fc}cher.example".to_owned());
        assert_eq!(error.international_host(), Some("b\u{fc}cher.example"));
        assert_eq!(SyntaxError::Fragment.international_host(), None);
    }
}
