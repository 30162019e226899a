//! Event loops that the program drives itself: [`EventLoop`], and the one inside
//! [`block_on`]. They work on any thread and inside any other event loop.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
#[cfg(all(unix, not(isosocket_simulation)))]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::pin;
use std::sync::{Arc, PoisonError, TryLockError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

#[cfg(all(unix, not(isosocket_simulation)))]
use isosocket_core::logging;
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

    fn call_followers(&self) {
        // Whoever is not in the list yet tries once more when it is, and gets the reactor.
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
    fn descriptor(&self) -> io::Result<Registry> {
        let reactor = self.reactor.lock().unwrap_or_else(PoisonError::into_inner);
        reactor.poll().registry().try_clone()
    }

    /// Makes a turn. A thread that has the reactor and waits for events gives it back first.
    fn turn(&self, timeout: Option<Duration>) {
        assert!(!current::is_turn(), "{IN_HANDLER}");
        self.claimed.store(true, Ordering::SeqCst);
        let mut reactor = self.try_reactor().unwrap_or_else(|| {
            self.mailbox.rouse();
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
            self.rouse_for_mail();
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
        poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Waited<R> {
        let waited = self.wait_on(deadline, poll);
        if self.served.load(Ordering::SeqCst) {
            self.mailbox.wake();
        }
        waited
    }

    fn wait_on<R>(
        &self,
        deadline: Option<Instant>,
        mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
    ) -> Waited<R> {
        let flag = Flag::new(self.mailbox.clone());
        let waker = Waker::from(flag.clone());
        let mut context = Context::from_waker(&waker);
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
                is_listed = true;
                self.rouse_for_mail();
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
    fn rouse_for_mail(&self) {
        if self.mailbox.has_mail() {
            self.mailbox.rouse();
        }
    }

    fn block_on<F: Future>(self: &Arc<Self>, future: F) -> F::Output {
        let _entered = Entered::new(self.clone());
        let mut future = pin!(future);
        match self.wait(None, |context| future.as_mut().poll(context)) {
            Waited::Ready(output) => output,
            // The shared thread serves its sockets now.
            Waited::Dropped | Waited::TimedOut => blocking::block_on(future),
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
const IN_HANDLER: &str = "an event loop cannot be driven inside a handler, a waker or a wake hook: \
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
    fn without_driving(local: Arc<Local>) -> Self {
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

/// Runs a future on this thread until it is done, and returns its output. It has an event
/// loop of its own: this thread serves the sockets that the future makes.
///
/// This is `isosocket::run` for programs that need the output. `run` returns nothing,
/// because a page cannot block until there is an output.
///
/// ```
/// use isosocket::WebSocket;
///
/// let opened = isosocket::native::block_on(async {
///     WebSocket::open("ws://127.0.0.1:9/").await // a port that is blocked
/// });
/// assert!(opened.is_err());
/// ```
///
/// # Panics
/// In a handler, a waker or a wake hook, because these must not wait.
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(!current::is_turn(), "{IN_HANDLER}");
    // Inside another call its loop goes on, so that its sockets are served too.
    let entered = current::entered();
    if let Some(local) = entered.filter(|local| current::is_driven_here(&local.mailbox)) {
        return local.block_on(future);
    }
    match Owner::new() {
        Ok(owner) => owner.0.block_on(future),
        // There are no file descriptors for a loop. There may be some later, for sockets of the
        // shared thread.
        Err(_) => blocking::block_on(future),
    }
}

/// An event loop on the program's own thread. The program drives it.
///
/// While a thread has [entered](Self::enter) a loop, the sockets that it makes belong
/// to this loop. They are served only in [`turn`](Self::turn) and
/// [`block_on`](Self::block_on). Between these calls nothing happens to them: as on a page,
/// the ready state changes, and the buffered amount falls, only while the program yields.
/// Handles may be used on every thread.
///
/// A call that blocks, such as `recv` or `send_ready_blocking`, drives the loop that its
/// thread has entered, or otherwise has used last. A thread with several loops must enter the
/// right one. If another thread drives the loop meanwhile, that thread serves the sockets of
/// both.
///
/// Sockets that are made elsewhere belong to a thread that all of them share. If a loop is
/// dropped, that thread takes over its sockets.
///
/// ```
/// use std::time::Duration;
///
/// use isosocket::native::EventLoop;
/// use isosocket::{ReadyState, WebSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut event_loop = EventLoop::new()?;
/// let socket = {
///     let _entered = event_loop.enter();
///     WebSocket::new("ws://127.0.0.1:9/")? // a port that is blocked
/// };
/// let mut frames = 0;
/// while socket.ready_state() != ReadyState::Closed {
///     frames += 1; // draw one here
///     event_loop.turn(Some(Duration::from_millis(16)));
/// }
/// assert!(frames > 0);
/// # Ok(())
/// # }
/// ```
///
#[doc = concat!(
    "Guide: [event loops](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/native/#event-loops)."
)]
pub struct EventLoop {
    owner: Owner,
    /// A second descriptor of the loop's poll, which can be borrowed without a lock.
    #[cfg(all(unix, not(isosocket_simulation)))]
    descriptor: Registry,
    /// The process that `descriptor` belongs to.
    #[cfg(all(unix, not(isosocket_simulation)))]
    generation: u32,
}

/// Owns the loop: dropping it ends the loop.
struct Owner(Arc<Local>);

impl Owner {
    fn new() -> io::Result<Self> {
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

impl EventLoop {
    /// Makes a loop. It starts no thread.
    ///
    /// ```
    /// let event_loop = isosocket::native::EventLoop::new()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the system has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let owner = Owner::new()?;
        Ok(EventLoop {
            #[cfg(all(unix, not(isosocket_simulation)))]
            descriptor: owner.0.descriptor()?,
            #[cfg(all(unix, not(isosocket_simulation)))]
            generation: fork::generation(),
            owner,
        })
    }

    /// Until the guard is dropped, sockets that this thread makes belong to the loop.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventLoop;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let event_loop = EventLoop::new()?;
    /// let entered = event_loop.enter();
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?;
    /// drop(entered);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.owner.0.mailbox.set_owner();
        current::note(&self.owner.0);
        EnterGuard {
            _entered: Entered::new(self.owner.0.clone()),
            _loop: PhantomData,
        }
    }

    /// Waits until there is something to do, but no longer than `timeout`. Then does a bounded
    /// amount of work, which includes calling the handlers. `None` waits without a limit, and
    /// [`Duration::ZERO`] does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// event_loop.turn(Some(Duration::ZERO)); // once a frame, say
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// In a handler, a waker or a wake hook, because these must not wait.
    pub fn turn(&mut self, timeout: Option<Duration>) {
        current::note(&self.owner.0);
        // Sockets that its handlers make belong to it as well.
        let _entered = Entered::new(self.owner.0.clone());
        // What is in the mail may wake a task of the program, which must not wait. Where
        // there are other threads, the loop's waker says the same.
        let timeout = match self.owner.0.mailbox.has_mail() {
            true => Some(Duration::ZERO),
            false => timeout,
        };
        self.owner.0.turn(timeout);
        #[cfg(all(unix, not(isosocket_simulation)))]
        self.after_fork();
    }

    /// Runs a future on this thread until it is done, and the loop meanwhile.
    ///
    /// Sockets that the future makes belong to the loop. `WebSocket::open` makes
    /// its socket when it is called, so call it inside the future.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventLoop;
    ///
    /// let mut event_loop = EventLoop::new()?;
    /// let opened = event_loop.block_on(async { WebSocket::open("ws://127.0.0.1:9/").await });
    /// assert!(opened.is_err()); // a port that is blocked
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// In a handler, a waker or a wake hook, because these must not wait.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        assert!(!current::is_turn(), "{IN_HANDLER}");
        self.owner.0.mailbox.set_owner();
        current::note(&self.owner.0);
        self.owner.0.block_on(future)
    }

    /// When the next [`turn`](Self::turn) has something to do even if nothing arrives. A program
    /// that waits for the loop's file descriptor must not wait longer than that.
    ///
    /// ```
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// assert_eq!(event_loop.next_deadline(), None); // there is no socket
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.owner.0.next_deadline()
    }

    /// A handle that other tasks use to put their sockets on this loop.
    ///
    /// ```
    /// let event_loop = isosocket::native::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handle(&self) -> LoopHandle {
        LoopHandle(self.owner.0.clone())
    }

    #[cfg(all(unix, feature = "tokio"))]
    pub(super) fn local(&self) -> &Arc<Local> {
        &self.owner.0
    }

    /// In a forked child a turn makes a new poll, which has a new descriptor.
    #[cfg(all(unix, not(isosocket_simulation)))]
    fn after_fork(&mut self) {
        if self.generation != fork::generation() {
            match self.owner.0.descriptor() {
                Ok(descriptor) => {
                    self.descriptor = descriptor;
                    self.generation = fork::generation();
                }
                Err(error) => {
                    logging(|| {
                        log::error!("the descriptor of an event loop cannot be copied: {error}")
                    });
                }
            }
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}

/// The descriptor of the loop's epoll or kqueue. It is readable when a turn has something to
/// do: something arrived, or another thread has used a socket. A deadline does not make it
/// readable: see [`next_deadline`](EventLoop::next_deadline).
#[cfg(all(unix, not(isosocket_simulation)))]
impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(all(unix, not(isosocket_simulation)))]
impl AsRawFd for EventLoop {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// The guard that [`EventLoop::enter`] returns. When it is dropped, new sockets of this thread
/// no longer belong to the loop.
///
/// ```
/// use isosocket::native::{EnterGuard, EventLoop};
///
/// let event_loop = EventLoop::new()?;
/// let entered: EnterGuard<'_> = event_loop.enter();
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "sockets belong to the loop while the guard exists"]
pub struct EnterGuard<'a> {
    _entered: Entered,
    /// It must not leave this thread, nor outlive the loop.
    _loop: PhantomData<(&'a EventLoop, *const ())>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterGuard")
    }
}

/// A handle of an [`EventLoop`], for any thread and any task. It does not keep the loop alive:
/// if the loop was dropped, new sockets belong to the shared thread.
///
/// ```
/// use isosocket::WebSocket;
/// use isosocket::native::{EventLoop, LoopHandle};
///
/// /// A task of the program's own executor.
/// async fn task(event_loop: LoopHandle) {
///     let conversation = async {
///         let opened = WebSocket::open("ws://127.0.0.1:9/").await; // a port that is blocked
///         assert!(opened.is_err());
///     };
///     event_loop.scope(conversation).await;
/// }
///
/// let mut event_loop = EventLoop::new()?;
/// let task = task(event_loop.handle());
/// event_loop.block_on(task);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct LoopHandle(Arc<Local>);

impl LoopHandle {
    /// Runs a future. Sockets that the future makes belong to the loop, on whichever thread the
    /// future is polled. This does not drive the loop: `turn` or `block_on` does.
    ///
    /// ```
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// assert_eq!(event_loop.block_on(handle.scope(async { 7 })), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _entered = Entered::without_driving(self.0.clone());
            future.as_mut().poll(context)
        })
        .await
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopHandle")
    }
}
