//! Keep-alive: it pings a silent peer, and decides when the peer is dead (S107).
//!
//! There are two signs of life: a byte arrives, or the network accepts a byte. So a peer
//! behind a slow network does not count as dead.

use std::time::{Duration, Instant};

use isosocket_core::test_timeout;

/// When to ping, and how long to wait for a sign of life after that.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeepAliveTimes {
    /// How long the connection may be silent before a ping is sent.
    pub(crate) interval: Duration,
    /// How long it may stay silent after the ping.
    pub(crate) timeout: Duration,
}

/// What is to be done at a deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Wait,
    /// Send a ping.
    Ping,
    /// The peer is dead.
    Dead,
}

/// Keep-alive of one connection.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    times: KeepAliveTimes,
    /// When a byte last arrived or was accepted by the network.
    last_life: Instant,
    /// When the last ping was sent. `None` if something has arrived since.
    pinged: Option<Instant>,
    /// When the last ping was sent. `None` if its pong has come.
    awaited: Option<Instant>,
    /// While the peer is being tested: how long it may stay silent after the ping.
    test: Option<Duration>,
}

impl KeepAlive {
    pub(crate) fn new(times: KeepAliveTimes, now: Instant) -> Self {
        KeepAlive {
            times,
            last_life: now,
            pinged: None,
            awaited: None,
            test: None,
        }
    }

    /// There was a sign of life at this time.
    pub(crate) fn alive(&mut self, when: Instant) {
        if when > self.last_life {
            self.last_life = when;
        }
    }

    /// A byte arrived. It counts as an answer to the last ping.
    pub(crate) fn heard(&mut self, now: Instant) {
        self.alive(now);
        self.pinged = None;
        self.test = None;
    }

    /// Tests the peer, because the machine or the program woke up (S116). Returns whether
    /// a ping is to be sent: not if it is being tested already.
    pub(crate) fn test(&mut self, now: Instant, latency: Option<Duration>) -> bool {
        if self.is_testing() {
            return false;
        }
        self.test = Some(test_timeout(self.times.timeout, latency));
        self.pinged = Some(now);
        self.awaited = Some(now);
        true
    }

    pub(crate) fn is_testing(&self) -> bool {
        self.test.is_some()
    }

    /// A pong arrived. Returns the round trip, if it answers a ping of ours.
    pub(crate) fn on_pong(&mut self, now: Instant) -> Option<Duration> {
        let sent = self.awaited.take()?;
        Some(now.saturating_duration_since(sent))
    }

    /// When to look again; `None` for a time beyond the clock's range.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        match self.pinged {
            None => self.last_life.checked_add(self.times.interval),
            Some(pinged) => {
                let timeout = self.test.unwrap_or(self.times.timeout);
                self.last_life.max(pinged).checked_add(timeout)
            }
        }
    }

    /// Decides what to do now.
    pub(crate) fn judge(&mut self, now: Instant) -> Verdict {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return Verdict::Wait;
        }
        match self.pinged {
            Some(_) => Verdict::Dead,
            None => {
                self.pinged = Some(now);
                self.awaited = Some(now);
                Verdict::Ping
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const TIMES: KeepAliveTimes = KeepAliveTimes {
        interval: Duration::from_secs(30),
        timeout: Duration::from_secs(10),
    };

    #[test]
    fn a_silent_peer_is_pinged_and_then_dead() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert_eq!(keep_alive.judge(start + 29 * SECOND), Verdict::Wait);
        assert_eq!(keep_alive.judge(start + 30 * SECOND), Verdict::Ping);
        assert_eq!(keep_alive.deadline(), Some(start + 40 * SECOND));
        assert_eq!(keep_alive.judge(start + 39 * SECOND), Verdict::Wait);
        assert_eq!(keep_alive.judge(start + 40 * SECOND), Verdict::Dead);
    }

    #[test]
    fn a_byte_that_arrives_answers_the_ping() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert_eq!(keep_alive.judge(start + 30 * SECOND), Verdict::Ping);
        keep_alive.heard(start + 35 * SECOND);
        assert_eq!(keep_alive.deadline(), Some(start + 65 * SECOND));
        assert_eq!(keep_alive.judge(start + 65 * SECOND), Verdict::Ping);
    }

    #[test]
    fn only_the_pong_of_a_ping_is_a_round_trip() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert_eq!(keep_alive.on_pong(start + SECOND), None);
        assert_eq!(keep_alive.judge(start + 30 * SECOND), Verdict::Ping);
        keep_alive.heard(start + 31 * SECOND);
        assert_eq!(keep_alive.on_pong(start + 32 * SECOND), Some(2 * SECOND));
        assert_eq!(keep_alive.on_pong(start + 33 * SECOND), None);
    }

    #[test]
    fn a_slow_upload_is_alive_while_the_network_accepts_bytes() {
        let start = Instant::now();
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert_eq!(keep_alive.judge(start + 30 * SECOND), Verdict::Ping);
        // The ping waits behind our own data, which the network accepts little by little.
        for second in (31..200).step_by(9) {
            keep_alive.alive(start + second * SECOND);
            let late = start + (second + 9) * SECOND;
            assert_eq!(keep_alive.judge(late), Verdict::Wait);
        }
    }

    #[test]
    fn a_tested_peer_has_little_time() {
        let start = Instant::now();
        let latency = Some(Duration::from_millis(700));
        let limit = Duration::from_millis(2100);
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert!(keep_alive.test(start + SECOND, latency));
        // Woken again: the ping is out already.
        assert!(!keep_alive.test(start + 2 * SECOND, latency));
        assert_eq!(keep_alive.deadline(), Some(start + SECOND + limit));
        assert_eq!(keep_alive.judge(start + SECOND + limit), Verdict::Dead);
        let mut keep_alive = KeepAlive::new(TIMES, start);
        assert_eq!(keep_alive.judge(start + 30 * SECOND), Verdict::Ping);
        assert!(keep_alive.test(start + 31 * SECOND, latency));
        keep_alive.heard(start + 32 * SECOND);
        assert_eq!(keep_alive.deadline(), Some(start + 62 * SECOND));
        assert!(!keep_alive.is_testing());
    }

    #[test]
    fn a_time_beyond_the_clock_never_comes() {
        let times = KeepAliveTimes {
            interval: Duration::MAX,
            timeout: SECOND,
        };
        assert_eq!(KeepAlive::new(times, Instant::now()).deadline(), None);
    }
}
