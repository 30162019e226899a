//! The one difference between targets that core cannot avoid: natively a
//! handler runs on another thread than the one that binds it, on the web on
//! the very thread of the JavaScript object, which nothing may leave.
//!
//! Nothing else in core names a target.

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
pub use native::{Home, MaybeSend};
#[cfg(all(target_family = "wasm", target_os = "unknown"))]
pub use web::{Home, MaybeSend};

#[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
mod native {
    use std::sync::Mutex;

    /// `Send` natively, where handlers run on the event loop's thread; nothing
    /// on the web, where they run on the thread that binds them. Portable code
    /// satisfies both.
    #[diagnostic::on_unimplemented(
        message = "natively, handlers run on isosocket's event-loop thread, and so must be `Send`",
        label = "captures something that cannot be sent to another thread",
        note = "on the web this is not needed; to be portable, share state by `Arc<Mutex<..>>`, atomics or a channel"
    )]
    pub trait MaybeSend: Send {}

    impl<T: Send> MaybeSend for T {}

    /// A place for what only the delivering thread may touch: natively a lock,
    /// on the web what opens on its own thread only.
    #[derive(Debug, Default)]
    pub struct Home<T>(Mutex<T>);

    impl<T: MaybeSend + 'static> Home<T> {
        /// A home for `value`.
        pub fn new(value: T) -> Self {
            Home(Mutex::new(value))
        }

        /// Calls `f` with the value; `None` on a thread that may not touch it.
        pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            // Only short code of our own runs under this lock, none that panics
            // half-way through a change, so a poisoned lock is still good.
            let mut value = self
                .0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner());
            Some(f(&mut value))
        }
    }
}

#[cfg(all(target_family = "wasm", target_os = "unknown"))]
mod web {
    use std::cell::RefCell;
    use std::{fmt, mem};

    use fragile::Fragile;

    /// `Send` natively, where handlers run on the event loop's thread; nothing
    /// on the web, where they run on the thread that binds them. Portable code
    /// satisfies both.
    pub trait MaybeSend {}

    impl<T> MaybeSend for T {}

    /// A place for what only the delivering thread may touch: natively a lock,
    /// on the web a value that opens on the thread alone that made it.
    ///
    /// The home itself may be anywhere. Dropped on another thread it leaves its
    /// value behind: a backend drops it where it made it.
    pub struct Home<T>(Option<Fragile<RefCell<T>>>);

    impl<T: 'static> Home<T> {
        /// A home for `value`.
        pub fn new(value: T) -> Self {
            Home(Some(Fragile::new(RefCell::new(value))))
        }

        /// Calls `f` with the value; `None` on a thread that may not touch it.
        #[inline]
        pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            let value = self.0.as_ref()?.try_get().ok()?;
            Some(f(&mut value.borrow_mut()))
        }
    }

    impl<T> Drop for Home<T> {
        fn drop(&mut self) {
            if let Some(value) = self.0.take_if(|value| !value.is_valid()) {
                mem::forget(value);
            }
        }
    }

    impl<T> fmt::Debug for Home<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Home")
        }
    }
}
