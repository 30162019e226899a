//! Handing a future to the host's loop.
//!
//! A small executor of our own, because it stands between each message and the
//! stream that waits for it: the one of wasm-bindgen-futures asks by
//! `queueMicrotask`, which takes several times as long.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use crate::microtask::{self, Job, Poll};
use crate::threads::Local;

/// Hands a future to the host's event loop and returns at once.
///
/// It is first polled after the current job, then whenever it is woken, always
/// on this thread; it may be woken on any. Use it to start what a program does; natively the facade's
/// `run` blocks instead.
///
/// ```no_run
/// isosocket_web::run(async {
///     // Open sockets, await events.
/// });
/// ```
pub fn run(future: impl Future<Output = ()> + 'static) {
    let future: Pin<Box<dyn Future<Output = ()>>> = Box::pin(future);
    microtask::push(Job::Poll(Arc::new(Task {
        future: Local::new(Slot(RefCell::new(Some(future)))),
        queued: AtomicBool::new(true),
    })));
}

/// A future and whether it is to be polled. It lives as long as somebody can
/// wake it.
struct Task {
    future: Local<Slot>,
    queued: AtomicBool,
}

/// Where a future waits between polls. Empty while it is polled, and once it
/// is complete.
struct Slot(RefCell<Option<Pin<Box<dyn Future<Output = ()>>>>>);

impl Poll for Task {
    fn poll(self: Arc<Self>) {
        let Some(slot) = self.future.get() else {
            return;
        };
        let Some(mut future) = slot.0.take() else {
            return;
        };
        // Before the poll: a wake-up inside it asks for another.
        self.queued.store(false, Ordering::Release);
        let waker = Waker::from(self.clone());
        let outcome = future.as_mut().poll(&mut Context::from_waker(&waker));
        if outcome.is_pending() {
            slot.0.replace(Some(future));
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.future.thread().clone().push(Job::Poll(self));
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.future.thread().push(Job::Poll(self.clone()));
        }
    }
}
