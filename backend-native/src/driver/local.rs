//! A loop on the program's own thread: one reactor, which whoever drives the loop uses in
//! turn. It works on any thread and inside any other event loop.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::{Arc, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

#[cfg(all(unix, not(isosocket_simulation)))]
use mio::Registry;

use super::current::{self, Driving};
use super::mailbox::Mailbox;
use super::reactor::{self, Reactor};
use super::{blocking, fork, shared, waking};
use crate::sync::atomic::{AtomicBool, Ordering, fence};
use crate::sync::thread::{self, Thread};
use crate::sync::{Mutex, MutexGuard, TryMutex, TryMutexGuard};
use crate::system;

/// The part of a loop that is shared: nested calls on its thread, handles and guards use it.
///
/// A loop that moves to another thread while a call of its former thread blocks is wanted by
/// both threads. A [`turn`](Self::turn) waits for the reactor, and has precedence. A thread that
/// [waits](Self::wait) never waits for the reactor alone: if another thread has it, that thread
/// serves the sockets of both.
pub(super) struct Local {
    mailbox: Arc<Mailbox>,
    reactor: TryMutex<Reactor>,
    /// A turn waits for the reactor: no other thread may take it before.
    claimed: AtomicBool,
    /// The threads to unpark when the reactor is given back.
    followers: Mutex<Vec<Thread>>,
    /// Whether there may be any.
    followed: AtomicBool,
    /// The program has dropped the loop. Another thread may still be in a turn.
    dropped: AtomicBool,
    /// A task of tokio serves the loop. If another thread drives the loop meanwhile, it must
    /// wake the task afterwards.
    served: AtomicBool,
}

impl Local {
    fn new() -> io::Result<Arc<Self>> {
        fork::watch();
        let (poll, waker) = reactor::poll()?;
        let mailbox = Arc::new(Mailbox::local(waker));
        waking::register(&mailbox);
        // It belongs to the thread that made it until another one drives it.
        mailbox.set_owner();
        let reactor = TryMutex::new(Reactor::new(poll, mailbox.clone()));
        Ok(Arc::new(Local {
            mailbox,
            reactor,
            claimed: AtomicBool::new(false),
            followers: Mutex::new(Vec::new()),
            followed: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
            served: AtomicBool::new(false),
        }))
    }

    pub(super) fn mailbox(&self) -> &Arc<Mailbox> {
        &self.mailbox
    }

    /// The reactor; `None` while a turn is under way.
    fn try_reactor(&self) -> Option<TryMutexGuard<'_, Reactor>> {
        match self.reactor.try_lock() {
            Ok(reactor) => Some(reactor),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Gives the reactor back. If the loop was dropped, hands everything over to the shared
    /// thread, so that the thread that drops the loop does not have to wait for the others.
    fn release(&self, reactor: TryMutexGuard<'_, Reactor>) {
        drop(reactor);
        self.finish();
        self.call_followers();
    }

    /// Called after [`finish`](Self::finish), which has a fence.
    fn call_followers(&self) {
        // Whoever is not in the list yet tries once more when it is, and gets the reactor.
        if !self.followed.load(Ordering::SeqCst) {
            return;
        }
        self.followed.store(false, Ordering::SeqCst);
        for follower in std::mem::take(&mut *self.followers()) {
            follower.unpark();
        }
    }

    fn followers(&self) -> MutexGuard<'_, Vec<Thread>> {
        self.followers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// A second descriptor of the poll, which can be used without the lock.
    #[cfg(all(unix, not(isosocket_simulation)))]
    pub(super) fn descriptor(&self) -> io::Result<Registry> {
        let reactor = self.reactor.lock().unwrap_or_else(PoisonError::into_inner);
        reactor.poll().registry().try_clone()
    }

    /// Makes a turn. A thread that has the reactor and waits for events gives it back first.
    pub(super) fn turn(&self, timeout: Option<Duration>) {
        assert!(!current::is_turn(), "{IN_HANDLER}");
        self.claimed.store(true, Ordering::SeqCst);
        let mut reactor = self.try_reactor().unwrap_or_else(|| {
            self.mailbox.wake_other();
            self.reactor.lock().unwrap_or_else(PoisonError::into_inner)
        });
        self.claimed.store(false, Ordering::SeqCst);
        self.mailbox.set_owner();
        if !self.is_dropped() {
            reactor.turn(timeout);
        }
        self.release(reactor);
    }

    /// From now on a task serves the loop.
    #[cfg(all(unix, feature = "tokio"))]
    pub(super) fn set_served(&self) {
        self.served.store(true, Ordering::SeqCst);
    }

    /// Makes a turn without waiting. If another thread drives the loop, it does nothing: that
    /// thread wakes the serving task when it has finished.
    #[cfg(all(unix, feature = "tokio"))]
    pub(super) fn serve(&self) {
        if let Some(mut reactor) = self.try_reactor() {
            self.mailbox.set_owner();
            reactor.turn(Some(Duration::ZERO));
            self.release(reactor);
        }
    }

    /// When the next turn is due. `None` while another thread drives the loop, because that
    /// thread knows.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        let Some(mut reactor) = self.try_reactor() else {
            self.wake_other_for_mail();
            return None;
        };
        let deadline = reactor.next_deadline();
        self.release(reactor);
        deadline
    }

    /// Whether the program has dropped the loop.
    pub(super) fn is_dropped(&self) -> bool {
        self.dropped.load(Ordering::SeqCst)
    }

    /// If the loop was dropped, hands everything over to the shared thread.
    fn finish(&self) {
        // Whoever tries the reactor in vain orders nothing by that. With the fence, either
        // this sees that the loop was dropped, or the other thread gets the reactor.
        fence(Ordering::SeqCst);
        if !self.is_dropped() {
            return;
        }
        if let Some(mut reactor) = self.try_reactor() {
            let connections = reactor.drain();
            let undone = reactor.undone();
            self.mailbox.hand_over(connections, undone);
        }
    }

    /// Makes turns until `poll` is ready, the deadline passes, or the loop is dropped.
    pub(super) fn wait<R>(
        &self,
        deadline: Option<Instant>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Waited<R> {
        let flag = Flag::new(self.mailbox.clone());
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
        let _leaving = Leaving(self);
        let _driving = Driving::new(&self.mailbox);
        let mut is_late = false;
        loop {
            if flag.take() {
                if let Poll::Ready(result) = poll(&mut context) {
                    return Waited::Ready(result);
                }
            }
            if is_late {
                return Waited::TimedOut;
            }
            let left = deadline.map(|when| when.saturating_duration_since(system::now()));
            // Then there is one more turn, which handles what has arrived by now.
            is_late = left == Some(Duration::ZERO);
            let Some(mut reactor) = self.lead_or_follow(deadline, &flag) else {
                continue;
            };
            let is_dropped = self.is_dropped();
            if !is_dropped {
                // A wake-up by this very thread does not end the wait for events.
                let again = flag.is_set().then_some(Duration::ZERO);
                reactor.turn(again.or(left));
            }
            self.release(reactor);
            if is_dropped {
                return Waited::Dropped;
            }
        }
    }

    /// The reactor. While another thread has it, this one is parked. `None` if the flag is set
    /// or the deadline passes meanwhile.
    fn lead_or_follow(
        &self,
        deadline: Option<Instant>,
        flag: &Flag,
    ) -> Option<TryMutexGuard<'_, Reactor>> {
        let mut is_listed = false;
        loop {
            if !self.claimed.load(Ordering::SeqCst) {
                if let Some(reactor) = self.try_reactor() {
                    return Some(reactor);
                }
            }
            if !is_listed {
                self.followers().push(thread::current());
                self.followed.store(true, Ordering::SeqCst);
                // As in `finish`: either the next try gets the reactor, or the thread that
                // has it sees that it is followed.
                fence(Ordering::SeqCst);
                is_listed = true;
                self.wake_other_for_mail();
                continue;
            }
            if flag.is_set() || !park_until(deadline) {
                return None;
            }
            is_listed = false;
        }
    }

    /// Another thread has the reactor, and may sleep. This thread did not wake it for its
    /// commands, because it drives the loop as well.
    fn wake_other_for_mail(&self) {
        if self.mailbox.has_mail() {
            self.mailbox.wake_other();
        }
    }

    pub(super) fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _entered = Entered::new(self.clone());
        let mut future = pin!(future);
        match self.wait(None, |context| future.as_mut().poll(context)) {
            Waited::Ready(output) => output,
            // The shared thread serves its sockets now.
            Waited::Dropped | Waited::TimedOut => blocking::block_on(future),
        }
    }
}

/// Owns the loop: dropping it ends the loop.
pub(super) struct Owner(pub(super) Arc<Local>);

impl Owner {
    pub(super) fn new() -> io::Result<Self> {
        Local::new().map(Owner)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.dropped.store(true, Ordering::SeqCst);
        self.0.finish();
        self.0.call_followers();
        // If another thread is in a turn, that thread calls `finish` when it has woken up.
        self.0.mailbox.wake();
    }
}

/// When it is dropped, this thread has stopped waiting, and others go on with the loop.
struct Leaving<'a>(&'a Local);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        let local = self.0;
        if local.served.load(Ordering::SeqCst) {
            local.mailbox.wake();
        } else if local.mailbox.has_mail() {
            // What was polled may have sent something. If another thread has the reactor, it
            // may sleep, and was not woken for that, because this thread drives the loop, too.
            match local.try_reactor() {
                Some(reactor) => local.release(reactor),
                None => local.mailbox.wake_other(),
            }
        }
    }
}

/// How a wait ended.
pub(super) enum Waited<R> {
    Ready(R),
    TimedOut,
    Dropped,
}

/// Parks this thread. Returns `false` if the deadline has passed.
pub(super) fn park_until(deadline: Option<Instant>) -> bool {
    match deadline.map(|when| when.saturating_duration_since(system::now())) {
        None => thread::park(),
        Some(Duration::ZERO) => return false,
        Some(rest) => thread::park_timeout(rest),
    }
    true
}

/// Why a loop cannot be driven.
pub(super) const IN_HANDLER: &str = "an event loop cannot be driven inside a handler, a waker or a wake hook: \
     they run inside a turn, which must end first; spawn a task or a thread instead";

/// Wakes a loop for a future, and the thread that waits for it.
struct Flag {
    woken: AtomicBool,
    mailbox: Arc<Mailbox>,
    thread: Thread,
}

impl Flag {
    /// It is set at first, so that the future is polled.
    fn new(mailbox: Arc<Mailbox>) -> Arc<Self> {
        Arc::new(Flag {
            woken: AtomicBool::new(true),
            mailbox,
            thread: thread::current(),
        })
    }

    fn take(&self) -> bool {
        self.woken.swap(false, Ordering::SeqCst)
    }

    fn is_set(&self) -> bool {
        self.woken.load(Ordering::SeqCst)
    }
}

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.woken.swap(true, Ordering::SeqCst) {
            // The thread that drives the loop looks at the flag before it sleeps. It may be
            // parked while another one drives the loop.
            self.mailbox.wake();
            self.thread.unpark();
        }
    }
}

/// While it exists, this thread's new sockets belong to the loop.
pub(super) struct Entered(Arc<Local>);

impl Entered {
    pub(super) fn new(local: Arc<Local>) -> Self {
        current::enter(local.clone(), true);
        Entered(local)
    }

    /// A call that blocks drives the loop only if this thread did that last.
    pub(super) fn without_driving(local: Arc<Local>) -> Self {
        current::enter(local.clone(), false);
        Entered(local)
    }
}

impl Drop for Entered {
    fn drop(&mut self) {
        current::leave(&self.0);
    }
}

/// The mailbox of the loop that will serve a socket which this thread makes now.
pub(crate) fn mailbox() -> Arc<Mailbox> {
    match current::entered() {
        Some(local) => local.mailbox.clone(),
        None => shared::mailbox().clone(),
    }
}
