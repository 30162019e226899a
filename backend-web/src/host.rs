//! The host of web sockets: its microtasks, its timers and its randomness.
//!
//! Invariant: a timer's JavaScript stays on its thread; what may go anywhere is
//! a ticket to it, and a flag that cancels it from there.

use std::cell::{Cell, RefCell};
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::local::Local;
use crate::microtask::{self, Job};
use crate::timer::{LONGEST, Timer};
use isosocket_core::{Host, MaybeSend, NewError};

/// The JavaScript host, for calls without a socket.
///
/// ## Threads on wasm (shared memory)
/// Calls are made on the thread that asks for them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WebHost(());

/// A call that is due later; dropping it cancels the call.
pub struct WebTimer {
    cancelled: Arc<AtomicBool>,
    _call: Local<Call>,
}

impl Host for WebHost {
    type Timer = WebTimer;

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        microtask::push(Job::Call(Box::new(task)));
    }

    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<WebTimer, NewError> {
        let cancelled = Arc::new(AtomicBool::new(false));
        let ticket = Local::new(Call {
            cancelled: cancelled.clone(),
            left: Cell::new((delay.as_secs_f64() * 1e3).ceil()),
            timer: RefCell::default(),
            task: RefCell::new(Some(Box::new(task))),
        });
        if let Some(call) = ticket.get() {
            call.wait();
        }
        Ok(WebTimer {
            cancelled,
            _call: ticket,
        })
    }

    fn random(&self) -> u64 {
        // 53 bits is what there is of it.
        ((js_sys::Math::random() * (1u64 << 53) as f64) as u64) << 11
    }
}

impl Drop for WebTimer {
    fn drop(&mut self) {
        // On another thread the ticket opens nothing, so the call is told.
        self.cancelled.store(true, Ordering::Release);
    }
}

impl fmt::Debug for WebTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebTimer")
    }
}

/// What is called, and the timer that is under way.
struct Call {
    cancelled: Arc<AtomicBool>,
    /// Milliseconds beyond the present timer, which cannot be as long as a delay.
    left: Cell<f64>,
    timer: RefCell<Option<Timer>>,
    task: RefCell<Option<Box<dyn FnOnce()>>>,
}

impl Call {
    fn wait(self: &Rc<Self>) {
        let delay = self.left.get().min(LONGEST);
        self.left.set(self.left.get() - delay);
        // Weak: the call owns the timer.
        let weak = Rc::downgrade(self);
        let ring = move || {
            if let Some(call) = weak.upgrade() {
                call.ring();
            }
        };
        self.timer.replace(Some(Timer::after(delay, ring)));
    }

    fn ring(self: &Rc<Self>) {
        if self.left.get() > 0.0 && !self.cancelled.load(Ordering::Acquire) {
            return self.wait();
        }
        self.timer.take();
        let task = self.task.take();
        if let (Some(task), false) = (task, self.cancelled.load(Ordering::Acquire)) {
            task();
        }
    }
}
