//! The end of a thread, as others notice it. `Worker.terminate()` ends a thread at any
//! moment, and nothing of it runs any more: neither a listener nor a destructor.
//!
//! But the host then releases its Web Locks. So each thread with sockets holds a lock of
//! its own, and each other thread that uses them asks for the same lock, once. Who gets it
//! knows that the first one has ended, and does what is left to do: its sockets fail (S105),
//! and what is asked of it, or due later, is done here.
//!
//! Invariant: a thread asks for its lock before any other thread can know of it, and hosts
//! serve requests in their order. So whoever gets it, gets it after the thread itself, or
//! after the end of a thread that never got it.

use std::cell::RefCell;
use std::mem;
use std::sync::{Arc, Weak};

use isosocket_core::{ErrorEvent, ErrorKind, Link, Report};
use js_sys::{Promise, Reflect};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::inbox::{Inbox, Thread};
use super::{due, outbox};
use crate::js;
use crate::microtask::{self, Job};

#[wasm_bindgen]
extern "C" {
    type LockManager;

    #[wasm_bindgen(method, catch)]
    fn request(this: &LockManager, name: &str, held: &JsValue) -> Result<Promise, JsValue>;
}

/// The host's locks. Browsers have them since 2022, Node since version 24.5.
fn locks() -> Option<LockManager> {
    let navigator = Reflect::get(&js_sys::global(), &"navigator".into()).ok()?;
    let locks = Reflect::get(&navigator, &"locks".into()).ok()?;
    locks.is_object().then(|| locks.unchecked_into())
}

/// Holds this thread's lock until `served`, by which its inbox is served.
pub(super) fn hold(inbox: &Arc<Inbox>, served: Promise) {
    let Some(locks) = locks() else { return };
    let name = inbox.with(|state| state.name.clone());
    let inbox = inbox.clone();
    let held = Closure::once_into_js(move |_lock: JsValue| {
        inbox.with(|state| state.is_held = true);
        served
    });
    if let Ok(over) = locks.request(&name, &held) {
        // So that nobody misses who handles its error.
        spawn_local(async move { drop(JsFuture::from(over).await) });
    }
}

thread_local! {
    /// The threads that this one looks after.
    static WATCHED: RefCell<Vec<Weak<Inbox>>> = const { RefCell::new(Vec::new()) };
}

/// Looks after another thread from now on.
pub(super) fn watch(inbox: &Arc<Inbox>) {
    let is_new = WATCHED.with_borrow_mut(|watched| {
        if watched
            .iter()
            .any(|known| known.as_ptr() == Arc::as_ptr(inbox))
        {
            return false;
        }
        watched.retain(|known| known.strong_count() > 0);
        watched.push(Arc::downgrade(inbox));
        true
    });
    if is_new {
        spawn_local(wait_for_end(inbox.clone()));
    }
}

/// The standard says that hosts serve requests in their order. But a browser's threads send
/// their requests to another process, each by itself. So a later request may be served first.
/// The earlier one then gets so many milliseconds to arrive.
const OVERTAKEN: f64 = 1000.0;

async fn wait_for_end(inbox: Arc<Inbox>) {
    let Some(locks) = locks() else { return };
    let name = inbox.with(|state| state.name.clone());
    if !was_free(&locks, &name).await {
        return;
    }
    if inbox.with(|state| !state.is_held && !state.jobs.is_ended()) {
        let pause = Promise::new(&mut |resolve, _| drop(js::set_timeout(&resolve, OVERTAKEN)));
        let _ = JsFuture::from(pause).await;
        if !was_free(&locks, &name).await {
            return;
        }
    }
    inherit(&inbox);
}

/// Waits until nobody holds a lock. False if the host does not say so.
async fn was_free(locks: &LockManager, name: &str) -> bool {
    let held = Closure::once_into_js(|_lock: JsValue| {});
    match locks.request(name, &held) {
        Ok(over) => JsFuture::from(over).await.is_ok(),
        Err(_) => false,
    }
}

/// The other thread holds its lock no more: it needs none, or it has ended.
fn inherit(inbox: &Inbox) {
    let heir = Thread::current();
    let left = inbox.with(|state| {
        // Of several that look after it, one does what is left.
        let jobs = state.jobs.inherit(heir)?;
        let outboxes = mem::take(&mut state.outboxes);
        Some((jobs, outboxes, mem::take(&mut state.dues)))
    });
    let Some((jobs, outboxes, dues)) = left else {
        return;
    };
    for job in jobs {
        microtask::push(job);
    }
    for outbox in outboxes.iter().filter_map(Weak::upgrade) {
        let (messages, link) = outbox::take(&outbox);
        drop(messages);
        if let Some(link) = link {
            microtask::push(Job::Call(Box::new(move || end(&link))));
        }
    }
    for due in dues {
        spawn_local(due::take_over(due));
    }
}

/// A socket whose thread has ended fails.
fn end(link: &Link) {
    let cause = "the thread that made this socket has ended";
    let error = ErrorEvent::with_kind(ErrorKind::Unknown, cause);
    match link.turn() {
        Some(mut turn) => turn.report(Report::Failed(error)),
        // It ended in the middle of a turn.
        None => link.end_without_events(error),
    }
}
