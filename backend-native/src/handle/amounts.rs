//! Two counters of bytes that only grow: bytes that were queued, and bytes that the network
//! has accepted. Their difference is the buffered amount.
//!
//! Only a thread that holds the queue's lock adds to the first one, and only the thread that
//! holds the write token adds to the second. So neither needs an atomic read-modify-write.
//! The counters may wrap, because only their difference is used.

use isosocket_core::Traffic;

use crate::engine::send::{Taken, padding};
use crate::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

#[derive(Debug, Default)]
pub(super) struct Amounts {
    /// How many messages were queued or written.
    queued_messages: AtomicU64,
    queued_payload: AtomicU64,
    queued_padding: AtomicUsize,
    taken_payload: AtomicUsize,
    taken_padding: AtomicUsize,
    /// All bytes that the network has accepted, including frame headers.
    written: AtomicUsize,
    /// Payload that the network has accepted, but that still counts as buffered: for a program
    /// on the loop's own thread the amount must not fall before it yields (S49).
    held: AtomicUsize,
}

impl Amounts {
    /// A message was queued. Called under the queue's lock.
    pub(super) fn add(&self, payload: usize) {
        count(&self.queued_messages, 1);
        count(&self.queued_payload, payload as u64);
        grow(&self.queued_padding, padding(payload));
    }

    /// The network has accepted so much. Called by the holder of the write token.
    pub(super) fn take(&self, taken: Taken, written: usize) {
        grow(&self.written, written);
        if taken != Taken::default() {
            grow(&self.taken_padding, taken.padding);
            grow(&self.taken_payload, taken.payload);
        }
    }

    /// Payload bytes that a program sees as buffered (S48, S49).
    pub(super) fn visible(&self) -> usize {
        self.buffered().saturating_add(self.held())
    }

    /// Payload bytes that the network has not taken.
    pub(super) fn buffered(&self) -> usize {
        // Loads in this order, so that the difference is never negative.
        let taken = self.taken_payload.load(Ordering::Acquire);
        let queued = self.queued_payload.load(Ordering::Acquire);
        // The low bits are enough for the difference.
        (queued as usize).wrapping_sub(taken)
    }

    /// All messages that were queued or written, and their payload.
    pub(super) fn sent(&self) -> Traffic {
        Traffic {
            messages: self.queued_messages.load(Ordering::Relaxed),
            bytes: self.queued_payload.load(Ordering::Relaxed),
        }
    }

    /// What is visible, and the padding of small messages. While messages are written it may be
    /// too high for a moment, but not too low.
    pub(super) fn weight(&self) -> usize {
        let taken = self.taken_padding.load(Ordering::Acquire);
        let queued = self.queued_padding.load(Ordering::Acquire);
        self.visible().saturating_add(queued.wrapping_sub(taken))
    }

    pub(super) fn written(&self) -> usize {
        self.written.load(Ordering::Relaxed)
    }

    fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }

    /// Counts so much as buffered although the network has accepted it. Returns whether nothing
    /// was held before. Called on the loop's own thread only.
    pub(super) fn hold(&self, payload: usize) -> bool {
        let before = self.held.load(Ordering::Relaxed);
        self.held.store(before + payload, Ordering::Relaxed);
        before == 0
    }

    pub(super) fn release_held(&self) {
        self.held.store(0, Ordering::Relaxed);
    }
}

/// The same, for a counter that does not wrap on small targets either.
fn count(counter: &AtomicU64, by: u64) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(by), Ordering::Release);
}

/// Only one thread at a time changes a counter.
fn grow(counter: &AtomicUsize, by: usize) {
    let before = counter.load(Ordering::Relaxed);
    counter.store(before.wrapping_add(by), Ordering::Release);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What an empty message weighs.
    const LEAST: usize = isosocket_core::weight(0);

    /// S48, S54.
    #[test]
    fn small_messages_weigh_more_than_their_payload() {
        let amounts = Amounts::default();
        for size in [0, 10, 1000] {
            amounts.add(size);
        }
        assert_eq!(amounts.visible(), 1010);
        assert_eq!(amounts.weight(), 2 * LEAST + 1000);
        let (messages, bytes) = (3, 1010);
        assert_eq!(amounts.sent(), Traffic { messages, bytes });

        let taken = Taken {
            payload: 510,
            padding: 2 * LEAST - 10,
        };
        amounts.take(taken, 522);
        assert_eq!((amounts.visible(), amounts.weight()), (500, 500));
        amounts.take(Taken::default(), 6);
        assert_eq!((amounts.visible(), amounts.written()), (500, 528));
        assert_eq!(amounts.sent(), Traffic { messages, bytes });
    }

    /// S49.
    #[test]
    fn what_is_held_stays_visible_until_it_is_released() {
        let amounts = Amounts::default();
        amounts.add(100);
        let (payload, padding) = (100, 0);
        amounts.take(Taken { payload, padding }, 106);
        assert!(amounts.hold(30));
        assert!(!amounts.hold(70));
        assert_eq!((amounts.visible(), amounts.buffered()), (100, 0));
        assert_eq!(amounts.weight(), 100);
        amounts.release_held();
        assert_eq!((amounts.visible(), amounts.weight()), (0, 0));
        assert!(amounts.hold(1));
    }
}
