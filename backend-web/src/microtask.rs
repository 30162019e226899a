//! Jobs that run right after the current JavaScript job. Each thread has one queue, which one
//! closure serves.
//!
//! `Promise.resolve().then(..)` costs a third of `queueMicrotask` in Chromium,
//! and a closure that lives as long as its thread costs nothing per use.

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use wasm_bindgen::JsValue;

use isosocket_core::{Link, MaybeSend, Report};

use crate::Web;
use crate::js::{self, Listener, Promise};

/// Trait objects, so that a page has the code of what it uses.
pub(crate) enum Job {
    /// A future was woken.
    Poll(Arc<dyn Poll>),
    /// Something is to be called.
    Call(Box<dyn Call>),
}

/// What is polled as often as it is woken.
pub(crate) trait Poll: Send + Sync {
    fn poll(self: Arc<Self>);
}

/// What is called once, later.
pub(crate) trait Call: MaybeSend {
    fn call(self: Box<Self>);
}

impl<F: FnOnce() + MaybeSend> Call for F {
    fn call(self: Box<Self>) {
        self();
    }
}

impl Job {
    /// A turn, and in it a report that could not be made at once.
    pub(crate) fn turn(link: Link<Web>, report: Option<Report>) -> Self {
        Job::Call(Box::new(move || {
            if let (Some(mut turn), Some(report)) = (link.turn(), report) {
                turn.report(report);
            }
        }))
    }

    /// The events that came inside a call, or inside another event's turn.
    pub(crate) fn late(link: Link<Web>) -> Self {
        Job::Call(Box::new(move || {
            if let Some(connection) = link.transport().connection() {
                connection.serve_late();
            }
        }))
    }

    /// The buffered amount was low already.
    pub(crate) fn drained(link: Link<Web>) -> Self {
        Job::Call(Box::new(move || link.drained()))
    }

    pub(crate) fn run(self) {
        match self {
            Job::Poll(task) => task.poll(),
            Job::Call(call) => call.call(),
        }
    }
}

struct Queue {
    jobs: RefCell<VecDeque<Job>>,
    asked: Cell<bool>,
    /// What asks for a microtask, and what is called in it.
    caller: OnceCell<(Promise, Listener)>,
}

thread_local! {
    static QUEUE: Queue = const {
        Queue {
            jobs: RefCell::new(VecDeque::new()),
            asked: Cell::new(false),
            caller: OnceCell::new(),
        }
    };
}

impl Queue {
    fn serve(&self) {
        // Before the jobs, not after them: if a job panics and never returns, the next push
        // still asks.
        self.asked.set(false);
        while let Some(job) = self.pop() {
            job.run();
        }
    }

    fn pop(&self) -> Option<Job> {
        self.jobs.try_borrow_mut().ok()?.pop_front()
    }

    fn push(&self, job: Job) {
        // Nothing else is called while it is borrowed, so it never fails; the
        // panic of `borrow_mut` would bring the machinery of formatting.
        if let Ok(mut jobs) = self.jobs.try_borrow_mut() {
            jobs.push_back(job);
        }
        if self.asked.replace(true) {
            return;
        }
        if self.caller.get().is_none() {
            let serve = js::listener(|_| with_queue(Queue::serve));
            let _ = self
                .caller
                .set((Promise::resolve(&JsValue::UNDEFINED), serve));
        }
        if let Some((resolved, serve)) = self.caller.get() {
            js::then(resolved, serve.as_ref(), serve.as_ref());
        }
    }
}

/// Runs a job soon, and not inside this call.
pub(crate) fn push(job: Job) {
    with_queue(|queue| queue.push(job));
}

/// Not by `with`, whose panic brings the machinery of formatting: a thread that ends has no
/// queue, and does nothing any more.
fn with_queue(f: impl FnOnce(&Queue)) {
    let _ = QUEUE.try_with(f);
}
