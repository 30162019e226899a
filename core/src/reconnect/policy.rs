//! Whether there is another attempt, and when.

use std::time::Duration;

use crate::{CloseEvent, ErrorEvent, ErrorKind};

/// How a connection, or the attempt to make one, ended.
///
/// ```
/// use isosocket::{Loss, Retry};
///
/// fn decide(loss: &Loss) -> Retry {
///     match loss.close.code {
///         1000 if loss.was_open => Retry::GiveUp,
///         _ if loss.attempt > 20 => Retry::GiveUp,
///         _ => Retry::Backoff,
///     }
/// }
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").close_with(1000, "");
///
/// let builder = isosocket::Reconnecting::builder("ws://peer/").retry(decide);
/// # let socket = builder.connect().unwrap();
/// # network.finish();
/// # assert!(matches!(socket.status(), isosocket::Status::GaveUp(_)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loss {
    /// The close event that a plain socket would have delivered.
    pub close: CloseEvent,
    /// The error event that a plain socket would have delivered, if any.
    pub error: Option<ErrorEvent>,
    /// The number of this attempt in a row, counted from 1. It is 0 if the connection was
    /// open for at least the minimum uptime, because then counting starts again.
    pub attempt: u32,
    /// Whether the connection was open.
    pub was_open: bool,
}

impl Loss {
    /// The failure of a first attempt: without an error event, and never open. It is for tests
    /// of a program's own function. They may set the fields.
    ///
    /// ```
    /// use isosocket::{CloseEvent, Loss};
    ///
    /// let mut loss = Loss::new(CloseEvent::new(1012, "restart", true));
    /// loss.was_open = true;
    /// assert_eq!(loss.to_string(), "closed with code 1012 (clean): restart");
    /// ```
    pub fn new(close: CloseEvent) -> Self {
        Loss {
            close,
            error: None,
            attempt: 1,
            was_open: false,
        }
    }

    /// Why the connection failed, as far as the target knows: the kind of its
    /// [`error`](Loss::error). `Unknown` if there is none.
    ///
    /// ```
    /// use isosocket::{ErrorKind, Loss, Retry};
    ///
    /// fn decide(loss: &Loss) -> Retry {
    ///     match loss.kind() {
    ///         // The next attempt has a fresh token.
    ///         ErrorKind::HandshakeRefused(401) if loss.attempt < 3 => Retry::Backoff,
    ///         ErrorKind::Tls(_) => Retry::GiveUp,
    ///         _ => loss.default_retry(),
    ///     }
    /// }
    /// # let loss = Loss::new(isosocket::CloseEvent::abnormal());
    /// # assert_eq!(decide(&loss), Retry::Backoff);
    /// ```
    pub fn kind(&self) -> ErrorKind {
        let error = self.error.as_ref();
        error.map_or(ErrorKind::Unknown, ErrorEvent::kind)
    }

    /// The status of a refused opening handshake.
    ///
    /// ```
    /// use isosocket::{CloseEvent, ErrorEvent, Loss};
    ///
    /// let mut loss = Loss::new(CloseEvent::abnormal());
    /// loss.error = Some(ErrorEvent::refused(404, None, "not found"));
    /// assert_eq!(loss.status(), Some(404));
    /// ```
    pub fn status(&self) -> Option<u16> {
        match self.kind() {
            ErrorKind::HandshakeRefused(status) => Some(status),
            _ => None,
        }
    }

    /// The time for which the server wants no other attempt, by its header `Retry-After`. It has
    /// no upper limit here.
    ///
    /// ```
    /// use std::time::Duration;
    /// use isosocket::{CloseEvent, ErrorEvent, Loss, Retry};
    ///
    /// /// Waits as long as the server wants, but not for ever.
    /// fn decide(loss: &Loss) -> Retry {
    ///     match loss.retry_after() {
    ///         Some(wait) if wait > Duration::from_secs(3600) => Retry::GiveUp,
    ///         _ => loss.default_retry(),
    ///     }
    /// }
    ///
    /// let mut loss = Loss::new(CloseEvent::abnormal());
    /// loss.error = Some(ErrorEvent::refused(429, Duration::from_secs(7200), "too often"));
    /// assert_eq!(decide(&loss), Retry::GiveUp);
    /// ```
    pub fn retry_after(&self) -> Option<Duration> {
        self.error.as_ref()?.retry_after()
    }

    /// The decision if the builder has no hook. It is [`Retry::GiveUp`] if the server refused with
    /// a status from 400 to 499, which means that the request is wrong; but not with 408, 425 or
    /// 429, which mean "not now". Otherwise it is [`Retry::Backoff`].
    ///
    /// ```
    /// use isosocket::{CloseEvent, ErrorEvent, Loss, Retry};
    ///
    /// let mut loss = Loss::new(CloseEvent::abnormal());
    /// assert_eq!(loss.default_retry(), Retry::Backoff);
    /// loss.error = Some(ErrorEvent::refused(401, None, "no such token"));
    /// assert_eq!(loss.default_retry(), Retry::GiveUp);
    /// loss.error = Some(ErrorEvent::refused(503, None, "restarting"));
    /// assert_eq!(loss.default_retry(), Retry::Backoff);
    /// ```
    pub fn default_retry(&self) -> Retry {
        match self.status() {
            Some(408 | 425 | 429) => Retry::Backoff,
            Some(400..=499) => Retry::GiveUp,
            _ => Retry::Backoff,
        }
    }
}

/// The longest `Retry-After` that [`Retry::Backoff`] waits for.
pub(crate) const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(600);

/// What to do about a [`Loss`].
///
/// ```
/// use std::time::Duration;
/// use isosocket::{Reconnecting, Retry};
///
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").refuse("busy");
/// # network.peer("ws://peer/");
/// // Once a minute, as the server asks for.
/// let socket = Reconnecting::builder("ws://peer/")
///     .retry(|_| Retry::After(Duration::from_secs(60)))
///     .connect()?;
/// # network.advance(Duration::from_secs(60));
/// # network.finish();
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retry {
    /// Connect again after a time by the backoff. If the server has sent `Retry-After`, first wait
    /// for that time, at most 10 minutes.
    Backoff,
    /// Connect again after this time.
    After(Duration),
    /// Do not connect again: the socket ends as this connection did.
    GiveUp,
}

/// When to connect again, unless a hook decides.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) base: Duration,
    pub(crate) max: Duration,
    pub(crate) min_uptime: Duration,
    pub(crate) max_attempts: Option<u32>,
    /// In bytes; `None` refuses what is sent while there is no connection.
    pub(crate) queue_limit: Option<usize>,
}

impl Default for Policy {
    fn default() -> Self {
        Policy {
            base: Duration::from_millis(500),
            max: Duration::from_secs(30),
            min_uptime: Duration::from_secs(5),
            max_attempts: None,
            queue_limit: Some(1 << 20),
        }
    }
}

impl Policy {
    /// Exponential backoff with full jitter: uniform between 0 and a bound that
    /// doubles with each retry.
    pub(crate) fn delay(&self, retries: u32, random: u64) -> Duration {
        let factor = 2u32.saturating_pow(retries);
        let bound = self.base.saturating_mul(factor).min(self.max);
        // A number of 2^32 parts of the whole, in which no product is over 64 bits: a page
        // pays for numbers of 128 bits.
        let parts = (random >> 32) + 1;
        let seconds = bound.as_secs();
        let (high, low) = (seconds >> 32, seconds & 0xffff_ffff);
        let whole = high * parts + ((low * parts) >> 32);
        let rest = (low * parts) & 0xffff_ffff;
        let rest = (rest * 1_000_000_000 + u64::from(bound.subsec_nanos()) * parts) >> 32;
        Duration::from_secs(whole).saturating_add(Duration::from_nanos(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// R27.
    #[test]
    fn a_refusal_says_whether_another_attempt_makes_sense() {
        let decide = |error| {
            let mut loss = Loss::new(CloseEvent::abnormal());
            loss.error = error;
            loss.default_retry()
        };
        let refused = |status| decide(Some(ErrorEvent::refused(status, None, "no")));
        for status in [408, 425, 429, 500, 502, 503, 504, 599, 200, 301] {
            assert_eq!(refused(status), Retry::Backoff, "{status}");
        }
        for status in [400, 401, 403, 404, 410, 426, 499] {
            assert_eq!(refused(status), Retry::GiveUp, "{status}");
        }
        let reset = ErrorEvent::of_kind(ErrorKind::Reset);
        assert_eq!(decide(Some(reset)), Retry::Backoff);
        let proxy = ErrorEvent::of_kind(ErrorKind::ProxyRefused(407));
        assert_eq!(decide(Some(proxy)), Retry::Backoff);
        assert_eq!(decide(None), Retry::Backoff);
    }

    #[test]
    fn the_bound_doubles_up_to_the_maximum() {
        let policy = Policy::default();
        let most = |retries| policy.delay(retries, u64::MAX).as_millis();
        let bounds = [0, 1, 2, 5, 6, 31, 32, u32::MAX].map(most);
        assert_eq!(
            bounds,
            [500, 1000, 2000, 16_000, 30_000, 30_000, 30_000, 30_000]
        );
        assert_eq!(policy.delay(3, 0), Duration::ZERO);
        let middle = policy.delay(1, u64::MAX / 2).as_millis();
        assert!((499..=501).contains(&middle), "{middle}");
    }

    #[test]
    fn no_duration_is_too_long() {
        let policy = Policy {
            base: Duration::MAX,
            max: Duration::MAX,
            ..Policy::default()
        };
        assert_eq!(policy.delay(u32::MAX, u64::MAX), Duration::MAX);
    }
}
