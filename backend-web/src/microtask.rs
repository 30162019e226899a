//! What runs right after the current JavaScript job: one queue a thread, served
//! by one closure.
//!
//! `Promise.resolve().then(..)` costs a third of `queueMicrotask` in Chromium,
//! and a closure that lives as long as its thread costs nothing per use.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::sync::Arc;

use isosocket_core::{Link, MaybeSend, Report};
use wasm_bindgen::prelude::*;

use crate::Web;
use crate::js::Promise;
use crate::run::Task;

pub(crate) enum Job {
    /// A turn without a report, for what was bound meanwhile.
    Turn(Link<Web>),
    /// A report that could not be made at once.
    Report(Link<Web>, Report),
    /// The buffered amount was low already.
    Drained(Link<Web>),
    /// A future was woken.
    Poll(Arc<Task>),
    /// Something is to be called.
    Call(Box<dyn Call>),
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
    pub(crate) fn run(self) {
        match self {
            Job::Turn(link) => drop(link.turn()),
            Job::Report(link, report) => {
                if let Some(mut turn) = link.turn() {
                    turn.report(report);
                }
            }
            Job::Drained(link) => link.drained(),
            Job::Poll(task) => task.poll(),
            Job::Call(call) => call.call(),
        }
    }
}

struct Queue {
    jobs: RefCell<VecDeque<Job>>,
    asked: Cell<bool>,
    resolved: Promise,
    serve: Closure<dyn Fn()>,
}

thread_local! {
    static QUEUE: Queue = Queue {
        jobs: RefCell::default(),
        asked: Cell::new(false),
        resolved: Promise::resolve(),
        serve: Closure::new(|| QUEUE.with(Queue::serve)),
    };
}

impl Queue {
    fn serve(&self) {
        // Before the jobs, not after them: should one of them never return,
        // because it panicked, the next push still asks.
        self.asked.set(false);
        while let Some(job) = self.pop() {
            job.run();
        }
    }

    fn pop(&self) -> Option<Job> {
        self.jobs.borrow_mut().pop_front()
    }
}

/// Runs a job soon, and not inside this call.
pub(crate) fn push(job: Job) {
    QUEUE.with(|queue| {
        queue.jobs.borrow_mut().push_back(job);
        if !queue.asked.replace(true) {
            queue.resolved.then(queue.serve.as_ref());
        }
    });
}
