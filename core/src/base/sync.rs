//! Locks and atomics that threads share: std's, and a box that is filled once.
//!
//! In a build with `--cfg isosocket_loom` they are loom's, and `tests/loom` runs the same
//! code in every order of its threads.
//!
//! Invariant: a static is std's own type, because loom's live for one run only. So is what
//! decides nothing, such as a counter of statistics, because each value of loom multiplies
//! the orders to run.

#[cfg(isosocket_loom)]
mod modelled;

#[cfg(isosocket_loom)]
pub use modelled::{
    Mutex, MutexGuard, OnceBox, TryMutex, TryMutexGuard, atomic, loom, thread, thread_local,
};
#[cfg(not(isosocket_loom))]
pub(crate) use once_cell::race::OnceBox;
#[cfg(not(isosocket_loom))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic};
