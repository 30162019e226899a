//! What every kind of socket has, for programs that are generic over it.

use std::fmt::Debug;
use std::hash::Hash;
use std::time::Duration;

#[cfg(feature = "stats")]
use crate::Stats;
use crate::{Bind, CloseError, CloseEvent, Closed, Data, Events, ReadyState, SendError};
use crate::{SendReady, Sender, Transport, WebSocket};

/// Everything that all kinds of sockets have in common: a plain one, one that
/// connects again, and one of a transport of your own, with the mock or without.
///
/// It is for programs that are generic. The methods are a socket's own as well,
/// and need no `use` where its type is known.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # for _ in 0..2 { network.peer("ws://peer/").expect("hello").close(); }
/// use isosocket::{CloseEvent, Reconnecting, Retry, Socket, WebSocket};
///
/// /// Says hello, prints what comes, and waits for the end.
/// async fn greet<S: Socket>(socket: &S) -> CloseEvent {
///     socket.on_open(|socket| drop(socket.send("hello")));
///     socket.on_message(|_, message| println!("{message}"));
///     socket.closed().await
/// }
///
/// # network.block_on(async {
/// greet(&WebSocket::new("ws://peer/")?).await;
/// let once = Reconnecting::builder("ws://peer/").retry(|_| Retry::GiveUp);
/// greet(&once.connect()?).await;
/// # Ok::<(), isosocket::NewError>(())
/// # }).unwrap();
/// # network.finish();
/// ```
pub trait Socket: Bind + Clone + Debug + Eq + Hash + Send + Sync {
    /// The transport of its connections. It is a parameter of the types of streams and sinks.
    /// For those the crate `isosocket` has `SocketEvents` and `SocketSender`.
    ///
    /// ```
    /// use isosocket::{Socket, SocketEvents};
    ///
    /// struct Client<S: Socket> {
    ///     socket: S,
    ///     events: SocketEvents<S>, // Events<S::Transport>
    /// }
    /// ```
    type Transport: Transport;

    /// Sends a text or binary message: see [`WebSocket::send`].
    ///
    /// ```
    /// use isosocket::{SendError, Socket};
    ///
    /// fn greet(socket: &impl Socket) -> Result<(), SendError> {
    ///     socket.send("hello")
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SendError`], which keeps the message.
    fn send<D: Data>(&self, data: D) -> Result<(), SendError>;

    /// Sends a value as JSON, in a text message: see [`WebSocket::send_json`].
    ///
    /// ```
    /// use isosocket::{SendJsonError, Socket};
    ///
    /// fn vote(socket: &impl Socket, numbers: &[u32]) -> Result<(), SendJsonError> {
    ///     socket.send_json(numbers)
    /// }
    /// ```
    ///
    /// # Errors
    /// [`SendJsonError`](crate::SendJsonError).
    #[cfg(feature = "json")]
    fn send_json<V: serde::Serialize + ?Sized>(
        &self,
        value: &V,
    ) -> Result<(), crate::SendJsonError>;

    /// Starts the closing handshake: see [`WebSocket::close`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn leave(sockets: &[impl Socket]) {
    ///     sockets.iter().for_each(Socket::close);
    /// }
    /// ```
    fn close(&self);

    /// Closes with a code and a reason: see [`WebSocket::close_with`].
    ///
    /// ```
    /// use isosocket::{CloseError, Socket};
    ///
    /// fn leave(socket: &impl Socket) -> Result<(), CloseError> {
    ///     socket.close_with(4000, "new game")
    /// }
    /// ```
    ///
    /// # Errors
    /// [`CloseError`]; the state does not change then.
    fn close_with(&self, code: u16, reason: &str) -> Result<(), CloseError>;

    /// The ready state.
    ///
    /// ```
    /// use isosocket::{ReadyState, Socket};
    ///
    /// fn is_open(socket: &impl Socket) -> bool {
    ///     socket.ready_state() == ReadyState::Open
    /// }
    /// ```
    fn ready_state(&self) -> ReadyState;

    /// Payload bytes that the network has not accepted yet: see
    /// [`WebSocket::buffered_amount`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn is_idle(socket: &impl Socket) -> bool {
    ///     socket.buffered_amount() == 0
    /// }
    /// ```
    fn buffered_amount(&self) -> usize;

    /// The last round trip of the heartbeat: see [`WebSocket::latency`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn print(socket: &impl Socket) {
    ///     if let Some(latency) = socket.latency() {
    ///         println!("{} ms", latency.as_millis());
    ///     }
    /// }
    /// ```
    fn latency(&self) -> Option<Duration>;

    /// What was sent and received so far: see [`WebSocket::stats`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn print(socket: &impl Socket) {
    ///     println!("{:?}", socket.stats());
    /// }
    /// ```
    #[cfg(feature = "stats")]
    fn stats(&self) -> Stats;

    /// The URL, as the WHATWG parser serializes it.
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn is_secure(socket: &impl Socket) -> bool {
    ///     socket.url().starts_with("wss:")
    /// }
    /// ```
    fn url(&self) -> &str;

    /// The subprotocol in use, or empty: see [`WebSocket::protocol`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn is_new(socket: &impl Socket) -> bool {
    ///     socket.protocol() == "chat.v2"
    /// }
    /// ```
    fn protocol(&self) -> &str;

    /// The extensions in use, or empty: see [`WebSocket::extensions`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn is_compressed(socket: &impl Socket) -> bool {
    ///     socket.extensions().starts_with("permessage-deflate")
    /// }
    /// ```
    fn extensions(&self) -> &str;

    /// The events as a stream: see [`WebSocket::events`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// async fn print(socket: &impl Socket) {
    ///     let mut events = socket.events();
    ///     while let Some(event) = events.next().await {
    ///         println!("{event:?}");
    ///     }
    /// }
    /// ```
    fn events(&self) -> Events<Self::Transport>;

    /// Waits until there is room to send: see [`WebSocket::send_ready`].
    ///
    /// ```
    /// use isosocket::{SendError, Socket};
    ///
    /// async fn upload(socket: &impl Socket, pieces: Vec<Vec<u8>>) -> Result<(), SendError> {
    ///     for piece in pieces {
    ///         socket.send_ready().await;
    ///         socket.send(piece)?;
    ///     }
    ///     Ok(())
    /// }
    /// ```
    fn send_ready(&self) -> SendReady<'_, Self::Transport>;

    /// A sink of messages: see [`WebSocket::sender`].
    ///
    /// ```
    /// use futures::SinkExt;
    /// use isosocket::{SendError, Socket};
    ///
    /// async fn finish(socket: &impl Socket) -> Result<(), SendError> {
    ///     socket.sender().close().await
    /// }
    /// ```
    fn sender(&self) -> Sender<Self::Transport>;

    /// Waits until it is closed: see [`WebSocket::closed`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// async fn wait(socket: &impl Socket) {
    ///     println!("{}", socket.closed().await);
    /// }
    /// ```
    fn closed(&self) -> Closed<'_, Self::Transport>;

    /// How it ended, or `None` before the end: see [`WebSocket::close_event`].
    ///
    /// ```
    /// use isosocket::Socket;
    ///
    /// fn was_clean(socket: &impl Socket) -> bool {
    ///     socket.close_event().is_some_and(|close| close.was_clean)
    /// }
    /// ```
    fn close_event(&self) -> Option<&CloseEvent>;
}

impl<T: Transport> Socket for WebSocket<T> {
    type Transport = T;

    fn send<D: Data>(&self, data: D) -> Result<(), SendError> {
        WebSocket::send(self, data)
    }

    #[cfg(feature = "json")]
    fn send_json<V: serde::Serialize + ?Sized>(
        &self,
        value: &V,
    ) -> Result<(), crate::SendJsonError> {
        WebSocket::send_json(self, value)
    }

    fn close(&self) {
        WebSocket::close(self)
    }

    fn close_with(&self, code: u16, reason: &str) -> Result<(), CloseError> {
        WebSocket::close_with(self, code, reason)
    }

    fn ready_state(&self) -> ReadyState {
        WebSocket::ready_state(self)
    }

    fn buffered_amount(&self) -> usize {
        WebSocket::buffered_amount(self)
    }

    fn latency(&self) -> Option<Duration> {
        WebSocket::latency(self)
    }

    #[cfg(feature = "stats")]
    fn stats(&self) -> Stats {
        WebSocket::stats(self)
    }

    fn url(&self) -> &str {
        WebSocket::url(self)
    }

    fn protocol(&self) -> &str {
        WebSocket::protocol(self)
    }

    fn extensions(&self) -> &str {
        WebSocket::extensions(self)
    }

    fn events(&self) -> Events<T> {
        WebSocket::events(self)
    }

    fn send_ready(&self) -> SendReady<'_, T> {
        WebSocket::send_ready(self)
    }

    fn sender(&self) -> Sender<T> {
        WebSocket::sender(self)
    }

    fn closed(&self) -> Closed<'_, T> {
        WebSocket::closed(self)
    }

    fn close_event(&self) -> Option<&CloseEvent> {
        WebSocket::close_event(self)
    }
}
