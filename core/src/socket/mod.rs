//! The socket as a program has it: a handle.

pub(crate) mod accepted;
pub(crate) mod carrier;
pub(crate) mod direct;
pub(crate) mod machine;
pub(crate) mod shared;
pub(crate) mod stats;
pub(crate) mod turn;

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::delivery::bind::ListenerOwner;
use crate::delivery::{Keeps, Letter, Listener, Mailbox, Slot};
use crate::message::weight;
use crate::socket::carrier::Carrier;
use crate::socket::shared::{Limits, Shared};
use crate::wake::Place;
use crate::{
    Bind, Binding, CloseError, CloseEvent, Data, Event, EventKind, Link, MaybeSend, NewError,
    ReadyState, Refusal, Request, SendError, Transport,
};

/// There is room for the next message if at most so many bytes are queued.
const HIGH_WATER_MARK: usize = 1 << 20;

/// A WebSocket, as the WHATWG standard has it.
///
/// A value is a handle: clones are the same socket, usable from any thread. Handles are
/// equal, as keys of a map too, if they are of the same socket. When the last one is
/// dropped the socket closes, as by [`close`](Self::close). Handlers for `open` and
/// `message` are dropped at once. Handlers for `error` and `close`, and
/// [`Events`](crate::Events), still receive the end.
///
/// ```no_run
/// use isosocket::WebSocket;
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
    pub(crate) shared: Arc<Shared<T>>,
}

impl<T: Transport> WebSocket<T> {
    /// The transport, unless a mock replaces it. Only backends call this, for features that only
    /// their sockets have.
    #[doc(hidden)]
    pub fn transport(&self) -> Option<&T> {
        self.shared.carrier.real()
    }

    pub(crate) fn start(
        request: Request<T::Options>,
        handlers: Mailbox<Self>,
    ) -> Result<Self, NewError> {
        let limits = Limits::of(&request.options);
        let (carrier, url) = Carrier::new(request)?;
        let shared = Arc::new(Shared::new(carrier, url, limits, handlers));
        shared.carrier.start_for(&shared);
        Ok(WebSocket { shared })
    }

    /// Sends a text or binary message: see [`Data`] for what can be sent.
    ///
    /// It never blocks: bytes that the network does not accept at once are buffered. Natively,
    /// if a sender is more than 1 MiB ahead of the network, it calls `yield_now` once per MiB, so
    /// that the event loop can run.
    ///
    /// Natively, bytes that are still buffered when `main` returns are lost. So await `Close`
    /// first, or `sender().flush()`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("text").expect([1, 2, 3]);
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.send("text")?; // or a String
    /// socket.send([1, 2, 3])?; // or a Vec<u8>, a slice, Bytes
    /// # network.finish();
    /// # Ok::<(), isosocket::SendError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendError`], which holds the message, if the socket is not open or the send limit is
    /// reached. If the socket is closing or closed, the buffered amount still grows, as in a
    /// browser.
    pub fn send<D: Data>(&self, data: D) -> Result<(), SendError> {
        let shared = &*self.shared;
        let refused = match self.ready_state() {
            ReadyState::Connecting if !T::QUEUES => {
                return Err(SendError::Connecting(data.into_message()));
            }
            ReadyState::Connecting | ReadyState::Open => {
                match shared.carrier.send(data.as_message()) {
                    Ok(()) => {
                        shared.count_sent(|| data.as_message().as_bytes().len());
                        if shared.refused.load(Ordering::Relaxed) != 0 {
                            shared.refused.store(0, Ordering::Relaxed);
                        }
                        return Ok(());
                    }
                    Err(Refusal::Full) => {
                        let message = data.into_message();
                        // Until it fits; and until less is queued than now, as a short
                        // message counts for more than its payload.
                        let fits = shared.limits().send.saturating_sub(weight(message.len()));
                        let less = match self.ready_state() {
                            ReadyState::Open => shared.carrier.queued().saturating_sub(1),
                            // A queue that is full is emptied by the next connection.
                            _ => usize::MAX,
                        };
                        let mark = fits.min(less).saturating_add(1);
                        shared.refused.store(mark, Ordering::Relaxed);
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

    /// Starts the closing handshake with an empty Close frame, which follows all messages that
    /// were sent before. A socket that is connecting gives up. If the socket is closing or closed,
    /// this does nothing.
    ///
    /// `Close` follows when the peer has answered, or when the close timeout has passed.
    /// Messages that arrive until then are not delivered. Natively `main` must not return before
    /// that: await `Close`, or `sender().close()`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("last words").expect_close();
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// use isosocket::ReadyState;
    ///
    /// socket.send("last words").expect("it is open");
    /// socket.close(); // after what was sent
    /// assert_eq!(socket.ready_state(), ReadyState::Closing);
    /// # network.finish();
    /// ```
    pub fn close(&self) {
        self.shared.close(None);
    }

    /// Like [`close`](Self::close), with a close code and reason for the peer.
    ///
    /// The code must be 1000 or in 3000–4999. The reason may have at most 123 bytes of UTF-8, and
    /// may be empty. Both are checked in every state.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect_close_with(4000, "new game");
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.close_with(4000, "new game")?;
    /// # network.finish();
    /// # Ok::<(), isosocket::CloseError>(())
    /// ```
    ///
    /// # Errors
    /// [`CloseError`]; the state does not change then.
    pub fn close_with(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        check_close(code, reason)?;
        self.shared.close(Some((code, reason)));
        Ok(())
    }

    /// The ready state.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").drop_connection();
    /// use isosocket::{ReadyState, WebSocket};
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// assert_eq!(socket.ready_state(), ReadyState::Connecting);
    /// # network.run();
    /// // .. after it was lost:
    /// assert_eq!(socket.ready_state(), ReadyState::Closed);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "readyState")]
    #[doc(alias = "is_open")]
    pub fn ready_state(&self) -> ReadyState {
        self.shared.state()
    }

    /// How many payload bytes (of text, its UTF-8) were given to [`send`](Self::send) and not yet
    /// accepted by the network. Frame headers do not count. Messages that were refused because
    /// the socket is closing or closed count for ever.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept().stall();
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// // While the peer takes nothing:
    /// socket.send("grüße").expect("it is open");
    /// assert_eq!(socket.buffered_amount(), 7);
    /// ```
    #[doc(alias = "bufferedAmount")]
    pub fn buffered_amount(&self) -> usize {
        let unsent = self.shared.unsent.load(Ordering::Relaxed);
        self.shared.carrier.buffered_amount().saturating_add(unsent)
    }

    /// The URL, as the WHATWG parser serializes it.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("https://peer:443");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("https://peer:443")?;
    /// assert_eq!(socket.url(), "wss://peer/");
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn url(&self) -> &str {
        &self.shared.url
    }

    /// The subprotocol in use. Empty before the socket is open, and if there is none.
    ///
    /// For a socket that reconnects it is that of the last connection.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept_with("v1", "");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::builder("ws://peer/").subprotocols(["v2", "v1"]).connect()?;
    /// assert_eq!(socket.protocol(), "");
    /// # network.run();
    /// // .. once it is open:
    /// assert_eq!(socket.protocol(), "v1");
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "subprotocol")]
    pub fn protocol(&self) -> &str {
        let accepted = self.shared.accepted();
        accepted.map_or("", |(protocol, _)| protocol)
    }

    /// The extensions in use, as in `Sec-WebSocket-Extensions`. Empty before the socket is open,
    /// and if there are none.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept_with("", "permessage-deflate");
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// let is_compressed = socket.extensions().starts_with("permessage-deflate");
    /// # assert!(is_compressed);
    /// ```
    pub fn extensions(&self) -> &str {
        let accepted = self.shared.accepted();
        accepted.map_or("", |(_, extensions)| extensions)
    }

    /// How the socket ended: the event of `Close`, or `None` before the end.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").close_with(1001, "maintenance");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// assert!(socket.close_event().is_none());
    /// # network.run();
    /// // .. once it is closed:
    /// assert_eq!(socket.close_event().map(|close| close.code), Some(1001));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.shared.end().map(|end| &end.close)
    }

    /// There is room for the next message if at most so many bytes are queued.
    pub(crate) fn room_mark(&self) -> usize {
        let limit = self.shared.limits().send;
        let mark = match self.shared.refused.load(Ordering::Relaxed) {
            0 => limit / 2,
            mark => mark - 1,
        };
        mark.min(HIGH_WATER_MARK)
    }

    /// Waits until `is_done` is true. It is asked after each change of the state. With a `mark`,
    /// it is also asked when at most so many bytes are buffered.
    pub(crate) fn poll_until(
        &self,
        place: &mut Place,
        context: &Context<'_>,
        mark: Option<usize>,
        is_done: impl Fn() -> bool,
    ) -> Poll<()> {
        if !is_done() {
            // Before another look, so that no change is missed.
            self.shared.waiters.enter(place, context.waker());
            self.shared.carrier.attend();
            if let Some(mark) = mark.filter(|_| self.ready_state() == ReadyState::Open) {
                let link = Link::new(self.shared.clone());
                self.shared.carrier.watch_drain(link, mark);
            }
            if !is_done() {
                return Poll::Pending;
            }
        }
        self.shared.waiters.leave(place);
        Poll::Ready(())
    }

    pub(crate) fn shared(&self) -> &Shared<T> {
        &self.shared
    }

    /// Binds what [`Bind::bind`] was given: one body for all types of handlers.
    fn bind_listener(&self, kind: EventKind, listener: Box<dyn Listener<Self>>) -> Binding {
        let live = Arc::new(AtomicBool::new(true));
        let slot = Slot::new(kind, Some(live.clone()), listener);
        self.shared.post(Letter::Handler(slot));
        let socket = self.owner();
        Binding { live, socket }
    }

    /// What a binding holds. It keeps the socket's memory, but does not keep the socket open.
    pub(crate) fn owner(&self) -> Arc<dyn ListenerOwner> {
        self.shared.clone()
    }

    /// The weak reference that a stream of statuses holds.
    pub(crate) fn downgrade(&self) -> Weak<dyn ListenerOwner> {
        Arc::<Shared<T>>::downgrade(&self.shared)
    }
}

impl<T: Transport> Keeps for WebSocket<T> {
    fn backlog_limit(&self) -> usize {
        self.shared.limits().backlog
    }
}

impl<T: Transport> Bind for WebSocket<T> {
    fn bind<F>(&self, kind: EventKind, handler: F) -> Binding
    where
        F: FnMut(&Self, &Event) + MaybeSend + 'static,
    {
        self.bind_listener(kind, Box::new(handler))
    }
}

/// WHATWG close(), steps 1 and 2.
pub(crate) fn check_close(code: u16, reason: &str) -> Result<(), CloseError> {
    if code != 1000 && !(3000..=4999).contains(&code) {
        return Err(CloseError::InvalidCode(code));
    }
    if reason.len() > 123 {
        return Err(CloseError::ReasonTooLong(reason.len()));
    }
    Ok(())
}

/// Handles are equal if they are of the same socket.
impl<T: Transport> PartialEq for WebSocket<T> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Transport> Eq for WebSocket<T> {}

impl<T: Transport> Hash for WebSocket<T> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.shared).hash(state);
    }
}

impl<T: Transport> Clone for WebSocket<T> {
    fn clone(&self) -> Self {
        self.shared.handle()
    }
}

impl<T: Transport> Drop for WebSocket<T> {
    fn drop(&mut self) {
        match self.shared.handles.fetch_sub(1, Ordering::AcqRel) {
            1 => self.shared.abandon(),
            // The other may be a turn's own, which then looks at once.
            2 if self.shared.in_turn.load(Ordering::Relaxed) => {
                self.shared.dirty.store(true, Ordering::SeqCst);
            }
            _ => {}
        }
    }
}

impl<T: Transport> fmt::Debug for WebSocket<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.shared, f)
    }
}
