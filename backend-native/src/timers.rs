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

/// One connection's deadlines: the numbers of the entries that stand, or 0.
/// Boxed: an open connection mostly has none.
#[derive(Debug, Default)]
pub(crate) struct Deadlines(Option<Box<[u64; 4]>>);

impl Deadlines {
    /// Whether this deadline still stands.
    pub(crate) fn stands(&self, timer: Timer, number: u64) -> bool {
        let numbers = self.0.as_ref();
        numbers.is_some_and(|numbers| numbers[timer as usize] == number)
    }

    pub(crate) fn clear(&mut self, timer: Timer) {
        self.0.take_if(|numbers| {
            numbers[timer as usize] = 0;
            **numbers == [0; 4]
        });
    }
}

/// An entry: when, its number, whose slot, and what for.
pub(crate) type Entry = (Instant, u64, usize, Timer);

/// All connections' deadlines.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    entries: BinaryHeap<Reverse<Entry>>,
    /// The number of the last entry. No two have the same.
    number: u64,
}

impl Timers {
    /// Sets a deadline.
    pub(crate) fn set(
        &mut self,
        deadlines: &mut Deadlines,
        key: usize,
        timer: Timer,
        when: Instant,
    ) {
        self.number += 1;
        deadlines.0.get_or_insert_default()[timer as usize] = self.number;
        self.entries.push(Reverse((when, self.number, key, timer)));
    }

    /// The earliest entry.
    pub(crate) fn peek(&self) -> Option<Entry> {
        self.entries.peek().map(|Reverse(entry)| *entry)
    }

    pub(crate) fn pop(&mut self) {
        self.entries.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_stands_until_it_is_cleared_or_set_anew() {
        let (mut timers, mut deadlines) = (Timers::default(), Deadlines::default());
        let when = Instant::now();
        assert!(!deadlines.stands(Timer::Connect, 1));
        timers.set(&mut deadlines, 7, Timer::Connect, when);
        timers.set(&mut deadlines, 7, Timer::Attempt, when);
        assert_eq!(timers.peek(), Some((when, 1, 7, Timer::Connect)));
        deadlines.clear(Timer::Attempt);
        assert!(
            deadlines.stands(Timer::Connect, 1),
            "the other one is not cleared"
        );
        assert!(!deadlines.stands(Timer::Attempt, 2));
        timers.set(&mut deadlines, 7, Timer::Connect, when);
        assert!(!deadlines.stands(Timer::Connect, 1) && deadlines.stands(Timer::Connect, 3));
        deadlines.clear(Timer::Connect);
        deadlines.clear(Timer::Connect);
        assert!(deadlines.0.is_none(), "nothing stands, and nothing is kept");
    }
}
