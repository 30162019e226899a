//! Calls code of the program in such a way that its panics end here (S105).
//!
//! Handlers, wakers, hooks, log sinks and the destructors of what they own are
//! the program's code. They may run on a thread that serves other sockets too,
//! so nothing they do may unwind through the library.
//!
//! Invariant: no caller holds a lock, since a log sink may use a socket.

use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::base::catch::attempt;

/// Calls `f`. If it panics, logs that `what` panicked, and returns `None`.
///
/// The same if a JavaScript exception ends the call, or a panic that aborts, where
/// the backend has set a way to [catch](crate::base::catch) these.
#[doc(hidden)]
#[inline(always)]
pub fn guard<R>(what: &str, f: impl FnOnce() -> R) -> Option<R> {
    let result = attempt(f);
    if result.is_none() {
        log_panic(what);
    }
    result
}

/// Drops `value`. If its destructor panics, logs that `what` panicked.
#[doc(hidden)]
pub fn drop_guarded<T>(what: &str, value: T) {
    // Values without a destructor need no guard.
    if mem::needs_drop::<T>() {
        guard(what, || drop(value));
    }
}

/// Drops each item by itself: if two destructors of one list panic, the process aborts.
#[doc(hidden)]
pub fn drop_each<T>(what: &str, items: impl IntoIterator<Item = T>) {
    for item in items {
        drop_guarded(what, item);
    }
}

/// A function or a future of the program. Calls of it are guarded, and so is its
/// destructor, whoever drops it.
pub(crate) struct Owned<T> {
    what: &'static str,
    value: Option<T>,
}

impl<T> Owned<T> {
    /// Owns `value`; `what` is its name in the log.
    pub(crate) fn new(what: &'static str, value: T) -> Self {
        let value = Some(value);
        Owned { what, value }
    }

    /// Calls `f` with the value; `None` if it panics.
    pub(crate) fn call<R>(&mut self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
        let value = self.value.as_mut()?;
        guard(self.what, || f(value))
    }
}

impl<T> Drop for Owned<T> {
    fn drop(&mut self) {
        drop_guarded(self.what, self.value.take());
    }
}

/// Calls `f`, which writes to the log. A panic of the log sink is discarded,
/// because there is nowhere left to report it.
#[doc(hidden)]
#[inline(always)]
pub fn logging(f: impl FnOnce()) {
    // A page without a logger never sets the level. So the optimizer removes all of this, and
    // the names for the log with it.
    if log::max_level() != log::LevelFilter::Off {
        attempt(f);
    }
}

#[cold]
fn log_panic(what: &str) {
    logging(|| log::error!("{what} panicked"));
}

/// Drops the payload of a panic, whose own destructor may panic in turn.
#[cold]
pub(crate) fn discard(payload: Box<dyn std::any::Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // Each of these could panic again, so this one is leaked.
        mem::forget(second);
    }
}

#[cfg(test)]
mod tests {
    use std::panic::panic_any;

    use super::*;

    /// Panics when it is dropped.
    struct Bomb;

    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose, in a destructor");
        }
    }

    /// Panics with another value of its kind as the payload.
    struct Nested;

    impl Drop for Nested {
        fn drop(&mut self) {
            panic_any(Nested);
        }
    }

    #[test]
    fn a_result_is_handed_on() {
        assert_eq!(guard("this", || 7), Some(7));
    }

    #[test]
    fn a_panic_ends_here_whatever_its_payload_does() {
        assert_eq!(guard("a call", || panic!("on purpose")), None::<()>);
        assert_eq!(guard("a call", || panic_any(Bomb)), None::<()>);
        assert_eq!(guard("a call", || panic_any(Nested)), None::<()>);
        logging(|| panic_any(Nested));
    }

    #[test]
    fn every_item_is_dropped_though_several_destructors_panic() {
        drop_guarded("a value", Bomb);
        drop_each("an item", vec![Bomb, Bomb, Bomb]);
    }
}
