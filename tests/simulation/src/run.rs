//! One run: a program with the real client, in simulated time, and what must hold.

use std::cell::RefCell;
use std::mem::ManuallyDrop;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use isosocket_core::{CloseEvent, Event, EventKind, Events, Heartbeat, ReadyState, WebSocket};
use isosocket_native::simulation;
use isosocket_native::{BuilderExt, EventLoop, Native};

use crate::network::Network;
use crate::peer::{Message, Peer};
use crate::plan::{Act, ConnectPlan, Listening, PeerAct, Plan, Reply};

type Socket = WebSocket<Native>;

/// How long the program goes on before it closes the socket itself.
const LAST: Duration = Duration::from_secs(20);
/// Longer than the slowest network here takes for all that a program sends.
const LONG: Duration = Duration::from_secs(3000);
/// More turns than the slowest network needs.
const MOST_TURNS: usize = 200_000;
/// The time that a peer has to end TCP (S77, S109).
const LINGER: Duration = Duration::from_secs(2);

/// What a run found to be wrong.
pub type Faults = Vec<String>;

/// What the program has seen.
#[derive(Debug, Default)]
struct Seen {
    opened: Option<Duration>,
    failed: Option<(Duration, String)>,
    closed: Option<(Duration, CloseEvent)>,
    messages: Vec<Message>,
    faults: Faults,
}

impl Seen {
    fn event(&mut self, event: &Event, now: Duration) {
        if self.closed.is_some() {
            self.faults
                .push(format!("S97: {} follows close", event.kind()));
        }
        if self.failed.is_some() && !matches!(event, Event::Close(_)) {
            self.faults
                .push(format!("S97: {} follows error", event.kind()));
        }
        match event {
            Event::Open => {
                if self.opened.replace(now).is_some() {
                    self.faults.push("a second open".to_owned());
                }
            }
            Event::Message(message) => {
                if self.opened.is_none() {
                    self.faults.push("a message before open".to_owned());
                }
                self.messages.push(Message {
                    text: message.as_text().is_some(),
                    data: message.as_bytes().to_vec(),
                });
            }
            Event::Error(error) => self.failed = Some((now, format!("{error:#}"))),
            Event::Close(close) => self.closed = Some((now, close.clone())),
        }
    }
}

type Log = Arc<Mutex<Seen>>;

fn seen(log: &Log) -> std::sync::MutexGuard<'_, Seen> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The program's side of a run.
struct Program {
    plan: Plan,
    network: Rc<RefCell<Network>>,
    /// Dropped only if nothing is left in it, as a thread without a model would serve that.
    event_loop: ManuallyDrop<EventLoop>,
    socket: Option<Socket>,
    events: Option<Events<Native>>,
    log: Log,
    /// Whether the program may still read what waits in the stream.
    allowed: usize,
    sent: Vec<Message>,
    queued: usize,
    closed_at: Option<(Duration, Option<u16>)>,
    dropped_at: Option<Duration>,
    /// Since when the ready state is Open, and Closed, as the program sees it.
    opened: Option<Duration>,
    ended: Option<Duration>,
    /// The connection had ended, or was ending, when the program closed it.
    ended_before_act: bool,
    number: usize,
    turns: usize,
    faults: Faults,
}

/// Runs what follows from the seed. Returns what was wrong, and the trace if it was asked for.
pub fn run(seed: u64, trace: bool) -> (Faults, Vec<String>) {
    let plan = Plan::new(seed);
    let mut network = Network::new(plan.network.clone(), seed);
    network.trace = trace.then(|| vec![format!("{plan:#?}")]);
    let network = Rc::new(RefCell::new(network));
    simulation::install(network.clone());
    let faults = match Program::start(plan, network.clone()) {
        Ok(program) => program.live(),
        Err(fault) => vec![fault],
    };
    simulation::uninstall();
    let trace = network.borrow_mut().trace.take();
    (faults, trace.unwrap_or_default())
}

impl Program {
    fn start(plan: Plan, network: Rc<RefCell<Network>>) -> Result<Self, String> {
        let event_loop = EventLoop::new().map_err(|error| error.to_string())?;
        let log = Log::default();
        let mut builder = Socket::builder("ws://192.0.2.1:8080/")
            .connect_timeout(plan.connect_timeout)
            .close_timeout(plan.close_timeout)
            .send_limit(plan.send_limit)
            .receive_limit(plan.receive_limit)
            .max_message_size(plan.max_message_size);
        if let Some((interval, timeout)) = plan.keep_alive {
            builder = builder.heartbeat(Heartbeat::new(interval, timeout));
        }
        let entered = event_loop.enter();
        let socket = builder.connect().map_err(|error| error.to_string())?;
        drop(entered);
        let events = match plan.listening {
            Listening::Handlers => {
                for kind in EventKind::ALL {
                    let (log, network) = (log.clone(), Clock::new(&network));
                    let _ = socket.bind(kind, move |_, event| {
                        seen(&log).event(event, network.now());
                    });
                }
                None
            }
            Listening::Stream | Listening::LazyStream => Some(socket.events()),
        };
        Ok(Program {
            plan,
            network,
            event_loop: ManuallyDrop::new(event_loop),
            socket: Some(socket),
            events,
            log,
            allowed: 0,
            sent: Vec::new(),
            queued: 0,
            closed_at: None,
            dropped_at: None,
            opened: None,
            ended: None,
            ended_before_act: false,
            number: 0,
            turns: 0,
            faults: Vec::new(),
        })
    }

    fn now(&self) -> Duration {
        self.network.borrow().time()
    }

    fn note(&self, text: impl FnOnce() -> String) {
        self.network.borrow_mut().note(text);
    }

    fn live(mut self) -> Faults {
        let mut acts: Vec<(Duration, Act)> = Vec::new();
        let mut when = Duration::ZERO;
        for (pause, act) in self.plan.acts.clone() {
            when += pause;
            acts.push((when, act));
        }
        acts.push((LAST, Act::Close(Some(1000))));
        for (when, act) in acts {
            while self.now() < when && !self.is_over() {
                let left = when - self.now();
                self.turn(Some(left));
            }
            self.act(act);
        }
        // Whatever happens, it ends.
        let end = self.now() + LONG;
        while !self.is_over() && self.now() < end {
            let left = end - self.now();
            self.allowed = usize::MAX;
            self.turn(Some(left));
        }
        self.check_end();
        self.check_messages();
        self.check_nothing_is_left();
        let mut faults = std::mem::take(&mut seen(&self.log).faults);
        faults.append(&mut self.faults);
        if faults.is_empty() {
            drop(ManuallyDrop::into_inner(self.event_loop));
        }
        faults
    }

    fn is_over(&self) -> bool {
        seen(&self.log).closed.is_some()
    }

    fn turn(&mut self, timeout: Option<Duration>) {
        self.turns += 1;
        if self.turns > MOST_TURNS {
            panic!("the loop does not come to rest");
        }
        self.event_loop.turn(timeout);
        self.note_state();
        self.read();
        self.check_amount();
    }

    /// Notes since when the socket is open, and since when it is closed.
    fn note_state(&mut self) {
        let now = self.now();
        match self.socket.as_ref().map(Socket::ready_state) {
            Some(ReadyState::Open) => {
                self.opened.get_or_insert(now);
            }
            Some(ReadyState::Closed) => {
                self.ended.get_or_insert(now);
            }
            _ => {}
        }
    }

    fn read(&mut self) {
        let is_lazy = self.plan.listening == Listening::LazyStream;
        let Some(events) = &mut self.events else {
            return;
        };
        let now = self.network.borrow().time();
        while !is_lazy || self.allowed > 0 {
            let Some(event) = events.try_next() else {
                return;
            };
            self.allowed = self.allowed.saturating_sub(1);
            self.network
                .borrow_mut()
                .note(|| format!("the program reads {event:?}"));
            seen(&self.log).event(&event, now);
        }
    }

    fn act(&mut self, act: Act) {
        self.note(|| format!("the program: {act:?}"));
        match act {
            Act::Read(count) => {
                self.allowed = self.allowed.saturating_add(count);
                self.read();
            }
            Act::Send(shape) => self.send(shape, 1),
            Act::Burst(shape, count) => self.send(shape, count),
            Act::Close(code) => {
                let Some(socket) = &self.socket else { return };
                let was_open = matches!(
                    socket.ready_state(),
                    ReadyState::Open | ReadyState::Connecting
                );
                let result = match code {
                    None => {
                        socket.close();
                        Ok(())
                    }
                    Some(code) => socket.close_with(code, "bye"),
                };
                if let Err(error) = result {
                    self.faults.push(format!("close was refused: {error}"));
                }
                // S68: the state follows at once.
                if was_open && socket.ready_state() != ReadyState::Closing {
                    let state = socket.ready_state();
                    self.faults
                        .push(format!("after close the state is {state:?}"));
                }
                let now = self.now();
                if self.closed_at.is_none() && self.dropped_at.is_none() {
                    self.ended_before_act = !was_open;
                }
                self.closed_at.get_or_insert((now, code));
            }
            Act::Drop => {
                let state = self.socket.as_ref().map(Socket::ready_state);
                if self.closed_at.is_none() {
                    self.ended_before_act = state == Some(ReadyState::Closed);
                }
                self.dropped_at = Some(self.now());
                self.socket = None;
            }
        }
    }

    fn send(&mut self, shape: crate::plan::Shape, count: usize) {
        for _ in 0..count {
            let Some(socket) = &self.socket else { return };
            let message = Message::new(shape, self.number);
            let before = socket.buffered_amount();
            let result = match message.text {
                true => socket.send(String::from_utf8_lossy(&message.data).into_owned()),
                false => socket.send(message.data.clone()),
            };
            let after = socket.buffered_amount();
            let is_open = socket.ready_state() == ReadyState::Open;
            match result {
                Ok(()) => {
                    self.number += 1;
                    self.queued += message.data.len();
                    if !is_open {
                        self.faults
                            .push("a message was taken while not open".to_owned());
                    }
                    // S48, S49: what is sent counts until the program yields.
                    if after != before + message.data.len() {
                        let size = message.data.len();
                        self.faults.push(format!(
                            "S49: {before} bytes were buffered, and {after} after {size} more"
                        ));
                    }
                    let limit = self.plan.send_limit;
                    if before > 0 && after > limit {
                        self.faults
                            .push(format!("S54: {after} bytes are buffered of {limit}"));
                    }
                    self.sent.push(message);
                }
                Err(error) => {
                    let size = message.data.len();
                    let is_full = matches!(error, isosocket_core::SendError::Full(_));
                    if is_full && before + size + 4096 <= self.plan.send_limit {
                        self.faults
                            .push(format!("S54: full with {before} and {size} bytes"));
                    }
                }
            }
        }
    }

    /// S48: what is buffered is what was queued and the network has not taken.
    fn check_amount(&mut self) {
        let Some(socket) = &self.socket else { return };
        if socket.ready_state() != ReadyState::Open {
            return;
        }
        let taken = self.network.borrow().payload_taken(0);
        let expected = self.queued - taken.min(self.queued);
        let buffered = socket.buffered_amount();
        if buffered != expected {
            self.faults.push(format!(
                "S48: {buffered} bytes are said to be buffered, and {expected} are"
            ));
        }
    }

    fn check_end(&mut self) {
        let log = self.log.clone();
        let seen = seen(&log);
        let Some((closed, close)) = &seen.closed else {
            // S102: nobody listens to a dropped stream; but here there is always one.
            self.faults.push("S97: there was no close".to_owned());
            return;
        };
        let plan = &self.plan;
        let mut faults = Vec::new();
        if let Some((when, error)) = &seen.failed {
            if when != closed && plan.listening != Listening::LazyStream {
                faults.push("S97: close did not follow error at once".to_owned());
            }
            if close.code != 1006 || close.was_clean {
                faults.push(format!("after `{error}` the close is {close:?}"));
            }
        }
        // S37: the connect timeout, to the nanosecond.
        let ended = self.ended.or(self.dropped_at.map(|_| *closed));
        match (self.opened, ended) {
            (None, Some(ended))
                if seen.opened.is_none()
                    && ended > plan.connect_timeout
                    && self.dropped_at.is_none() =>
            {
                faults.push(format!("S37: connecting took {ended:?}"));
            }
            (Some(opened), _) if opened > plan.connect_timeout => {
                faults.push(format!("S37: it opened after {opened:?}"));
            }
            _ => {}
        }
        let network = self.network.borrow();
        let peer = network.peers().next();
        // S76: a peer that is silent and takes nothing has the close timeout.
        let asked = self.closed_at.map(|(when, _)| when);
        if let (Some(asked), Some(opened), Some(ended)) = (asked, self.opened, ended) {
            let begun = asked.max(opened);
            // While the peer takes bytes the time begins again.
            let moved = peer.map_or(Duration::ZERO, Peer::last_read).max(begun);
            // A deadline is judged once, so that the time may be nearly twice as long.
            let latest = moved + 2 * plan.close_timeout + LINGER + plan.network.round_trip();
            if ended > latest && ended > begun {
                faults.push(format!(
                    "S76: it closed {:?} after the program",
                    ended - begun
                ));
            }
            // A slow peer that takes what was sent is given its time.
            let taken = network.last_taken(0);
            let is_silent = seen.failed.is_none() && close.code == 1006;
            let gone = peer.is_none_or(|peer| peer.gone || peer.was_reset());
            if is_silent && !gone && taken > begun && taken + plan.close_timeout > ended {
                let ago = ended - taken;
                faults.push(format!("S76: it gave up {ago:?} after the peer took bytes"));
            }
        }
        let ended_tcp = peer.and_then(|peer| Some((peer, peer.ended_tcp()?)));
        let is_read = plan.listening != Listening::LazyStream && plan.network.cut.is_none();
        if let (Some((peer, when)), Some(ended), true) = (ended_tcp, self.ended, is_read) {
            let windows = peer.written() / plan.network.receive_buffer + 2;
            let latest = when + plan.network.latest() * windows as u32;
            if ended > latest {
                faults.push(format!(
                    "S96: TCP had ended by {latest:?}, and it closed {ended:?}"
                ));
            }
        }
        if let Some(peer) = peer {
            self.check_keep_alive(&seen, peer, &network, &mut faults);
        }
        drop(network);
        self.faults.append(&mut faults);
    }

    /// S107: a dead peer is noticed in time, and a slow one is not taken for dead.
    fn check_keep_alive(&self, seen: &Seen, peer: &Peer, network: &Network, faults: &mut Faults) {
        let plan = &self.plan;
        let (Some((interval, timeout)), Some(opened)) = (plan.keep_alive, self.opened) else {
            return;
        };
        let stalls = |(_, act): &(Duration, PeerAct)| matches!(act, PeerAct::Stall(_));
        let answers = plan.network.peer.answers_ping
            && plan.network.cut.is_none()
            && !plan.network.peer.acts.iter().any(stalls)
            && !(peer.faulty || peer.gone || peer.own_close.is_some());
        let dead = seen.failed.as_ref();
        if let Some((_, error)) = dead.filter(|(_, error)| answers && error.contains("a ping")) {
            faults.push(format!("S107: a peer that answers was given up: {error}"));
        }
        let asked = self.closed_at.map(|(when, _)| when).or(self.dropped_at);
        let (Some(cut), Some(ended)) = (plan.network.cut, self.ended) else {
            return;
        };
        let is_alone = asked.is_none_or(|asked| asked > ended);
        if is_alone && opened < cut && plan.listening != Listening::LazyStream {
            let life = (cut + plan.network.latest()).max(network.last_taken(0));
            if ended > life + interval + timeout {
                faults.push(format!("S107: a dead peer was noticed at {ended:?}"));
            }
        }
    }

    fn check_messages(&mut self) {
        let log = self.log.clone();
        let seen = seen(&log);
        let network = self.network.borrow();
        let Some(peer) = network.peers().next() else {
            return;
        };
        let mut faults = Vec::new();
        let plan = &self.plan;
        if let Some(complaint) = &peer.complaint {
            faults.push(format!("the peer complains: {complaint}"));
        }
        // What the peer got is what was sent, from the first on.
        if !self.sent.starts_with(&peer.received) {
            faults.push(format!(
                "the peer received other messages than were sent: {} of {}",
                peer.received.len(),
                self.sent.len()
            ));
        }
        // S52: everything that was sent before close arrives before the Close frame.
        if peer.client_close.is_some_and(|_| self.is_own_close(peer))
            && peer.received.len() < self.sent.len()
        {
            faults.push(format!(
                "S52: the Close frame came after {} messages of {}",
                peer.received.len(),
                self.sent.len()
            ));
        }
        if plan.network.corrupt.is_none() {
            if !peer.sent.starts_with(&seen.messages) {
                faults.push(format!(
                    "the program received other messages than were sent: {} of {}",
                    seen.messages.len(),
                    peer.sent.len()
                ));
            }
            // Nobody but the peer ended the connection: everything arrives, and its code.
            let (is_whole, code) = (self.is_peers_end(peer), peer.own_close);
            if let (true, Some(code), Some((_, close))) = (is_whole, code, &seen.closed) {
                if seen.messages.len() < peer.sent_before_close() {
                    faults.push(format!(
                        "S101: {} messages arrived of {}",
                        seen.messages.len(),
                        peer.sent_before_close()
                    ));
                }
                if (close.code, close.was_clean) != (code, true) {
                    faults.push(format!("the peer closed with {code}, and not {close:?}"));
                }
            }
            let is_whole = self.is_peers_end(peer) && !network.has_lost(0);
            if is_whole && self.opened.is_some() && seen.messages.len() < peer.sent_before_close() {
                faults.push(format!(
                    "S109: {} messages arrived of {}",
                    seen.messages.len(),
                    peer.sent_before_close()
                ));
            }
            self.check_answer(&seen, peer, &mut faults);
        }
        drop(network);
        self.faults.append(&mut faults);
    }

    /// S71: where the peer answers `close` in time, its answer counts.
    fn check_answer(&self, seen: &Seen, peer: &Peer, faults: &mut Faults) {
        let network = &self.plan.network;
        let (Some((asked, _)), Some(answered), Some(opened)) =
            (self.closed_at, peer.close_sent(), self.opened)
        else {
            return;
        };
        let begun = asked.max(opened);
        let is_over = self.ended.is_some_and(|ended| ended < begun);
        if is_over || opened > asked || network.cut.is_some() || peer.faulty || peer.was_reset() {
            return;
        }
        // As long as all that the peer has written takes, a window at a time.
        let windows = peer.written() / network.receive_buffer + 2;
        let arrival = answered.max(begun) + network.latest() * windows as u32;
        if arrival >= begun + self.plan.close_timeout || self.plan.max_message_size < 1 << 20 {
            return;
        }
        let code = peer.own_close.unwrap_or(1005);
        match &seen.closed {
            Some((_, close)) if (close.code, close.was_clean) == (code, true) => {}
            closed => faults.push(format!("S71: the peer answered with {code}: {closed:?}")),
        }
    }

    /// Whether the client's Close frame is of the program, and not of a failure.
    fn is_own_close(&self, peer: &Peer) -> bool {
        match self.closed_at {
            Some((_, code)) => {
                peer.client_close == Some(code.unwrap_or(1005)) && peer.own_close.is_none()
            }
            None => false,
        }
    }

    /// Whether the connection ended as the peer wanted, and for no other reason.
    fn is_peers_end(&self, peer: &Peer) -> bool {
        let plan = &self.plan;
        let asked = self.closed_at.map(|(when, _)| when).or(self.dropped_at);
        let undisturbed = plan.network.cut.is_none()
            && plan.network.connect == ConnectPlan::Works
            && matches!(plan.network.peer.reply, Reply::Right | Reply::AfterInterim)
            && plan.keep_alive.is_none()
            && plan.max_message_size > 1 << 20
            && !peer.faulty
            && !peer.was_reset();
        undisturbed && (asked.is_none() || self.ended_before_act)
    }

    fn check_nothing_is_left(&mut self) {
        self.socket = None;
        self.events = None;
        // Time passes until nobody wants anything any more.
        let end = self.now() + LONG;
        while self.now() < end {
            let left = end - self.now();
            let left = match self.event_loop.next_deadline() {
                Some(_) => left,
                None if self.network.borrow().open_streams() == 0 => break,
                None => left,
            };
            self.event_loop.turn(Some(left));
        }
        let open = self.network.borrow().open_streams();
        if open > 0 {
            self.faults.push(format!("S102: {open} streams are left"));
        }
        if let Some(deadline) = self.event_loop.next_deadline() {
            let _ = deadline;
            self.faults.push("S102: a deadline is left".to_owned());
        }
        if Arc::strong_count(&self.log) > 1 {
            self.faults.push("S102: handlers are left".to_owned());
        }
    }
}

/// The simulated time, for handlers, which are `Send`.
struct Clock;

impl Clock {
    fn new(_: &Rc<RefCell<Network>>) -> Self {
        Clock
    }

    fn now(&self) -> Duration {
        simulation::elapsed()
    }
}
