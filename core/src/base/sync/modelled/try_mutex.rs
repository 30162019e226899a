//! A lock that is tried. Loom's own blocks a thread that tries it while another gets it.
//!
//! As std's, it says nothing to a thread that tried it in vain: neither what the holder has
//! done, nor that it has not been given back meanwhile.

use std::ops::{Deref, DerefMut};
use std::sync::{LockResult, TryLockError, TryLockResult};

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex, MutexGuard};

/// As std's `Mutex`.
#[derive(Debug, Default)]
pub struct TryMutex<T> {
    is_held: AtomicBool,
    waiting: Mutex<()>,
    released: Condvar,
    /// Only the holder locks it.
    value: Mutex<T>,
}

/// As std's `MutexGuard`.
#[derive(Debug)]
pub struct TryMutexGuard<'a, T> {
    mutex: &'a TryMutex<T>,
    /// There until it is dropped.
    value: Option<MutexGuard<'a, T>>,
}

#[allow(missing_docs, reason = "they are those of std")]
impl<T> TryMutex<T> {
    pub fn new(value: T) -> Self {
        TryMutex {
            is_held: AtomicBool::new(false),
            waiting: Mutex::new(()),
            released: Condvar::new(),
            value: Mutex::new(value),
        }
    }

    fn take(&self) -> bool {
        let (success, failure) = (Ordering::Acquire, Ordering::Relaxed);
        let taken = self.is_held.compare_exchange(false, true, success, failure);
        taken.is_ok()
    }

    fn guard(&self) -> TryMutexGuard<'_, T> {
        TryMutexGuard {
            mutex: self,
            value: self.value.lock().ok(),
        }
    }

    pub fn lock(&self) -> LockResult<TryMutexGuard<'_, T>> {
        let mut waiting = self.waiting.lock().expect("a panic ends the run");
        while !self.take() {
            waiting = self.released.wait(waiting).expect("a panic ends the run");
        }
        drop(waiting);
        Ok(self.guard())
    }

    pub fn try_lock(&self) -> TryLockResult<TryMutexGuard<'_, T>> {
        // The load may see what was there before.
        match !self.is_held.load(Ordering::Relaxed) && self.take() {
            true => Ok(self.guard()),
            false => Err(TryLockError::WouldBlock),
        }
    }
}

impl<T> Deref for TryMutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.value.as_ref().expect("it is not dropped")
    }
}

impl<T> DerefMut for TryMutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.value.as_mut().expect("it is not dropped")
    }
}

impl<T> Drop for TryMutexGuard<'_, T> {
    fn drop(&mut self) {
        self.value = None;
        self.mutex.is_held.store(false, Ordering::Release);
        drop(self.mutex.waiting.lock());
        self.mutex.released.notify_one();
    }
}
