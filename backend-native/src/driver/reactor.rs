//! The connections of one event loop, and the turns in which it serves them.
//!
//! A turn has four steps, in this order:
//! 1. One batch of commands from the mailbox.
//! 2. The events of the system.
//! 3. The connections that had more to do than one visit may do. Each of them is in the
//!    queue at most once, so that none gets more visits than the others (S110).
//! 4. The deadlines that have passed. They come last, because data that arrived before a
//!    deadline is handled before the deadline counts (S106).

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{HostEvent, guard, logging};
use slab::Slab;

use super::connection::{Connection, Next};
use super::current::{Driving, InTurn};
use super::fork;
use super::mailbox::{Command, Mailbox};
use super::timers::Timers;
use super::waking::{self, Wait, Watch};
use crate::handle::Handle;
use crate::system::{self, Events, Interest, Poll, TcpStream, Token, Waker};
use crate::wire::decoder::Arena;

/// How much one read takes, in bytes. One buffer serves the reads of all sockets.
const BUFFER: usize = 128 << 10;
/// How many bytes one visit reads, and how many it writes.
pub(super) const BUDGET: usize = 1 << 20;
/// How many bytes one visit reads in a loop on the program's own thread. There the program
/// takes the messages between two turns, and this much is still in the processor's cache.
pub(super) const LOCAL_BUDGET: usize = BUFFER;
/// The waker's token: no slab has so many entries.
const WAKER: Token = Token(usize::MAX);
/// The token of the alarm that rings when the machine woke up.
const ALARM: Token = Token(usize::MAX - 1);
/// How many events one call takes from the system at most.
const EVENTS: usize = 256;

/// The parts of a loop that its connections use.
pub(super) struct Context {
    pub(super) buffer: Buffer,
    pub(super) arena: Arena,
    /// Whether the program runs on this thread, between two turns.
    pub(super) is_local: bool,
    /// Whether a connection of this loop has keep-alive, or had. It becomes false when the
    /// loop has no connection left.
    pub(super) keeps_alive: bool,
    poll: Poll,
    /// From a mio token to the slot of its connection.
    tokens: Slab<usize>,
}

impl Context {
    /// Registers the stream of the connection in slot `key`. Returns its token.
    pub(super) fn register(&mut self, tcp: &mut TcpStream, key: usize) -> io::Result<usize> {
        let entry = self.tokens.vacant_entry();
        let token = entry.key();
        let interest = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(tcp, Token(token), interest)?;
        entry.insert(key);
        Ok(token)
    }

    /// Forgets a token. The caller drops the stream, which ends its registration.
    pub(super) fn release(&mut self, token: usize) {
        self.tokens.try_remove(token);
    }

    /// Ends the registration of a stream, because another loop is to serve it.
    pub(super) fn deregister(&mut self, tcp: &mut TcpStream, token: usize) -> io::Result<()> {
        self.release(token);
        self.poll.registry().deregister(tcp)
    }
}

/// Memory to read into. It begins at a page boundary. A large vector begins a few bytes after
/// one, and there the kernel copies at half the speed.
#[derive(Default)]
pub(super) struct Buffer {
    memory: Box<[u8]>,
    start: usize,
}

impl Buffer {
    fn new() -> Self {
        const PAGE: usize = 4096;
        let memory = vec![0; BUFFER + PAGE].into_boxed_slice();
        // `align_offset` may not know the answer. Then any start will do.
        let start = memory.as_ptr().align_offset(PAGE).min(PAGE);
        Buffer { memory, start }
    }

    pub(super) fn as_mut_slice(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + BUFFER]
    }
}

/// A place for one connection.
struct Slot {
    /// `None` during a visit.
    connection: Option<Connection>,
    /// A number of the connection, because a slot is used again by later connections.
    serial: u64,
    /// Whether it is in the queue of connections that have more to do.
    queued: bool,
    /// The time of its entry in the timers.
    scheduled: Option<Instant>,
}

pub(super) struct Reactor {
    mailbox: Arc<Mailbox>,
    context: Context,
    slots: Slab<Slot>,
    serial: u64,
    /// Connections that have more to do than one visit may do. They go on when all others
    /// had their turn.
    queued: VecDeque<(usize, u64)>,
    timers: Timers,
    events: Events,
    /// The rest of the batch of commands that this turn does.
    commands: VecDeque<Command>,
    /// Handles whose buffered amount may fall in this turn (S49).
    held: Vec<Arc<Handle>>,
    /// The last turn took as many events as one call can give, so there may be more.
    full: bool,
    watch: Watch,
    generation: u32,
}

/// A poll, and the waker that ends its wait.
pub(super) fn poll() -> io::Result<(Poll, Arc<Waker>)> {
    let poll = Poll::new()?;
    let waker = Waker::new(poll.registry(), WAKER)?;
    Ok((poll, Arc::new(waker)))
}

impl Reactor {
    pub(super) fn new(poll: Poll, mailbox: Arc<Mailbox>) -> Self {
        let is_local = !mailbox.is_shared();
        Reactor {
            mailbox,
            context: Context {
                buffer: Buffer::new(),
                arena: Arena::default(),
                is_local,
                keeps_alive: false,
                poll,
                tokens: Slab::new(),
            },
            slots: Slab::new(),
            serial: 0,
            queued: VecDeque::new(),
            timers: Timers::default(),
            events: Events::with_capacity(EVENTS),
            commands: VecDeque::new(),
            held: Vec::new(),
            full: false,
            watch: Watch::default(),
            generation: fork::generation(),
        }
    }

    #[cfg(all(unix, not(isosocket_simulation)))]
    pub(super) fn poll(&self) -> &Poll {
        &self.context.poll
    }

    /// Whether there is no connection.
    pub(super) fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Waits until there is something to do, but no longer than `timeout`. Then serves each
    /// connection that has something to do once.
    pub(super) fn turn(&mut self, timeout: Option<Duration>) {
        let _driving = Driving::new(&self.mailbox);
        let _turn = InTurn::new();
        let shared = self.mailbox.is_shared();
        let visits = fork::Visits::begin(shared);
        let forked = self.generation != fork::generation();
        if forked {
            self.after_fork();
        }
        // The commands come first. So if a thread adds one after this, it also wakes the wait
        // below.
        let performed = self.perform_commands();
        let watches = self.watch_host();
        let (mut timeout, judged) = self.timeout(timeout);
        let deadline = watches.then(|| self.own_deadline()).flatten();
        if forked || (performed && self.slots.is_empty()) {
            // A command may have woken the caller, or may have ended the last connection.
            timeout = Some(Duration::ZERO);
        }
        drop(visits);
        let polled = self.context.poll.poll(&mut self.events, timeout);
        let _visits = fork::Visits::begin(shared);
        let woke_up = watches && self.look_at_host(deadline, judged, polled.is_err());
        match polled {
            Ok(()) => {
                self.full = self.events.iter().count() >= EVENTS;
                self.dispatch();
            }
            // By a signal, for instance. The next turn waits again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => logging(|| log::error!("waiting for events failed: {error}")),
        }
        for _ in 0..self.queued.len() {
            let Some((key, serial)) = self.queued.pop_front() else {
                break;
            };
            if self.unqueue(key, serial) {
                self.visit(key, Connection::go_on);
            }
        }
        match judged {
            // No deadline counts in this turn: the next one tests the peers first.
            _ if woke_up => waking::wake_up_all(),
            Some(judged) => self.expire(judged),
            None => {}
        }
        self.watch.rest();
    }

    /// Watches for sleep if a socket needs that, and otherwise stops it. Returns whether one
    /// does.
    fn watch_host(&mut self) -> bool {
        let is_wanted = self.context.keeps_alive || self.mailbox.has_listeners();
        match is_wanted {
            true => self.watch.begin(&self.context.poll, ALARM),
            false if self.watch.is_on() => self.watch = Watch::default(),
            false => {}
        }
        is_wanted
    }

    /// Whether the machine or the process woke up during the wait that has just ended.
    fn look_at_host(
        &mut self,
        deadline: Option<Instant>,
        began: Option<Instant>,
        interrupted: bool,
    ) -> bool {
        let wait = Wait {
            deadline,
            began,
            // On a thread of the program, a signal of the program may interrupt a wait.
            interrupted: interrupted && !self.context.is_local,
            alarmed: self.events.iter().any(|event| event.token() == ALARM),
        };
        self.watch.look(wait, system::now(), system::slept)
    }

    /// When the next turn has something to do, if nothing happens before.
    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        if self.full || !self.queued.is_empty() || self.mailbox.has_mail() {
            return Some(system::now());
        }
        self.own_deadline()
    }

    /// When a connection or a call is due next.
    fn own_deadline(&mut self) -> Option<Instant> {
        let first = self.first_deadline();
        [first, self.mailbox.first_call()]
            .into_iter()
            .flatten()
            .min()
    }

    /// How long to wait, and the time now, if there is a deadline. This turn's poll finds all
    /// data that has arrived by now. So after it, the deadlines up to now may be judged (S106).
    fn timeout(&mut self, most: Option<Duration>) -> (Option<Duration>, Option<Instant>) {
        let deadline = self.next_deadline();
        let now = deadline.map(|_| system::now());
        let wait = deadline.zip(now);
        let wait = wait.map(|(deadline, now)| deadline.saturating_duration_since(now));
        let timeout = [wait, most].into_iter().flatten().min();
        (timeout, now)
    }

    /// Does the commands that wait now. Those that come meanwhile are for the next turn.
    /// Returns whether there was one.
    fn perform_commands(&mut self) -> bool {
        self.mailbox.take_mail(&mut self.commands, &mut self.held);
        let any = !self.commands.is_empty();
        while let Some(command) = self.commands.pop_front() {
            self.perform(command);
        }
        if self.commands.capacity() > 1024 {
            self.commands = VecDeque::new();
        }
        // Shows the program what the network has taken since the last turn (S49).
        while let Some(handle) = self.held.pop() {
            handle.release_held();
            if let Some(key) = handle.key().filter(|_| handle.is_drained()) {
                self.visit(key, |connection, _| connection.notify_drained());
            }
        }
        any
    }

    fn perform(&mut self, command: Command) {
        match command {
            Command::Start(dialling) => {
                let key = self.insert();
                self.visit_with(
                    key,
                    Connection::Dialling(dialling),
                    |connection, context| connection.start(context, key),
                );
            }
            Command::Adopt(connection) => {
                let key = self.insert();
                self.visit_with(key, connection, |connection, context| {
                    connection.adopt(context, key)
                });
            }
            Command::Act(handle, action) => {
                if let Some(key) = handle.key() {
                    self.visit(key, |connection, context| connection.act(context, action));
                }
            }
            Command::Turn(_, link) => {
                guard("a turn", || drop(link.turn()));
            }
            Command::Call(call) => call.run(),
            Command::WakeUp => self.wake_up(),
            #[cfg(test)]
            Command::Panic => panic!("on purpose: the thread ends"),
        }
    }

    /// The machine or the program woke up: tests connections, and calls the listeners.
    fn wake_up(&mut self) {
        let keys: Vec<usize> = self.slots.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.visit(key, Connection::wake_up);
        }
        for listener in self.mailbox.listeners() {
            guard("a listener to the host", || listener(HostEvent::WokeUp));
        }
    }

    /// Hands each event to its connection.
    fn dispatch(&mut self) {
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            let Token(token) = event.token();
            if event.token() == WAKER {
                self.mailbox.awake();
            } else if let Some(&key) = self.context.tokens.get(token) {
                self.visit(key, |connection, context| {
                    connection.on_event(context, token, event)
                });
            }
        }
        self.events = events;
    }

    fn insert(&mut self) -> usize {
        self.serial += 1;
        self.slots.insert(Slot {
            connection: None,
            serial: self.serial,
            queued: false,
            scheduled: None,
        })
    }

    /// Calls `work` with the connection of a slot, and does what it returns.
    fn visit(&mut self, key: usize, work: impl FnOnce(Connection, &mut Context) -> Next) {
        let slot = self.slots.get_mut(key);
        let Some(connection) = slot.and_then(|slot| slot.connection.take()) else {
            return;
        };
        self.visit_with(key, connection, work);
    }

    fn visit_with(
        &mut self,
        key: usize,
        connection: Connection,
        work: impl FnOnce(Connection, &mut Context) -> Next,
    ) {
        let next = work(connection, &mut self.context);
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let (connection, more) = match next {
            Next::Wait(connection) => (connection, false),
            Next::GoOn(connection) => (connection, true),
            Next::End => {
                let ended = self.slots.remove(key);
                self.timers.schedule(key, ended.scheduled, None);
                if self.slots.is_empty() {
                    self.context.keeps_alive = false;
                    self.slots.shrink_to_fit();
                    self.queued.shrink_to(64);
                }
                return;
            }
        };
        if more && !slot.queued {
            let place = (key, slot.serial);
            debug_assert!(!self.queued.contains(&place), "one place for each (S110)");
            slot.queued = true;
            self.queued.push_back(place);
        }
        let deadline = connection.deadline();
        slot.scheduled = self.timers.schedule(key, slot.scheduled, deadline);
        slot.connection = Some(connection);
    }

    /// Notes that a connection is no longer in the queue. Returns whether the slot still has
    /// that connection.
    fn unqueue(&mut self, key: usize, serial: u64) -> bool {
        match self.slots.get_mut(key) {
            Some(slot) if slot.serial == serial => {
                slot.queued = false;
                true
            }
            _ => false,
        }
    }

    /// The earliest deadline. Replaces entries whose deadline has moved to a later time.
    fn first_deadline(&mut self) -> Option<Instant> {
        while let Some((when, key)) = self.timers.first() {
            let slot = self.slots.get_mut(key);
            let slot = slot.expect("an entry is removed with its connection");
            let deadline = slot.connection.as_ref().and_then(Connection::deadline);
            if deadline == Some(when) {
                return Some(when);
            }
            self.timers.pop();
            slot.scheduled = self.timers.schedule(key, None, deadline);
        }
        None
    }

    /// Handles the deadlines that have passed at `judged`, and makes the calls that were due
    /// then.
    fn expire(&mut self, judged: Instant) {
        while let Some(when) = self.first_deadline() {
            if when > judged {
                break;
            }
            let Some((_, key)) = self.timers.first() else {
                break;
            };
            self.timers.pop();
            let Some(slot) = self.slots.get_mut(key) else {
                continue;
            };
            slot.scheduled = None;
            // It may not have read everything that had arrived by then. In that case its
            // deadline waits for the next visit.
            let connection = slot.connection.as_mut();
            let judge = !slot.queued || connection.is_some_and(Connection::is_out_of_time);
            if judge {
                self.visit(key, |connection, context| {
                    connection.expire(context, judged)
                });
            }
        }
        // One at a time, because a call may cancel another one.
        while let Some(call) = self.mailbox.take_call(judged) {
            call.run();
        }
    }

    /// The commands that a panic kept the last turn from doing.
    pub(super) fn undone(&mut self) -> VecDeque<Command> {
        std::mem::take(&mut self.commands)
    }

    /// Removes all connections. The caller hands them to another loop.
    pub(super) fn drain(&mut self) -> Vec<Connection> {
        let slots = std::mem::take(&mut self.slots);
        self.timers = Timers::default();
        let connections = slots.into_iter().filter_map(|(_, slot)| slot.connection);
        connections
            .map(|connection| connection.leave(&mut self.context))
            .collect()
    }

    /// This process is a child that was forked while the parent drove the loop. The connections
    /// belong to the parent, and so does the poll (S114).
    fn after_fork(&mut self) {
        self.generation = fork::generation();
        let inherited = std::mem::take(&mut self.slots);
        self.queued.clear();
        self.timers = Timers::default();
        self.watch = Watch::default();
        self.context.keeps_alive = false;
        self.context.tokens = Slab::new();
        let waker = match poll() {
            Ok((poll, waker)) => {
                self.context.poll = poll;
                Some(waker)
            }
            Err(error) => {
                logging(|| log::error!("no event loop can be made after the fork: {error}"));
                None
            }
        };
        let asked = self.mailbox.after_fork(waker);
        for (_, slot) in inherited {
            if let Some(connection) = slot.connection {
                connection.disown();
            }
        }
        guard("what was asked of the event loop", || drop(asked));
    }
}
