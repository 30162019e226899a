//! What threads share, in every order of the threads: `cargo xtask races loom` builds and runs it.
//!
//! The code is the real one, on loom's locks and atomics. A model is a small program of two or
//! three threads. Loom runs it once for each order of their steps, and for each value that a
//! load may see. A thread that waits for ever fails the run, as does an assertion.
#![cfg(all(test, isosocket_loom))]

mod ending;
mod handlers;
mod inbox;
mod line;
mod native;
mod network;
mod streams;
mod waiting;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use loom::sync::{Condvar, Mutex};

/// How often a thread is interrupted where it would not wait. Nearly all faults of this kind
/// need two.
const PREEMPTIONS: usize = 3;
/// How many steps a run has at most.
const STEPS: usize = 50_000;

/// Runs a model in every order. `LOOM_MAX_PREEMPTIONS` asks for more of them.
fn model(run: impl Fn() + Send + Sync + 'static) {
    model_with(PREEMPTIONS, run);
}

/// The same for a model that has too many orders.
fn model_with(preemptions: usize, run: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound.get_or_insert(preemptions);
    builder.max_branches = STEPS;
    let orders = Arc::new(AtomicU64::new(0));
    let count = orders.clone();
    builder.check(move || {
        count.fetch_add(1, Ordering::Relaxed);
        run();
        line::end();
    });
    eprintln!("orders: {}", orders.load(Ordering::Relaxed));
}

/// A flag that a thread waits for.
#[derive(Default)]
struct Signal {
    is_set: Mutex<bool>,
    news: Condvar,
}

impl Signal {
    fn set(&self) {
        *self.is_set.lock().unwrap() = true;
        self.news.notify_one();
    }

    fn wait(&self) {
        let mut is_set = self.is_set.lock().unwrap();
        while !*is_set {
            is_set = self.news.wait(is_set).unwrap();
        }
        *is_set = false;
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.set();
    }
}

/// Blocks this thread until the future is done.
fn block_on<F: Future>(future: F) -> F::Output {
    let signal = Arc::new(Signal::default());
    let waker = Waker::from(signal.clone());
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => signal.wait(),
        }
    }
}
