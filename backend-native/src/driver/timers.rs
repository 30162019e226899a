//! The deadlines of all connections of a loop, earliest first.
//!
//! If a connection's deadline changes, its old entry stays in the heap. The reactor skips
//! such an entry, and it never wakes the loop. The heap drops the entries of connections that
//! have no deadline any more when they may be the greater part.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// When, whose slot, and which connection in it.
pub(super) type Entry = (Instant, usize, u64);

#[derive(Debug, Default)]
pub(super) struct Timers {
    entries: BinaryHeap<Reverse<Entry>>,
    /// How many connections with an entry have no deadline any more. Some of these entries may
    /// be gone already.
    stale: usize,
}

/// So many stale entries are no reason to look for them.
const FEW: usize = 64;

impl Timers {
    pub(super) fn push(&mut self, entry: Entry) {
        self.entries.push(Reverse(entry));
    }

    /// The earliest entry.
    pub(super) fn first(&self) -> Option<Entry> {
        self.entries.peek().map(|Reverse(entry)| *entry)
    }

    pub(super) fn pop(&mut self) {
        self.entries.pop();
        self.shrink();
    }

    /// A connection with an entry has no deadline any more. If most entries may be stale now,
    /// keeps only those for which `stands` is true.
    pub(super) fn forget_one(&mut self, stands: impl Fn(Entry) -> bool) {
        self.stale += 1;
        if self.stale > FEW + self.entries.len() / 2 {
            self.stale = 0;
            self.entries.retain(|Reverse(entry)| stands(*entry));
            self.shrink();
        }
    }

    /// A burst of sockets leaves no memory behind.
    fn shrink(&mut self) {
        if self.entries.len() < self.entries.capacity() / 4 {
            self.entries.shrink_to(FEW.max(2 * self.entries.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn stale_entries_are_never_the_greater_part_of_many() {
        let mut timers = Timers::default();
        let now = Instant::now();
        timers.push((now + Duration::from_secs(60), 0, 0));
        for key in 1..10_000 {
            timers.push((now + Duration::from_secs(20), key, 0));
            // Its connection is established, and has no deadline any more.
            timers.forget_one(|(_, key, _)| key == 0);
            assert!(timers.entries.len() <= 2 * FEW + 2);
            assert!(timers.entries.capacity() <= 16 * FEW);
        }
        // The one that stands is still there.
        while timers.first().is_some_and(|(_, key, _)| key != 0) {
            timers.pop();
        }
        assert_eq!(timers.first().map(|(_, key, _)| key), Some(0));
    }
}
