//! A thread, as others know it: an inbox for jobs, and how it is woken.
//!
//! JavaScript has one way to be woken by another thread without blocking:
//! `Atomics.waitAsync`. wasm-bindgen-futures waits by it (and by a worker where
//! it does not exist), so a thread's inbox is a future there.
//!
//! A lock and a queue, and not async-channel: measured natively, a job takes that 2.2 times
//! as long alone and 3.7 times in a batch of 64 (`cargo xtask bench queues`). It also waits
//! for a lock of std, which traps on a page's own thread.
//!
//! Invariant: the future lives as long as somebody can hand over a job, and not
//! longer.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use isosocket_core::SharedCell;
use isosocket_fragile::Fragile;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use super::jobs::Jobs;
use super::{due, end, outbox};
use crate::microtask::{self, Job};
use crate::timer::Timer;

/// So often a thread looks for more before it lets its host do other things:
/// others that never cease to hand over shall not keep it from its events.
const LOOKS: u32 = 16;

/// A thread's address.
#[derive(Clone)]
pub(crate) struct Thread(Arc<Address>);

struct Address {
    here: Fragile<()>,
    inbox: Arc<Inbox>,
}

pub(super) type Inbox = SharedCell<State>;

#[derive(Default)]
pub(super) struct State {
    pub(super) jobs: Jobs<Job, Thread>,
    /// The name of the lock that the thread holds while it lives: see `end`.
    pub(super) name: String,
    pub(super) is_held: bool,
    /// The thread's connections, or what is left of their outboxes.
    pub(super) outboxes: Vec<outbox::Known>,
    /// The calls that are due on it later.
    pub(super) dues: Vec<due::Known>,
}

thread_local! {
    static CURRENT: RefCell<Weak<Address>> = RefCell::default();
}

impl Thread {
    /// The address of this thread.
    pub(crate) fn current() -> Self {
        CURRENT.with(|current| {
            let mut current = current.borrow_mut();
            if let Some(address) = current.upgrade() {
                return Thread(address);
            }
            let inbox = Arc::new(Inbox::new(State {
                // Other pages of the same site have locks, too.
                name: format!("isosocket {}", js_sys::Math::random()),
                ..State::default()
            }));
            let serve = Serve {
                inbox: inbox.clone(),
                rest: None,
            };
            let served = future_to_promise(async {
                serve.await;
                Ok(JsValue::UNDEFINED)
            });
            end::hold(&inbox, served);
            let here = Fragile::new(());
            let address = Arc::new(Address { here, inbox });
            *current = Arc::downgrade(&address);
            Thread(address)
        })
    }

    pub(crate) fn is_current(&self) -> bool {
        self.0.here.is_valid()
    }

    /// Runs a job soon on this thread, and not inside this call.
    pub(crate) fn push(&self, job: Job) {
        match self.is_current() {
            true => microtask::push(job),
            false => self.queue(job),
        }
    }

    /// The same, and after all that other threads have pushed by now.
    pub(crate) fn queue(&self, job: Job) {
        self.attend();
        let (waker, inherited) = self.0.inbox.with(|state| state.jobs.push(job));
        if let Some(waker) = waker {
            waker.wake();
        }
        if let Some((heir, job)) = inherited {
            heir.push(job);
        }
    }

    /// Looks after this thread from another one, which uses what is here.
    pub(crate) fn attend(&self) {
        if !self.is_current() {
            end::watch(&self.0.inbox);
        }
    }

    /// The connections of this thread: they are closed if it ends.
    pub(super) fn know(&self, outbox: outbox::Known) {
        self.0.inbox.with(|state| {
            state.outboxes.retain(|known| known.strong_count() > 0);
            state.outboxes.push(outbox);
        });
    }

    /// The calls that are due on this thread later: its heir makes them if it ends.
    pub(super) fn know_due(&self, due: due::Known) {
        self.0.inbox.with(|state| {
            state.dues.retain(|known| known.strong_count() > 0);
            state.dues.push(due);
        });
    }
}

impl fmt::Debug for Thread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Thread")
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        let waker = self.inbox.with(|state| state.jobs.end());
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Does what others hand over.
struct Serve {
    inbox: Arc<Inbox>,
    /// The pause after which it goes on.
    rest: Option<Timer>,
}

impl Future for Serve {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.rest = None;
        for _ in 0..LOOKS {
            let (jobs, ended) = self.inbox.with(|state| state.jobs.take(context.waker()));
            if jobs.is_empty() {
                return match ended {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                };
            }
            for job in jobs {
                job.run();
            }
        }
        let waker = context.waker().clone();
        self.rest = Some(Timer::after(0.0, move || waker.wake_by_ref()));
        Poll::Pending
    }
}
