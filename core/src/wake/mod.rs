//! The only place that stores wakers and wake hooks of the program.
//!
//! A waker is the program's code: it may panic when it is cloned, woken or dropped.
//! It may also own a task, and with it a socket, a stream or a pending future of
//! this library. So it may come back into the library.
//!
//! Invariant: a waker is cloned, woken and dropped outside every lock, and its panics
//! end here (S105).

mod hook;
mod trust;
mod waiters;

use std::fmt;
use std::task::Waker;

pub(crate) use hook::WakeHook;
pub use trust::trust_wakers_like;
pub(crate) use waiters::{Place, Waiters};

use crate::base::guard::{drop_guarded, guard};
use crate::wake::trust::is_trusted;

/// What a log says panicked.
const NAME: &str = "a waker";

/// A waker that the library keeps, until it wakes it or no longer needs it.
///
/// It must be made, woken and dropped outside every lock. So whoever stores it under
/// a lock takes it out, releases the lock, and only then wakes or drops it.
pub(crate) struct StoredWaker(Option<Waker>);

impl StoredWaker {
    /// Clones a waker. One that panics in `clone` is not kept, and not woken.
    pub(crate) fn clone_of(waker: &Waker) -> Self {
        StoredWaker(match is_trusted(waker) {
            true => Some(waker.clone()),
            false => guard(NAME, || waker.clone()),
        })
    }

    pub(crate) fn wake(mut self) {
        match self.0.take() {
            Some(waker) if is_trusted(&waker) => waker.wake(),
            Some(waker) => drop(guard(NAME, || waker.wake())),
            None => {}
        }
    }
}

impl Drop for StoredWaker {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            drop_guarded(NAME, waker);
        }
    }
}

impl fmt::Debug for StoredWaker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StoredWaker")
    }
}
