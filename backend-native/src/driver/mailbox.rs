//! What other threads want of an event loop, and calls that are due later.
//!
//! A loop waits in the kernel and not for a future, so this is a lock and a queue, and not
//! async-channel, with which a job takes 3.1 times as long alone and 3.4 times in a batch
//! of 64. The answers of the resolver come here as well.
//!
//! A mailbox outlives its loop. After that it forwards to the shared thread,
//! which then serves the loop's sockets.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::system::Waker;
use isosocket_core::{HostListener, Link, drop_guarded, guard, logging};

use super::connection::Connection;
use super::current;
use super::dialling::Dialling;
use super::shared;
use crate::Native;
use crate::handle::Handle;

/// What a loop is to do.
pub(crate) enum Command {
    /// Serve a new connection.
    Start(Box<Dialling>),
    /// Serve a connection that another loop served before.
    Adopt(Connection),
    /// Do something for a connection, unless it has ended.
    Act(Arc<Handle>, Action),
    /// Give a socket a turn, whether or not its connection has ended.
    Turn(Link<Native>),
    /// Call something.
    Call(Call),
    /// The machine or the program woke up.
    WakeUp,
    /// End the thread by a panic, to see that nothing hangs.
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
            Command::Turn(link) => link.transport().is_inherited(),
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
    /// The program has taken what paused reading.
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
        // What it owns is the program's.
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
    /// There may be commands, or something else that the loop must not sleep over.
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
    /// There while somebody drives the loop.
    waker: Option<Arc<Waker>>,
    /// The loop was woken and has not looked since.
    notified: bool,
    /// Sockets that were made and not started: the shared thread waits for them.
    reserved: usize,
    calls: BTreeMap<CallKey, Call>,
    /// Who is called when the machine or the program wakes up.
    listeners: BTreeMap<u64, HostListener>,
    /// Handles whose amounts the program sees unchanged until it yields (S49).
    held: Vec<Arc<Handle>>,
    /// The loop is gone, and the shared thread has taken over.
    gone: bool,
}

impl Mailbox {
    pub(crate) const fn shared() -> Self {
        Mailbox::new(Kind::Shared, None)
    }

    pub(super) fn local(waker: Arc<Waker>) -> Self {
        let owner = AtomicUsize::new(0);
        Mailbox::new(Kind::Local { owner }, Some(waker))
    }

    const fn new(kind: Kind, waker: Option<Arc<Waker>>) -> Self {
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

    /// The state of the mailbox that is served, once this one's loop is gone.
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
        // A connection that nobody serves reports that when it is dropped.
        drop(command);
    }

    /// Has the loop call something at this time, unless it is cancelled before.
    pub(crate) fn call_at(&self, when: Instant, call: Call) -> io::Result<CallKey> {
        let key = (when, next_number());
        let waker = self.with_served(|mailbox, state| {
            mailbox.ensure_running(state)?;
            state.calls.insert(key, call);
            // A later one than the first changes nothing about how long the loop sleeps.
            let is_first = state
                .calls
                .first_key_value()
                .is_some_and(|(first, _)| *first == key);
            io::Result::Ok(is_first.then(|| mailbox.notify(state)).flatten())
        })?;
        wake(waker);
        Ok(key)
    }

    /// Forgets a call. What it owns is dropped here.
    pub(crate) fn cancel_call(&self, key: CallKey) {
        let (call, waker) = self.with_served(|mailbox, state| {
            let call = state.calls.remove(&key);
            // The shared thread may have waited for this call alone.
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

    /// The machine or the program woke up. A loop that does not run has nothing to do.
    pub(super) fn wake_up(&self) {
        let waker = {
            let mut state = self.state();
            let is_told = matches!(state.commands.back(), Some(Command::WakeUp));
            if state.gone || state.waker.is_none() || is_told {
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
                // Its new loop is on another thread, which yields all the time.
                drop(state);
                handle.release_held();
                return;
            }
            state.held.push(handle);
            // Whoever drives the loop must come to it.
            self.mail.store(true, Ordering::SeqCst);
            self.notify(&mut state)
        };
        wake(waker);
    }

    /// Wakes whoever drives the loop.
    pub(crate) fn wake(&self) {
        if current::drives(self) {
            // It is this thread. The turn that is under way must not wait for events.
            self.mail.store(true, Ordering::SeqCst);
            return;
        }
        let waker = self.with_served(|mailbox, state| mailbox.notify(state));
        wake(waker);
    }

    /// The waker to use, outside the lock, unless the loop looks anyway.
    fn notify(&self, state: &mut State) -> Option<Arc<Waker>> {
        if current::drives(self) {
            // This very turn must not wait for events any more.
            self.mail.store(true, Ordering::SeqCst);
            return None;
        }
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
            // The loop may have waited for this socket alone.
            match mailbox.is_shared() {
                true => mailbox.notify(state),
                false => None,
            }
        });
        wake(waker);
    }

    // For whoever drives the loop.

    /// Takes what is there, into empty lists: commands, and the handles whose
    /// amounts are to be released.
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

    /// The loop has woken up: it looks at everything before it sleeps again.
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

    /// Ends the shared thread, if nobody can ask anything of it any more. Its
    /// connections have all ended.
    pub(super) fn try_end(&self) -> bool {
        let mut state = self.state();
        let idle = state.commands.is_empty() && state.calls.is_empty() && state.reserved == 0;
        if idle {
            state.waker = None;
        }
        idle
    }

    /// The shared thread has ended by a panic. What it was asked and has not done
    /// is for the next one.
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

    /// The local loop ends: hands everything over to the shared thread. `undone`
    /// is what the loop had taken out of this mailbox and not done.
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
        // The connections come first. Their handles still name their places in
        // this loop, and an action for one of them would find another connection
        // in that place of the shared thread.
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

    /// In a forked child: whoever drove the loop does not exist here. What was
    /// asked for the parent's sockets is given to the caller, to be dropped.
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

    /// Holds the lock across a fork, so that the child finds it free.
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

/// Tells calls and listeners apart, in all loops: they may move from one to another.
fn next_number() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}

/// Outside the lock, which is the first thing that the woken thread wants.
fn wake(waker: Option<Arc<Waker>>) {
    if let Some(Err(error)) = waker.map(|waker| waker.wake()) {
        logging(|| log::error!("the event loop cannot be woken: {error}"));
    }
}

fn log_no_thread(error: &io::Error) {
    logging(|| log::error!("the event loop's thread cannot be started: {error}"));
}

/// The certainty that the loop runs, for a socket that is about to start.
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
