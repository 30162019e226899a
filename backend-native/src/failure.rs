//! A failure, with its cause and its kind, until it is reported to the program.
//!
//! Invariant: the kind is derived from a type or a number, never from a text.

use std::error::Error;
use std::fmt;
use std::io;
use std::time::Duration;

use isosocket_core::{ErrorEvent, ErrorKind, Timeout};

use crate::engine::handshake::HandshakeError;
use crate::engine::tunnel::ProxyError;
use crate::wire::violation::Violation;

pub(crate) type BoxError = Box<dyn Error + Send + Sync>;

/// Why a connection failed.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) kind: ErrorKind,
    pub(crate) cause: BoxError,
    /// The time in `Retry-After` of a refusal.
    pub(crate) retry_after: Option<Duration>,
}

impl Failure {
    pub(crate) fn new(kind: ErrorKind, cause: impl Into<BoxError>) -> Self {
        let cause = cause.into();
        Failure {
            kind,
            cause,
            retry_after: None,
        }
    }

    /// The error event for the program.
    pub(crate) fn into_event(self) -> ErrorEvent {
        match self.kind {
            ErrorKind::HandshakeRefused(status) => {
                ErrorEvent::refused(status, self.retry_after, self.cause)
            }
            kind => ErrorEvent::with_kind(kind, self.cause),
        }
    }
}

impl From<Violation> for Failure {
    fn from(violation: Violation) -> Self {
        let kind = match violation.code {
            1009 => ErrorKind::MessageTooLarge,
            code => ErrorKind::ProtocolViolation(code),
        };
        Failure::new(kind, violation)
    }
}

impl From<HandshakeError> for Failure {
    fn from(error: HandshakeError) -> Self {
        Failure::new(ErrorKind::HandshakeInvalid, error)
    }
}

impl From<ProxyError> for Failure {
    fn from(error: ProxyError) -> Self {
        let kind = match error {
            ProxyError::Status(status) => ErrorKind::ProxyRefused(status),
            _ => ErrorKind::Proxy,
        };
        Failure::new(kind, error)
    }
}

/// An error of the system, or one of TLS or of a lookup, which are [tagged](tag).
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::new(kind_of(&error), error)
    }
}

/// The kind of an error of the system, or of one that was [tagged](tag).
pub(crate) fn kind_of(error: &io::Error) -> ErrorKind {
    let tagged = error.get_ref().and_then(|inner| inner.downcast_ref());
    if let Some(Tagged { kind, .. }) = tagged {
        return *kind;
    }
    if error
        .raw_os_error()
        .is_some_and(|code| EXHAUSTED.contains(&code))
    {
        return ErrorKind::OutOfResources;
    }
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ErrorKind::ConnectionRefused,
        io::ErrorKind::HostUnreachable
        | io::ErrorKind::NetworkUnreachable
        | io::ErrorKind::NetworkDown
        | io::ErrorKind::AddrNotAvailable => ErrorKind::Unreachable,
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe
        | io::ErrorKind::NotConnected
        | io::ErrorKind::UnexpectedEof => ErrorKind::Reset,
        // The system has sent the same bytes again and again, without a confirmation.
        io::ErrorKind::TimedOut => ErrorKind::TimedOut(Timeout::Heartbeat),
        // This is how the start of a thread fails. Streams that would block do not fail.
        io::ErrorKind::OutOfMemory | io::ErrorKind::WouldBlock => ErrorKind::OutOfResources,
        _ => ErrorKind::Unknown,
    }
}

/// ENFILE, EMFILE, and ENOBUFS of Linux and of BSD; WSAEMFILE and WSAENOBUFS.
const EXHAUSTED: [i32; 6] = [23, 24, 105, 55, 10024, 10055];

/// An error of a name lookup. It means that there is no such name, unless the system ran out of
/// resources.
pub(crate) fn of_lookup(error: io::Error) -> io::Error {
    match kind_of(&error) {
        ErrorKind::OutOfResources => tag(ErrorKind::OutOfResources, error),
        _ => tag(ErrorKind::NameNotFound, error),
    }
}

/// An error of TLS.
#[cfg(any(feature = "tls", feature = "webpki-roots", feature = "native-tls"))]
pub(crate) fn of_tls(failure: isosocket_core::TlsFailure, cause: impl Into<BoxError>) -> io::Error {
    let tagged = Tagged::new(ErrorKind::Tls(failure), cause);
    io::Error::new(io::ErrorKind::InvalidData, tagged)
}

/// The same error with a kind, for interfaces that allow only errors of the system.
pub(crate) fn tag(kind: ErrorKind, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), Tagged::new(kind, error))
}

/// An error with its kind. Its text is that of the error.
#[derive(Debug)]
pub(crate) struct Tagged {
    kind: ErrorKind,
    cause: BoxError,
}

impl Tagged {
    pub(crate) fn new(kind: ErrorKind, cause: impl Into<BoxError>) -> Self {
        let cause = cause.into();
        Tagged { kind, cause }
    }
}

impl fmt::Display for Tagged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl Error for Tagged {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.source()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_that_refuses_is_known_by_its_status() {
        for (error, kind) in [
            (ProxyError::Status(407), ErrorKind::ProxyRefused(407)),
            (ProxyError::Login, ErrorKind::Proxy),
        ] {
            assert_eq!(Failure::from(error).kind, kind);
        }
    }

    #[test]
    fn a_tag_leaves_the_causes_as_they_are() {
        #[derive(Debug, thiserror::Error)]
        #[error("outer")]
        struct Outer(#[source] fmt::Error);
        let tagged = Tagged::new(ErrorKind::Proxy, Outer(fmt::Error));
        assert!(
            tagged
                .source()
                .is_some_and(|source| source.is::<fmt::Error>())
        );
    }

    #[test]
    fn errors_of_the_system_have_kinds() {
        for (error, kind) in [
            (
                io::ErrorKind::ConnectionRefused,
                ErrorKind::ConnectionRefused,
            ),
            (io::ErrorKind::NetworkUnreachable, ErrorKind::Unreachable),
            (io::ErrorKind::HostUnreachable, ErrorKind::Unreachable),
            (io::ErrorKind::BrokenPipe, ErrorKind::Reset),
            (
                io::ErrorKind::TimedOut,
                ErrorKind::TimedOut(Timeout::Heartbeat),
            ),
            (io::ErrorKind::OutOfMemory, ErrorKind::OutOfResources),
            (io::ErrorKind::Other, ErrorKind::Unknown),
        ] {
            assert_eq!(kind_of(&error.into()), kind, "{error}");
        }
    }

    #[test]
    fn a_tag_changes_nothing_but_the_kind() {
        let inner = io::Error::other("no such host");
        let error = of_lookup(inner);
        assert_eq!(kind_of(&error), ErrorKind::NameNotFound);
        assert_eq!(error.to_string(), "no such host");
        assert_eq!(error.kind(), io::ErrorKind::Other);
        let no_thread = of_lookup(io::Error::from(io::ErrorKind::WouldBlock));
        assert_eq!(kind_of(&no_thread), ErrorKind::OutOfResources);
    }
}
