//! Where there are threads that share memory: natively, and on wasm with atomics.

use bytes::Bytes;
use bytestring::ByteString;

use super::{Lock, MaybeSend};

/// Whether there are threads that share memory.
pub(crate) const ARE_THREADS: bool = true;

/// How short data is aligned: as words, which registers move at once.
pub(crate) type Alignment = u64;

/// Bytes that clones share.
pub(crate) type SharedBytes = Bytes;

/// Text that clones share.
pub(crate) type SharedText = ByteString;

/// Whether a program uses a feature of [`rare`](crate::base::rare): it may. So nothing is
/// loaded, and no thread can miss that another one uses it.
#[doc(hidden)]
#[derive(Debug)]
pub struct Flag(());

impl Flag {
    #[allow(clippy::new_without_default, reason = "flags are statics")]
    pub const fn new() -> Self {
        Flag(())
    }

    #[inline(always)]
    pub fn set(&self) {}

    #[inline(always)]
    pub fn get(&self) -> bool {
        true
    }
}

/// What [`MaybeSend`] demands.
pub trait Bound: Send {}

impl<T: Send> Bound for T {}

/// A value that may own handlers, and that all handles of a socket share. It is a lock.
#[derive(Debug, Default)]
pub struct SharedCell<T>(Lock<T>);

impl<T: MaybeSend + 'static> SharedCell<T> {
    /// A cell with `value`.
    pub fn new(value: T) -> Self {
        SharedCell(Lock::new(value))
    }

    /// Calls `f` with the value. `f` must be short, and must not call the program's code.
    #[inline]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}
