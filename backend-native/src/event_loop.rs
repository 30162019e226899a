//! The one thread that serves all sockets: started with the first, gone with
//! the last, asleep when there is nothing to do.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Instant;

use isosocket_core::Link;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Registry, Token, Waker};
use slab::Slab;

use crate::codec::Arena;
use crate::connection::{Connection, Next};
use crate::pending::free_spares;
use crate::timers::Timers;
use crate::{Inner, Native};

/// One buffer serves the reads of all sockets.
const BUFFER: usize = 128 << 10;
/// The waker's token: no slab has so many entries.
const WAKER: Token = Token(usize::MAX);

/// What other threads want of the loop.
#[derive(Debug)]
pub(crate) enum Command {
    /// Serve a new connection, for which the loop was reserved.
    Start(Box<Connection>, Reservation),
    /// Do something for a connection; nothing if it has ended.
    Do(Arc<Inner>, Action),
    /// A turn for a socket, whether or not its connection has ended.
    Turn(Link<Native>),
    /// Call something.
    Call(Call),
}

/// Something to be called on the loop's thread.
pub(crate) struct Call(pub(crate) Box<dyn FnOnce() + Send>);

impl Call {
    /// Calls it; whatever it does, the loop goes on.
    fn run(self) {
        if catch_unwind(AssertUnwindSafe(self.0)).is_err() {
            log::error!("a call on the event loop panicked");
        }
    }
}

impl std::fmt::Debug for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Call")
    }
}

/// What is to be done for a connection.
#[derive(Debug)]
pub(crate) enum Action {
    /// The name was resolved.
    Resolved(io::Result<Vec<SocketAddr>>),
    /// Write what is pending.
    Flush,
    /// `close` was called: the Close frame is queued.
    Close,
    /// `close` was called before the connection was established.
    Abort,
    /// Writing failed.
    Broken,
    /// The program has taken what held up reading.
    Resume,
    /// Nobody listens any more.
    Detach,
}

struct Shared {
    mailbox: Vec<Command>,
    /// There while the thread runs.
    waker: Option<Arc<Waker>>,
    /// The thread will look at the mailbox.
    notified: bool,
    /// Sockets that were made and not yet started: the thread waits for them.
    reserved: usize,
    /// What is to be called later, by the time and a number of its own. The
    /// thread waits for it.
    calls: BTreeMap<(Instant, u64), Call>,
    /// The number of the next call.
    number: u64,
}

static SHARED: Mutex<Shared> = Mutex::new(Shared {
    mailbox: Vec::new(),
    waker: None,
    notified: false,
    reserved: 0,
    calls: BTreeMap::new(),
    number: 0,
});

thread_local! {
    static ON_LOOP: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Whether this is the event loop's thread.
pub(crate) fn is_current() -> bool {
    ON_LOOP.get()
}

fn shared() -> MutexGuard<'static, Shared> {
    SHARED
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// The certainty that the loop runs, for a socket that is about to start.
#[derive(Debug)]
pub(crate) struct Reservation(());

impl Reservation {
    /// Starts the loop if it is not running.
    pub(crate) fn new() -> io::Result<Self> {
        let mut shared = shared();
        shared.ensure_running()?;
        shared.reserved += 1;
        Ok(Reservation(()))
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let waker = {
            let mut shared = shared();
            shared.reserved -= 1;
            // The loop may have waited for this socket alone.
            shared.notify()
        };
        wake(waker);
    }
}

/// Hands the loop a command.
pub(crate) fn submit(command: Command) {
    let waker = {
        let mut shared = shared();
        if let Err(error) = shared.ensure_running() {
            drop(shared);
            log::error!("the event loop cannot be started: {error}");
            return;
        }
        shared.mailbox.push(command);
        shared.notify()
    };
    wake(waker);
}

/// Outside the lock, which is the first thing that the thread wants then.
fn wake(waker: Option<Arc<Waker>>) {
    if let Some(Err(error)) = waker.map(|waker| waker.wake()) {
        log::error!("the event loop cannot be woken: {error}");
    }
}

/// Has the loop call something at this time, unless it is cancelled before.
pub(crate) fn call_at(when: Instant, call: Call) -> io::Result<(Instant, u64)> {
    let mut shared = shared();
    shared.ensure_running()?;
    shared.number += 1;
    let key = (when, shared.number);
    shared.calls.insert(key, call);
    // A later one than the first changes nothing about how long the loop sleeps.
    let waker = match shared.first_call() == Some(when) {
        true => shared.notify(),
        false => None,
    };
    drop(shared);
    wake(waker);
    Ok(key)
}

/// Forgets a call. What it owns is dropped here.
pub(crate) fn cancel_call(key: (Instant, u64)) {
    let (call, waker) = {
        let mut shared = shared();
        let call = shared.calls.remove(&key);
        // The loop may have waited for this call alone.
        let waker = match call.is_some() && shared.calls.is_empty() {
            true => shared.notify(),
            false => None,
        };
        (call, waker)
    };
    wake(waker);
    drop(call);
}

impl Shared {
    fn first_call(&self) -> Option<Instant> {
        self.calls.keys().next().map(|(when, _)| *when)
    }

    fn ensure_running(&mut self) -> io::Result<()> {
        if self.waker.is_none() {
            let poll = Poll::new()?;
            let waker = Arc::new(Waker::new(poll.registry(), WAKER)?);
            let event_loop = EventLoop::new(poll);
            thread::Builder::new()
                .name("isosocket".to_owned())
                .spawn(move || event_loop.run())?;
            self.waker = Some(waker);
            self.notified = false;
        }
        Ok(())
    }

    /// Has the thread look at the mailbox, which is for the caller to
    /// [`wake`] then.
    fn notify(&mut self) -> Option<Arc<Waker>> {
        // On its own thread the loop looks at the mailbox before it sleeps.
        if self.notified || ON_LOOP.get() {
            return None;
        }
        let waker = self.waker.clone()?;
        self.notified = true;
        Some(waker)
    }
}

/// What connections use of the loop they live in.
pub(crate) struct Context {
    pub(crate) buffer: Buffer,
    pub(crate) arena: Arena,
    pub(crate) timers: Timers,
    registry: Registry,
    /// Which connection a mio token belongs to.
    tokens: Slab<usize>,
}

impl Context {
    /// Makes a stream known, for the connection in slot `key`.
    pub(crate) fn register(&mut self, tcp: &mut TcpStream, key: usize) -> io::Result<usize> {
        let entry = self.tokens.vacant_entry();
        let token = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.registry.register(tcp, Token(token), interest)?;
        entry.insert(key);
        Ok(token)
    }

    /// Forgets a token; its stream is dropped by the caller.
    pub(crate) fn release(&mut self, token: usize) {
        self.tokens.try_remove(token);
    }
}

/// Memory to read into. It begins with a page: a large vector would begin a
/// few bytes behind that, where the kernel copies at half the speed.
#[derive(Default)]
pub(crate) struct Buffer {
    memory: Box<[u8]>,
    start: usize,
}

impl Buffer {
    fn new(size: usize) -> Self {
        const PAGE: usize = 4096;
        let memory = vec![0; size + PAGE].into_boxed_slice();
        // Where alignment cannot be told, the beginning does as well.
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Buffer { memory, start }
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + BUFFER]
    }
}

struct EventLoop {
    poll: Poll,
    // Boxed: a slab grows by doubling, and would leave much room unused.
    connections: Slab<Box<Connection>>,
    serial: u64,
    /// Connections that have more to read, after the others had their turn.
    yielded: VecDeque<(usize, u64)>,
    context: Context,
}

impl EventLoop {
    fn new(poll: Poll) -> Self {
        let registry = poll.registry().try_clone();
        EventLoop {
            context: Context {
                buffer: Buffer::new(BUFFER),
                arena: Arena::default(),
                timers: Timers::default(),
                registry: registry.expect("a registry that works can be cloned"),
                tokens: Slab::new(),
            },
            poll,
            connections: Slab::new(),
            serial: 0,
            yielded: VecDeque::new(),
        }
    }

    fn run(mut self) {
        ON_LOOP.set(true);
        let mut events = Events::with_capacity(256);
        loop {
            let Some(first_call) = self.take_commands() else {
                return;
            };
            let timeout = if self.yielded.is_empty() {
                let deadlines = [self.next_deadline(), first_call];
                deadlines
                    .into_iter()
                    .flatten()
                    .min()
                    .map(|when| when.saturating_duration_since(Instant::now()))
            } else {
                Some(std::time::Duration::ZERO)
            };
            match self.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => {
                    log::error!("waiting for events failed: {error}");
                }
                _ => {}
            }
            for event in &events {
                let Token(token) = event.token();
                if let Some(&key) = self.context.tokens.get(token) {
                    self.visit(key, |connection, context| {
                        connection.on_event(context, token, event)
                    });
                }
            }
            for _ in 0..self.yielded.len() {
                let Some((key, serial)) = self.yielded.pop_front() else {
                    break;
                };
                if self.is_current(key, serial) {
                    self.visit(key, Connection::read);
                }
            }
            self.expire();
            if first_call.is_some() {
                make_calls();
            }
        }
    }

    /// Does what was asked until nothing is left, and tells when the first call
    /// is due, if there is one; `None` when nobody can ask any more, and the
    /// thread ends.
    fn take_commands(&mut self) -> Option<Option<Instant>> {
        loop {
            let commands = {
                let mut shared = shared();
                shared.notified = false;
                let commands = std::mem::take(&mut shared.mailbox);
                if commands.is_empty() {
                    let first_call = shared.first_call();
                    let idle = self.connections.is_empty() && shared.reserved == 0;
                    if idle && first_call.is_none() {
                        shared.waker = None;
                        free_spares();
                        return None;
                    }
                    return Some(first_call);
                }
                commands
            };
            for command in commands {
                self.perform(command);
            }
        }
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Start(connection, reservation) => {
                self.serial += 1;
                let serial = self.serial;
                let key = self.connections.insert(connection);
                drop(reservation);
                self.visit(key, |connection, context| {
                    connection.start(context, (key, serial))
                });
            }
            Command::Do(inner, action) => {
                if let Some(key) = inner.key() {
                    self.visit(key, |connection, context| connection.act(context, action));
                }
            }
            Command::Turn(link) => drop(link.turn()),
            Command::Call(call) => call.run(),
        }
    }

    /// Lets a connection work, and removes it when it is done.
    fn visit(&mut self, key: usize, work: impl FnOnce(&mut Connection, &mut Context) -> Next) {
        let Some(connection) = self.connections.get_mut(key) else {
            return;
        };
        match work(connection, &mut self.context) {
            Next::Wait => {}
            Next::Yield => self.yielded.push_back((key, connection.serial())),
            Next::End => {
                let connection = self.connections.remove(key);
                connection.release(&mut self.context);
                if self.connections.is_empty() {
                    self.connections.shrink_to_fit();
                }
            }
        }
    }

    fn is_current(&self, key: usize, serial: u64) -> bool {
        self.connections
            .get(key)
            .is_some_and(|connection| connection.serial() == serial)
    }

    /// The earliest deadline that still stands.
    fn next_deadline(&mut self) -> Option<Instant> {
        while let Some((when, number, key, timer)) = self.context.timers.peek() {
            let connection = self.connections.get(key);
            if connection.is_some_and(|connection| connection.deadlines().stands(timer, number)) {
                return Some(when);
            }
            self.context.timers.pop();
        }
        None
    }

    fn expire(&mut self) {
        while let Some(when) = self.next_deadline() {
            if when > Instant::now() {
                return;
            }
            let Some((_, _, key, timer)) = self.context.timers.peek() else {
                return;
            };
            self.context.timers.pop();
            self.visit(key, |connection, context| {
                connection.on_deadline(context, timer)
            });
        }
    }
}

/// Makes the calls that are due. One at a time, as one may cancel another.
fn make_calls() {
    let now = Instant::now();
    loop {
        let call = {
            let mut shared = shared();
            match shared.calls.first_entry() {
                Some(first) if first.key().0 <= now => first.remove(),
                _ => return,
            }
        };
        call.run();
    }
}
