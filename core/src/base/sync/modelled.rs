//! Loom's locks and atomics, with the total order of sequentially consistent operations.
//!
//! Loom takes `SeqCst` for `AcqRel`. Then of two threads that each store one flag and load
//! the other's, both may miss the other's store, which `SeqCst` forbids. So each atomic has a
//! second one, whose read-modify-writes happen in one order: a `SeqCst` store releases by
//! it, and a later `SeqCst` load acquires by it.
//!
//! Invariant: an operation of any other ordering does not touch the second atomic. So a
//! model fails if one of the four operations is made weaker.

mod try_mutex;

pub use loom;
pub use loom::sync::{Mutex, MutexGuard};

pub use self::try_mutex::{TryMutex, TryMutexGuard};
pub use crate::modelled_thread_local as thread_local;

/// As once_cell's: a box that is filled once.
#[derive(Debug)]
pub struct OnceBox<T> {
    value: once_cell::race::OnceBox<T>,
    is_filled: atomic::AtomicBool,
}

impl<T> Default for OnceBox<T> {
    fn default() -> Self {
        OnceBox {
            value: once_cell::race::OnceBox::new(),
            is_filled: atomic::AtomicBool::default(),
        }
    }
}

#[allow(missing_docs, reason = "they are those of once_cell")]
impl<T> OnceBox<T> {
    pub fn new() -> Self {
        OnceBox::default()
    }

    pub fn get(&self) -> Option<&T> {
        // Who sees the flag sees the value.
        let is_filled = self.is_filled.load(atomic::Ordering::Acquire);
        self.value.get().filter(|_| is_filled)
    }

    pub fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
        self.value.set(value)?;
        self.is_filled.store(true, atomic::Ordering::Release);
        Ok(())
    }

    pub fn get_or_init(&self, value: impl FnOnce() -> Box<T>) -> &T {
        let value = self.value.get_or_init(value);
        self.is_filled.store(true, atomic::Ordering::Release);
        value
    }
}

/// The threads of a model.
pub mod thread {
    use std::sync::Arc;
    use std::time::Duration;

    use loom::sync::{Condvar, Mutex};
    pub use loom::thread::*;

    loom::thread_local! {
        static CURRENT: Thread = Thread::default();
    }

    /// A thread, as those know it who wake it. Loom's own forgets that it was woken if it
    /// waits for a lock meanwhile.
    #[derive(Clone, Debug, Default)]
    pub struct Thread(Arc<Token>);

    #[derive(Debug, Default)]
    struct Token {
        is_there: Mutex<bool>,
        news: Condvar,
    }

    impl Thread {
        /// Wakes it, or has it not wait the next time.
        pub fn unpark(&self) {
            *self.0.is_there.lock().expect("a panic ends the run") = true;
            self.0.news.notify_one();
        }
    }

    /// This thread.
    pub fn current() -> Thread {
        CURRENT.with(Clone::clone)
    }

    /// Waits until somebody wakes this thread.
    pub fn park() {
        let Thread(token) = current();
        let mut is_there = token.is_there.lock().expect("a panic ends the run");
        while !std::mem::take(&mut *is_there) {
            is_there = token.news.wait(is_there).expect("a panic ends the run");
        }
    }

    /// No time passes in a model.
    pub fn park_timeout(_: Duration) {
        park();
    }
}

/// As std's `thread_local`, for a thread of a model.
#[doc(hidden)]
#[macro_export]
macro_rules! modelled_thread_local {
    ($($(#[$attribute:meta])* static $name:ident: $type:ty = const $value:block;)*) => {
        $crate::sync::loom::thread_local! {
            $($(#[$attribute])* static $name: $type = $value;)*
        }
    };
}

/// The atomics of core and of the backends.
pub mod atomic {
    pub use loom::sync::atomic::fence;
    pub use std::sync::atomic::Ordering;

    use loom::sync::atomic as modelled;

    /// Tells the order of the `SeqCst` operations on one atomic.
    #[derive(Debug, Default)]
    struct Total(modelled::AtomicUsize);

    impl Total {
        /// Before a load.
        fn acquire(&self, order: Ordering) -> Ordering {
            if order != Ordering::SeqCst {
                return order;
            }
            self.0.fetch_add(0, Ordering::Acquire);
            Ordering::Acquire
        }

        /// After a store with this order.
        fn release(&self, order: Ordering) {
            if order == Ordering::SeqCst {
                self.0.fetch_add(0, Ordering::Release);
            }
        }
    }

    /// The order of a store.
    fn of_store(order: Ordering) -> Ordering {
        match order {
            Ordering::SeqCst => Ordering::Release,
            order => order,
        }
    }

    /// The order of a read-modify-write.
    fn of_both(order: Ordering) -> Ordering {
        match order {
            Ordering::SeqCst => Ordering::AcqRel,
            order => order,
        }
    }

    macro_rules! atomic {
        ($name:ident, $value:ty) => {
            #[doc = concat!("As std's `", stringify!($name), "`.")]
            #[derive(Debug, Default)]
            pub struct $name {
                value: modelled::$name,
                total: Total,
            }

            #[allow(missing_docs, reason = "they are those of std")]
            impl $name {
                pub fn new(value: $value) -> Self {
                    $name {
                        value: modelled::$name::new(value),
                        total: Total::default(),
                    }
                }

                pub fn load(&self, order: Ordering) -> $value {
                    let order = self.total.acquire(order);
                    self.value.load(order)
                }

                pub fn store(&self, value: $value, order: Ordering) {
                    self.value.store(value, of_store(order));
                    self.total.release(order);
                }

                pub fn swap(&self, value: $value, order: Ordering) -> $value {
                    self.total.acquire(order);
                    let before = self.value.swap(value, of_both(order));
                    self.total.release(order);
                    before
                }

                pub fn compare_exchange_weak(
                    &self,
                    current: $value,
                    new: $value,
                    success: Ordering,
                    failure: Ordering,
                ) -> Result<$value, $value> {
                    self.total.acquire(success);
                    let of_failure = match failure {
                        Ordering::SeqCst => Ordering::Acquire,
                        order => order,
                    };
                    let swapped =
                        self.value
                            .compare_exchange(current, new, of_both(success), of_failure);
                    if swapped.is_ok() {
                        self.total.release(success);
                    }
                    swapped
                }

                pub fn fetch_update(
                    &self,
                    success: Ordering,
                    failure: Ordering,
                    mut f: impl FnMut($value) -> Option<$value>,
                ) -> Result<$value, $value> {
                    let mut before = self.load(failure);
                    while let Some(next) = f(before) {
                        match self.compare_exchange_weak(before, next, success, failure) {
                            Err(changed) => before = changed,
                            swapped => return swapped,
                        }
                    }
                    Err(before)
                }
            }
        };
    }

    macro_rules! number {
        ($name:ident, $value:ty) => {
            atomic!($name, $value);

            #[allow(missing_docs, reason = "they are those of std")]
            impl $name {
                pub fn fetch_add(&self, value: $value, order: Ordering) -> $value {
                    self.total.acquire(order);
                    let before = self.value.fetch_add(value, of_both(order));
                    self.total.release(order);
                    before
                }

                pub fn fetch_sub(&self, value: $value, order: Ordering) -> $value {
                    self.total.acquire(order);
                    let before = self.value.fetch_sub(value, of_both(order));
                    self.total.release(order);
                    before
                }
            }
        };
    }

    atomic!(AtomicBool, bool);
    number!(AtomicU8, u8);
    number!(AtomicU32, u32);
    number!(AtomicU64, u64);
    number!(AtomicUsize, usize);
}
