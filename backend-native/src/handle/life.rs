//! When a connection last gave a sign of life, and how long a ping took (S107).
//!
//! Only connections with a heartbeat or an idle timeout have this.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::system;

/// A special value instead of a time: there was nothing so far.
const NEVER: u64 = 0;
/// A special value instead of a time: reading is paused, so the peer cannot be heard.
const PAUSED: u64 = u64::MAX;

/// Times are in milliseconds.
#[derive(Debug, Default)]
pub(super) struct Life {
    last_write: AtomicU64,
    /// The last write for which the network had no room at first.
    last_progress: AtomicU64,
    last_read: AtomicU64,
    /// The last round trip of a ping, in microseconds, up to 71 minutes. 0: none.
    latency: AtomicU32,
}

impl Life {
    /// The network has taken bytes.
    pub(super) fn note_write(&self) {
        self.last_write
            .store(stored(system::now()), Ordering::Relaxed);
    }

    /// The network has accepted bytes for which it had no room before. So the peer's system has
    /// confirmed earlier bytes.
    pub(super) fn note_progress(&self) {
        self.last_progress
            .store(stored(system::now()), Ordering::Relaxed);
    }

    /// Bytes have arrived, or are read again.
    pub(super) fn note_read(&self, now: Instant) {
        self.last_read.store(stored(now), Ordering::Relaxed);
    }

    /// Nothing is read from now on.
    pub(super) fn note_pause(&self) {
        self.last_read.store(PAUSED, Ordering::Relaxed);
    }

    /// The last sign of life, as the time since the clock's base.
    pub(super) fn last(&self, is_test: bool) -> Option<Duration> {
        let read = match self.last_read.load(Ordering::Relaxed) {
            PAUSED => stored(system::now()),
            time => time,
        };
        since_base(read.max(self.accepted(is_test)))
    }

    /// When the network last took bytes.
    pub(super) fn last_write(&self, is_test: bool) -> Option<Instant> {
        Some(system::clock_base() + since_base(self.accepted(is_test))?)
    }

    /// In a test after waking up, accepted bytes count only if the network had no room for them
    /// at first. The system's buffer accepts others even if the peer is gone.
    fn accepted(&self, is_test: bool) -> u64 {
        match is_test {
            true => self.last_progress.load(Ordering::Relaxed),
            false => self.last_write.load(Ordering::Relaxed),
        }
    }

    pub(super) fn latency(&self) -> Option<Duration> {
        match self.latency.load(Ordering::Relaxed) {
            0 => None,
            microseconds => Some(Duration::from_micros(microseconds.into())),
        }
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        // A round trip that is too short to be measured counts as 1 microsecond, because 0 means none.
        let microseconds = u32::try_from(latency.as_micros()).unwrap_or(u32::MAX);
        self.latency.store(microseconds.max(1), Ordering::Relaxed);
    }
}

/// Milliseconds since the clock's base, and more than [`NEVER`].
fn stored(time: Instant) -> u64 {
    let since = time.saturating_duration_since(system::clock_base());
    since.as_millis() as u64 + NEVER + 1
}

fn since_base(stored: u64) -> Option<Duration> {
    let milliseconds = stored.checked_sub(NEVER + 1)?;
    Some(Duration::from_millis(milliseconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(milliseconds: u64) -> Instant {
        system::clock_base() + Duration::from_millis(milliseconds)
    }

    #[test]
    fn times_are_kept_to_the_millisecond_and_are_none_at_first() {
        let life = Life::default();
        for is_test in [false, true] {
            assert_eq!((life.last(is_test), life.last_write(is_test)), (None, None));
        }
        for time in [0, 1, 1234] {
            life.note_read(at(time));
            assert_eq!(life.last(false), Some(Duration::from_millis(time)));
        }
        assert_eq!(life.last_write(false), None);
        life.last_write.store(stored(at(1234)), Ordering::Relaxed);
        assert_eq!(life.last_write(false), Some(at(1234)));
    }

    /// S107: accepted bytes are a sign of life. In a test they must have waited for room.
    #[test]
    fn in_a_test_only_progress_counts() {
        let life = Life::default();
        let before = system::now().max(at(1)) - Duration::from_millis(1);
        let is_new = |time: Option<Instant>| time.is_some_and(|time| time >= before);
        life.note_write();
        assert!(is_new(life.last_write(false)));
        assert_eq!((life.last_write(true), life.last(true)), (None, None));
        assert!(life.last(false).is_some());
        life.note_progress();
        assert!(is_new(life.last_write(true)) && life.last(true).is_some());
        // The latest of both counts.
        let late = system::now() + Duration::from_secs(100);
        life.note_read(late);
        assert_eq!(life.last(true), since_base(stored(late)));
        assert!(life.last_write(true) < Some(late));
    }

    #[test]
    fn while_reading_is_paused_the_peer_is_taken_for_alive() {
        let life = Life::default();
        let now = stored(system::now());
        for read in [0, now + 3_600_000] {
            life.note_read(at(read));
            life.note_pause();
            assert!(life.last(false) >= since_base(now));
            assert!(life.last(false) < since_base(now + 3_600_000));
        }
    }

    #[test]
    fn a_round_trip_is_at_least_a_microsecond() {
        let life = Life::default();
        assert_eq!(life.latency(), None);
        for (set, seen) in [(0, 1), (999, 1), (7_000, 7), (u64::MAX, u32::MAX.into())] {
            life.set_latency(Duration::from_nanos(set));
            let seen = Duration::from_micros(seen);
            assert_eq!(life.latency(), Some(seen), "{set} ns");
        }
    }
}
