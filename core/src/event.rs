//! The four events of a WebSocket, in the words of the WHATWG standard.

use std::error::Error;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::{Message, UnknownEvent};

/// The four kinds of events.
///
/// ```
/// use isosocket_core::EventKind;
///
/// assert_eq!("message".parse(), Ok(EventKind::Message));
/// assert_eq!(EventKind::Close.name(), "close");
/// assert!("closed".parse::<EventKind>().is_err());
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EventKind {
    /// The connection is established.
    Open,
    /// A message arrived.
    Message,
    /// The connection failed; a `Close` follows.
    Error,
    /// The connection is closed: always the last event.
    Close,
}

impl EventKind {
    /// All kinds, in the order in which a socket can deliver them.
    pub const ALL: [EventKind; 4] = [
        EventKind::Open,
        EventKind::Message,
        EventKind::Error,
        EventKind::Close,
    ];

    /// The event's name in the WHATWG standard: `open`, `message`, `error` or `close`.
    pub const fn name(self) -> &'static str {
        match self {
            EventKind::Open => "open",
            EventKind::Message => "message",
            EventKind::Error => "error",
            EventKind::Close => "close",
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EventKind {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, UnknownEvent> {
        EventKind::ALL
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or_else(|| UnknownEvent::new(name))
    }
}

/// What happened on a socket.
///
/// On every target a socket delivers at most one `Open`, then any number of
/// `Message`s, at most one `Error`, and exactly one `Close`, which is the last
/// (S97). Of a socket that reconnects there is an `Open` for each connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is established (S23).
    Open,
    /// A message arrived (S55).
    Message(Message),
    /// The connection failed; a `Close` with code 1006 follows.
    Error(ErrorEvent),
    /// The connection is closed; nothing follows.
    Close(CloseEvent),
}

impl Event {
    /// Which of the four kinds this event is.
    pub const fn kind(&self) -> EventKind {
        match self {
            Event::Open => EventKind::Open,
            Event::Message(_) => EventKind::Message,
            Event::Error(_) => EventKind::Error,
            Event::Close(_) => EventKind::Close,
        }
    }

    /// The bytes of the message, if it is one.
    pub(crate) fn len(&self) -> usize {
        match self {
            Event::Message(message) => message.len(),
            _ => 0,
        }
    }
}

/// The connection failed.
///
/// Programs cannot tell failures apart by the event, on purpose: a page must
/// not be able to probe a network (S33), and portable code must not depend on
/// what only one target knows. So all error events are equal. For a log,
/// [`source`](Error::source) has the cause where the target tells it.
///
/// ## Platform-specific
/// - **Web:** browsers do not tell the cause; there is no source.
/// - **Native:** the source is the failure: a refused connection, a bad
///   certificate, a violation of the protocol.
#[derive(Clone, Debug, Default)]
pub struct ErrorEvent {
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ErrorEvent {
    /// An error event whose cause is known.
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause: Box<dyn Error + Send + Sync> = cause.into();
        ErrorEvent {
            cause: Some(cause.into()),
        }
    }

    /// An error event whose cause the host keeps to itself.
    pub const fn unknown() -> Self {
        ErrorEvent { cause: None }
    }
}

impl PartialEq for ErrorEvent {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ErrorEvent {}

impl fmt::Display for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket connection failed")
    }
}

impl Error for ErrorEvent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_ref().map(|cause| &**cause as _)
    }
}

/// How the connection ended.
///
/// ```
/// use isosocket_core::CloseEvent;
///
/// let end = CloseEvent::new(1000, "bye", true);
/// assert_eq!((end.code, end.reason.as_str(), end.was_clean), (1000, "bye", true));
/// assert_eq!(CloseEvent::abnormal().code, 1006);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CloseEvent {
    /// The close code, RFC 6455 section 7.4. 1005 stands for "the peer gave
    /// none" and 1006 for "there was no closing handshake"; neither is ever
    /// sent.
    pub code: u16,
    /// The close reason: at most 123 bytes of UTF-8, often empty.
    pub reason: String,
    /// Whether the closing handshake was completed.
    pub was_clean: bool,
}

impl CloseEvent {
    /// A close event with these values.
    pub fn new(code: u16, reason: impl Into<String>, was_clean: bool) -> Self {
        CloseEvent {
            code,
            reason: reason.into(),
            was_clean,
        }
    }

    /// What a failed or dropped connection reports: 1006, no reason, not clean.
    pub fn abnormal() -> Self {
        CloseEvent::new(1006, "", false)
    }
}

impl fmt::Display for CloseEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clean = if self.was_clean { "clean" } else { "not clean" };
        write!(f, "closed with code {} ({clean})", self.code)?;
        if !self.reason.is_empty() {
            write!(f, ": {}", self.reason)?;
        }
        Ok(())
    }
}
