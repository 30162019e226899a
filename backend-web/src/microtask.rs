//! Jobs that run right after the current JavaScript job. Each thread has one queue, which one
//! closure serves. Tasks that an event of the host wakes are polled at its end: see
//! [`then_tasks`].
//!
//! `Promise.resolve().then(..)` costs a third of `queueMicrotask` in Chromium,
//! and a closure that lives as long as its thread costs nothing per use.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use isosocket_fragile::Fragile;
use wasm_bindgen::JsValue;

use isosocket_core::{Link, MaybeSend, Rare, Report, is_used};

use crate::catch::is_calling;
use crate::connection::Connection;
use crate::js::{self, Listener, Promise};

/// Trait objects, so that a page has the code of what it uses.
pub(crate) enum Job {
    /// A future was woken.
    Poll(Rare<Woken>),
    /// Something is to be called.
    Call(Box<dyn Call>),
}

/// What is polled as often as it is woken.
pub(crate) trait Poll: Send + Sync {
    fn poll(self: Arc<Self>);
}

/// A future that was woken.
pub(crate) struct Woken(Arc<dyn Poll>);

isosocket_core::feature!(Woken);

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
    pub(crate) fn poll(task: Arc<dyn Poll>) -> Self {
        Job::Poll(Rare::new(Woken(task)))
    }

    /// A turn, and in it a report that could not be made at once.
    pub(crate) fn turn(link: Link, report: Option<Report>) -> Self {
        Job::Call(Box::new(move || {
            if let (Some(mut turn), Some(report)) = (link.into_turn(), report) {
                turn.report(report);
            }
        }))
    }

    /// The events that came inside a call, or inside another event's turn.
    pub(crate) fn late(connection: Rc<Connection>) -> Self {
        // It stays on its thread, which the compiler cannot know.
        let connection = Fragile::new(connection);
        Job::Call(Box::new(move || {
            if let Ok(connection) = connection.try_get() {
                connection.serve_late();
            }
        }))
    }

    /// The buffered amount was low already.
    pub(crate) fn drained(link: Link) -> Self {
        Job::Call(Box::new(move || link.drained()))
    }

    pub(crate) fn run(self) {
        match self {
            Job::Poll(mut task) => {
                if let Some(Woken(task)) = task.take() {
                    task.poll();
                }
            }
            Job::Call(call) => call.call(),
        }
    }
}

// Not a `VecDeque`, whose code is larger.
struct Jobs {
    /// The oldest is the first.
    pushed: Vec<Job>,
    /// Older ones. The oldest is the last.
    due: Vec<Job>,
}

struct Queue {
    jobs: RefCell<Jobs>,
    /// A microtask was asked for.
    asked: Cell<bool>,
    /// Tasks that are woken run at the end of an event, which is being handled.
    held: Cell<bool>,
    /// What asks for a microtask, and what is called in it.
    caller: OnceCell<(Promise, Listener)>,
}

thread_local! {
    static QUEUE: Queue = const {
        Queue {
            jobs: RefCell::new(Jobs {
                pushed: Vec::new(),
                due: Vec::new(),
            }),
            asked: Cell::new(false),
            held: Cell::new(false),
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
        let mut jobs = self.jobs.try_borrow_mut().ok()?;
        let Jobs { pushed, due } = &mut *jobs;
        if due.is_empty() {
            // Not by `reverse`, whose panic brings the machinery of formatting.
            while let Some(job) = pushed.pop() {
                due.push(job);
            }
        }
        due.pop()
    }

    fn push(&self, job: Job) {
        let waits = is_used::<Woken>() && self.held.get() && matches!(job, Job::Poll(_));
        // Nothing else is called while it is borrowed, so it never fails; the
        // panic of `borrow_mut` would bring the machinery of formatting.
        if let Ok(mut jobs) = self.jobs.try_borrow_mut() {
            jobs.pushed.push(job);
        }
        if waits || self.asked.replace(true) {
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

/// Handles an event of the host by `f`, and then polls at once the tasks that were woken.
///
/// The host would run a microtask next anyway. To ask for one takes longer than all that is
/// done in it. But where a stand-in's event comes inside a call of the program's code, tasks
/// wait for the microtask, because they may need what that code uses.
pub(crate) fn then_tasks(f: impl FnOnce()) {
    if !is_used::<Woken>() || is_calling() {
        return f();
    }
    with_queue(|queue| {
        queue.held.set(true);
        f();
        queue.held.set(false);
        // Otherwise the tasks keep their place behind other jobs.
        if !queue.asked.get() {
            queue.serve();
        }
    });
}

/// Not by `with`, whose panic brings the machinery of formatting: a thread that ends has no
/// queue, and does nothing any more.
fn with_queue(f: impl FnOnce(&Queue)) {
    let _ = QUEUE.try_with(f);
}
