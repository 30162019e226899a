//! Deadlines, earliest first. A deadline that was moved or dropped leaves a
//! stale entry, which is skipped: it never wakes the loop.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// What a deadline of a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// The opening handshake takes too long.
    Connect,
    /// Time for the next attempt.
    Attempt,
    /// The peer was silent, or owes an answer to a ping.
    KeepAlive,
    /// The closing handshake, or what comes after it, takes too long.
    End,
}

/// One connection's deadlines.
#[derive(Debug, Default)]
pub(crate) struct Deadlines([Option<Instant>; 4]);

impl Deadlines {
    /// Whether this deadline still stands.
    pub(crate) fn stands(&self, timer: Timer, when: Instant) -> bool {
        self.0[timer as usize] == Some(when)
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.0[timer as usize] = None;
    }
}

/// An entry: when, whose (slot and serial number), and what for.
pub(crate) type Entry = (Instant, usize, u64, Timer);

/// All connections' deadlines.
#[derive(Debug, Default)]
pub(crate) struct Timers(BinaryHeap<Reverse<Entry>>);

impl Timers {
    /// Sets a deadline.
    pub(crate) fn set(
        &mut self,
        deadlines: &mut Deadlines,
        (key, serial): (usize, u64),
        timer: Timer,
        when: Instant,
    ) {
        deadlines.0[timer as usize] = Some(when);
        self.0.push(Reverse((when, key, serial, timer)));
    }

    /// The earliest entry.
    pub(crate) fn peek(&self) -> Option<Entry> {
        self.0.peek().map(|Reverse(entry)| *entry)
    }

    pub(crate) fn pop(&mut self) {
        self.0.pop();
    }
}
