//! The host of web sockets: its microtasks, its timers and its randomness.
//!
//! Invariant: a later call always runs on the thread of the host, whichever thread asked for
//! it.

use std::cell::Cell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use js_sys::{Date, Math};

use crate::js;
use crate::microtask::Job;
use crate::threads::{Due, Elsewhere, Local, Thread};
use crate::timer::{LONGEST, Timer};
use crate::waking;
use isosocket_core::{Host, HostEvent, HostListener, MaybeSend, NewError, Subscription};

/// The JavaScript host, for calls without a socket.
///
/// ## Threads on wasm (shared memory)
/// A host is that of the thread that made it, on which its calls are made.
#[derive(Clone, Debug)]
pub struct WebHost(Thread);

impl Default for WebHost {
    fn default() -> Self {
        WebHost(Thread::current())
    }
}

/// A call that is due later; dropping it cancels the call.
pub struct WebTimer {
    cancelled: Arc<AtomicBool>,
    ring: Local<Ring>,
    /// The date when the call is due.
    due: Elsewhere<f64>,
}

impl Host for WebHost {
    type Timer = WebTimer;

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        self.0.push(Job::Call(Box::new(task)));
    }

    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<WebTimer, NewError> {
        let milliseconds = (delay.as_secs_f64() * 1e3).ceil();
        let cancelled = Arc::new(AtomicBool::new(false));
        // On another thread than the host's it is a timer of that one.
        let ring = Local::new(Ring {
            cancelled: cancelled.clone(),
            thread: self.0.clone(),
            left: Cell::new(milliseconds),
            due: Cell::new(0.0),
            timer: Cell::default(),
            task: Due::new(Box::new(task), &cancelled, || Date::now() + milliseconds),
        });
        ring.visit(|ring| ring.wait());
        Ok(WebTimer {
            cancelled,
            ring,
            due: Elsewhere::new(|| Date::now() + milliseconds),
        })
    }

    fn time_left(timer: &WebTimer) -> Option<Duration> {
        let due = match timer.ring.get() {
            Some(ring) => ring.due.get() + ring.left.get(),
            None => timer.due.get()?,
        };
        // A negative number becomes zero. Microseconds, as in `now`.
        Some(Duration::from_micros(((due - Date::now()) * 1e3) as u64))
    }

    #[inline]
    fn attend(&self) {
        self.0.attend();
    }

    fn now(&self) -> Duration {
        // Not by `from_secs_f64`, whose care for every number a page pays for.
        Duration::from_micros((js::now() * 1e3) as u64)
    }

    fn listen(&self, listener: HostListener) -> Subscription {
        waking::listen(&self.0, listener)
    }

    fn wake_up() {
        waking::announce(HostEvent::WokeUp);
    }

    fn random(&self) -> u64 {
        // 53 bits is what there is of it.
        ((Math::random() * (1u64 << 53) as f64) as u64) << 11
    }
}

impl Drop for WebTimer {
    fn drop(&mut self) {
        // On another thread the call is dropped later, so it is cancelled now.
        self.cancelled.store(true, Ordering::Release);
    }
}

impl fmt::Debug for WebTimer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WebTimer")
    }
}

/// What is called, and the timer that is under way.
struct Ring {
    cancelled: Arc<AtomicBool>,
    thread: Thread,
    /// Milliseconds beyond the present timer, which cannot be as long as a delay.
    left: Cell<f64>,
    /// The date when the present timer is to fire.
    due: Cell<f64>,
    timer: Cell<Option<Timer>>,
    task: Due,
}

impl Ring {
    fn wait(self: &Rc<Self>) {
        let delay = self.left.get().min(LONGEST);
        self.left.set(self.left.get() - delay);
        self.due.set(Date::now() + delay);
        // Weak: the timer is owned here.
        let weak = Rc::downgrade(self);
        let ring = move || {
            if let Some(ring) = weak.upgrade() {
                ring.ring();
            }
        };
        self.timer.set(Some(Timer::after(delay, ring)));
    }

    fn ring(self: &Rc<Self>) {
        if self.left.get() > 0.0 && !self.cancelled.load(Ordering::Acquire) {
            return self.wait();
        }
        self.timer.take();
        let task = self.task.take();
        let cancelled = self.cancelled.clone();
        let task = move || {
            if let (Some(task), false) = (task, cancelled.load(Ordering::Acquire)) {
                task.call();
            }
        };
        let late = Date::now() - self.due.get();
        if late < HostEvent::LATE.as_millis() as f64 {
            return self.thread.call(Box::new(task));
        }
        waking::announce(HostEvent::WokeUp);
        // Behind those who listen: peers are tested before they are judged.
        self.thread.push(Job::Call(Box::new(task)));
    }
}
