//! The host of native sockets: it calls functions later on an event loop, knows the time,
//! and supplies random numbers.
//!
//! Invariant: until a call is due, the loop's thread exists and sleeps. A cancelled call
//! leaves nothing behind.

use std::sync::Arc;
use std::time::Duration;

use isosocket_core::{Host, HostListener, MaybeSend, NewError, Subscription};

use super::local;
use super::mailbox::{Call, CallKey, Command, Mailbox};
use super::waking;
use crate::{random, system};

/// The event loop of the thread that made it, for calls without a socket.
#[derive(Clone, Debug)]
pub struct NativeHost(Arc<Mailbox>);

/// A call that is due later; dropping it cancels the call.
#[derive(Debug)]
pub struct NativeTimer(Option<(Arc<Mailbox>, CallKey)>);

impl Default for NativeHost {
    fn default() -> Self {
        NativeHost(local::mailbox())
    }
}

impl Host for NativeHost {
    type Timer = NativeTimer;

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        self.0.submit(Command::Call(Call::new(task)));
    }

    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<NativeTimer, NewError> {
        // A deadline beyond the clock's range is none.
        let Some(when) = system::now().checked_add(delay) else {
            return Ok(NativeTimer(None));
        };
        match self.0.call_at(when, Call::new(task)) {
            Ok(key) => Ok(NativeTimer(Some((self.0.clone(), key)))),
            Err(error) => Err(NewError::Resources(error.to_string())),
        }
    }

    fn time_left(timer: &NativeTimer) -> Option<Duration> {
        // A deadline beyond the clock's range is none.
        Some(timer.0.as_ref().map_or(Duration::MAX, |(_, (when, _))| {
            when.saturating_duration_since(system::now())
        }))
    }

    fn now(&self) -> Duration {
        system::now().duration_since(system::clock_base())
    }

    fn random(&self) -> u64 {
        u64::from_ne_bytes(random::bytes())
    }

    fn listen(&self, listener: HostListener) -> Subscription {
        let key = self.0.listen(listener);
        Subscription::new(Place(self.0.clone(), key))
    }

    fn wake_up() {
        waking::wake_up_all();
    }
}

/// A listener's place.
struct Place(Arc<Mailbox>, u64);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.forget_listener(self.1);
    }
}

impl Drop for NativeTimer {
    fn drop(&mut self) {
        if let Some((mailbox, key)) = self.0.take() {
            mailbox.cancel_call(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};
    use std::thread;

    use super::*;

    const LONG: Duration = Duration::from_secs(3600);
    const LIMIT: Duration = Duration::from_secs(10);

    #[test]
    fn calls_come_in_order_on_the_loops_thread() {
        let host = NativeHost::default();
        let (sender, calls) = mpsc::channel();
        let note = move |name: &'static str| {
            let sender = sender.clone();
            move || {
                let thread = thread::current().name().map(str::to_owned);
                sender.send((name, thread)).unwrap();
            }
        };
        let (keep, kept) = mpsc::channel();
        let (inner, late, early) = (host.clone(), note("late"), note("early"));
        // Set on the loop's thread, so that none is due before the others are set.
        host.soon(move || {
            // Longer than a busy machine takes from one line to the next.
            let late = inner.after(Duration::from_secs(3), late).unwrap();
            let early = inner.after(Duration::from_secs(1), early).unwrap();
            inner.soon(note("soon"));
            inner.soon(note("next"));
            keep.send((late, early)).unwrap();
        });
        for expected in ["soon", "next", "early", "late"] {
            let (name, thread) = calls.recv_timeout(LIMIT).unwrap();
            assert_eq!((name, thread.as_deref()), (expected, Some("isosocket")));
        }
        drop(kept);
    }

    #[test]
    fn a_cancelled_call_is_dropped_at_once() {
        let host = NativeHost::default();
        let witness = Arc::new(());
        let captured = witness.clone();
        let timer = host.after(LONG, move || drop(captured)).unwrap();
        assert_eq!(Arc::strong_count(&witness), 2);
        drop(timer);
        assert_eq!(Arc::strong_count(&witness), 1);
    }

    #[test]
    fn a_call_may_cancel_another_that_is_due() {
        let host = NativeHost::default();
        let (sender, calls) = mpsc::channel();
        let (fail, end) = (sender.clone(), sender);
        let (keep, kept) = mpsc::channel();
        // Both are set on the loop's thread, so that they are due together.
        let inner = host.clone();
        inner.soon(move || {
            let now = Duration::ZERO;
            let slot = Arc::new(std::sync::Mutex::new(None));
            let other = slot.clone();
            let first = host.after(now, move || drop(other.lock().unwrap().take()));
            let second = host.after(now, move || fail.send("cancelled").unwrap());
            *slot.lock().unwrap() = second.ok();
            let last = host.after(now, move || end.send("last").unwrap());
            keep.send((first, last)).unwrap();
        });
        assert_eq!(calls.recv_timeout(LIMIT), Ok("last"));
        drop(kept);
    }

    #[test]
    fn a_panic_in_a_call_stops_nothing() {
        let host = NativeHost::default();
        let (sender, calls) = mpsc::channel();
        host.soon(|| panic!("on purpose"));
        host.soon(move || sender.send(()).unwrap());
        assert_eq!(calls.recv_timeout(LIMIT), Ok(()));
    }

    #[test]
    fn a_delay_beyond_the_clock_never_ends() {
        let timer = NativeHost::default().after(Duration::MAX, || {}).unwrap();
        assert!(timer.0.is_none());
    }
}
