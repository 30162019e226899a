//! A race, which `cargo xtask races tsan` and `miri` must report. Otherwise their other tests
//! prove nothing.

#![allow(
    unsafe_code,
    reason = "without it there are no races, and nobody builds this but those two commands"
)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, yield_now};

/// A value that one thread hands to another.
struct Handover {
    value: UnsafeCell<u64>,
    is_there: AtomicBool,
}

// SAFETY: it is not safe. The flag orders nothing, because its store does not release.
unsafe impl Sync for Handover {}

impl Handover {
    fn give(&self, value: u64) {
        // SAFETY: the other thread reads the value when the flag is set.
        unsafe { *self.value.get() = value };
        self.is_there.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> u64 {
        while !self.is_there.load(Ordering::Acquire) {
            yield_now();
        }
        // SAFETY: it would be sound if the store released.
        unsafe { *self.value.get() }
    }
}

#[test]
fn a_store_that_does_not_release() {
    let handover = Handover {
        value: UnsafeCell::new(0),
        is_there: AtomicBool::new(false),
    };
    thread::scope(|scope| {
        scope.spawn(|| handover.give(7));
        assert_eq!(handover.take(), 7);
    });
}
