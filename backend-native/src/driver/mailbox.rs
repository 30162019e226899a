//! The mailbox of an event loop: commands of other threads, and calls that are due later.
//! The resolver's answers are commands, too.
//!
//! It is a lock and a queue, because a loop waits in the kernel and not for a future. With
//! async-channel a job alone takes 2.2 times as long, a job of 64 takes 3.7 times as long, and a
//! look when there is nothing takes 5 times as long (`cargo xtask bench queues`).
//!
//! A mailbox outlives its loop. When the loop is gone, it forwards everything to the shared
//! thread, which has taken over the loop's sockets.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::AtomicU64 as StaticU64;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use crate::system::Waker;
use isosocket_core::{HostListener, Link, drop_guarded, guard, logging};

use super::connection::Connection;
use super::dialling::Dialling;
use super::shared;
use super::{current, fork};
use crate::handle::Handle;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Mutex, MutexGuard};

/// What a loop is to do.
pub(crate) enum Command {
    /// Serve a new connection.
    Start(Box<Dialling>),
    /// Serve a connection that another loop served before.
    Adopt(Connection),
    /// Do something for a connection, unless it has ended.
    Act(Arc<Handle>, Action),
    /// Give a socket of this generation a turn, whether or not its connection has ended.
    Turn(u32, Link),
    /// Call something.
    Call(Call),
    /// The machine or the program woke up.
    WakeUp,
    /// End the thread by a panic, to test that nothing hangs then.
    #[cfg(test)]
    Panic,
}

impl Command {
    /// Whether it concerns a socket that this process has inherited by a fork.
    fn is_inherited(&self) -> bool {
        match self {
            Command::Start(dialling) => dialling.seat.handle.is_inherited(),
            Command::Adopt(connection) => connection.handle().is_inherited(),
            Command::Act(handle, _) => handle.is_inherited(),
            Command::Turn(generation, _) => *generation != fork::generation(),
            Command::Call(_) | Command::WakeUp => false,
            #[cfg(test)]
            Command::Panic => false,
        }
    }
}

/// What is to be done for a connection.
#[derive(Debug)]
pub(crate) enum Action {
    /// The name was resolved, or could not be.
    Resolved(io::Result<Vec<SocketAddr>>),
    /// Write what is pending.
    Flush,
    /// `close` was called: the Close frame is queued.
    Close,
    /// `close` was called before the connection was established.
    Abort,
    /// A write of a program's thread failed.
    WriteFailed(io::Error),
    /// Read again: the program has taken the messages that had paused reading.
    Resume,
    /// Nobody listens any more.
    Detach,
}

/// Something to be called on the loop's thread.
pub(crate) struct Call(Option<Box<dyn FnOnce() + Send>>);

impl Call {
    pub(crate) fn new(call: impl FnOnce() + Send + 'static) -> Self {
        Call(Some(Box::new(call)))
    }

    pub(super) fn run(mut self) {
        if let Some(call) = self.0.take() {
            guard("a call on the event loop", call);
        }
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        // Its closure belongs to the program, so its destructor may panic (S105).
        drop_guarded("a cancelled call", self.0.take());
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Call")
    }
}

/// When a call is due, and its number.
pub(crate) type CallKey = (Instant, u64);

/// The mailbox of one loop.
pub(crate) struct Mailbox {
    kind: Kind,
    /// There may be commands, or something else to do before the loop sleeps.
    mail: AtomicBool,
    /// There are listeners to the host.
    has_listeners: AtomicBool,
    state: Mutex<State>,
}

enum Kind {
    /// The shared thread, which is started when it is needed.
    Shared,
    /// A loop that a program drives.
    Local {
        /// The mark of the thread that drove it last; 0 if none did.
        owner: AtomicUsize,
    },
}

#[derive(Default)]
struct State {
    commands: VecDeque<Command>,
    /// `None` while nobody drives the loop.
    waker: Option<Arc<Waker>>,
    /// The loop was woken and has not looked into the mailbox since.
    notified: bool,
    /// How many sockets were made and not yet started. The shared thread does not end before
    /// they are.
    reserved: usize,
    calls: BTreeMap<CallKey, Call>,
    /// Who is called when the machine or the program wakes up.
    listeners: BTreeMap<u64, HostListener>,
    /// Handles whose buffered amount must not fall until the program yields (S49).
    held: Vec<Arc<Handle>>,
    /// The loop is gone, and the shared thread has taken over.
    gone: bool,
}

impl Mailbox {
    pub(crate) fn shared() -> Self {
        Mailbox::new(Kind::Shared, None)
    }

    pub(super) fn local(waker: Arc<Waker>) -> Self {
        let owner = AtomicUsize::new(0);
        Mailbox::new(Kind::Local { owner }, Some(waker))
    }

    fn new(kind: Kind, waker: Option<Arc<Waker>>) -> Self {
        Mailbox {
            kind,
            mail: AtomicBool::new(false),
            has_listeners: AtomicBool::new(false),
            state: Mutex::new(State {
                commands: VecDeque::new(),
                waker,
                notified: false,
                reserved: 0,
                calls: BTreeMap::new(),
                listeners: BTreeMap::new(),
                held: Vec::new(),
                gone: false,
            }),
        }
    }

    /// The mark of the thread that drives a local loop.
    pub(super) fn owner(&self) -> Option<usize> {
        match &self.kind {
            Kind::Shared => None,
            Kind::Local { owner } => Some(owner.load(Ordering::Relaxed)).filter(|&mark| mark != 0),
        }
    }

    /// This thread drives the local loop from now on.
    pub(super) fn set_owner(&self) {
        if let Kind::Local { owner } = &self.kind {
            owner.store(current::thread_mark(), Ordering::Relaxed);
        }
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.kind, Kind::Shared)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `f` with this mailbox; or, if its loop is gone, with that of the shared thread.
    fn with_served<R>(&self, f: impl FnOnce(&Mailbox, &mut State) -> R) -> R {
        let mut state = self.state();
        if !state.gone {
            return f(self, &mut state);
        }
        drop(state);
        let shared = shared::mailbox();
        f(shared, &mut shared.state())
    }

    /// Hands the loop a command.
    pub(crate) fn submit(&self, command: Command) {
        let mut command = Some(command);
        let waker = self.with_served(|mailbox, state| {
            mailbox.ensure_running(state)?;
            state.commands.extend(command.take());
            mailbox.mail.store(true, Ordering::SeqCst);
            Ok(mailbox.notify(state))
        });
        match waker {
            Ok(waker) => wake(waker),
            Err(error) => log_no_thread(&error),
        }
        // If the thread cannot be started, dropping the command fails its connection.
        drop(command);
    }

    /// Has the loop call something at this time, unless it is cancelled before.
    pub(crate) fn call_at(&self, when: Instant, call: Call) -> io::Result<CallKey> {
        let key = (when, next_number());
        let waker = self.with_served(|mailbox, state| {
            mailbox.ensure_running(state)?;
            state.calls.insert(key, call);
            // Only an earlier first call changes how long the loop may sleep.
            let is_first = state
                .calls
                .first_key_value()
                .is_some_and(|(first, _)| *first == key);
            io::Result::Ok(is_first.then(|| mailbox.notify(state)).flatten())
        })?;
        wake(waker);
        Ok(key)
    }

    /// Cancels a call, and drops it here.
    pub(crate) fn cancel_call(&self, key: CallKey) {
        let (call, waker) = self.with_served(|mailbox, state| {
            let call = state.calls.remove(&key);
            // This call may have been the only reason for the shared thread to exist.
            let is_last = call.is_some() && state.calls.is_empty() && mailbox.is_shared();
            let waker = is_last.then(|| mailbox.notify(state)).flatten();
            (call, waker)
        });
        wake(waker);
        drop(call);
    }

    /// Has the loop call a listener for what happens to the host.
    pub(super) fn listen(&self, listener: HostListener) -> u64 {
        let key = next_number();
        self.with_served(|mailbox, state| {
            state.listeners.insert(key, listener);
            mailbox.has_listeners.store(true, Ordering::Relaxed);
        });
        key
    }

    /// Forgets a listener.
    pub(super) fn forget_listener(&self, key: u64) {
        let listener = self.with_served(|mailbox, state| {
            let listener = state.listeners.remove(&key);
            let some = !state.listeners.is_empty();
            mailbox.has_listeners.store(some, Ordering::Relaxed);
            listener
        });
        drop(listener);
    }

    pub(super) fn has_listeners(&self) -> bool {
        self.has_listeners.load(Ordering::Relaxed)
    }

    pub(super) fn listeners(&self) -> Vec<HostListener> {
        self.state().listeners.values().cloned().collect()
    }

    /// The machine or the program woke up. A loop that does not run has no connections to
    /// test.
    pub(super) fn wake_up(&self) {
        let waker = {
            let mut state = self.state();
            let is_queued = matches!(state.commands.back(), Some(Command::WakeUp));
            if state.gone || state.waker.is_none() || is_queued {
                return;
            }
            state.commands.push_back(Command::WakeUp);
            self.mail.store(true, Ordering::SeqCst);
            self.notify(&mut state)
        };
        wake(waker);
    }

    /// Releases the handle's amounts at the beginning of the loop's next turn.
    pub(crate) fn release_later(&self, handle: Arc<Handle>) {
        let waker = {
            let mut state = self.state();
            if state.gone {
                // The shared thread serves it now. For that thread S49 asks nothing.
                drop(state);
                handle.release_held();
                return;
            }
            state.held.push(handle);
            // The thread that drives the loop must not sleep before it has done this.
            self.mail.store(true, Ordering::SeqCst);
            self.notify(&mut state)
        };
        wake(waker);
    }

    /// Wakes the thread that drives the loop.
    pub(crate) fn wake(&self) {
        if current::drives(self) || !cfg!(any(unix, windows)) {
            // It is this thread, if there are others at all. The turn that is under way
            // must not wait for events.
            self.mail.store(true, Ordering::SeqCst);
            return;
        }
        let waker = self.with_served(|mailbox, state| mailbox.notify(state));
        wake(waker);
    }

    /// Wakes another thread that is in a turn of the loop. [`wake`](Self::wake) would not do it,
    /// because this thread drives the loop as well.
    pub(super) fn wake_other(&self) {
        let waker = self.with_served(|_, state| Mailbox::waker(state));
        wake(waker);
    }

    /// The waker, to be called outside the lock. `None` if the loop looks anyway.
    fn notify(&self, state: &mut State) -> Option<Arc<Waker>> {
        if current::drives(self) {
            // This very turn must not wait for events any more.
            self.mail.store(true, Ordering::SeqCst);
            return None;
        }
        Mailbox::waker(state)
    }

    fn waker(state: &mut State) -> Option<Arc<Waker>> {
        if state.notified {
            return None;
        }
        let waker = state.waker.clone()?;
        state.notified = true;
        Some(waker)
    }

    fn ensure_running(&self, state: &mut State) -> io::Result<()> {
        if self.is_shared() && state.waker.is_none() {
            state.waker = Some(shared::start()?);
            state.notified = false;
        }
        Ok(())
    }

    /// Makes sure that the loop runs until [`unreserve`](Self::unreserve).
    pub(super) fn reserve(&self) -> io::Result<()> {
        self.with_served(|mailbox, state| {
            mailbox.ensure_running(state)?;
            state.reserved += 1;
            Ok(())
        })
    }

    pub(super) fn unreserve(&self) {
        let waker = self.with_served(|mailbox, state| {
            state.reserved = state.reserved.saturating_sub(1);
            // This socket may have been the only reason for the thread to exist.
            match mailbox.is_shared() {
                true => mailbox.notify(state),
                false => None,
            }
        });
        wake(waker);
    }

    // Methods for the thread that drives the loop.

    /// Moves the commands, and the handles whose amounts may fall now, into these lists, which
    /// must be empty.
    pub(super) fn take_mail(&self, commands: &mut VecDeque<Command>, held: &mut Vec<Arc<Handle>>) {
        if !self.mail.load(Ordering::SeqCst) {
            return;
        }
        let mut state = self.state();
        state.notified = false;
        self.mail.store(false, Ordering::SeqCst);
        std::mem::swap(&mut state.commands, commands);
        std::mem::swap(&mut state.held, held);
    }

    /// Whether there may be commands, or something else to look after.
    pub(super) fn has_mail(&self) -> bool {
        self.mail.load(Ordering::SeqCst)
    }

    /// The loop has woken up. It will look into the mailbox before it sleeps again.
    pub(super) fn awake(&self) {
        self.state().notified = false;
    }

    /// When the first call is due.
    pub(super) fn first_call(&self) -> Option<Instant> {
        let state = self.state();
        state.calls.keys().next().map(|(when, _)| *when)
    }

    /// Takes the first call that was due at `when`.
    pub(super) fn take_call(&self, when: Instant) -> Option<Call> {
        let mut state = self.state();
        match state.calls.first_entry() {
            Some(first) if first.key().0 <= when => Some(first.remove()),
            _ => None,
        }
    }

    /// Ends the shared thread, if there is nothing left for it to do. All its connections have
    /// ended.
    pub(super) fn try_end(&self) -> bool {
        let mut state = self.state();
        let idle = state.commands.is_empty() && state.calls.is_empty() && state.reserved == 0;
        if idle {
            state.waker = None;
        }
        idle
    }

    /// The shared thread has ended by a panic. `undone` is what it had taken out of the mailbox
    /// and not done. The next shared thread does that.
    pub(super) fn thread_is_gone(&self, undone: VecDeque<Command>) {
        let mut state = self.state();
        for command in undone.into_iter().rev() {
            state.commands.push_front(command);
        }
        self.mail.store(true, Ordering::SeqCst);
        state.waker = None;
        let needed = !state.commands.is_empty() || !state.calls.is_empty() || state.reserved > 0;
        if needed {
            if let Err(error) = self.ensure_running(&mut state) {
                let commands = std::mem::take(&mut state.commands);
                drop(state);
                log_no_thread(&error);
                drop(commands);
            }
        }
    }

    /// The local loop ends: hands everything over to the shared thread. `undone` is what the
    /// loop had taken out of the mailbox and not done.
    pub(super) fn hand_over(&self, connections: Vec<Connection>, undone: VecDeque<Command>) {
        let mut state = self.state();
        state.gone = true;
        state.waker = None;
        if let Kind::Local { owner } = &self.kind {
            owner.store(0, Ordering::Relaxed);
        }
        let held = std::mem::take(&mut state.held);
        let calls = std::mem::take(&mut state.calls);
        let listeners = std::mem::take(&mut state.listeners);
        let reserved = std::mem::take(&mut state.reserved);
        // The connections come first. Until the shared thread has adopted them, their handles
        // have the slots of this loop. In the shared thread another connection may have that
        // slot, and an action would go to the wrong one.
        let mut commands: VecDeque<Command> = connections.into_iter().map(Command::Adopt).collect();
        commands.extend(undone);
        commands.append(&mut state.commands);
        let mut failed = None;
        let mut waker = None;
        if !listeners.is_empty() {
            let shared = shared::mailbox();
            shared.state().listeners.extend(listeners);
            shared.has_listeners.store(true, Ordering::Relaxed);
        }
        if !commands.is_empty() || !calls.is_empty() || reserved > 0 {
            let shared = shared::mailbox();
            // Under both locks, so that nothing gets in between.
            let mut shared_state = shared.state();
            match shared.ensure_running(&mut shared_state) {
                Ok(()) => {
                    shared_state.commands.append(&mut commands);
                    shared_state.calls.extend(calls);
                    shared_state.reserved += reserved;
                    shared.mail.store(true, Ordering::SeqCst);
                    waker = shared.notify(&mut shared_state);
                }
                Err(error) => failed = Some((error, calls)),
            }
        }
        drop(state);
        wake(waker);
        for handle in held {
            handle.release_held();
        }
        if let Some((error, calls)) = failed {
            log_no_thread(&error);
            drop((commands, calls));
        }
    }

    /// In a forked child, where the thread that drove the loop does not exist. Returns the
    /// commands for the parent's sockets, which the caller drops.
    pub(super) fn after_fork(&self, waker: Option<Arc<Waker>>) -> impl Sized + use<> {
        let mut state = self.state();
        state.notified = false;
        state.reserved = 0;
        let held = std::mem::take(&mut state.held);
        let before = std::mem::replace(&mut state.waker, waker);
        let commands = std::mem::take(&mut state.commands);
        let (inherited, own) = commands.into_iter().partition(Command::is_inherited);
        state.commands = own;
        let inherited: VecDeque<Command> = inherited;
        (before, inherited, held)
    }

    /// Takes the lock and holds it across a fork, so that it is free in the child.
    #[cfg(unix)]
    pub(super) fn lock_for_fork(&self) -> impl Sized + '_ {
        self.state()
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            Kind::Shared => "Shared",
            Kind::Local { .. } => "Local",
        })
    }
}

/// A number for a call or a listener. It is unique in the process, because both may move
/// from one loop to another.
fn next_number() -> u64 {
    static NUMBER: StaticU64 = StaticU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Wakes a thread. Called outside the lock, because the woken thread takes that lock first.
fn wake(waker: Option<Arc<Waker>>) {
    if let Some(Err(error)) = waker.map(|waker| waker.wake()) {
        logging(|| log::error!("the event loop cannot be woken: {error}"));
    }
}

fn log_no_thread(error: &io::Error) {
    logging(|| log::error!("the event loop's thread cannot be started: {error}"));
}

/// While it exists, the loop runs: a socket that is about to start holds it.
#[derive(Debug)]
pub(crate) struct Reservation(Arc<Mailbox>);

impl Reservation {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> io::Result<Self> {
        mailbox.reserve()?;
        Ok(Reservation(mailbox))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.0.unreserve();
    }
}

#[cfg(test)]
#[path = "mailbox_tests.rs"]
mod tests;
