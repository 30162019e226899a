//! The four events of a WebSocket, in the words of the WHATWG standard.

pub(crate) mod error;
pub(crate) mod kind;
pub(crate) mod report;
pub(crate) mod tls;

use std::error::Error;
use std::fmt;
use std::mem;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use crate::base::guard::drop_guarded;
use crate::event::error::write_causes;
use crate::event::kind::Code;
use crate::{ErrorKind, Message, UnknownEvent};

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

/// The connection failed.
///
/// The event is the same for all failures, because a page must not be able to probe a network.
/// [`kind`](ErrorEvent::kind) is what the target knows about the failure, for programs that
/// treat failures differently. For a log, `{error:#}` shows the cause and its causes on one
/// line, if the target reports them. [`source`](Error::source) has them one by one.
///
/// Two error events are equal if they have the same kind, and their causes have the same texts.
/// That is for tests only, because the text of a cause may change with any version.
///
/// ```
/// use isosocket::ErrorEvent;
///
/// let refused = ErrorEvent::new("connection refused");
/// assert_eq!(format!("{refused}"), "the WebSocket connection failed");
/// assert_eq!(format!("{refused:#}"), "the WebSocket connection failed: connection refused");
/// assert_eq!(refused, ErrorEvent::new("connection refused"));
/// assert_ne!(refused, ErrorEvent::unknown());
/// ```
///
/// ## Platform-specific
/// - **Web:** browsers do not report the cause; there is no source, and the kind is known
///   only where isosocket itself ended the connection.
/// - **Native:** the source is the failure: a refused connection, a bad
///   certificate, a violation of the protocol. A refused handshake also has the server's
///   reply: see `isosocket::native::ErrorEventExt`.
#[derive(Clone)]
pub struct ErrorEvent {
    what: What,
}

/// What is known of a failure. The kind stands where the second word of a fat pointer
/// would.
#[derive(Clone)]
enum What {
    /// Its kind, and nothing else.
    Kind(Code),
    /// Its cause, too, which may be [`Known`].
    Caused(Arc<dyn Error + Send + Sync>),
}

/// A cause, and what is known of the failure in addition. It shows itself as its cause
/// does. A page has no such causes, and does not load this.
#[derive(Debug)]
struct Known {
    kind: ErrorKind,
    retry_after: Option<Duration>,
    cause: Box<dyn Error + Send + Sync>,
}

impl fmt::Display for Known {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Known {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

impl ErrorEvent {
    /// An error event whose cause is known, and its kind is not.
    ///
    /// ```
    /// use std::error::Error;
    /// use isosocket::ErrorEvent;
    ///
    /// // What a test feeds to the code that shows errors.
    /// let error = ErrorEvent::new("certificate has expired");
    /// assert_eq!(error.source().unwrap().to_string(), "certificate has expired");
    /// ```
    pub fn new(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let cause: Box<dyn Error + Send + Sync> = cause.into();
        ErrorEvent {
            what: What::Caused(cause.into()),
        }
    }

    /// An error event whose kind and cause are known.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// use isosocket::{ErrorEvent, ErrorKind, WebSocket};
    ///
    /// // A test of what a program does about an expired token.
    /// let expired = ErrorEvent::with_kind(ErrorKind::HandshakeRefused(401), "token expired");
    /// network.peer("ws://peer/").refuse(expired);
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .on_error(|_, error| assert_eq!(error.kind(), ErrorKind::HandshakeRefused(401)))
    ///     .connect()?;
    /// # network.run();
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn with_kind(kind: ErrorKind, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        ErrorEvent::known(Known {
            kind,
            retry_after: None,
            cause: cause.into(),
        })
    }

    /// A refused opening handshake: its status, and the time for which the server wants no other
    /// attempt, by its header `Retry-After`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use isosocket::{ErrorEvent, ErrorKind};
    ///
    /// let busy = ErrorEvent::refused(503, Duration::from_secs(3), "the server is busy");
    /// assert_eq!(busy.kind(), ErrorKind::HandshakeRefused(503));
    /// assert_eq!(busy.retry_after(), Some(Duration::from_secs(3)));
    /// ```
    pub fn refused(
        status: u16,
        retry_after: impl Into<Option<Duration>>,
        cause: impl Into<Box<dyn Error + Send + Sync>>,
    ) -> Self {
        ErrorEvent::known(Known {
            kind: ErrorKind::HandshakeRefused(status),
            retry_after: retry_after.into(),
            cause: cause.into(),
        })
    }

    fn known(known: Known) -> Self {
        ErrorEvent {
            what: What::Caused(Arc::new(known)),
        }
    }

    /// An error event whose cause the host does not report.
    ///
    /// ```
    /// use std::error::Error;
    /// use isosocket::ErrorEvent;
    ///
    /// assert!(ErrorEvent::unknown().source().is_none());
    /// ```
    pub const fn unknown() -> Self {
        ErrorEvent {
            what: What::Kind(Code::UNKNOWN),
        }
    }

    /// An error event of which only the kind is known.
    ///
    /// ```
    /// use std::error::Error;
    /// use isosocket::{ErrorEvent, ErrorKind};
    ///
    /// const BLOCKED: ErrorEvent = ErrorEvent::of_kind(ErrorKind::BlockedPort);
    /// assert_eq!(BLOCKED.kind(), ErrorKind::BlockedPort);
    /// assert!(BLOCKED.source().is_none());
    /// ```
    pub const fn of_kind(kind: ErrorKind) -> Self {
        ErrorEvent {
            what: What::Kind(Code::of(kind)),
        }
    }

    /// Why the connection failed, as far as this target knows: see [`ErrorKind`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("no");
    /// use isosocket::{ErrorKind, WebSocket};
    ///
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .on_error(|_, error| match error.kind() {
    ///         ErrorKind::HandshakeRefused(status) => println!("status {status}"),
    ///         ErrorKind::NameNotFound => println!("is the address right?"),
    ///         kind => println!("{kind}"),
    ///     })
    ///     .connect()?;
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn kind(&self) -> ErrorKind {
        match &self.what {
            What::Kind(code) => code.kind(),
            What::Caused(cause) => {
                let known = cause.downcast_ref::<Known>();
                known.map_or(ErrorKind::Unknown, |known| known.kind)
            }
        }
    }

    /// The time for which the server wants no other attempt: the header `Retry-After` of its
    /// refusal, which has seconds or a date. `None` without such a header, and on the web.
    ///
    /// A reconnecting socket waits for this time by itself.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("no");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .on_error(|_, error| match error.retry_after() {
    ///         Some(wait) => println!("try again in {wait:?}"),
    ///         None => println!("try again some time"),
    ///     })
    ///     .connect()?;
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        match &self.what {
            What::Kind(_) => None,
            What::Caused(cause) => cause.downcast_ref::<Known>()?.retry_after,
        }
    }

    /// So many messages came while nobody listened, and were not kept.
    pub(crate) const fn dropped(count: usize) -> Self {
        ErrorEvent {
            what: What::Kind(Code::dropped(count)),
        }
    }

    /// The peer did not answer the heartbeat within this time.
    pub(crate) fn unanswered(time: Duration) -> Self {
        ErrorEvent {
            what: What::Kind(Code::unanswered(time)),
        }
    }

    /// The peer was silent for this time.
    pub(crate) fn silent(time: Duration) -> Self {
        ErrorEvent {
            what: What::Kind(Code::silent(time)),
        }
    }

    /// Its cause, to be shown.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            What::Kind(code) => code.cause(),
            What::Caused(cause) => Some(&**cause),
        }
    }
}

impl Default for ErrorEvent {
    fn default() -> Self {
        ErrorEvent::unknown()
    }
}

/// An error event whose cause is not known beyond this.
impl From<ErrorKind> for ErrorEvent {
    fn from(kind: ErrorKind) -> Self {
        ErrorEvent::of_kind(kind)
    }
}

/// An error event whose cause is these words.
impl From<&str> for ErrorEvent {
    fn from(cause: &str) -> Self {
        ErrorEvent::new(cause)
    }
}

/// A cause may be an error of the program, whose destructor may panic.
impl Drop for ErrorEvent {
    fn drop(&mut self) {
        let nothing = What::Kind(Code::UNKNOWN);
        if let What::Caused(cause) = mem::replace(&mut self.what, nothing) {
            drop_guarded("an error", cause);
        }
    }
}

impl PartialEq for ErrorEvent {
    fn eq(&self, other: &Self) -> bool {
        if self.kind() != other.kind() {
            return false;
        }
        let (mut one, mut other) = (self.cause(), other.cause());
        loop {
            match (one, other) {
                (None, None) => return true,
                (Some(a), Some(b)) if a.to_string() == b.to_string() => {
                    (one, other) = (a.source(), b.source());
                }
                _ => return false,
            }
        }
    }
}

impl Eq for ErrorEvent {}

impl fmt::Debug for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("ErrorEvent");
        shown.field("kind", &self.kind());
        if let Some(cause) = self.source() {
            shown.field("cause", &cause);
        }
        shown.finish()
    }
}

/// `{:#}` shows the causes, too, each after a colon.
impl fmt::Display for ErrorEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the WebSocket connection failed")?;
        write_causes(f, self.cause())
    }
}

impl Error for ErrorEvent {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match &self.what {
            What::Kind(code) => code.cause(),
            What::Caused(cause) => Some(match cause.downcast_ref::<Known>() {
                Some(known) => &*known.cause,
                None => &**cause,
            }),
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
