//! The socket: a program's handle on one side, a backend's link on the other.
//!
//! It carries out what [`machine`](crate::machine) decides. No lock is held
//! while a handler runs.

use std::fmt;
use std::mem;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker};

use crate::accepted::Accepted;
use crate::bind::Sweep;
use crate::delivery::{Bound, Delivery, Lent, Mail, Slot};
use crate::events::Queue;
use crate::machine::{Decision, Input, step};
use crate::{
    Bind, Binding, Builder, CloseError, CloseEvent, Data, ErrorEvent, Event, EventKind, Events,
    Home, MaybeSend, Message, NewError, Open, ReadyState, Refusal, Report, Request, SendError,
    SendReady, Sender, Transport,
};

/// With at most this much buffered, the next message is welcome: in bytes.
const HIGH_WATER_MARK: usize = 1 << 20;

/// A WebSocket, as the WHATWG standard has it.
///
/// A value is a handle: clones are the same socket, usable from any thread.
/// When the last one is dropped the socket closes, as by [`close`](Self::close)
/// (S102): handlers for `open` and `message` are let go at once, and those for
/// `error` and `close`, and [`Events`], still get the end.
///
/// ```no_run
/// use isosocket::{Bind, WebSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::new("wss://example.org/chat")?;
/// socket.on_open(|socket| {
///     let _ = socket.send("hello");
/// });
/// socket.on_message(|_, message| println!("{message:?}"));
/// socket.on_close(|_, close| println!("{close}"));
/// # Ok(())
/// # }
/// ```
pub struct WebSocket<T: Transport> {
    shared: Arc<Shared<T>>,
}

impl<T: Transport> WebSocket<T> {
    /// Opens a socket to `url` and returns at once: the state is `Connecting`,
    /// and `Open`, or `Error` and `Close`, follow (S21).
    ///
    /// The URL is absolute, of scheme `ws`, `wss`, `http` or `https`, and has no
    /// fragment (S1–S12). For subprotocols and options see
    /// [`builder`](Self::builder).
    ///
    /// # Errors
    /// [`NewError::NotSupported`] where there is no WebSocket,
    /// [`NewError::Syntax`] for a malformed URL. Whatever the network does is
    /// told by events.
    pub fn new(url: &str) -> Result<Self, NewError> {
        Self::builder(url).connect()
    }

    /// Starts to describe a socket with subprotocols, options, or handlers that
    /// are bound before anything can happen.
    pub fn builder(url: impl Into<String>) -> Builder<T> {
        Builder::new(url.into())
    }

    /// Opens a socket to `url` and waits until it is open.
    ///
    /// Dropping the future gives the socket up.
    ///
    /// # Errors
    /// See [`OpenError`](crate::OpenError).
    pub fn open(url: &str) -> Open<T> {
        Self::builder(url).open()
    }

    pub(crate) fn start(
        request: Request<T::Options>,
        handlers: Vec<Bound<Self>>,
    ) -> Result<Self, NewError> {
        let send_limit = request.options.send_limit;
        let (transport, url) = T::new(request)?;
        let mut delivery = Delivery::default();
        let slots = handlers.into_iter().map(|(kind, handler)| {
            (
                kind,
                Slot {
                    live: None,
                    handler,
                },
            )
        });
        delivery.absorb(Mail {
            slots: slots.collect(),
            ..Mail::default()
        });
        let shared = Arc::new(Shared::new(transport, url, send_limit, delivery));
        let socket = WebSocket {
            shared: shared.clone(),
        };
        shared.transport.start(Link(shared.clone()));
        Ok(socket)
    }

    /// Sends a text or binary message: see [`Data`] for what can be sent.
    ///
    /// It never blocks: what the network does not take at once is buffered.
    ///
    /// # Errors
    /// [`SendError`], which keeps the message, when the socket is not open (S42,
    /// S50, S51) or the send buffer is full (S54). While closing or closed the
    /// buffered amount grows all the same, as in a browser.
    pub fn send<D: Data>(&self, data: D) -> Result<(), SendError> {
        let shared = &*self.shared;
        let refused = match self.ready_state() {
            ReadyState::Connecting if !T::QUEUES => {
                return Err(SendError::Connecting(data.into_message()));
            }
            ReadyState::Connecting | ReadyState::Open => {
                match shared.transport.send(data.as_message()) {
                    Ok(()) => {
                        if shared.refused.load(Ordering::Relaxed) != 0 {
                            shared.refused.store(0, Ordering::Relaxed);
                        }
                        return Ok(());
                    }
                    Err(Refusal::Full) => {
                        let message = data.into_message();
                        shared.refused.store(message.len(), Ordering::Relaxed);
                        return Err(SendError::Full(message));
                    }
                    Err(Refusal::Connecting) => {
                        return Err(SendError::Connecting(data.into_message()));
                    }
                    Err(Refusal::Closing) => SendError::Closing,
                }
            }
            ReadyState::Closing => SendError::Closing,
            ReadyState::Closed => SendError::Closed,
        };
        let message = data.into_message();
        shared.unsent.fetch_add(message.len(), Ordering::Relaxed);
        Err(refused(message))
    }

    /// Starts the closing handshake with an empty Close frame (S69), after what
    /// was sent before (S52). While connecting it gives the connection up (S68).
    /// Does nothing when closing or closed (S73).
    ///
    /// `Close` follows when the peer has answered, or the close timeout ran out.
    /// Messages that arrive until then are not delivered (S60).
    pub fn close(&self) {
        self.shared.close(None);
    }

    /// Like [`close`](Self::close), with a close code and reason for the peer.
    ///
    /// The code is 1000 or in 3000–4999; the reason has at most 123 bytes of
    /// UTF-8 and may be empty. Both are checked in every state (S65).
    ///
    /// # Errors
    /// [`CloseError`]; the state does not change then (S64, S67).
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        // WHATWG close(), steps 1 and 2.
        if code != 1000 && !(3000..=4999).contains(&code) {
            return Err(CloseError::InvalidCode(code));
        }
        if reason.len() > 123 {
            return Err(CloseError::ReasonTooLong(reason.len()));
        }
        self.shared.close(Some((code, reason)));
        Ok(())
    }

    /// The ready state.
    pub fn ready_state(&self) -> ReadyState {
        self.shared.state()
    }

    /// The payload bytes (of text, its UTF-8) that were given to
    /// [`send`](Self::send) and not yet to the network; no framing is counted
    /// (S48). Messages refused because the socket is closing or closed count
    /// for ever (S50, S51).
    pub fn buffered_amount(&self) -> usize {
        let unsent = self.shared.unsent.load(Ordering::Relaxed);
        self.shared
            .transport
            .buffered_amount()
            .saturating_add(unsent)
    }

    /// The URL, as the WHATWG parser serializes it (S2, S6–S12).
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The subprotocol in use; empty before open, and where there is none (S20, S24).
    ///
    /// Of a socket that reconnects: that of the last connection.
    pub fn protocol(&self) -> &str {
        self.shared
            .accepted
            .get()
            .map_or("", |(protocol, _)| protocol)
    }

    /// The extensions in use, as in `Sec-WebSocket-Extensions`; empty before
    /// open, and where there are none (S20).
    pub fn extensions(&self) -> &str {
        self.shared
            .accepted
            .get()
            .map_or("", |(_, extensions)| extensions)
    }

    /// The socket's events as a stream. The first stream also gets what
    /// happened and nobody has seen yet (S101); every stream gets all that
    /// comes, beside the bound handlers.
    pub fn events(&self) -> Events<T> {
        Events::new(self.shared.clone())
    }

    /// Waits until the socket is open and little is buffered: at most 1 MiB, and
    /// at most half of the [`send_limit`](Builder::send_limit). After a
    /// [`SendError::Full`] it waits until the refused message fits. Awaited
    /// before each `send`, it keeps a fast sender at the network's pace. Also
    /// ready when the socket is closing or closed; `send` then says so.
    ///
    /// ```no_run
    /// # async fn run(socket: isosocket::WebSocket) -> Result<(), isosocket::SendError> {
    /// for _ in 0..1000 {
    ///     socket.send_ready().await;
    ///     socket.send(vec![0; 100_000])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// ## Platform-specific
    /// - **Web:** browsers have no event for this, so while somebody waits the
    ///   buffered amount is looked at by a timer.
    pub fn send_ready(&self) -> SendReady<'_, T> {
        SendReady(self)
    }

    /// A [`Sink`](futures_sink::Sink) of messages: `send`, with the waiting of
    /// [`send_ready`](Self::send_ready) built in.
    pub fn sender(&self) -> Sender<T> {
        Sender::new(self.clone())
    }

    /// How little must be buffered for the next message to be welcome.
    pub(crate) fn room_mark(&self) -> usize {
        let limit = self.shared.send_limit;
        let mark = match self.shared.refused.load(Ordering::Relaxed) {
            0 => limit / 2,
            length => limit.saturating_sub(length),
        };
        mark.min(HIGH_WATER_MARK)
    }

    /// Waits for `is_done`, which a change of the state may bring about, or that
    /// at most `mark` bytes are buffered.
    pub(crate) fn poll_until(
        &self,
        context: &Context<'_>,
        mark: usize,
        is_done: impl Fn() -> bool,
    ) -> Poll<()> {
        if is_done() {
            return Poll::Ready(());
        }
        // Registered before another look, so that no change is missed.
        self.shared.wait(context.waker());
        if self.ready_state() == ReadyState::Open {
            let link = Link(self.shared.clone());
            self.shared.transport.watch_drain(link, mark);
        }
        match is_done() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }

    pub(crate) fn shared(&self) -> &Shared<T> {
        &self.shared
    }

    /// The socket, as far as a binding knows it.
    pub(crate) fn downgrade(&self) -> Weak<dyn Sweep> {
        Arc::<Shared<T>>::downgrade(&self.shared)
    }
}

impl<T: Transport> Bind for WebSocket<T> {
    fn bind<F>(&self, kind: EventKind, handler: F) -> Binding
    where
        F: FnMut(&Self, &Event) + MaybeSend + 'static,
    {
        let live = Arc::new(AtomicBool::new(true));
        let slot = Slot {
            live: Some(live.clone()),
            handler: Box::new(handler),
        };
        self.shared.post(|mail| mail.slots.push((kind, slot)));
        let socket = self.downgrade();
        Binding { live, socket }
    }
}

impl<T: Transport> Clone for WebSocket<T> {
    fn clone(&self) -> Self {
        self.shared.handles.fetch_add(1, Ordering::Relaxed);
        WebSocket {
            shared: self.shared.clone(),
        }
    }
}

impl<T: Transport> Drop for WebSocket<T> {
    fn drop(&mut self) {
        if self.shared.handles.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.shared.abandon();
        }
    }
}

impl<T: Transport> fmt::Debug for WebSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shared, f)
    }
}

/// What handles, streams and the backend's link share.
pub(crate) struct Shared<T: Transport> {
    state: AtomicU8,
    pub(crate) transport: T,
    url: String,
    accepted: Accepted,
    failure: OnceLock<ErrorEvent>,
    send_limit: usize,
    /// The length of the message that was refused last, because the send buffer
    /// was full; 0 once one was accepted.
    refused: AtomicUsize,
    /// Payload bytes refused because the socket was closing or closed.
    unsent: AtomicUsize,
    /// The handles, counted apart from the `Arc`, which links and streams hold too.
    handles: AtomicUsize,
    pub(crate) abandoned: AtomicBool,
    /// There is mail, or a listener left.
    dirty: AtomicBool,
    /// Events wait for a first listener.
    kept: AtomicBool,
    mail: Home<Mail<WebSocket<T>>>,
    /// `None` while a turn is under way.
    pub(crate) delivery: Home<Option<Box<Delivery<WebSocket<T>>>>>,
    waiters: Mutex<Vec<Waker>>,
}

impl<T: Transport> Shared<T> {
    /// A socket that has one handle and has not started.
    pub(crate) fn new(
        transport: T,
        url: String,
        send_limit: usize,
        delivery: Delivery<WebSocket<T>>,
    ) -> Self {
        Shared {
            state: AtomicU8::new(ReadyState::Connecting as u8),
            transport,
            url,
            accepted: Accepted::default(),
            failure: OnceLock::new(),
            send_limit,
            refused: AtomicUsize::new(0),
            unsent: AtomicUsize::new(0),
            handles: AtomicUsize::new(1),
            abandoned: AtomicBool::new(false),
            dirty: AtomicBool::new(false),
            kept: AtomicBool::new(false),
            mail: Home::new(Mail::default()),
            delivery: Home::new(Some(Box::new(delivery))),
            waiters: Mutex::default(),
        }
    }

    pub(crate) fn state(&self) -> ReadyState {
        ReadyState::from_u8(self.state.load(Ordering::Acquire))
    }

    /// Why the connection failed, once it has.
    pub(crate) fn failure(&self) -> Option<&ErrorEvent> {
        self.failure.get()
    }

    /// Whether the connection came to be, be it open still or not.
    pub(crate) fn was_established(&self) -> bool {
        self.state() != ReadyState::Connecting && self.accepted.get().is_some()
    }

    /// Has `waker` woken at the next change of state or drain.
    pub(crate) fn wait(&self, waker: &Waker) {
        let mut waiters = self.waiters();
        if !waiters.iter().any(|waiter| waiter.will_wake(waker)) {
            waiters.push(waker.clone());
        }
    }

    /// Whether somebody waits for that.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.waiters().is_empty()
    }

    pub(crate) fn listen(self: &Arc<Self>, queue: Arc<Queue>) {
        self.post(|mail| mail.queues.push(queue));
    }

    pub(crate) fn announce(self: &Arc<Self>, queue: Arc<Queue>) {
        self.post(|mail| mail.unannounced.push(queue));
        self.clone().sweep();
    }

    fn step(&self, input: Input) -> Decision {
        let mut current = self.state.load(Ordering::Acquire);
        loop {
            let (next, decision) = step(ReadyState::from_u8(current), input);
            let swapped = self.state.compare_exchange_weak(
                current,
                next as u8,
                Ordering::AcqRel,
                Ordering::Acquire,
            );
            match swapped {
                Ok(_) => return decision,
                Err(changed) => current = changed,
            }
        }
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        match self.step(Input::Close) {
            Decision::StartClosing => self.transport.close(frame),
            Decision::AbortHandshake => self.transport.abort(),
            _ => return,
        }
        self.wake_waiters();
    }

    /// The last handle is gone (S102).
    fn abandon(self: &Arc<Self>) {
        if !self.abandoned.swap(true, Ordering::AcqRel) && self.state() != ReadyState::Closed {
            self.close(None);
            self.clone().sweep();
        }
    }

    /// Leaves mail for the delivering thread. A turn is asked for only where
    /// events wait or none will come: otherwise the next event finds the mail.
    fn post(self: &Arc<Self>, write: impl FnOnce(&mut Mail<WebSocket<T>>)) {
        if self.mail.with(write).is_none() {
            log::error!("handlers must be bound on the thread that made the socket");
        }
        self.dirty.store(true, Ordering::SeqCst);
        if self.kept.load(Ordering::SeqCst) || self.state() == ReadyState::Closed {
            self.transport.schedule(Link(self.clone()));
        }
    }

    pub(crate) fn wake_waiters(&self) {
        let waiters = mem::take(&mut *self.waiters());
        for waiter in waiters {
            waiter.wake();
        }
    }

    fn waiters(&self) -> MutexGuard<'_, Vec<Waker>> {
        self.waiters
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl<T: Transport> Sweep for Shared<T> {
    fn sweep(self: Arc<Self>) {
        self.dirty.store(true, Ordering::SeqCst);
        // Once closed there is no handler left to drop.
        if self.state() != ReadyState::Closed {
            self.transport.schedule(Link(self.clone()));
        }
    }
}

impl<T: Transport> fmt::Debug for Shared<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocket")
            .field("url", &self.url)
            .field("ready_state", &self.state())
            .finish_non_exhaustive()
    }
}

/// A backend's end of a socket. See [`Transport`] for the contract.
pub struct Link<T: Transport>(pub(crate) Arc<Shared<T>>);

impl<T: Transport> Link<T> {
    /// Begins a turn: what is reported in it reaches the program in it, and
    /// streams are woken once, at its end.
    ///
    /// `None` if a turn is under way already, or on a thread that may not have
    /// one; both break the contract.
    pub fn turn(&self) -> Option<Turn<T>> {
        let delivery = self.0.delivery.with(Option::take)??;
        self.0.handles.fetch_add(1, Ordering::Relaxed);
        let mut turn = Turn {
            socket: WebSocket {
                shared: self.0.clone(),
            },
            delivery: Lent::new(delivery),
            changed: false,
        };
        turn.settle();
        Some(turn)
    }

    /// The socket's transport.
    pub fn transport(&self) -> &T {
        &self.0.transport
    }

    /// The buffered amount fell to the mark that was asked for.
    pub fn drained(&self) {
        self.0.wake_waiters();
    }
}

impl<T: Transport> Clone for Link<T> {
    fn clone(&self) -> Self {
        Link(self.0.clone())
    }
}

impl<T: Transport> fmt::Debug for Link<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Link").field(&self.0).finish()
    }
}

/// A backend's turn to report to one socket.
///
/// Handlers run inside [`report`](Turn::report), so the backend holds no lock
/// meanwhile.
pub struct Turn<T: Transport> {
    socket: WebSocket<T>,
    delivery: Lent<WebSocket<T>>,
    changed: bool,
}

impl<T: Transport> Turn<T> {
    /// The socket, as its handlers get it.
    pub(crate) fn socket(&self) -> &WebSocket<T> {
        &self.socket
    }

    pub(crate) fn link(&self) -> Link<T> {
        Link(self.socket.shared.clone())
    }

    pub(crate) fn transport(&self) -> &T {
        &self.socket.shared.transport
    }

    /// Tells the socket that a complete message arrived.
    #[inline]
    pub fn message(&mut self, message: Message) {
        self.settle();
        // A message never changes the state, so there is nothing to swap.
        if let (_, Decision::DeliverMessage) = step(self.socket.ready_state(), Input::Message) {
            self.deliver(Event::Message(message));
        } else if let Some(relay) = &mut self.delivery.relay {
            relay.message(message);
        }
    }

    /// Tells the socket a fact.
    pub fn report(&mut self, report: Report) {
        self.settle();
        if self.delivery.relay.is_some() {
            return self.relay(report);
        }
        let shared = self.socket.shared.clone();
        match report {
            Report::Message(message) => self.message(message),
            Report::Established {
                protocol,
                extensions,
            } => {
                // S23: `protocol` is set before anybody can see the state Open.
                if shared.state() == ReadyState::Connecting {
                    shared.accepted.set((protocol, extensions));
                }
                if shared.step(Input::Established) == Decision::DeliverOpen {
                    self.changed = true;
                    self.deliver(Event::Open);
                }
            }
            Report::PeerClosing => {
                shared.step(Input::PeerClosing);
                self.changed = true;
            }
            Report::Failed(error) => {
                let decision = shared.step(Input::Failed);
                self.end(decision, error, CloseEvent::abnormal());
            }
            Report::Closed(close) => {
                let decision = shared.step(Input::Closed);
                self.end(decision, ErrorEvent::unknown(), close);
            }
            Report::Lost => {
                shared.step(Input::Lost);
                self.changed = true;
            }
        }
    }

    /// Of a connection inside another transport, whose machine decides.
    fn relay(&mut self, report: Report) {
        let is_end = matches!(report, Report::Failed(_) | Report::Closed(_));
        if is_end {
            // Nothing is left to sweep.
            self.socket.shared.step(Input::Closed);
            self.changed = true;
        }
        if let Some(relay) = &mut self.delivery.relay {
            relay.report(report);
        }
        if is_end {
            self.delivery.drop_relay();
        }
    }

    /// Whether a stream that nobody drains holds more than `limit` bytes. The
    /// backend then stops reading until [`Transport::resume`] is called.
    pub fn is_backlogged(&mut self, limit: usize) -> bool {
        if let Some(relay) = &mut self.delivery.relay {
            return relay.is_backlogged(limit);
        }
        self.delivery.flush();
        self.delivery.is_backlogged(limit)
    }

    fn end(&mut self, decision: Decision, error: ErrorEvent, close: CloseEvent) {
        let shared = &*self.socket.shared;
        match decision {
            Decision::Fail => {
                let _ = shared.failure.set(error.clone());
                self.deliver(Event::Error(error));
                self.settle();
                self.deliver(Event::Close(CloseEvent::abnormal()));
            }
            Decision::DeliverClose => {
                self.deliver(Event::Close(close));
            }
            _ => return,
        }
        self.changed = true;
    }

    #[inline]
    fn deliver(&mut self, event: Event) {
        self.delivery.deliver(&self.socket, event);
        // A handler may have dropped the last handle but this turn's own: that
        // counts at once, and not when the turn ends (S60, S102).
        if self.socket.shared.handles.load(Ordering::Acquire) == 1 {
            self.socket.shared.abandon();
        }
    }

    /// Takes in mail and delivers what waited for it.
    #[inline]
    fn settle(&mut self) {
        if self.socket.shared.dirty.load(Ordering::SeqCst) {
            self.take_mail();
        }
    }

    #[cold]
    fn take_mail(&mut self) {
        let shared = &self.socket.shared;
        while shared.dirty.load(Ordering::SeqCst) {
            shared.dirty.store(false, Ordering::SeqCst);
            if let Some(mail) = shared.mail.with(mem::take) {
                self.delivery.absorb(mail);
            }
            while !shared.dirty.load(Ordering::SeqCst) {
                match self.delivery.next_kept() {
                    Some(event) => self.delivery.deliver(&self.socket, event),
                    None => break,
                }
            }
            if shared.abandoned.load(Ordering::Acquire) && !self.delivery.abandon() {
                shared.transport.detach();
            }
        }
    }
}

impl<T: Transport> Drop for Turn<T> {
    fn drop(&mut self) {
        loop {
            self.settle();
            // After `Close` no handler can be called again but for what waits.
            if self.socket.ready_state() == ReadyState::Closed {
                self.delivery.drop_handlers();
            }
            self.delivery.flush();
            // Told before the last look at the mail, as `post` asks in the
            // opposite order: one of the two sees the other.
            let shared = &self.socket.shared;
            shared
                .kept
                .store(self.delivery.has_backlog(), Ordering::SeqCst);
            if !shared.dirty.load(Ordering::SeqCst) || !self.delivery.has_backlog() {
                break;
            }
        }
        if let Some(relay) = &mut self.delivery.relay {
            relay.end_turn();
        }
        let delivery = self.delivery.give_back();
        let shared = &self.socket.shared;
        shared.delivery.with(|home| *home = delivery);
        if self.changed {
            shared.wake_waiters();
        }
    }
}

impl<T: Transport> fmt::Debug for Turn<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
