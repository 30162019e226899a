//! The one difference between targets that core cannot avoid: whether there are threads
//! that share memory. Where there are, a handler may be bound on one thread and run on
//! another. A page without them has one thread, and its handlers may own what cannot
//! leave it.
//!
//! The alignment of short data is here too, and the size of a page's memory, because nothing
//! else in core names a target.

use std::fmt;
use std::sync::PoisonError;

use super::sync::{Mutex, MutexGuard};

cfg_if::cfg_if! {
    if #[cfg(all(
        target_family = "wasm",
        target_os = "unknown",
        not(target_feature = "atomics")
    ))] {
        mod page;
        use page as target;
    } else {
        mod threads;
        use threads as target;
    }
}

pub(crate) use target::{ARE_THREADS, Alignment, SharedBytes, SharedText};
pub use target::{Flag, SharedCell};

/// How many pages of memory a program has that runs on a JavaScript host. By this the backend
/// notices that memory has grown.
#[doc(hidden)]
#[inline(always)]
pub fn memory_pages() -> usize {
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    return std::arch::wasm32::memory_size::<0>();
    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    0
}

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
pub trait MaybeSend: target::Bound {}

impl<T: target::Bound> MaybeSend for T {}

/// A lock for short code of our own, which neither blocks nor panics. So one
/// that is poisoned all the same is still good.
#[derive(Default)]
pub(crate) struct Lock<T>(Mutex<T>);

impl<T> Lock<T> {
    pub(crate) fn new(value: T) -> Self {
        Lock(Mutex::new(value))
    }

    #[cfg(not(all(target_family = "wasm", target_os = "unknown")))]
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A page's own thread must not wait, and traps where it would: it tries
    /// until whoever holds the lock is done, which is soon. Without threads
    /// nobody does, and the page is spared the code that would say so. Not inlined: the
    /// page of a socket that connects again is 0.3 kB smaller for that.
    #[cfg(all(target_family = "wasm", target_os = "unknown"))]
    #[inline(never)]
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
