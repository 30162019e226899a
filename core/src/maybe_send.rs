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
    /// on the web a slot in a thread-local registry.
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
    use std::any::Any;
    use std::cell::RefCell;
    use std::fmt;
    use std::marker::PhantomData;
    use std::rc::Rc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use slab::Slab;

    /// `Send` natively, where handlers run on the event loop's thread; nothing
    /// on the web, where they run on the thread that binds them. Portable code
    /// satisfies both.
    pub trait MaybeSend {}

    impl<T> MaybeSend for T {}

    thread_local! {
        static REGISTRY: RefCell<Slab<(u32, Rc<dyn Any>)>> = const { RefCell::new(Slab::new()) };
    }

    static STAMPS: AtomicU32 = AtomicU32::new(0);

    /// A place for what only the delivering thread may touch: natively a lock,
    /// on the web a slot in a thread-local registry.
    ///
    /// The home itself may be anywhere. Dropped on another thread it leaves its
    /// value behind: a backend drops it where it made it.
    pub struct Home<T> {
        key: usize,
        stamp: u32,
        value: PhantomData<fn(T) -> T>,
    }

    impl<T: 'static> Home<T> {
        /// A home for `value`.
        pub fn new(value: T) -> Self {
            let stamp = STAMPS.fetch_add(1, Ordering::Relaxed);
            let value: Rc<dyn Any> = Rc::new(RefCell::new(value));
            let key = REGISTRY.with(|slots| slots.borrow_mut().insert((stamp, value)));
            Home {
                key,
                stamp,
                value: PhantomData,
            }
        }

        /// Calls `f` with the value; `None` on a thread that may not touch it.
        pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> Option<R> {
            // The slot is cloned out, so that `f` may use the registry.
            let value = REGISTRY.with(|slots| match slots.borrow().get(self.key) {
                Some((stamp, value)) if *stamp == self.stamp => Some(value.clone()),
                _ => None,
            })?;
            let value = value.downcast_ref::<RefCell<T>>()?;
            Some(f(&mut value.borrow_mut()))
        }
    }

    impl<T> Drop for Home<T> {
        fn drop(&mut self) {
            // The value is dropped outside the borrow: it may own other homes.
            let value = REGISTRY.try_with(|slots| {
                let mut slots = slots.borrow_mut();
                match slots.get(self.key) {
                    Some((stamp, _)) if *stamp == self.stamp => Some(slots.remove(self.key)),
                    _ => None,
                }
            });
            drop(value);
        }
    }

    impl<T> fmt::Debug for Home<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.debug_tuple("Home").field(&self.stamp).finish()
        }
    }
}
