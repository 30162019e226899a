//! What a socket has sent and received, since when it is open, and how often it tried.
//!
//! Invariant: if only one thread counts, or a lock is held anyway, counting needs no lock and
//! no atomic read-modify-write. Without the feature `stats` the counters are empty types, and
//! a program contains none of this code.

use std::time::Duration;

#[cfg(feature = "stats")]
use crate::{ReadyState, Transport, WebSocket};

/// Counters of a socket, at one moment: see `WebSocket::stats`, which the feature `stats`
/// adds.
///
/// A socket that reconnects counts all its connections together. Counters never go
/// back, also not at the end.
///
/// ```
/// use isosocket::Stats;
///
/// fn print(stats: &Stats) {
///     println!("{} messages sent, {} received", stats.messages_sent, stats.messages_received);
/// }
/// # print(&Stats::default());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// How many messages connections have accepted: those of `send`, and those of heartbeats. A
    /// message that a reconnecting socket keeps counts when it is given to a connection. A
    /// message that was refused does not count.
    pub messages_sent: u64,
    /// Their payload, in bytes (of text, its UTF-8), before compression and without
    /// framing.
    pub bytes_sent: u64,
    /// How many messages have arrived while the socket was open, answers to heartbeats
    /// among them.
    pub messages_received: u64,
    /// Their payload, in bytes, after decompression and without framing.
    pub bytes_received: u64,
    /// For how long the present connection has been open. `None` unless the ready state is
    /// `Open`.
    pub open_for: Option<Duration>,
    /// How many attempts to connect there were, the first among them. A plain socket
    /// makes one.
    pub attempts: u32,
    /// The last round trip that the heartbeat measured, as `latency()` of the socket.
    pub latency: Option<Duration>,
}

#[cfg(feature = "stats")]
impl<T: Transport> WebSocket<T> {
    /// What the socket has sent and received so far, since when it is open, and how often
    /// it tried to connect.
    ///
    /// It is for a status line or a log, and blocks no other thread. The counters are read one
    /// after the other, so those of a busy socket may differ by a message. They count from the
    /// beginning of the socket.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("grüße").send("hi");
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.send("grüße").expect("it is open");
    /// # network.advance(std::time::Duration::from_secs(2));
    /// // .. two seconds later, after an answer:
    /// let stats = socket.stats();
    /// assert_eq!((stats.messages_sent, stats.bytes_sent), (1, 7));
    /// assert_eq!((stats.messages_received, stats.bytes_received), (1, 2));
    /// assert_eq!(stats.open_for.map(|time| time.as_secs()), Some(2));
    /// assert_eq!(stats.attempts, 1);
    /// ```
    ///
    /// ## Platform-specific
    /// - **Native:** it is always there.
    /// - **Web:** it needs the feature `stats`, because counting makes a page larger. In a
    ///   wasm build with threads `open_for` is right on the socket's own thread only.
    #[doc(alias = "metrics")]
    #[doc(alias = "counters")]
    pub fn stats(&self) -> Stats {
        let shared = self.shared();
        let carrier = &shared.carrier;
        let counts = &shared.counts;
        let sent = match carrier.counts_sent() {
            true => carrier.sent(),
            false => counts.sent.read(),
        };
        let received = counts.received.read();
        // The time is read after the state: a connection made between the two began later.
        let opened = match self.ready_state() {
            ReadyState::Open => counts.opened(),
            _ => None,
        };
        Stats {
            messages_sent: sent.messages,
            bytes_sent: sent.bytes,
            messages_received: received.messages,
            bytes_received: received.bytes,
            open_for: opened.map(|opened| carrier.now().saturating_sub(opened)),
            attempts: carrier.attempts(),
            latency: self.latency(),
        }
    }
}

pub(crate) use counters::{Counts, Tally};

#[cfg(feature = "stats")]
mod counters {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::time::Duration;

    use crate::Traffic;

    /// The counters of one socket.
    #[derive(Debug, Default)]
    pub(crate) struct Counts {
        /// Where the transport does not count by itself.
        pub(crate) sent: Counter,
        pub(crate) received: Counter,
        /// When the present connection was established, on the clock of the host, in
        /// microseconds, and one more. 0: never.
        opened: AtomicU64,
    }

    #[derive(Debug, Default)]
    pub(crate) struct Counter {
        messages: AtomicU64,
        bytes: AtomicU64,
    }

    impl Counts {
        /// A message was sent, by any thread.
        #[inline(always)]
        pub(crate) fn add_sent(&self, bytes: impl FnOnce() -> usize) {
            let bytes = bytes();
            self.sent.messages.fetch_add(1, Ordering::Relaxed);
            self.sent.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        }

        #[inline(always)]
        pub(crate) fn note_sent<E>(&self, sent: &Result<(), E>, bytes: impl FnOnce() -> usize) {
            if sent.is_ok() {
                self.add_sent(bytes);
            }
        }

        /// A message arrived. Called by the delivering thread only, so nothing is lost
        /// between the load and the store.
        #[inline(always)]
        pub(crate) fn add_received(&self, bytes: impl FnOnce() -> usize) {
            let grow = |counter: &AtomicU64, by: u64| {
                let before = counter.load(Ordering::Relaxed);
                counter.store(before.wrapping_add(by), Ordering::Relaxed);
            };
            grow(&self.received.messages, 1);
            grow(&self.received.bytes, bytes() as u64);
        }

        pub(crate) fn set_opened(&self, now: impl FnOnce() -> Duration) {
            let microseconds = u64::try_from(now().as_micros()).unwrap_or(u64::MAX - 1);
            self.opened.store(microseconds + 1, Ordering::Relaxed);
        }

        pub(super) fn opened(&self) -> Option<Duration> {
            let stored = self.opened.load(Ordering::Relaxed);
            stored.checked_sub(1).map(Duration::from_micros)
        }
    }

    impl Counter {
        pub(super) fn read(&self) -> Traffic {
            Traffic {
                messages: self.messages.load(Ordering::Relaxed),
                bytes: self.bytes.load(Ordering::Relaxed),
            }
        }
    }

    /// What a transport counts that reconnects, under its own lock.
    #[derive(Debug, Default)]
    pub(crate) struct Tally {
        pub(crate) sent: Traffic,
        /// How many attempts came after the first.
        pub(crate) retries: u32,
    }

    impl Tally {
        pub(crate) fn add_sent(&mut self, bytes: impl FnOnce() -> usize) {
            self.sent.add(bytes());
        }

        pub(crate) fn note<E>(&mut self, sent: &Result<(), E>, bytes: impl FnOnce() -> usize) {
            if sent.is_ok() {
                self.add_sent(bytes);
            }
        }

        pub(crate) fn add_retry(&mut self) {
            self.retries = self.retries.saturating_add(1);
        }

        pub(crate) fn sent(&self) -> Traffic {
            self.sent
        }

        pub(crate) fn attempts(&self) -> u32 {
            self.retries.saturating_add(1)
        }
    }
}

#[cfg(not(feature = "stats"))]
mod counters {
    use std::time::Duration;

    use crate::Traffic;

    /// The counters of one socket: none.
    #[derive(Debug, Default)]
    pub(crate) struct Counts;

    impl Counts {
        #[inline(always)]
        pub(crate) fn add_sent(&self, _: impl FnOnce() -> usize) {}

        #[inline(always)]
        pub(crate) fn note_sent<E>(&self, _: &Result<(), E>, _: impl FnOnce() -> usize) {}

        #[inline(always)]
        pub(crate) fn add_received(&self, _: impl FnOnce() -> usize) {}

        #[inline(always)]
        pub(crate) fn set_opened(&self, _: impl FnOnce() -> Duration) {}
    }

    /// What a transport counts that reconnects: nothing.
    #[derive(Debug, Default)]
    pub(crate) struct Tally;

    impl Tally {
        #[inline(always)]
        pub(crate) fn add_sent(&mut self, _: impl FnOnce() -> usize) {}

        #[inline(always)]
        pub(crate) fn add_retry(&mut self) {}

        pub(crate) fn sent(&self) -> Traffic {
            Traffic::default()
        }

        pub(crate) fn attempts(&self) -> u32 {
            1
        }
    }
}
