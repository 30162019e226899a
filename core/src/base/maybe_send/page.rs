//! Where there is one thread: a page, and wasm without atomics in general.

use std::cell::RefCell;
use std::fmt;

use fragile::Fragile;

/// How short data is aligned: words would take a tenth longer here.
pub(crate) type Alignment = u8;

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
        // The text is fixed, because formatting would make every page larger.
        match self.0.try_get().map(RefCell::try_borrow_mut) {
            Ok(Ok(mut value)) => f(&mut value),
            _ => panic!("a cell is used once at a time, on its thread"),
        }
    }
}

impl<T> fmt::Debug for SharedCell<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedCell")
    }
}
