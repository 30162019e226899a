//! One connection: the JavaScript object, its listeners, its timers, and the
//! link to the socket that uses it.
//!
//! Invariant: there are listeners and timers exactly while there is a link.
//! [`release`](Connection::release) takes all of them at once, and what is to
//! be reported after that is the end.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use isosocket_core::{
    Binary, CloseEvent, Data, ErrorEvent, Event, Link, Message, MessageRef, Options, Refusal,
    Report,
};
use wasm_bindgen::JsValue;

use crate::Web;
use crate::drain::Drain;
use crate::js::{self, Listener, Object, Socket};
use crate::microtask::{self, Job};
use crate::receive::{self, Tools};
use crate::threads::{self, Outbox};
use crate::timer::{Timer, milliseconds};

/// How Deno's error event words that the peer dropped TCP without a Close.
const DENO_END_OF_FILE: &str = "Unexpected EOF";

pub(crate) struct Connection {
    /// `None`: one that the host or the Fetch standard forbids. It fails.
    socket: Option<Socket>,
    options: Options,
    live: RefCell<Option<Box<Live>>>,
    tools: Tools,
    /// The connection was established, and `close` not called before.
    established: Cell<bool>,
    closing: Cell<bool>,
    /// A call of the transport is under way, in which no turn may be taken.
    in_call: Cell<bool>,
    /// At least as much as is buffered: what was sent since the host was asked.
    queued: Cell<usize>,
    /// What other threads sent.
    outbox: Outbox,
}

/// What there is until the end.
pub(crate) struct Live {
    link: Link<Web>,
    _listeners: [Listener; 2],
    /// The connect timeout's timer, later the close timeout's.
    deadline: Option<Timer>,
    pub(crate) drain: Option<Drain>,
}

impl Connection {
    pub(crate) fn new(socket: Option<Socket>, options: Options, outbox: Outbox) -> Self {
        if let Some(socket) = &socket {
            socket.set("binaryType", &js::parse("\"arraybuffer\""));
        }
        Connection {
            socket,
            options,
            live: RefCell::default(),
            tools: Tools::default(),
            established: Cell::new(false),
            closing: Cell::new(false),
            in_call: Cell::new(false),
            queued: Cell::new(0),
            outbox,
        }
    }

    /// Listens. Nothing was missed: events come only after the job in which
    /// the object was made.
    pub(crate) fn start(self: &Rc<Self>, link: Link<Web>) {
        let Some(socket) = &self.socket else {
            let failed = Report::Failed(ErrorEvent::unknown());
            return microtask::push(Job::turn(link, Some(failed)));
        };
        let connection = self.clone();
        let message = Listener::new(move |event: &Object| connection.on_message(event));
        let connection = self.clone();
        let other = Listener::new(move |event: &Object| connection.on_event(event));
        set_listeners(socket, message.as_ref(), other.as_ref());
        let live = Box::new(Live {
            link,
            _listeners: [message, other],
            deadline: None,
            drain: None,
        });
        if let Ok(mut place) = self.live.try_borrow_mut() {
            *place = Some(live);
        }
        if let Some(delay) = milliseconds(self.options.connect_timeout) {
            self.set_deadline(delay);
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
        transmit(socket, message)?;
        self.queued.set(queued);
        Ok(())
    }

    /// Sends what other threads sent; whether the host had room for all of it.
    #[inline]
    pub(crate) fn flush(&self) -> bool {
        let send = |message: &Message| transmit(self.open_socket()?, message.as_message());
        self.outbox.drain(send)
    }

    fn open_socket(&self) -> Result<&Socket, Refusal> {
        match &self.socket {
            Some(socket) if socket.ready_state() == js::OPEN => Ok(socket),
            // The peer has closed already and the event is on its way: the host
            // would drop the message without a word (S50).
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
        if self.link().is_none() {
            return;
        }
        if let Some(delay) = milliseconds(self.options.close_timeout) {
            self.set_deadline(delay);
        }
        // Node fires `error` inside `close`, while connecting.
        self.in_call.set(true);
        self.close_socket(frame);
        self.in_call.set(false);
    }

    pub(crate) fn buffered_amount(&self) -> usize {
        let socket = self.socket.as_ref();
        let amount = socket.map_or(0, |socket| socket.buffered_amount() as usize);
        self.outbox.add(amount)
    }

    pub(crate) fn watch_drain(self: &Rc<Self>, link: Link<Web>, mark: usize) {
        let is_low = self.buffered_amount() <= mark;
        let waits = self.with(|live| match &mut live.drain {
            _ if is_low => false,
            Some(drain) => {
                drain.join(mark);
                true
            }
            none => {
                *none = Some(Drain::begin(self, mark));
                true
            }
        });
        if waits != Some(true) {
            microtask::push(Job::drained(link));
        }
    }

    /// Lets go of the link and of all that leads to it. The object finishes the
    /// closing handshake alone.
    pub(crate) fn release(&self) -> Option<Link<Web>> {
        // One of the listeners may be running: the glue keeps it until it returns.
        let live = self.live.try_borrow_mut().ok()?.take()?;
        let link = live.link.clone();
        if let Some(socket) = &self.socket {
            set_listeners(socket, &JsValue::NULL, &JsValue::NULL);
        }
        self.outbox.discard();
        if live.drain.is_some() {
            link.drained();
        }
        Some(link)
    }

    pub(crate) fn link(&self) -> Option<Link<Web>> {
        self.with(|live| live.link.clone())
    }

    /// Calls `f`, which calls nothing that comes back here, until the end.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut Live) -> R) -> Option<R> {
        // Not `borrow_mut`, whose panic brings the machinery of formatting.
        let mut live = self.live.try_borrow_mut().ok()?;
        live.as_mut().map(|live| f(live))
    }

    fn on_message(&self, event: &Object) {
        // S60: what would not be delivered is not copied.
        if self.closing.get() {
            return;
        }
        if self.outbox.is_stale() {
            self.buffered_amount(); // S49
        }
        let limit = self.options.max_message_size;
        let mut message = Event::Message(Message::Binary(Binary::default()));
        if !receive::message(&event.data(), limit, &self.tools, &mut message) {
            return self.give_up(); // S62
        }
        if let Some(mut turn) = self.link().and_then(Link::into_turn) {
            turn.message_in(&mut message);
        }
    }

    /// `open`, `error` or `close`.
    fn on_event(&self, event: &Object) {
        match event.get("type").as_deref() {
            Some("open") => self.on_open(),
            Some("error") => self.on_error(event),
            _ => self.on_close(event),
        }
    }

    fn on_open(&self) {
        // S68: a handshake that was given up is not established any more.
        if self.closing.get() {
            return;
        }
        self.established.set(true);
        self.with(|live| live.deadline = None);
        if let (Some(socket), Some(link)) = (&self.socket, self.link()) {
            let report = Report::Established {
                protocol: socket.get("protocol").unwrap_or_default(),
                extensions: socket.get("extensions").unwrap_or_default(),
            };
            if let Some(mut turn) = link.turn() {
                turn.report(report);
            }
        }
    }

    fn on_error(&self, event: &Object) {
        // S75, S96: Deno alone has an error event for it; `close` follows.
        let dropped = || event.get("message").as_deref() == Some(DENO_END_OF_FILE);
        if !(self.established.get() && dropped()) {
            self.end(Report::Failed(ErrorEvent::unknown()));
        }
    }

    fn on_close(&self, event: &Object) {
        let close = match event.code() {
            // So Deno calls a connection that was dropped.
            0 => CloseEvent::abnormal(),
            // A code that can be sent came in the peer's Close frame. Chromium
            // calls that unclean where data was still to be sent (S87).
            code => {
                let clean = event.was_clean() || !matches!(code, 1006 | 1015);
                CloseEvent::new(code, event.get("reason").unwrap_or_default(), clean)
            }
        };
        self.end(self.closed(close));
    }

    /// The connect or the close timeout ran out (S37, S76).
    fn on_deadline(&self) {
        if self.closing.get() {
            self.end(self.closed(CloseEvent::abnormal()));
        } else {
            self.give_up();
        }
    }

    /// S68: before the connection is established every end is a failure.
    fn closed(&self, close: CloseEvent) -> Report {
        if self.established.get() {
            Report::Closed(close)
        } else {
            Report::Failed(ErrorEvent::unknown())
        }
    }

    /// Fails a connection that the host holds to be good.
    pub(crate) fn give_up(&self) {
        let link = self.release();
        self.close_socket(None);
        tell(link, Report::Failed(ErrorEvent::unknown()), false);
    }

    fn end(&self, report: Report) {
        tell(self.release(), report, self.in_call.get());
    }

    fn close_socket(&self, frame: Option<(u16, &str)>) {
        if let Some(socket) = &self.socket {
            // Core has checked what `close` throws for; nothing is left to do
            // with an exception, as the deadline ends the connection anyway.
            let _ = socket.close(frame.map(|(code, _)| code), frame.map(|(_, reason)| reason));
        }
    }

    fn set_deadline(self: &Rc<Self>, delay: f64) {
        // Weak: the connection owns the timer.
        let weak = Rc::downgrade(self);
        let expire = move || {
            if let Some(connection) = weak.upgrade() {
                connection.on_deadline();
            }
        };
        let timer = Timer::after(delay, expire);
        self.with(|live| live.deadline = Some(timer));
    }
}

fn transmit(socket: &Socket, message: MessageRef<'_>) -> Result<(), Refusal> {
    let sent = match message {
        MessageRef::Text(text) => socket.send_text(text),
        MessageRef::Binary(data) => threads::send_binary(socket, data),
    };
    // A host throws where it has no memory for the message.
    sent.map_err(|_| Refusal::Full)
}

/// Reports the end: now, or after the call or the handler in which the host
/// fired its event (S98).
fn tell(link: Option<Link<Web>>, report: Report, in_call: bool) {
    let Some(link) = link else { return };
    if !in_call {
        if let Some(mut turn) = link.turn() {
            return turn.report(report);
        }
    }
    microtask::push(Job::turn(link, Some(report)));
}

fn set_listeners(socket: &Socket, message: &JsValue, other: &JsValue) {
    socket.set("onmessage", message);
    for name in ["onopen", "onerror", "onclose"] {
        socket.set(name, other);
    }
}
