//! The other thread: futures are made and run there, and their outputs come
//! back.

use std::future::Future;
use std::sync::{Mutex, TryLockError};

use futures::channel::oneshot;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    /// Has the worker call `run_task`: see `js/drive.mjs`.
    #[wasm_bindgen(js_name = postTask)]
    fn post_task();

    /// Starts a second worker, which may be ended.
    #[wasm_bindgen(js_name = startSecond, catch)]
    async fn start_second() -> Result<JsValue, JsValue>;

    /// Has the second worker call `run_task`.
    #[wasm_bindgen(js_name = postSecond)]
    fn post_second();

    #[wasm_bindgen(js_name = endSecond, catch)]
    async fn end_second_js(watchers: u32) -> Result<JsValue, JsValue>;

    /// Has the second worker ask for its lock only after this thread has got it.
    #[wasm_bindgen(js_name = overtakeSecond)]
    fn overtake_second();

    #[wasm_bindgen(js_name = secondLook, catch)]
    async fn second_look_js() -> Result<JsValue, JsValue>;

    /// From now on this thread is refused each lock: by an exception, or by a rejected promise.
    #[wasm_bindgen(js_name = refuseLocks)]
    pub fn refuse_locks(throws: bool);

    #[wasm_bindgen(js_name = refusedLocks, catch)]
    async fn refused_locks_js() -> Result<JsValue, JsValue>;

    #[wasm_bindgen(js_name = secondIsFree, catch)]
    async fn second_is_free_js() -> Result<JsValue, JsValue>;

    /// Whether a thread can notice the end of another one: by Web Locks.
    #[wasm_bindgen(js_name = hasLocks)]
    pub fn has_locks() -> bool;

    #[wasm_bindgen(js_name = liveSockets, catch)]
    async fn live_sockets() -> Result<JsValue, JsValue>;
}

type Task = Box<dyn FnOnce() + Send>;

/// What is to be run there.
static TASKS: Mutex<Vec<Task>> = Mutex::new(Vec::new());

/// Runs the future that `task` makes in the worker, and gives its output here.
pub async fn elsewhere<T, F>(task: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + 'static,
{
    run_by(post_task, task).await
}

/// The same in a second worker, which is started for it.
pub async fn in_second<T, F>(task: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + 'static,
{
    start().await?;
    run_by(post_second, task).await
}

/// The same in a second worker whose lock this thread gets first.
pub async fn in_overtaken<T, F>(task: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + 'static,
{
    start().await?;
    overtake_second();
    run_by(post_second, task).await
}

/// Waits until this thread waits for the lock of that worker once more.
pub async fn second_look() -> Result<(), String> {
    let looked = second_look_js().await.map(drop);
    looked.map_err(|error| format!("{error:?}"))
}

/// Waits until this thread was refused a lock, and ends the refusals.
pub async fn refused_locks() -> Result<(), String> {
    let refused = refused_locks_js().await.map(drop);
    refused.map_err(|error| format!("{error:?}"))
}

/// Waits until the second worker holds no lock.
pub async fn second_is_free() -> Result<(), String> {
    let free = second_is_free_js().await.map(drop);
    free.map_err(|error| format!("{error:?}"))
}

async fn start() -> Result<(), String> {
    let started = start_second().await.map(drop);
    started.map_err(|error| format!("the second worker does not start: {error:?}"))
}

/// Ends the second worker, once so many other threads look after it. If that is 0, at once.
pub async fn end_second(watchers: u32) -> Result<(), String> {
    let ended = end_second_js(watchers).await.map(drop);
    ended.map_err(|error| format!("{error:?}"))
}

async fn run_by<T, F>(post: fn(), task: impl FnOnce() -> F + Send + 'static) -> Result<T, String>
where
    T: Send + 'static,
    F: Future<Output = Result<T, String>> + 'static,
{
    let (sender, receiver) = oneshot::channel();
    let task = move || {
        isosocket::run(async move {
            // Nobody waits for it where the case's time was over.
            let _ = sender.send(task().await);
        });
    };
    tasks(|tasks| tasks.insert(0, Box::new(task)));
    post();
    receiver
        .await
        .map_err(|_| "the worker gave no answer".to_owned())?
}

/// Runs a task: called in the worker.
#[wasm_bindgen]
pub fn run_task() {
    if let Some(task) = tasks(Vec::pop) {
        task();
    }
}

/// A page's thread must not wait for a lock.
fn tasks<R>(f: impl FnOnce(&mut Vec<Task>) -> R) -> R {
    loop {
        match TASKS.try_lock() {
            Ok(mut tasks) => return f(&mut tasks),
            Err(TryLockError::Poisoned(poisoned)) => return f(&mut poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => std::hint::spin_loop(),
        }
    }
}

/// How many JavaScript sockets of this thread were not collected, after the
/// collector was made to run.
pub async fn uncollected() -> Result<usize, String> {
    let count = live_sockets().await;
    let count = count.map_err(|error| format!("{error:?}"))?;
    count
        .as_f64()
        .map(|count| count as usize)
        .ok_or_else(|| "no count".to_owned())
}
