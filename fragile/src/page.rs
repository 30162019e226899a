//! Where there is one thread: a page, and wasm without atomics in general.
//!
//! Invariant: this file is compiled for no target that has threads.

#![allow(
    unsafe_code,
    reason = "the value is not `Send`, and never leaves its thread"
)]

/// The error of a use on another thread. There is no value of it, because there is no other
/// thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidThreadAccess(());

/// A value that stays on its thread.
///
/// ```
/// use std::rc::Rc;
/// use isosocket_fragile::Fragile;
///
/// fn is_send(_: &(impl Send + Sync)) {}
///
/// let value = Fragile::new(Rc::new(7));
/// is_send(&value);
/// assert_eq!(value.try_get().map(|value| **value), Ok(7));
/// ```
#[derive(Clone, Debug)]
pub struct Fragile<T>(T);

// SAFETY: there is no other thread that the value could be moved to. Without the target
// feature `atomics` the linker makes no memory that is shared. So each worker has an instance
// with a memory of its own, and no value of Rust passes from one to the other. The standard
// library's locks rely on the same, and wasm-bindgen's `JsValue` is `Send` for this reason.
unsafe impl<T> Send for Fragile<T> {}
// SAFETY: for the same reason no other thread has a reference to the value.
unsafe impl<T> Sync for Fragile<T> {}

impl<T> Fragile<T> {
    /// Wraps a value.
    #[inline]
    pub fn new(value: T) -> Self {
        Fragile(value)
    }

    /// The value.
    ///
    /// # Errors
    /// Never: there is no other thread.
    #[inline]
    pub fn try_get(&self) -> Result<&T, InvalidThreadAccess> {
        Ok(&self.0)
    }
}
