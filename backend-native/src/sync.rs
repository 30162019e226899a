//! Locks, atomics and thread-locals that event loops and the program's threads share: std's.
//!
//! In a build with `--cfg isosocket_loom` they are loom's, and `tests/loom` runs the same
//! code in every order of its threads.
//!
//! A lock that is ever tried is a [`TryMutex`], because loom's `Mutex` cannot be.
//!
//! Invariant: a static is std's own type, because loom's live for one run only.

#[cfg(isosocket_loom)]
pub(crate) use isosocket_core::sync::{
    Mutex, MutexGuard, TryMutex, TryMutexGuard, atomic, thread, thread_local,
};
#[cfg(not(isosocket_loom))]
pub(crate) use std::{
    sync::{Mutex, Mutex as TryMutex, MutexGuard, MutexGuard as TryMutexGuard, atomic},
    thread, thread_local,
};
