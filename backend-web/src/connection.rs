//! One connection: the JavaScript object, its listeners, its timers, and the
//! link to the socket that uses it.
//!
//! Invariant: there are listeners and timers exactly while there is a link.
//! [`release`](Connection::release) removes all of them at once. After that, only the end is
//! still reported.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use isosocket_core::{
    Binary, CloseEvent, Data, ErrorEvent, ErrorKind, Event, Link, Message, MessageRef, Options,
    Rare, Refusal, Report, Timeout, Turn, is_used, logging, reads_accepted,
};
use wasm_bindgen::prelude::*;
use web_sys::{BinaryType, MessageEvent};

use crate::drain::{self, Drain};
use crate::js::{self, Listener, MembersExt, Object, Payload, Promise, Socket};
use crate::microtask::{self, Job};
use crate::receive::{self, Received, Tools};
use crate::stream::Stream;
use crate::threads::Outbox;
use crate::timer::{Timer, milliseconds};

/// Why there is no JavaScript object.
#[derive(Clone, Copy)]
pub(crate) enum Forbidden {
    /// The Fetch standard blocks the port (S13).
    Port,
    /// The host's constructor threw.
    Host,
}

// Constants, so that a page computes no kinds.
const ABORTED: ErrorEvent = ErrorEvent::of_kind(ErrorKind::Aborted);
const BLOCKED_PORT: ErrorEvent = ErrorEvent::of_kind(ErrorKind::BlockedPort);
const FORBIDDEN: ErrorEvent = ErrorEvent::of_kind(ErrorKind::Forbidden);
const NOT_IN_TIME: ErrorEvent = ErrorEvent::of_kind(ErrorKind::TimedOut(Timeout::Connect));
const TOO_LARGE: ErrorEvent = ErrorEvent::of_kind(ErrorKind::MessageTooLarge);

pub(crate) struct Connection {
    /// `Err` if the host or the Fetch standard forbids the connection, which then fails.
    socket: Result<Socket, Forbidden>,
    /// Sends and reads instead of `socket`, if there is one.
    stream: Rare<Box<dyn Stream>>,
    options: Options,
    live: RefCell<Option<Box<Live>>>,
    tools: Tools,
    /// The connection was established, and `close` was not called before.
    established: Cell<bool>,
    closing: Cell<bool>,
    /// A call of the host is under way, in which no turn may be taken.
    in_call: Cell<bool>,
    /// There are events in `late`, or a `Blob` is being read, so that the next
    /// event has to wait, too.
    is_late: Cell<bool>,
    late: Cell<Vec<(Kind, Object)>>,
    /// A `Blob` is being read, before which nothing is delivered.
    reading: Cell<bool>,
    /// Somebody waits for the buffered amount to fall.
    pub(crate) draining: Cell<bool>,
    /// At least as much as is buffered: what was sent since the host was asked.
    queued: Cell<usize>,
    /// What other threads sent.
    outbox: Outbox,
}

/// What a connection has until its end.
pub(crate) struct Live {
    link: Link,
    _listeners: [Listener; 4],
    /// What is called with the bytes of a `Blob`.
    blob: Option<Listener>,
    /// The connect timeout's timer, later the close timeout's.
    deadline: Option<Timer>,
    pub(crate) drain: Rare<Drain>,
}

/// The kinds of events, in the order of a connection's listeners. Each listener
/// knows its own: a stand-in's events need not say it.
#[derive(Clone, Copy)]
enum Kind {
    Message,
    Open,
    Error,
    Close,
}

const KINDS: [(Kind, &str); 4] = [
    (Kind::Message, "onmessage"),
    (Kind::Open, "onopen"),
    (Kind::Error, "onerror"),
    (Kind::Close, "onclose"),
];

/// How many rounds of the host's loop a deadline that has passed waits before it is judged.
const ROUNDS: u32 = 2;

impl Connection {
    pub(crate) fn new(
        socket: Result<Socket, Forbidden>,
        stream: Rare<Box<dyn Stream>>,
        options: Options,
        outbox: Outbox,
    ) -> Self {
        if let Ok(socket) = &socket {
            socket.set_binary_type(BinaryType::Arraybuffer);
        }
        Connection {
            socket,
            stream,
            options,
            live: RefCell::default(),
            tools: Tools::default(),
            established: Cell::new(false),
            closing: Cell::new(false),
            in_call: Cell::new(false),
            is_late: Cell::new(false),
            late: Cell::default(),
            reading: Cell::new(false),
            draining: Cell::new(false),
            queued: Cell::new(0),
            outbox,
        }
    }

    /// Listens. Nothing was missed: events come only after the job in which
    /// the object was made.
    pub(crate) fn start(self: &Rc<Self>, link: Link) {
        let socket = match &self.socket {
            Ok(socket) => socket,
            Err(why) => {
                let failed = Report::Failed(match why {
                    Forbidden::Port => BLOCKED_PORT,
                    Forbidden::Host => FORBIDDEN,
                });
                return microtask::push(Job::turn(link, Some(failed)));
            }
        };
        let listeners = KINDS.map(|(kind, name)| {
            let connection = self.clone();
            let listener = js::listener(move |event| connection.on(kind, event));
            socket.set(name, listener.as_ref());
            listener
        });
        self.outbox.begin(&link);
        let live = Box::new(Live {
            link,
            _listeners: listeners,
            blob: None,
            deadline: None,
            drain: Rare::NONE,
        });
        if let Ok(mut place) = self.live.try_borrow_mut() {
            *place = Some(live);
        }
        if let Some(stream) = self.stream.as_ref() {
            stream.start(self);
        }
        if let Some(delay) = milliseconds(self.options.connect_timeout) {
            self.set_deadline(delay, ROUNDS);
        }
    }

    pub(crate) fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        // S47: what other threads sent before goes first.
        if !self.flush() {
            return Err(Refusal::Full);
        }
        let socket = self.open_socket()?;
        // S54. The host is asked only when the messages since the last answer
        // could be too much.
        let length = message.as_bytes().len();
        let mut queued = self.queued.get().saturating_add(length);
        if queued > self.options.send_limit {
            let buffered = self.buffered_amount();
            queued = buffered.saturating_add(length);
            if buffered > 0 && queued > self.options.send_limit {
                return Err(Refusal::Full);
            }
        }
        self.transmit(socket, message)?;
        self.queued.set(queued);
        Ok(())
    }

    /// Sends what other threads sent; whether the host had room for all of it.
    #[inline]
    pub(crate) fn flush(&self) -> bool {
        let send = |message: &Message| self.transmit(self.open_socket()?, message.as_message());
        self.outbox.drain(send)
    }

    fn transmit(&self, socket: &Socket, message: MessageRef<'_>) -> Result<(), Refusal> {
        if let Some(stream) = self.stream.as_ref() {
            let mut sent = Ok(());
            stream.send(message, &mut sent);
            return sent;
        }
        // A stand-in may answer before `send` returns.
        self.in_call.set(true);
        let sent = match message {
            MessageRef::Text(text) => socket.send_with_str(text),
            MessageRef::Binary(data) => {
                socket.send_with_js_u8_array(&self.tools.memory.host_copy(data))
            }
        };
        self.in_call.set(false);
        // A host throws where it has no memory for the message.
        sent.map_err(|_| Refusal::Full)
    }

    fn open_socket(&self) -> Result<&Socket, Refusal> {
        match &self.socket {
            Ok(socket) if socket.ready_state() == Socket::OPEN => Ok(socket),
            // The peer has closed already and the event is on its way: the host
            // would drop the message silently (S50).
            _ => Err(Refusal::Closing),
        }
    }

    /// Closes a connection that the program gave up before it heard that it was
    /// established: it has failed (S68).
    pub(crate) fn abort(self: &Rc<Self>) {
        self.established.set(false);
        self.close(None);
    }

    pub(crate) fn close(self: &Rc<Self>, frame: Option<(u16, &str)>) {
        self.outbox.refuse();
        self.flush(); // S52
        self.closing.set(true);
        if self.is_over() {
            return;
        }
        if let Some(delay) = milliseconds(self.options.close_timeout) {
            self.set_deadline(delay, ROUNDS);
        }
        // Node fires `error` inside `close`, while connecting.
        self.in_call.set(true);
        self.close_socket(frame);
        self.in_call.set(false);
    }

    /// The program has read what a full stream held.
    pub(crate) fn resume(&self) {
        if let Some(stream) = self.stream.as_ref() {
            stream.resume();
        }
    }

    /// The host's object, if there is one.
    #[cfg(feature = "web-sys")]
    pub(crate) fn host_socket(&self) -> Option<&Socket> {
        match self.stream.as_ref() {
            Some(_) => None,
            None => self.socket.as_ref().ok(),
        }
    }

    /// Whether nothing says when less is buffered (S49).
    pub(crate) fn polls(&self) -> bool {
        self.stream.as_ref().is_none()
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.get()
    }

    pub(crate) fn close_timeout(&self) -> Option<Duration> {
        self.options.close_timeout
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        let socket = self.socket.as_ref();
        // By name, because hardly any page needs it on its own: 50 bytes.
        let amount = socket.map_or(0, |socket| socket.number("bufferedAmount") as usize);
        self.outbox.add(amount)
    }

    pub(crate) fn watch_drain(self: &Rc<Self>, link: Link, mark: usize) {
        let is_low = self.buffered_amount() <= mark;
        let waits = !is_low
            && self
                .with(|live| match live.drain.as_mut() {
                    Some(drain) => drain.join(mark),
                    None => live.drain = Rare::new(Drain::begin(self, mark)),
                })
                .is_some();
        if !waits {
            microtask::push(Job::drained(link));
        }
    }

    /// Drops the link and all that leads to it. The JavaScript object finishes the
    /// closing handshake alone.
    pub(crate) fn release(&self) -> Option<Link> {
        // One of the listeners may be running: the glue keeps it until it returns.
        let live = self.live.try_borrow_mut().ok()?.take()?;
        let link = live.link.clone();
        if let Ok(socket) = &self.socket {
            for (_, name) in KINDS {
                socket.set(name, &JsValue::NULL);
            }
        }
        self.outbox.discard();
        self.late.take();
        if live.drain.as_ref().is_some() {
            link.drained();
        }
        Some(link)
    }

    pub(crate) fn link(&self) -> Option<Link> {
        self.with(|live| live.link.clone())
    }

    /// Begins a turn. `None` inside another one, and after the end.
    pub(crate) fn turn(&self) -> Option<Turn> {
        self.link()?.into_turn()
    }

    /// Whether the end was reported, or nobody hears of it.
    fn is_over(&self) -> bool {
        self.with(|_| ()).is_none()
    }

    /// Calls `f`, which calls nothing that comes back here, until the end.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
        // Not `borrow_mut`, whose panic brings the machinery of formatting.
        let mut live = self.live.try_borrow_mut().ok()?;
        live.as_mut().map(|live| f(live))
    }

    /// An event of the host.
    fn on(self: &Rc<Self>, kind: Kind, event: &Object) {
        if self.is_over() {
            return;
        }
        if is_used::<Drain>() && self.draining.get() {
            drain::glance(self);
        }
        // S98: not inside a call, nor inside the turn of another event. What
        // comes after such an event must not overtake it.
        if !(self.in_call.get() || self.is_late.get()) {
            if let Some(turn) = self.turn() {
                return self.serve_event(kind, event, turn);
            }
        }
        let mut late = self.late.take();
        late.push((kind, event.clone()));
        self.late.set(late);
        if !self.is_late.replace(true) {
            microtask::push(Job::late(self.clone()));
        }
    }

    /// Serves the events that came too early, in their order.
    pub(crate) fn serve_late(self: &Rc<Self>) {
        while !self.reading.get() {
            let mut late = self.late.take();
            // There are few, if any.
            let next = (!late.is_empty()).then(|| late.remove(0));
            self.late.set(late);
            let Some((kind, event)) = next.filter(|_| !self.is_over()) else {
                return self.is_late.set(false);
            };
            // Nothing else is under way in a job of its own.
            if let Some(turn) = self.turn() {
                self.serve_event(kind, &event, turn);
            }
        }
    }

    fn serve_event(self: &Rc<Self>, kind: Kind, event: &Object, turn: Turn) {
        match kind {
            Kind::Message => {
                let event: &MessageEvent = event.unchecked_ref();
                self.on_message(event.data().unchecked_ref(), turn);
            }
            Kind::Open => self.on_open(turn),
            Kind::Error => self.end(Report::Failed(self.unestablished()), turn),
            Kind::Close => self.on_close(event, turn),
        }
    }

    #[inline]
    pub(crate) fn on_message(self: &Rc<Self>, data: &Payload, mut turn: Turn) {
        // S60: what would not be delivered is not copied.
        if self.closing.get() {
            return;
        }
        if self.outbox.is_stale() {
            self.buffered_amount(); // S49
        }
        let limit = self.options.max_message_size;
        let mut message = Event::Message(Message::Binary(Binary::default()));
        match receive::message(data, limit, &self.tools, &mut message) {
            Received::Message => microtask::then_tasks(|| {
                turn.message_in(&mut message);
                drop(turn);
            }),
            Received::Later(bytes) => self.read(&bytes),
            // S62
            Received::TooLarge => self.fail(TOO_LARGE, turn),
            Received::Unreadable => {
                logging(|| log::error!("a message is neither text nor bytes"));
                self.fail(ErrorEvent::unknown(), turn);
            }
        }
    }

    /// Waits for the bytes of a `Blob`, and with all later events until then.
    fn read(self: &Rc<Self>, bytes: &Promise) {
        // The connection owns the listener, until it is released.
        let connection = self.clone();
        let listener = js::listener(move |bytes| {
            connection.reading.set(false);
            if let Some(turn) = connection.turn() {
                connection.on_message(bytes.unchecked_ref(), turn);
            }
            connection.serve_late();
        });
        self.reading.set(true);
        self.is_late.set(true);
        js::then(bytes, listener.as_ref(), listener.as_ref());
        self.with(|live| live.blob = Some(listener));
    }

    pub(crate) fn on_open(&self, mut turn: Turn) {
        // S68: a handshake that was given up is not established any more.
        if self.closing.get() {
            return;
        }
        self.established.set(true);
        self.with(|live| live.deadline = None);
        let (protocol, extensions) = match reads_accepted() {
            true => self.accepted(),
            false => Default::default(),
        };
        turn.report(Report::Established {
            protocol,
            extensions,
        });
    }

    /// The subprotocol and the extensions in use.
    pub(crate) fn accepted(&self) -> (String, String) {
        (self.read_member("protocol"), self.read_member("extensions"))
    }

    fn read_member(&self, name: &str) -> String {
        let socket = self.socket.as_ref().ok();
        socket
            .and_then(|socket| socket.get(name))
            .unwrap_or_default()
    }

    fn on_close(&self, event: &Object, turn: Turn) {
        let code = event.number("code") as u16; // 0 of no number
        let was_clean = event.number("wasClean") == 1.0;
        let close = match code {
            // So Playwright's routed socket calls a Close frame without a code,
            0 if was_clean => CloseEvent::new(1005, String::new(), true),
            // and Deno a connection that was dropped.
            0 => CloseEvent::abnormal(),
            // A code that can be sent came in the peer's Close frame. Chromium
            // calls that unclean where data was still to be sent (S87).
            code => {
                let clean = was_clean || !matches!(code, 1006 | 1015);
                CloseEvent::new(code, event.get("reason").unwrap_or_default(), clean)
            }
        };
        self.end(self.closed(close), turn);
    }

    /// The connect or the close timeout ran out (S37, S76).
    fn on_deadline(self: &Rc<Self>, rounds: u32) {
        // S106: the page may have been busy, and what has arrived meanwhile may
        // come after the timer. It gets its turn first.
        if let Some(rounds) = rounds.checked_sub(1) {
            return self.set_deadline(0.0, rounds);
        }
        if self.closing.get() {
            report_to(self.release(), self.closed(CloseEvent::abnormal()));
        } else {
            self.give_up(NOT_IN_TIME);
        }
    }

    /// S68: before the connection is established every end is a failure.
    pub(crate) fn closed(&self, close: CloseEvent) -> Report {
        if self.established.get() {
            Report::Closed(close)
        } else {
            Report::Failed(self.unestablished())
        }
    }

    /// The host reports no cause, but we know if it is the program's `close` (S68).
    fn unestablished(&self) -> ErrorEvent {
        match self.closing.get() {
            true => ABORTED,
            false => ErrorEvent::unknown(),
        }
    }

    /// Fails a connection that is still good for the host.
    pub(crate) fn give_up(&self, error: ErrorEvent) {
        let link = self.release();
        self.close_socket(None);
        report_to(link, Report::Failed(error));
    }

    /// The same in a turn, which ends before.
    #[cold]
    fn fail(&self, error: ErrorEvent, turn: Turn) {
        drop(turn);
        self.give_up(error);
    }

    pub(crate) fn end(&self, report: Report, mut turn: Turn) {
        drop(self.release());
        turn.report(report);
    }

    fn close_socket(&self, frame: Option<(u16, &str)>) {
        if let Some(stream) = self.stream.as_ref() {
            return stream.close(frame);
        }
        if let Ok(socket) = &self.socket {
            // Core has checked what `close` throws for; nothing is left to do
            // with an exception, as the deadline ends the connection anyway.
            js::close(socket, frame);
        }
    }

    fn set_deadline(self: &Rc<Self>, delay: f64, rounds: u32) {
        // The connection owns the timer, until it is released.
        let connection = self.clone();
        let timer = Timer::after(delay, move || connection.on_deadline(rounds));
        self.with(|live| live.deadline = Some(timer));
    }
}

/// Reports the end soon: this may be inside a handler.
fn report_to(link: Option<Link>, report: Report) {
    if let Some(link) = link {
        microtask::push(Job::turn(link, Some(report)));
    }
}
