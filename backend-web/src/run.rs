//! Runs a future on the host's event loop.
//!
//! This is a small executor of our own, because each message that a stream waits for passes
//! through it. The executor of wasm-bindgen-futures uses `queueMicrotask`, which takes several
//! times as long.

use std::cell::Cell;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use isosocket_core::{drop_guarded, guard, trust_wakers_like};

use crate::catch;
use crate::microtask::{self, Job, Poll as Polled};
use crate::threads::Local;

/// Hands a future to the host's event loop and returns at once.
///
/// It is first polled after the current job, or after the event that is being handled. Then it
/// is polled whenever it is woken, always on this thread. It may be woken on any. Use it to
/// start what a program does; natively the facade's `run` blocks instead.
///
/// ```no_run
/// # use isosocket_web as isosocket;
/// isosocket::run(async {
///     // Open sockets, await events.
/// });
/// ```
pub fn run(future: impl Future<Output = ()> + 'static) {
    catch::install();
    let future: Pin<Box<dyn Work>> = Box::pin(future);
    microtask::push(Job::poll(Arc::new(Task {
        future: Local::new(Slot(Cell::new(Some(future)))),
        queued: AtomicBool::new(true),
    })));
}

/// A future.
trait Work {
    /// Polls it, and writes into `done` whether it is complete. If that were returned, this
    /// would have the signature of all formatting functions, and a page would link those
    /// that are in its tables.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>, done: &mut bool);
}

impl<F: Future<Output = ()>> Work for F {
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>, done: &mut bool) {
        *done = Future::poll(self, context).is_ready();
    }
}

/// A future and whether it is to be polled. It lives as long as somebody can
/// wake it.
struct Task {
    future: Local<Slot>,
    queued: AtomicBool,
}

/// Where a future waits between polls. Empty while it is polled, and once it
/// is complete.
struct Slot(Cell<Option<Pin<Box<dyn Work>>>>);

impl Polled for Task {
    fn poll(self: Arc<Self>) {
        let Some(slot) = self.future.get() else {
            return;
        };
        let Some(future) = slot.0.take() else {
            return;
        };
        let mut future = ManuallyDrop::new(future);
        // Before the poll: a wake-up inside it asks for another.
        self.queued.store(false, Ordering::Release);
        // A clone: it has the same table of functions as all clones of it, which the first
        // one may not have.
        let waker = Waker::from(self.clone()).clone();
        trust_wakers_like(&waker);
        let mut context = Context::from_waker(&waker);
        let mut done = false;
        match guard("a future", || future.as_mut().poll(&mut context, &mut done)) {
            Some(()) if !done => {
                slot.0.set(Some(ManuallyDrop::into_inner(future)));
            }
            Some(()) => drop_guarded("a future", ManuallyDrop::into_inner(future)),
            None if cfg!(panic = "unwind") => {
                drop_guarded("a future", ManuallyDrop::into_inner(future));
            }
            // A JavaScript exception has left it half way, in a state that is
            // neither to be polled nor to be dropped.
            None => {}
        }
    }
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.future.thread().clone().push(Job::poll(self));
        }
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            self.future.thread().push(Job::poll(self.clone()));
        }
    }
}
