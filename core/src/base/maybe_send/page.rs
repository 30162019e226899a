//! Where there is one thread: a page, and wasm without atomics in general.

mod payload;

use std::cell::RefCell;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};

use isosocket_fragile::Fragile;

pub(crate) use payload::{SharedBytes, SharedText};

/// Whether there are threads that share memory.
pub(crate) const ARE_THREADS: bool = false;

/// How short data is aligned: words would take a tenth longer here.
pub(crate) type Alignment = u8;

/// Whether the program has used a feature of [`rare`](crate::base::rare).
#[doc(hidden)]
#[derive(Debug)]
pub struct Flag(AtomicBool);

impl Flag {
    #[allow(clippy::new_without_default, reason = "flags are statics")]
    pub const fn new() -> Self {
        Flag(AtomicBool::new(false))
    }

    #[inline(always)]
    pub fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    #[inline(always)]
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// What [`MaybeSend`](super::MaybeSend) demands: nothing.
pub trait Bound {}

impl<T> Bound for T {}

/// A value that may own handlers, and that all handles of a socket share. Handles are
/// `Send` here too, although there is no other thread.
pub struct SharedCell<T>(Fragile<RefCell<T>>);

impl<T: 'static> SharedCell<T> {
    /// A cell with `value`.
    pub fn new(value: T) -> Self {
        SharedCell(Fragile::new(RefCell::new(value)))
    }

    /// Calls `f` with the value. `f` must be short, and must not call the program's code.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        match self.0.try_get().map(RefCell::try_borrow_mut) {
            Ok(Ok(mut value)) => f(&mut value),
            // A cell is used once at a time, on its thread. Not a panic, because its text and
            // the path of this file would make every page larger.
            _ => std::process::abort(),
        }
    }
}

impl<T> fmt::Debug for SharedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCell")
    }
}
