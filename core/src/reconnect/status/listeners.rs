//! The handlers for the statuses of a socket that connects again.
//!
//! Invariant: a handler runs, and is dropped, outside every lock.

use std::fmt;
use std::mem;
use std::sync::Arc;

use once_cell::race::OnceBox;

use super::Status;
use crate::base::guard::{drop_guarded, guard};
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::{MaybeSend, SharedCell};

/// A function bound to the statuses of sockets of type `S`.
pub(crate) trait StatusHandler<S>: MaybeSend {
    fn call(&mut self, socket: &S, status: &Status);
}

impl<S, F: FnMut(&S, &Status) + MaybeSend> StatusHandler<S> for F {
    fn call(&mut self, socket: &S, status: &Status) {
        self(socket, status);
    }
}

pub(crate) fn boxed<S, F>(handler: F) -> Box<dyn StatusHandler<S>>
where
    F: FnMut(&S, &Status) + MaybeSend + 'static,
{
    Box::new(handler)
}

/// How a log names a handler that panicked.
const HANDLER: &str = "a handler for statuses";

pub(crate) struct Slot<S> {
    live: Arc<AtomicBool>,
    handler: Box<dyn StatusHandler<S>>,
}

/// A handler may own anything of the program, whose destructor may panic.
impl<S> Drop for Slot<S> {
    fn drop(&mut self) {
        let handler = mem::replace(&mut self.handler, Box::new(Nobody));
        drop_guarded(HANDLER, handler);
    }
}

/// Takes the place of a handler that is dropped. It takes no memory.
struct Nobody;

impl<S> StatusHandler<S> for Nobody {
    fn call(&mut self, _: &S, _: &Status) {}
}

/// The handlers of a socket. A trait object, so that a program without handlers for
/// statuses has none of their code: only [`Listeners::bind`] makes a list.
pub(crate) trait List<S>: Send + Sync {
    fn bind(&self, slot: Slot<S>);

    fn call(&self, socket: &S, status: &Status);

    /// Drops all handlers, and later each one that is bound.
    fn end(&self);

    /// Whether a handler is bound.
    fn are_there(&self) -> bool;

    /// Drops the handlers that were unbound.
    fn drop_unbound(&self);
}

/// The bound handlers, if there are any.
pub(crate) struct Listeners<S>(OnceBox<Box<dyn List<S>>>);

impl<S: 'static> Listeners<S> {
    pub(crate) fn bind(&self, handler: Box<dyn StatusHandler<S>>) -> Arc<AtomicBool> {
        let live = Arc::new(AtomicBool::new(true));
        let list = self
            .0
            .get_or_init(|| Box::new(Box::new(SharedCell::new(Handlers::default()))));
        list.bind(Slot {
            live: live.clone(),
            handler,
        });
        live
    }

    pub(crate) fn get(&self) -> Option<&dyn List<S>> {
        self.0.get().map(|list| &**list)
    }
}

impl<S> Default for Listeners<S> {
    fn default() -> Self {
        Listeners(OnceBox::new())
    }
}

/// They are taken out while they run.
struct Handlers<S> {
    bound: Vec<Slot<S>>,
    /// Bound while the others run.
    fresh: Vec<Slot<S>>,
    ended: bool,
}

impl<S> Default for Handlers<S> {
    fn default() -> Self {
        Handlers {
            bound: Vec::new(),
            fresh: Vec::new(),
            ended: false,
        }
    }
}

impl<S: 'static> List<S> for SharedCell<Handlers<S>> {
    fn bind(&self, slot: Slot<S>) {
        let refused = self.with(|handlers| {
            if handlers.ended {
                return Some(slot);
            }
            handlers.fresh.push(slot);
            None
        });
        // Dropped outside the lock, as it may own a socket.
        drop(refused);
    }

    fn call(&self, socket: &S, status: &Status) {
        let mut bound = self.with(|handlers| {
            let mut bound = mem::take(&mut handlers.bound);
            bound.append(&mut handlers.fresh);
            bound
        });
        for slot in &mut bound {
            if slot.live.load(Ordering::Acquire) {
                guard(HANDLER, || slot.handler.call(socket, status));
            }
        }
        if status.is_end() {
            self.end();
            drop(bound);
        } else {
            bound.retain(|slot| slot.live.load(Ordering::Acquire));
            let late = self.with(|handlers| {
                if handlers.ended {
                    return Some(bound);
                }
                handlers.bound = bound;
                None
            });
            drop(late);
        }
    }

    fn end(&self) {
        let handlers = self.with(|handlers| {
            handlers.ended = true;
            (
                mem::take(&mut handlers.bound),
                mem::take(&mut handlers.fresh),
            )
        });
        drop(handlers);
    }

    fn are_there(&self) -> bool {
        let is_live = |slot: &Slot<S>| slot.live.load(Ordering::Acquire);
        self.with(|handlers| {
            let mut slots = handlers.bound.iter().chain(&handlers.fresh);
            slots.any(is_live)
        })
    }

    fn drop_unbound(&self) {
        let unbound = self.with(|handlers| {
            let mut unbound = Vec::new();
            for list in [&mut handlers.bound, &mut handlers.fresh] {
                let (live, dead): (Vec<_>, Vec<_>) = mem::take(list)
                    .into_iter()
                    .partition(|slot| slot.live.load(Ordering::Acquire));
                *list = live;
                unbound.extend(dead);
            }
            unbound
        });
        drop(unbound);
    }
}

impl<S> fmt::Debug for Listeners<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listeners")
    }
}
