//! The error event, and what is known of the failure behind it.

use std::error::Error;
use std::fmt;
use std::mem::{self, ManuallyDrop};
use std::sync::Arc;
use std::time::Duration;

use crate::ErrorKind;
use crate::base::guard::drop_guarded;
use crate::base::maybe_send::Flag;
use crate::event::error::write_causes;
use crate::event::kind::Code;

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
pub struct ErrorEvent {
    what: ManuallyDrop<What>,
}

/// Whether the program may make causes: see [`rare`](crate::base::rare).
static CAUSES: Flag = Flag::new();

/// What is known of a failure. The kind stands where the second word of a fat pointer
/// would.
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
        ErrorEvent::caused(cause.into())
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
        ErrorEvent::caused(Arc::new(known))
    }

    fn caused(cause: Arc<dyn Error + Send + Sync>) -> Self {
        CAUSES.set();
        ErrorEvent::of(What::Caused(cause))
    }

    const fn of_code(code: Code) -> Self {
        ErrorEvent::of(What::Kind(code))
    }

    const fn of(what: What) -> Self {
        ErrorEvent {
            what: ManuallyDrop::new(what),
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
        ErrorEvent::of_code(Code::UNKNOWN)
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
        ErrorEvent::of_code(Code::of(kind))
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
        match &*self.what {
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
        match &*self.what {
            What::Kind(_) => None,
            What::Caused(cause) => cause.downcast_ref::<Known>()?.retry_after,
        }
    }

    /// So many messages came while nobody listened, and were not kept.
    pub(crate) const fn dropped(count: usize) -> Self {
        ErrorEvent::of_code(Code::dropped(count))
    }

    /// The peer did not answer the heartbeat within this time.
    pub(crate) fn unanswered(time: Duration) -> Self {
        ErrorEvent::of_code(Code::unanswered(time))
    }

    /// The peer was silent for this time.
    pub(crate) fn silent(time: Duration) -> Self {
        ErrorEvent::of_code(Code::silent(time))
    }

    fn drop_cause(&mut self) {
        let nothing = What::Kind(Code::UNKNOWN);
        if let What::Caused(cause) = mem::replace(&mut *self.what, nothing) {
            drop_guarded("an error", cause);
        }
    }

    /// Its cause, to be shown.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        match &*self.what {
            What::Kind(code) => code.cause(),
            What::Caused(cause) => Some(&**cause),
        }
    }
}

impl Clone for ErrorEvent {
    fn clone(&self) -> Self {
        // Not by `caused`: where nothing else sets the flag, nothing may set it.
        match &*self.what {
            What::Caused(cause) if CAUSES.get() => ErrorEvent::of(What::Caused(cause.clone())),
            What::Caused(_) => ErrorEvent::unknown(),
            What::Kind(code) => ErrorEvent::of_code(*code),
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
    #[inline(always)]
    fn drop(&mut self) {
        if CAUSES.get() {
            self.drop_cause();
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
        match &*self.what {
            What::Kind(code) => code.cause(),
            What::Caused(cause) => Some(match cause.downcast_ref::<Known>() {
                Some(known) => &*known.cause,
                None => &**cause,
            }),
        }
    }
}
