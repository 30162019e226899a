//! The one difference between targets that core cannot avoid: whether there
//! are threads that share memory. Where there are, a handler may be bound on
//! one thread and run on another; a page without them has one thread, and its
//! handlers may hold what cannot leave it.
//!
//! How short data is aligned stands here too, as nothing else in core names a
//! target.

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(not(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
)))]
pub(crate) use threads::Alignment;
#[cfg(not(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
)))]
pub use threads::{MaybeSend, SharedCell};
#[cfg(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
))]
pub(crate) use web::Alignment;
#[cfg(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
))]
pub use web::{MaybeSend, SharedCell};

/// A lock for short code of our own, which neither blocks nor panics. So one
/// that is poisoned all the same is still good.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) const fn new(value: T) -> Self {
        Lock(Mutex::new(value))
    }

    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page's own thread must not wait, and traps where it would: it tries
    /// until whoever holds the lock is done, which is soon. Without threads
    /// nobody does, and the page is spared the code that would say so.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        use std::sync::TryLockError;

        loop {
            match self.0.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
            }
        }
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Lock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Lock")
    }
}

#[cfg(not(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
)))]
mod threads {
    use super::Lock;

    /// As what short data is aligned: natively it is moved in registers, as words.
    pub(crate) type Alignment = u64;

    /// What a handler must be: `Send` where there are threads that share memory,
    /// natively and in a wasm build with `atomics`; nothing on a page without,
    /// which has one thread. Portable code satisfies both.
    ///
    /// ```
    /// use isosocket::{Bind, MaybeSend};
    ///
    /// /// A function of one's own that takes a handler asks for the same.
    /// fn on_text<S: Bind>(socket: &S, mut handler: impl FnMut(&str) + MaybeSend + 'static) {
    ///     socket.on_message(move |_, message| message.as_text().into_iter().for_each(&mut handler));
    /// }
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("hello");
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// # let (sender, receiver) = std::sync::mpsc::channel();
    /// on_text(&socket, move |text| sender.send(text.to_owned()).unwrap());
    /// # network.finish();
    /// # assert_eq!(receiver.recv().unwrap(), "hello");
    /// ```
    #[diagnostic::on_unimplemented(
        message = "handlers run on another thread than this (natively isosocket's event loop), and so must be `Send`",
        label = "captures something that cannot be sent to another thread",
        note = "on a page without threads this is not needed; to be portable, share state by `Arc<Mutex<..>>`, atomics or a channel"
    )]
    pub trait MaybeSend: Send {}

    impl<T: Send> MaybeSend for T {}

    /// A place for what may hold handlers: a lock where there are threads.
    #[derive(Debug, Default)]
    pub struct SharedCell<T>(Lock<T>);

    impl<T: MaybeSend + 'static> SharedCell<T> {
        /// A cell for `value`.
        pub fn new(value: T) -> Self {
            SharedCell(Lock::new(value))
        }

        /// Calls `f`, which is short and calls nothing foreign, with the value.
        #[inline]
        pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            f(&mut self.0.lock())
        }
    }
}

#[cfg(all(
    target_family = "wasm",
    target_os = "unknown",
    not(target_feature = "atomics")
))]
mod web {
    use std::cell::RefCell;
    use std::fmt;

    use fragile::Fragile;

    /// As what short data is aligned: on a page words take a tenth longer.
    pub(crate) type Alignment = u8;

    /// What a handler must be: `Send` where there are threads that share memory,
    /// natively and in a wasm build with `atomics`; nothing on a page without,
    /// which has one thread. Portable code satisfies both.
    ///
    /// ```
    /// use isosocket::{Bind, MaybeSend};
    ///
    /// /// A function of one's own that takes a handler asks for the same.
    /// fn on_text<S: Bind>(socket: &S, mut handler: impl FnMut(&str) + MaybeSend + 'static) {
    ///     socket.on_message(move |_, message| message.as_text().into_iter().for_each(&mut handler));
    /// }
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("hello");
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// # let (sender, receiver) = std::sync::mpsc::channel();
    /// on_text(&socket, move |text| sender.send(text.to_owned()).unwrap());
    /// # network.finish();
    /// # assert_eq!(receiver.recv().unwrap(), "hello");
    /// ```
    pub trait MaybeSend {}

    impl<T> MaybeSend for T {}

    /// A place for what may hold handlers: a lock where there are threads. Here
    /// there are none, though handles are `Send` all the same.
    pub struct SharedCell<T>(Fragile<RefCell<T>>);

    impl<T: 'static> SharedCell<T> {
        /// A cell for `value`.
        pub fn new(value: T) -> Self {
            SharedCell(Fragile::new(RefCell::new(value)))
        }

        /// Calls `f`, which is short and calls nothing foreign, with the value.
        #[inline]
        pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
            // As it says; and messages that are put together would cost a page.
            match self.0.try_get().map(RefCell::try_borrow_mut) {
                Ok(Ok(mut value)) => f(&mut value),
                _ => panic!("a cell is entered once, on its thread"),
            }
        }
    }

    impl<T> fmt::Debug for SharedCell<T> {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("SharedCell")
        }
    }
}
