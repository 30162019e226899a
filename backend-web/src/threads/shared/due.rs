//! A call that is due later. If its thread ends before, the thread's heir makes it: a socket
//! that waits for its next attempt has no connection that could fail.
//!
//! Invariant: it is made at most once, and not after it was cancelled.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use isosocket_core::SharedCell;
use js_sys::{Date, Promise};
use wasm_bindgen_futures::JsFuture;

use super::Thread;
use crate::js;
use crate::microtask::{self, Call, Job};
use crate::timer::LONGEST;

/// Its own thread has it by this.
pub(crate) struct Due(Arc<SharedCell<State>>);

/// The same, as its thread and the thread's heir know it.
pub(super) type Known = Weak<SharedCell<State>>;

pub(super) struct State {
    task: Option<Box<dyn Call>>,
    cancelled: Arc<AtomicBool>,
    /// The date.
    when: f64,
}

impl Due {
    /// A call that this thread makes at a date.
    pub(crate) fn new(
        task: Box<dyn Call>,
        cancelled: &Arc<AtomicBool>,
        when: impl FnOnce() -> f64,
    ) -> Self {
        let due = Arc::new(SharedCell::new(State {
            task: Some(task),
            cancelled: cancelled.clone(),
            when: when(),
        }));
        Thread::current().know_due(Arc::downgrade(&due));
        Due(due)
    }

    /// For its thread, which makes the call now.
    pub(crate) fn take(&self) -> Option<Box<dyn Call>> {
        self.0.with(|state| state.task.take())
    }
}

/// Makes the call of a thread that has ended, at its date.
pub(super) async fn take_over(due: Known) {
    let Some(due) = due.upgrade() else { return };
    let delay = due.with(|state| state.when - Date::now());
    let delay = delay.clamp(0.0, LONGEST);
    let pause = Promise::new(&mut |resolve, _| drop(js::set_timeout(&resolve, delay)));
    let _ = JsFuture::from(pause).await;
    let (task, cancelled) = due.with(|state| (state.task.take(), state.cancelled.clone()));
    if let (Some(task), false) = (task, cancelled.load(Ordering::Acquire)) {
        microtask::push(Job::Call(task));
    }
}
