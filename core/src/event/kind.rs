//! Why a connection failed, as far as a target knows: the kind of an error event.
//!
//! Invariant: a kind is four bytes, so that an error event is no larger for it.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::tls::TlsFailure;

/// Why a connection failed: see [`ErrorEvent::kind`](crate::ErrorEvent::kind).
///
/// Each target reports only what it knows. On the web that is little, because a page must
/// not be able to probe a network. So what a portable program does for
/// [`Unknown`](ErrorKind::Unknown) must be right for all kinds.
///
/// ```
/// use isosocket::{ErrorEvent, ErrorKind, TlsFailure};
///
/// fn advice(error: &ErrorEvent) -> String {
///     match error.kind() {
///         ErrorKind::HandshakeRefused(401) => "log in again".to_owned(),
///         ErrorKind::Tls(TlsFailure::Expired) => "check the clock of this computer".to_owned(),
///         ErrorKind::NameNotFound | ErrorKind::Unreachable => "are you online?".to_owned(),
///         kind => format!("try again later: {kind}"),
///     }
/// }
///
/// let refused = ErrorEvent::with_kind(ErrorKind::HandshakeRefused(401), "status 401");
/// assert_eq!(advice(&refused), "log in again");
/// assert_eq!(advice(&ErrorEvent::unknown()), "try again later: the cause is unknown");
/// ```
///
/// ## Platform-specific
/// - **Native:** all kinds but [`Forbidden`](ErrorKind::Forbidden).
/// - **Web:** [`TimedOut`](ErrorKind::TimedOut), [`MessageTooLarge`](ErrorKind::MessageTooLarge),
///   [`BlockedPort`](ErrorKind::BlockedPort), [`Forbidden`](ErrorKind::Forbidden),
///   [`Aborted`](ErrorKind::Aborted) and [`OutOfResources`](ErrorKind::OutOfResources);
///   everything else is [`Unknown`](ErrorKind::Unknown).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The host of the URL has no address.
    NameNotFound,
    /// No program listens at the port, or a firewall refused the connection.
    ConnectionRefused,
    /// There is no way to the host: the network is down, or there is no route.
    Unreachable,
    /// TLS failed.
    Tls(TlsFailure),
    /// The proxy cannot be reached, its reply is malformed, or (SOCKS) it could not connect.
    Proxy,
    /// The HTTP proxy answered `CONNECT` with this status.
    ProxyRefused(u16),
    /// The server answered the opening handshake with this status, and not with 101.
    HandshakeRefused(u16),
    /// The server's answer to the opening handshake is not valid.
    HandshakeInvalid,
    /// The peer broke the protocol. The close code says how: 1002, or 1007 for text
    /// that is not UTF-8.
    ProtocolViolation(u16),
    /// The peer sent a message over the size limit.
    MessageTooLarge,
    /// Something took too long.
    TimedOut(Timeout),
    /// The connection was reset, or it ended before it was established.
    Reset,
    /// The system has no file descriptors, threads or memory left; or more messages came than the
    /// backlog limit allows to keep.
    OutOfResources,
    /// Browsers block this port, and so does isosocket.
    BlockedPort,
    /// The host's `WebSocket` constructor threw: the page's policy forbids the
    /// connection, or it is `ws:` from a page of `https:`.
    Forbidden,
    /// The program itself ended it: it closed a socket that was connecting, or forked.
    Aborted,
    /// Not known, or none of these.
    #[default]
    Unknown,
}

/// What took too long.
///
/// ```
/// use isosocket::{ErrorKind, Timeout};
///
/// let kind = ErrorKind::TimedOut(Timeout::Connect);
/// assert_eq!(kind.to_string(), "the connection was not established in time");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Timeout {
    /// The connection was not established in time.
    Connect,
    /// The closing handshake was not completed in time. No target reports it as an
    /// error today: there is a `Close` of 1006, and no `Error`.
    Close,
    /// The peer showed no sign of life for too long.
    Heartbeat,
}

/// A kind as one number: what it is in the low byte, and its detail above. A page then
/// writes one number where it has a kind, and does not load what reads it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Code(usize);

/// [`ErrorKind::OutOfResources`], and the detail is how many messages were dropped. Every
/// page can fail so: the code that writes its text is loaded only where a program asks
/// for the text.
const DROPPED: usize = 17;

/// [`Timeout::Heartbeat`]: the peer did not answer, and the detail is the time that it had,
/// in milliseconds; one more means seconds.
const UNANSWERED: usize = 18;
/// The same: the peer was silent for this time.
const SILENT: usize = 20;

/// What a detail has room for.
const MOST: usize = usize::MAX >> 8;

impl Code {
    pub(crate) const UNKNOWN: Code = Code::of(ErrorKind::Unknown);

    #[inline]
    pub(crate) const fn of(kind: ErrorKind) -> Self {
        let (kind, detail) = match kind {
            ErrorKind::Unknown => (0, 0),
            ErrorKind::NameNotFound => (1, 0),
            ErrorKind::ConnectionRefused => (2, 0),
            ErrorKind::Unreachable => (3, 0),
            ErrorKind::Tls(failure) => (4, failure as usize),
            ErrorKind::Proxy => (5, 0),
            ErrorKind::ProxyRefused(status) => (6, status as usize),
            ErrorKind::HandshakeRefused(status) => (7, status as usize),
            ErrorKind::HandshakeInvalid => (8, 0),
            ErrorKind::ProtocolViolation(code) => (9, code as usize),
            ErrorKind::MessageTooLarge => (10, 0),
            ErrorKind::TimedOut(timeout) => (11, timeout as usize),
            ErrorKind::Reset => (12, 0),
            ErrorKind::OutOfResources => (13, 0),
            ErrorKind::BlockedPort => (14, 0),
            ErrorKind::Forbidden => (15, 0),
            ErrorKind::Aborted => (16, 0),
        };
        Code(kind | detail << 8)
    }

    /// So many messages were dropped. A number that has no room is as large as there is.
    pub(crate) const fn dropped(count: usize) -> Self {
        let count = if count < MOST { count } else { MOST };
        Code(DROPPED | count << 8)
    }

    /// A peer that did not answer within this time.
    pub(crate) fn unanswered(time: Duration) -> Self {
        Code::timed(UNANSWERED, time)
    }

    /// A peer that was silent for this time.
    pub(crate) fn silent(time: Duration) -> Self {
        Code::timed(SILENT, time)
    }

    fn timed(code: usize, time: Duration) -> Self {
        let seconds = time.as_secs();
        let milliseconds = seconds.saturating_mul(1_000);
        let milliseconds = milliseconds.saturating_add(time.subsec_millis().into());
        match usize::try_from(milliseconds) {
            Ok(detail) if detail <= MOST => Code(code | detail << 8),
            _ => {
                let detail = usize::try_from(seconds).unwrap_or(MOST).min(MOST);
                Code((code + 1) | detail << 8)
            }
        }
    }

    pub(crate) fn kind(self) -> ErrorKind {
        let detail = self.0 >> 8;
        match self.0 & 0xff {
            1 => ErrorKind::NameNotFound,
            2 => ErrorKind::ConnectionRefused,
            3 => ErrorKind::Unreachable,
            4 => ErrorKind::Tls(TlsFailure::numbered(detail)),
            5 => ErrorKind::Proxy,
            6 => ErrorKind::ProxyRefused(detail as u16),
            7 => ErrorKind::HandshakeRefused(detail as u16),
            8 => ErrorKind::HandshakeInvalid,
            9 => ErrorKind::ProtocolViolation(detail as u16),
            10 => ErrorKind::MessageTooLarge,
            11 => ErrorKind::TimedOut(match detail {
                0 => Timeout::Connect,
                1 => Timeout::Close,
                _ => Timeout::Heartbeat,
            }),
            12 => ErrorKind::Reset,
            13 => ErrorKind::OutOfResources,
            14 => ErrorKind::BlockedPort,
            15 => ErrorKind::Forbidden,
            16 => ErrorKind::Aborted,
            DROPPED => ErrorKind::OutOfResources,
            UNANSWERED..=21 => ErrorKind::TimedOut(Timeout::Heartbeat),
            _ => ErrorKind::Unknown,
        }
    }

    /// The cause of this code, if it has more than a kind.
    pub(crate) fn cause(&self) -> Option<&(dyn Error + 'static)> {
        (self.0 & 0xff >= DROPPED).then_some(self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (code, detail) = (self.0 & 0xff, self.0 >> 8);
        let time = match code {
            UNANSWERED | SILENT => Duration::from_millis(detail as u64),
            _ => Duration::from_secs(detail as u64),
        };
        match code {
            DROPPED => write!(
                f,
                "{detail} messages were dropped: nobody listened, and more arrived than the \
                 backlog limit; listen earlier, or raise `backlog_limit`"
            ),
            SILENT.. => write!(f, "the peer was silent for {time:?}"),
            _ => write!(f, "the peer did not answer the heartbeat within {time:?}"),
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Error for Code {}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ErrorKind::NameNotFound => "the host name has no address",
            ErrorKind::ConnectionRefused => "the connection was refused",
            ErrorKind::Unreachable => "the host cannot be reached",
            ErrorKind::Tls(failure) => return write!(f, "TLS failed: {failure}"),
            ErrorKind::Proxy => "the proxy could not connect",
            ErrorKind::ProxyRefused(status) => {
                return write!(f, "the proxy refused with status {status}");
            }
            ErrorKind::HandshakeRefused(status) => {
                return write!(f, "the server refused with status {status}");
            }
            ErrorKind::HandshakeInvalid => "the server's handshake is invalid",
            ErrorKind::ProtocolViolation(code) => {
                return write!(f, "the peer broke the protocol (close code {code})");
            }
            ErrorKind::MessageTooLarge => "a message was over the size limit",
            ErrorKind::TimedOut(timeout) => return timeout.fmt(f),
            ErrorKind::Reset => "the connection was reset",
            ErrorKind::OutOfResources => "out of resources",
            ErrorKind::BlockedPort => "the port is blocked",
            ErrorKind::Forbidden => "the host forbids the connection",
            ErrorKind::Aborted => "the program ended the connection",
            ErrorKind::Unknown => "the cause is unknown",
        })
    }
}

impl fmt::Display for Timeout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Timeout::Connect => "the connection was not established in time",
            Timeout::Close => "the closing handshake was not completed in time",
            Timeout::Heartbeat => "the peer showed no sign of life in time",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorEvent;

    #[test]
    fn an_error_event_is_no_larger_for_its_kind() {
        assert_eq!(size_of::<ErrorKind>(), 4);
        assert!(size_of::<ErrorEvent>() <= 2 * size_of::<usize>());
    }

    #[test]
    fn every_kind_has_a_number_of_its_own() {
        let all = [
            ErrorKind::Unknown,
            ErrorKind::NameNotFound,
            ErrorKind::ConnectionRefused,
            ErrorKind::Unreachable,
            ErrorKind::Proxy,
            ErrorKind::ProxyRefused(407),
            ErrorKind::HandshakeRefused(999),
            ErrorKind::HandshakeInvalid,
            ErrorKind::ProtocolViolation(1002),
            ErrorKind::MessageTooLarge,
            ErrorKind::TimedOut(Timeout::Connect),
            ErrorKind::TimedOut(Timeout::Close),
            ErrorKind::TimedOut(Timeout::Heartbeat),
            ErrorKind::Reset,
            ErrorKind::OutOfResources,
            ErrorKind::BlockedPort,
            ErrorKind::Forbidden,
            ErrorKind::Aborted,
        ];
        let of_tls = TlsFailure::ALL.map(ErrorKind::Tls);
        let all = [&all[..], &of_tls].concat();
        let same: Vec<_> = all.iter().map(|kind| Code::of(*kind).kind()).collect();
        assert_eq!(same, all);
        let texts: std::collections::BTreeSet<_> = all.iter().map(ErrorKind::to_string).collect();
        assert_eq!(texts.len(), all.len());
    }

    #[test]
    fn dropped_messages_are_counted() {
        use std::error::Error;

        let error = ErrorEvent::dropped(300);
        assert_eq!(error.kind(), ErrorKind::OutOfResources);
        let cause = error.source().unwrap().to_string();
        assert!(cause.starts_with("300 messages were dropped: "), "{cause}");
        assert_eq!(Code::dropped(usize::MAX).0 >> 8, usize::MAX >> 8);
    }

    #[test]
    fn a_dead_peer_is_reported_with_its_time() {
        let text = |code: Code| code.to_string();
        let seconds = Duration::from_secs;
        let unanswered = Code::unanswered(Duration::from_millis(1_500));
        assert_eq!(
            text(unanswered),
            "the peer did not answer the heartbeat within 1.5s"
        );
        assert_eq!(text(Code::silent(seconds(5))), "the peer was silent for 5s");
        let kind = ErrorKind::TimedOut(Timeout::Heartbeat);
        assert_eq!(
            (unanswered.kind(), unanswered.cause().is_some()),
            (kind, true)
        );
        // In seconds, where milliseconds are too many.
        let long = Code::timed(SILENT, Duration::MAX);
        assert_eq!((long.kind(), long.0 & 0xff), (kind, SILENT + 1));
        let text = text(Code((UNANSWERED + 1) | (86_400 << 8)));
        assert!(text.ends_with("within 86400s"), "{text}");
        assert_eq!(Code(UNANSWERED + 1).kind(), kind);
    }

    #[test]
    fn a_kind_stays_with_its_event() {
        let kind = ErrorKind::ProxyRefused(407);
        assert_eq!(ErrorEvent::with_kind(kind, "cause").kind(), kind);
        assert_eq!(ErrorEvent::from(kind).clone().kind(), kind);
        assert_eq!(ErrorEvent::new("cause").kind(), ErrorKind::Unknown);
        assert_eq!(ErrorEvent::unknown(), ErrorEvent::from(ErrorKind::Unknown));
        assert_ne!(ErrorEvent::unknown(), ErrorEvent::from(kind));
        assert_ne!(
            ErrorEvent::with_kind(kind, "cause"),
            ErrorEvent::new("cause")
        );
    }
}
