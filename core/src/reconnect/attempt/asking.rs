//! Asking the program what an attempt uses. All of it runs on the thread that takes turns.
//!
//! Invariant: only [`Builder::each_attempt`](crate::Builder::each_attempt) names [`ask`]. So
//! a program without such a function has none of this code.

use std::fmt;
use std::mem;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};

use super::loss::end_by;
use super::{connect, fail, fail_as};
use crate::base::guard::Owned;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::reconnect::hooks::NextFuture;
use crate::reconnect::state::{Phase, Wait};
use crate::reconnect::{Outer, Reconnect};
use crate::socket::shared::Shared;
use crate::{ErrorEvent, ErrorKind, Host, Timeout, Transport};

/// The number of the attempt for which the program's function was called, and the function's
/// future. While the future is polled, it is taken out of here.
pub(crate) struct Asking<T: Transport>(pub(crate) u64, Owned<Pin<Box<dyn NextFuture<T>>>>);

impl<T: Transport> fmt::Debug for Asking<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Asking").field(&self.0).finish()
    }
}

/// Asks what the attempt with this number uses.
pub(crate) fn ask<T: Transport>(socket: &Outer<T>, serial: u64) {
    let reconnect = socket.transport();
    let hooks = &reconnect.hooks;
    let Some(mut provide) = hooks.provide.with(Option::take) else {
        return fail(socket, serial, "there is no provider to ask");
    };
    if let Some(timeout) = reconnect.options.connect_timeout {
        let late = socket.clone();
        let expire = move || {
            let kind = ErrorKind::TimedOut(Timeout::Connect);
            let cause = "what the attempt uses was not provided in time";
            fail_as(&late, serial, ErrorEvent::with_kind(kind, cause));
        };
        match reconnect.host.after(timeout, expire) {
            Ok(timer) => {
                let mut state = reconnect.state();
                if reconnect.is_current(serial) {
                    state.phase = Phase::Asking(Some(Wait::new(timer)));
                }
            }
            Err(error) => return fail(socket, serial, error),
        }
    }
    let mut next = reconnect.next_attempt(socket.url.to_string());
    {
        let state = reconnect.state();
        next.number = state.attempt;
        // It is cloned, because an attempt that starts again asks again.
        next.loss = state.loss.clone();
    }
    let future = provide.call(|provide| provide.call(next));
    hooks.provide.with(|slot| *slot = Some(provide));
    match future {
        Some(future) => {
            let future = Owned::new("the provider's future", future);
            poll(socket, Asking(serial, future));
        }
        None => fail(socket, serial, "the provider panicked"),
    }
}

/// Polls the future of the program's function.
fn poll<T: Transport>(socket: &Outer<T>, mut asking: Asking<T>) {
    let reconnect = socket.transport();
    let serial = asking.0;
    if !reconnect.is_current(serial) {
        return;
    }
    let waker = Waker::from(Arc::new(Again {
        socket: Arc::downgrade(socket),
        serial,
        queued: AtomicBool::new(false),
    }));
    let context = &mut Context::from_waker(&waker);
    let polled = asking.1.call(|future| future.as_mut().poll(context));
    match polled {
        Some(Poll::Pending) => {
            let mut asking = Some(asking);
            reconnect.asking.with(|slot| mem::swap(slot, &mut asking));
            drop(asking);
            // If the attempt was ended meanwhile, the future was not in its place and could not be
            // dropped there.
            if !reconnect.is_current(serial) {
                reconnect.stop_asking();
            }
        }
        Some(Poll::Ready(Ok(mut next))) => match next.failure.take() {
            Some(error) => fail(socket, serial, error),
            None => connect(socket, serial, reconnect.connection_for(next)),
        },
        Some(Poll::Ready(Err(error))) => end_by(socket, serial, error),
        None => fail(socket, serial, "the provider's future panicked"),
    }
}

/// Wakes a provider's future. Weak: wakers may be kept for ever.
struct Again<T: Transport> {
    socket: Weak<Shared<Reconnect<T>>>,
    serial: u64,
    queued: AtomicBool,
}

impl<T: Transport> Wake for Again<T> {
    fn wake(self: Arc<Self>) {
        let Some(socket) = self.socket.upgrade() else {
            return;
        };
        if self.queued.swap(true, Ordering::AcqRel) || !socket.transport().is_current(self.serial) {
            return;
        }
        let again = socket.clone();
        socket.transport().host.soon(move || {
            let asking = again.transport().asking.with(Option::take);
            if let Some(asking) = asking {
                poll(&again, asking);
            }
        });
    }
}
