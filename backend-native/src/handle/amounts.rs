//! What is queued and what the network has taken, as counters that only grow.
//!
//! One side adds under the queue's lock, the other side under the write token,
//! so that neither needs an atomic read-modify-write. The counters may wrap:
//! only their differences count.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use isosocket_core::Traffic;

use crate::engine::send::{Taken, padding};

#[derive(Debug, Default)]
pub(super) struct Amounts {
    /// How many messages were queued or written.
    queued_messages: AtomicU64,
    queued_payload: AtomicU64,
    queued_padding: AtomicUsize,
    taken_payload: AtomicUsize,
    taken_padding: AtomicUsize,
    /// All bytes that the network has taken, framing included.
    written: AtomicUsize,
    /// Payload that the network has taken, and that a program on the loop's own
    /// thread still sees as buffered until it yields (S49).
    held: AtomicUsize,
}

impl Amounts {
    /// A message was queued. Called under the queue's lock.
    pub(super) fn add(&self, payload: usize) {
        count(&self.queued_messages, 1);
        count(&self.queued_payload, payload as u64);
        grow(&self.queued_padding, padding(payload));
    }

    /// The network has taken so much. Called by the holder of the write token.
    pub(super) fn take(&self, taken: Taken, written: usize) {
        grow(&self.written, written);
        if taken != Taken::default() {
            grow(&self.taken_payload, taken.payload);
            grow(&self.taken_padding, taken.padding);
        }
    }

    /// Payload bytes that a program sees as buffered (S48, S49).
    pub(super) fn visible(&self) -> usize {
        self.buffered().saturating_add(self.held())
    }

    /// Payload bytes that the network has not taken.
    pub(super) fn buffered(&self) -> usize {
        // In this order, so that the difference is never negative.
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

    /// What is visible, with what small messages count for beyond their payload.
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

    /// Shows so much as buffered although the network has taken it. Returns
    /// whether nothing was held before. Called on the loop's own thread only.
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
