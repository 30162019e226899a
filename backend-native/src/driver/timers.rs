//! The deadlines of all connections of a loop, earliest first.
//!
//! Invariant: a connection has at most one entry, and none once it has ended or has no
//! deadline. The entry may be earlier than the deadline, but not later.

use std::collections::BTreeSet;
use std::time::Instant;

/// When, and whose slot.
type Entry = (Instant, usize);

#[derive(Debug, Default)]
pub(super) struct Timers(BTreeSet<Entry>);

impl Timers {
    /// A connection has this deadline now, and the entry that this function returned before.
    /// Returns the time of its new entry.
    #[inline]
    pub(super) fn schedule(
        &mut self,
        key: usize,
        before: Option<Instant>,
        deadline: Option<Instant>,
    ) -> Option<Instant> {
        match (before, deadline) {
            (None, None) => None,
            // The entry stays when the deadline moves to a later time, which may happen with
            // each message. A new one is made when the old one is due.
            (Some(before), Some(deadline)) if before <= deadline => Some(before),
            (before, deadline) => self.replace(key, before, deadline),
        }
    }

    fn replace(
        &mut self,
        key: usize,
        before: Option<Instant>,
        deadline: Option<Instant>,
    ) -> Option<Instant> {
        if let Some(before) = before {
            self.0.remove(&(before, key));
        }
        self.0.extend(deadline.map(|deadline| (deadline, key)));
        deadline
    }

    /// The earliest entry.
    pub(super) fn first(&self) -> Option<Entry> {
        self.0.first().copied()
    }

    /// Removes the earliest entry.
    pub(super) fn pop(&mut self) {
        self.0.pop_first();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_connection_has_one_entry_which_ends_with_its_deadline() {
        let mut timers = Timers::default();
        let begin = Instant::now();
        let at = |seconds| Some(begin + Duration::from_secs(seconds));
        let mut scheduled = None;
        for (deadline, entry) in [
            (at(20), at(20)),
            // Later, and earlier.
            (at(30), at(20)),
            (at(10), at(10)),
            (None, None),
            (None, None),
            (at(40), at(40)),
        ] {
            scheduled = timers.schedule(7, scheduled, deadline);
            assert_eq!(scheduled, entry);
            assert_eq!(timers.first(), entry.map(|entry| (entry, 7)));
            assert!(timers.0.len() <= 1);
        }
        timers.schedule(8, None, at(15));
        timers.pop();
        assert_eq!(timers.first(), at(40).map(|last| (last, 7)));
    }
}
