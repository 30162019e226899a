//! The deadlines of all connections of a loop, earliest first.
//!
//! If a connection's deadline changes, its old entry stays in the heap. The reactor skips
//! such an entry, and it never wakes the loop.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Instant;

/// When, whose slot, and which connection in it.
pub(super) type Entry = (Instant, usize, u64);

#[derive(Debug, Default)]
pub(super) struct Timers(BinaryHeap<Reverse<Entry>>);

impl Timers {
    pub(super) fn push(&mut self, entry: Entry) {
        self.0.push(Reverse(entry));
    }

    /// The earliest entry.
    pub(super) fn first(&self) -> Option<Entry> {
        self.0.peek().map(|Reverse(entry)| *entry)
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
        // A burst of sockets leaves no memory behind.
        if self.0.is_empty() {
            self.0.shrink_to(64);
        }
    }
}
