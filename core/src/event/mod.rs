//! The four events of a WebSocket, in the words of the WHATWG standard.

pub(crate) mod error;
pub(crate) mod error_event;
pub(crate) mod kind;
pub(crate) mod report;
pub(crate) mod tls;

use std::fmt;
use std::str::FromStr;

use crate::{ErrorEvent, Message, UnknownEvent};

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
    ///
    /// ```
    /// use isosocket::EventKind;
    ///
    /// let names = EventKind::ALL.map(EventKind::name);
    /// assert_eq!(names, ["open", "message", "error", "close"]);
    /// ```
    pub const ALL: [EventKind; 4] = [
        EventKind::Open,
        EventKind::Message,
        EventKind::Error,
        EventKind::Close,
    ];

    /// The event's name in the WHATWG standard: `open`, `message`, `error` or `close`.
    ///
    /// ```
    /// use isosocket::EventKind;
    ///
    /// for kind in EventKind::ALL {
    ///     assert_eq!(kind.name().parse(), Ok(kind));
    /// }
    /// ```
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
/// On every target a socket delivers at most one `Open`, then any number of `Message`s, at most
/// one `Error`, and exactly one `Close`, which is the last. A socket that reconnects delivers an
/// `Open` for each connection.
///
/// ```
/// use isosocket::{CloseEvent, Event};
///
/// fn line(event: &Event) -> String {
///     match event {
///         Event::Open => "connected".to_owned(),
///         Event::Message(message) => format!("got {} bytes", message.len()),
///         Event::Error(error) => format!("{error:#}"),
///         Event::Close(close) => close.to_string(),
///     }
/// }
///
/// let end = Event::Close(CloseEvent::new(1000, "bye", true));
/// assert_eq!(line(&end), "closed with code 1000 (clean): bye");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The connection is established.
    Open,
    /// A message arrived.
    Message(Message),
    /// The connection failed; a `Close` with code 1006 follows.
    Error(ErrorEvent),
    /// The connection is closed; nothing follows.
    Close(CloseEvent),
}

impl Event {
    /// Which of the four kinds this event is.
    ///
    /// ```
    /// use isosocket::{Event, EventKind};
    ///
    /// assert_eq!(Event::Open.kind(), EventKind::Open);
    /// assert_eq!(Event::Message("hello".into()).kind().name(), "message");
    /// ```
    pub const fn kind(&self) -> EventKind {
        match self {
            Event::Open => EventKind::Open,
            Event::Message(_) => EventKind::Message,
            Event::Error(_) => EventKind::Error,
            Event::Close(_) => EventKind::Close,
        }
    }

    /// How many bytes it counts for in the limits for messages that wait.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Event::Message(message) => message.weight(),
            _ => 0,
        }
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
#[non_exhaustive]
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
    ///
    /// ```
    /// use isosocket::CloseEvent;
    ///
    /// // What a test feeds to the code that decides what to do next.
    /// let restart = CloseEvent::new(1012, "back in a minute", true);
    /// assert_eq!(restart.reason, "back in a minute");
    /// ```
    pub fn new(code: u16, reason: impl Into<String>, was_clean: bool) -> Self {
        CloseEvent {
            code,
            reason: reason.into(),
            was_clean,
        }
    }

    /// What a failed or dropped connection reports: 1006, no reason, not clean.
    ///
    /// ```
    /// use isosocket::CloseEvent;
    ///
    /// assert_eq!(CloseEvent::abnormal(), CloseEvent::new(1006, "", false));
    /// ```
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
