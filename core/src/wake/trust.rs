//! The wakers of the backend's own executor, which run no code of the program's when they
//! are cloned or woken. So they need no guard. On a page a guard takes longer than they do.
//!
//! Their destructor may drop a whole task, so it is guarded as that of any waker.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::task::{RawWakerVTable, Waker};

/// The functions of such wakers. Null where the backend has no executor of its own, or it
/// has run nothing.
static TRUSTED: AtomicPtr<RawWakerVTable> = AtomicPtr::new(ptr::null_mut());

/// Has all wakers with the functions of this one cloned and woken without a guard.
#[doc(hidden)]
pub fn trust_wakers_like(waker: &Waker) {
    TRUSTED.store(ptr::from_ref(waker.vtable()).cast_mut(), Ordering::Relaxed);
}

pub(super) fn is_trusted(waker: &Waker) -> bool {
    ptr::eq(waker.vtable(), TRUSTED.load(Ordering::Relaxed))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::task::Wake;

    use super::*;

    struct Ours;

    impl Wake for Ours {
        fn wake(self: Arc<Self>) {}
    }

    /// Not the same code, or an optimizer may give both the same functions.
    struct Theirs(Vec<u8>);

    impl Wake for Theirs {
        fn wake(self: Arc<Self>) {
            assert_eq!(self.0.len(), 1);
        }
    }

    #[test]
    fn only_the_wakers_of_one_executor_are_trusted() {
        let [ours, another] = [Ours, Ours].map(|it| Waker::from(Arc::new(it)).clone());
        let theirs = Waker::from(Arc::new(Theirs(vec![1]))).clone();
        assert!(!is_trusted(&ours));
        trust_wakers_like(&ours);
        assert!(is_trusted(&another) && is_trusted(&another.clone()));
        assert!(!is_trusted(&theirs) && !is_trusted(Waker::noop()));
    }
}
