//! A connection over the host's `WebSocketStream`, which reads from the network only
//! what is asked for: for sockets with a receive limit.
//!
//! It stands in for the host's socket. The connection's listeners are not used: what
//! the stream's promises say goes to the same methods.
//!
//! Invariants:
//! - Its callbacks hold it, and it holds them, until it has ended and no promise will
//!   call it any more.
//! - `close` of the host is not called while a write is under way, because Chromium 156
//!   ends the page then. What is queued goes first anyway (S52).
//! - While the program's stream is full, one message is read ahead at most. If there is
//!   none, the browser has dropped nothing when the peer closes.

mod host;

use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};

use isosocket_core::{
    CloseEvent, ErrorEvent, MessageRef, NewError, Rare, Refusal, Report, Request,
};
use wasm_bindgen::prelude::*;

use crate::connection::Connection;
use crate::drain;
use crate::js::{self, Listener, MembersExt, Object, Payload, Promise, Socket};
use crate::options::{Opened, Opener, WebOptions};
use crate::timer::{Timer, milliseconds};
use host::{Reader, WebSocketStream, Writer};

pub(crate) use host::is_there;

/// Sends and reads instead of the host's socket. It is a trait, so that only pages that
/// ask for it have the code.
pub(crate) trait Stream {
    /// Reports to this connection from now on.
    fn start(&self, connection: &Rc<Connection>);

    /// Writes what `send` returns into `sent`. If it were returned, this would have the
    /// signature of all formatting functions, and every page would link those that are
    /// in its tables: 0.4 kB (brotli).
    fn send(&self, message: MessageRef<'_>, sent: &mut Result<(), Refusal>);

    fn close(&self, frame: Option<(u16, &str)>);

    /// The program has read what it had.
    fn resume(&self);
}

isosocket_core::feature!(Box<dyn Stream>);

/// Opens a [`Streaming`].
pub(crate) struct OverStream;

impl Opener for OverStream {
    fn open(
        &self,
        request: &Request<WebOptions>,
        stream: &mut Rare<Box<dyn Stream>>,
    ) -> Result<Opened, NewError> {
        if !is_there() {
            return match request.native.allow_unlimited {
                true => Ok(js::open(&request.url, &request.subprotocols)),
                false => Err(NewError::OptionNotSupported("receive_limit")),
            };
        }
        let opened = host::open(&request.url, &request.subprotocols);
        Ok(opened.map(|host| {
            let face = host::object().unchecked_into::<Socket>();
            face.set("readyState", &CONNECTING.into());
            face.set("bufferedAmount", &0.into());
            let streaming = Streaming {
                stream: host,
                face: AsRef::<JsValue>::as_ref(&face).clone().unchecked_into(),
                limit: request.native.receive_limit,
                connection: OnceCell::new(),
                halves: OnceCell::new(),
                callbacks: RefCell::default(),
                awaited: Cell::new(0),
                pending: RefCell::default(),
                amount: Cell::new(0),
                closing: RefCell::default(),
                timer: RefCell::default(),
                paused: Cell::new(false),
                ahead: RefCell::default(),
                read_all: Cell::new(false),
                end: RefCell::default(),
            };
            *stream = Rare::new(Box::new(Rc::new(streaming)));
            face
        }))
    }

    fn another(&self) -> Box<dyn Opener> {
        Box::new(OverStream)
    }
}

// The ready states of the standard.
const CONNECTING: u16 = 0;
const CLOSING: u16 = 2;
const CLOSED: u16 = 3;

struct Streaming {
    stream: WebSocketStream,
    /// What the connection takes for the host's socket.
    face: Socket,
    limit: usize,
    connection: OnceCell<Weak<Connection>>,
    /// There are two once it is open.
    halves: OnceCell<(Reader, Writer)>,
    callbacks: RefCell<Option<Rc<[Listener]>>>,
    /// The promises that will call back.
    awaited: Cell<usize>,
    /// The bytes of each message that was written and not accepted, oldest first.
    pending: RefCell<VecDeque<usize>>,
    amount: Cell<usize>,
    /// The Close frame that waits until everything was accepted.
    closing: RefCell<Option<Option<(u16, String)>>>,
    /// Gives up that wait.
    timer: RefCell<Option<Timer>>,
    /// The program's stream is full.
    paused: Cell<bool>,
    /// The message that was read while it was full.
    ahead: RefCell<Option<Payload>>,
    /// There is nothing more to read.
    read_all: Cell<bool>,
    /// How it ended, which is reported after the last message.
    end: RefCell<Option<Report>>,
}

/// What a promise of the stream says. Each has a callback.
#[derive(Clone, Copy)]
enum Signal {
    Opened,
    /// It was never opened. `Failed` says so, too.
    NotOpened,
    /// A message, or that there is none any more.
    Read,
    /// The messages are at an end because the connection is.
    ReadFailed,
    Written,
    WriteFailed,
    /// Nothing happened: the program has read.
    Resumed,
    Closed,
    Failed,
}

const SIGNALS: [Signal; 9] = [
    Signal::Opened,
    Signal::NotOpened,
    Signal::Read,
    Signal::ReadFailed,
    Signal::Written,
    Signal::WriteFailed,
    Signal::Resumed,
    Signal::Closed,
    Signal::Failed,
];

impl Stream for Rc<Streaming> {
    fn start(&self, connection: &Rc<Connection>) {
        let _ = self.connection.set(Rc::downgrade(connection));
        let callbacks = SIGNALS.map(|signal| {
            let stream = self.clone();
            js::listener(move |value| stream.on(signal, value))
        });
        self.callbacks.replace(Some(Rc::new(callbacks)));
        self.await_(&self.stream.opened(), Signal::Opened, Signal::NotOpened);
        self.await_(&self.stream.closed(), Signal::Closed, Signal::Failed);
    }

    fn send(&self, message: MessageRef<'_>, sent: &mut Result<(), Refusal>) {
        *sent = self.write(message);
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        self.face.set("readyState", &CLOSING.into());
        // S60: what arrives now is not delivered. It is read, so that the peer's
        // Close can come.
        self.paused.set(false);
        if self.ahead.take().is_some() {
            self.read();
        }
        let frame = frame.map(|(code, reason)| (code, reason.to_owned()));
        if self.pending.borrow().is_empty() {
            return self.close_now(frame);
        }
        self.closing.replace(Some(frame));
        let connection = self.connection();
        let timeout = connection.and_then(|connection| milliseconds(connection.close_timeout()));
        let Some(delay) = timeout else { return };
        // Weak: the stream owns the timer.
        let weak = Rc::downgrade(self);
        let give_up = move || {
            if let Some(stream) = weak.upgrade() {
                stream.give_up();
            }
        };
        self.timer.replace(Some(Timer::after(delay, give_up)));
    }

    fn resume(&self) {
        // Not here: the program may be inside a turn (S98).
        self.await_(
            &Promise::resolve(&JsValue::UNDEFINED),
            Signal::Resumed,
            Signal::Resumed,
        );
    }
}

impl Streaming {
    fn connection(&self) -> Option<Rc<Connection>> {
        self.connection.get()?.upgrade()
    }

    fn write(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let Some((_, writer)) = self.halves.get() else {
            return Err(Refusal::Closing);
        };
        let value = match message {
            MessageRef::Text(text) => Some(JsValue::from_str(text)),
            MessageRef::Binary(data) => host::bytes(data),
        };
        let written = value.and_then(|value| writer.write(&value).ok());
        let written = written.ok_or(Refusal::Full)?;
        let length = message.as_bytes().len();
        self.pending.borrow_mut().push_back(length);
        self.set_amount(self.amount.get() + length);
        self.await_(&written, Signal::Written, Signal::WriteFailed);
        Ok(())
    }

    /// Has a promise call back, once.
    fn await_(&self, promise: &Promise, fulfilled: Signal, rejected: Signal) {
        let callbacks = self.callbacks.borrow().clone();
        if let Some(callbacks) = callbacks {
            let callback = |signal| callbacks[signal as usize].as_ref();
            js::then(promise, callback(fulfilled), callback(rejected));
            self.awaited.set(self.awaited.get() + 1);
        }
    }

    fn on(self: &Rc<Self>, signal: Signal, value: &Object) {
        self.awaited.set(self.awaited.get() - 1);
        match signal {
            Signal::Opened => self.on_opened(value),
            Signal::NotOpened => {}
            Signal::Read if value.member("done").is_truthy() => self.on_end_of_messages(),
            Signal::Read => self.on_read(value.member("value").unchecked_into()),
            Signal::ReadFailed => self.on_end_of_messages(),
            Signal::Written => self.on_written(true),
            Signal::WriteFailed => self.on_written(false),
            Signal::Resumed => self.on_resumed(),
            Signal::Closed => self.on_closed(value, true),
            Signal::Failed => self.on_closed(value, false),
        }
        if self.awaited.get() == 0 && self.has_ended() {
            // The glue keeps the one that is running until it returns.
            self.callbacks.take();
        }
    }

    fn on_opened(self: &Rc<Self>, opened: &Object) {
        let Some(halves) = host::halves(opened) else {
            return;
        };
        let _ = self.halves.set(halves);
        self.read();
        let Some(connection) = self.connection() else {
            return;
        };
        for name in ["protocol", "extensions"] {
            self.face.set(name, &opened.member(name));
        }
        if !connection.is_closing() {
            self.face.set("readyState", &Socket::OPEN.into());
        }
        if let Some(turn) = connection.turn() {
            connection.on_open(turn);
        }
    }

    fn read(&self) {
        if let Some((reader, _)) = self.halves.get() {
            self.await_(&reader.read(), Signal::Read, Signal::ReadFailed);
        }
    }

    fn on_read(self: &Rc<Self>, message: Payload) {
        if self.paused.get() {
            self.ahead.replace(Some(message));
        } else {
            self.deliver(&message);
            self.read();
        }
    }

    fn deliver(&self, message: &Payload) {
        let Some(connection) = self.connection() else {
            return;
        };
        if let Some(turn) = connection.turn() {
            connection.on_message(message, turn);
        }
        // Asked in a turn of its own, so that no other socket has to ask.
        if let Some(mut turn) = connection.turn() {
            let is_full = turn.is_backlogged(self.limit);
            self.paused.set(is_full && !connection.is_closing());
        }
    }

    fn on_resumed(self: &Rc<Self>) {
        self.paused.set(false);
        if let Some(message) = self.ahead.take() {
            self.deliver(&message);
            self.read();
        }
    }

    fn on_end_of_messages(self: &Rc<Self>) {
        self.read_all.set(true);
        if self.face.ready_state() == Socket::OPEN {
            self.face.set("readyState", &CLOSING.into());
        }
        self.try_end();
    }

    fn on_written(self: &Rc<Self>, accepted: bool) {
        let length = self.pending.borrow_mut().pop_front().unwrap_or_default();
        if accepted {
            self.set_amount(self.amount.get() - length);
            if let Some(connection) = self.connection() {
                if connection.draining.get() {
                    drain::glance(&connection);
                }
            }
        }
        if self.pending.borrow().is_empty() {
            if let Some(frame) = self.closing.take() {
                self.timer.take();
                self.close_now(frame);
            }
        }
    }

    fn set_amount(&self, amount: usize) {
        self.amount.set(amount);
        self.face.set("bufferedAmount", &(amount as f64).into());
    }

    fn close_now(&self, frame: Option<(u16, String)>) {
        let info = host::object();
        if let Some((code, reason)) = frame {
            info.set("closeCode", &code.into());
            info.set("reason", &reason.into());
        }
        // Core has checked what it throws for.
        let _ = self.stream.close(&info);
    }

    /// Drops what waits to be sent, because the peer takes nothing (S76).
    fn give_up(&self) {
        self.closing.take();
        if let Some((_, writer)) = self.halves.get() {
            if let Ok(aborted) = writer.abort() {
                self.await_(&aborted, Signal::NotOpened, Signal::NotOpened);
            }
        }
    }

    fn on_closed(self: &Rc<Self>, info: &Object, was_clean: bool) {
        let code = info.member("closeCode").as_f64();
        let code = code.map_or(1006, |code| code as u16);
        // A code that can be sent came in the peer's Close frame. Chromium calls that
        // unclean if data was still to be sent (S87).
        let was_clean = was_clean || !matches!(code, 1006 | 1015);
        // Chromium has one message ready, and has dropped those behind it.
        let report = if was_clean && self.ahead.borrow().is_some() {
            Report::Failed(ErrorEvent::new(LOST))
        } else {
            let reason = info.get("reason").unwrap_or_default();
            Report::Closed(CloseEvent::new(code, reason, was_clean))
        };
        self.end.replace(Some(report));
        if self.halves.get().is_none() {
            self.read_all.set(true);
        }
        self.try_end();
    }

    /// S59: the end comes after all messages.
    fn try_end(&self) {
        if !self.has_ended() {
            return;
        }
        self.face.set("readyState", &CLOSED.into());
        self.timer.take();
        let report = self.end.borrow().clone();
        let (Some(connection), Some(report)) = (self.connection(), report) else {
            return;
        };
        let report = match report {
            Report::Closed(close) => connection.closed(close),
            failed => failed,
        };
        if let Some(turn) = connection.turn() {
            connection.end(report, turn);
        }
    }

    fn has_ended(&self) -> bool {
        self.read_all.get() && self.end.borrow().is_some()
    }
}

const LOST: &str = "the peer closed while reading was stopped by the receive limit, and the \
     browser drops what it holds then; let the program close instead of the peer";
