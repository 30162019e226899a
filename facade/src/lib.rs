//! One WebSocket for every target: a program written once against this crate
//! builds for desktops and for browsers, and sees the same events, in the same
//! order, with the same values.
//!
//! ```no_run
//! use isosocket::{NewError, WebSocket};
//!
//! fn feed() -> Result<WebSocket, NewError> {
//!     let socket = WebSocket::new("wss://example.org/feed")?;
//!     socket.on_open(|socket| {
//!         let _ = socket.send("hello");
//!     });
//!     socket.on_message(|_, message| println!("{message:?}"));
//!     socket.on_error(|_, error| println!("{error:#}"));
//!     Ok(socket) // keep it: when the last handle is dropped, the socket closes
//! }
//!
//! fn main() {
//!     isosocket::run(async {
//!         match feed() {
//!             // Keeps the socket until it is closed. A program with a loop of its own, such
//!             // as a game, keeps it in its state instead.
//!             Ok(socket) => println!("{}", socket.closed().await),
//!             Err(error) => println!("{error:#}"),
//!         }
//!     });
//! }
//! ```
//!
//! (In a page `println!` shows nothing: see `show` in [`guide::web`].)
//!
//! # Which way to choose
//!
//! - **Callbacks**, as in a browser: [`Bind`] and its `on_open`, `on_message`,
//!   `on_error` and `on_close`. For programs built of handlers: [`guide::callbacks`].
//! - **A stream**: [`WebSocket::open`], [`WebSocket::events`] and `await`. For
//!   async code, on any runtime or on [`run`]: [`guide::streams`].
//! - **Polling**: [`Events::try_next`], once a frame, and
//!   [`Events::set_wake_hook`] where frames come only on request. For games and
//!   immediate-mode interfaces: [`guide::frame_loops`].
//! - **Tests** without a network: the feature `mock`, [`guide::testing`].
//!
//! Short answers to "how do I ..?" are in [`guide::how_do_i`]. If you come from another crate,
//! [`guide::migrating`] shows programs before and after.
//!
//! You may use several of these on the same socket. All guides are in [`guide`]. A native
//! program can also block a thread until an event comes, or until there is room to send:
//! [`guide::native`](guide::native#without-async).
//!
//! # Sending
//!
//! [`WebSocket::send`] takes strings as text and bytes as binary, and never
//! blocks. What the network does not take at once is buffered, up to a limit
//! ([`Builder::send_limit`]); [`WebSocket::send_ready`] waits for room, and so
//! does [`WebSocket::sender`], a `Sink` of messages.
//!
//! # The end
//!
//! Every socket ends with exactly one [`Event::Close`], its last event. A
//! connection that fails says so first, by [`Event::Error`]. The socket is
//! closed by [`WebSocket::close`], by the peer, by the network, or by dropping
//! the last handle: clones of the [`WebSocket`] keep it open, while [`Events`],
//! [`Binding`] and the handlers do not.
//!
//! To know whether a connection ended well, look at
//! [`was_clean`](CloseEvent::was_clean). If there was no `Error`, that does not mean that it
//! ended well: if the peer drops the connection, or the close timeout passes, there is only a
//! `Close` with 1006.
//!
//! Natively the event loop's thread ends with the process. Messages that are still
//! buffered are lost then, and a closing handshake is not completed. So before
//! `main` returns, await `Close`, or `socket.sender().close()`, which sends everything
//! and closes. `socket.sender().flush()` sends everything and leaves the socket open.
//! (Both are methods of `futures::SinkExt`.) Without async, use
//! `native::EventsExt::recv_closed`.
//!
//! Natively the error's sources say why a connection failed: see [`guide::errors`].
//!
//! # Connecting again
//!
//! [`Reconnecting`] is a socket with the same interface that connects again when a
//! connection is lost. It waits longer after each failure (backoff), calls a hook of the
//! program that may decide otherwise, and can ask the program for a fresh URL. Messages that
//! are sent while there is no connection wait for the next one. Its [`Status`] says what it is
//! doing: connecting, open, waiting, or ended. More in [`guide::reconnecting`].
//!
//! # Tests
//!
//! With the feature `mock` you test a program without changing it, and without a network. On a
//! thread that has a `mock::Network`, sockets connect to scripted peers, and time is
//! simulated. More in [`guide::testing`].
//!
//! # Native options
//!
//! Desktops and servers have `isosocket::native`, which does not exist on the web:
//! [`native::BuilderExt`] has request headers, proxies, TLS, compression
//! and TCP options, and [`native::EventsExt`] blocks a thread until an event comes. A whole
//! command-line program is in [`guide::native`].
//!
#![doc = concat!(
    "[`native::BuilderExt`]: https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/native/trait.BuilderExt.html"
)]
#![doc = concat!(
    "[`native::EventsExt`]: https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/native/trait.EventsExt.html"
)]
//!
//! # The web
//!
//! [`guide::web`] shows how to build a page, and what is different there: tokens without
//! headers, output, hidden tabs and workers.
//!
//! # What it is not
//!
//! - A server: it opens connections and accepts none.
//! - A way to send pings yourself, to fragment messages, or to use other extensions, because
//!   browsers offer none of that. (Natively a heartbeat sends pings.)
//! - A way to close with any code: a program may send 1000 and 3000 to 4999, as in a
//!   page. It may receive others.
//! - A protocol: it has no rooms and no acknowledgements, and does not send a message again
//!   that was given to a connection which was then lost.
//! - HTTP: it follows no redirect, keeps no cookies of its own, and does not use
//!   HTTP/2 or 3.
//!
//! # Targets
//!
//! | target | backend | feature, on by default |
//! | --- | --- | --- |
//! | `wasm32-unknown-unknown` | the host's WebSocket | `web` |
//! | all others | mio, tungstenite, rustls | `native`, and `tls` for `wss:` |
//!
//! Each feature has an effect on its own target only. Without a backend the crate still
//! builds: [`supported`] is false and the constructor fails with
//! [`NewError::NotSupported`].
//!
//! What a program may rely on is a [list of rules][parity]. The conformance suite checks
//! each of them on every target.
//!
//! [parity]: https://github.com/isosocket/isosocket/blob/main/docs/parity.md#the-rules

#![forbid(unsafe_code)]

pub mod guide;
mod sys;

use std::future::Future;

#[cfg(feature = "mock")]
pub use isosocket_core::mock;
pub use isosocket_core::{
    Binary, Bind, Binding, CloseError, CloseEvent, Closed, Data, ErrorEvent, ErrorKind, Event,
    EventKind, Heartbeat, IntoUrl, Loss, MaybeSend, Message, MessageRef, NewError, NotText,
    OpenError, ReadyState, Retry, SendError, SendReady, Socket, Stats, Status, Statuses,
    SyntaxError, Text, Timeout, TlsFailure, UnknownEvent,
};
#[cfg(feature = "json")]
pub use isosocket_core::{JsonError, JsonEvents, SendJsonError};
#[allow(unused_imports, reason = "a backend may have nothing of its own")]
pub use sys::*;

/// What the next attempt of a [`Reconnecting`] socket uses: see
/// [`each_attempt`](isosocket_core::Builder::each_attempt) of its builder.
///
/// ```
/// use isosocket::NextAttempt;
///
/// fn with_token(next: NextAttempt, token: &str) -> NextAttempt {
///     next.url(format!("wss://example.org/feed?token={token}"))
/// }
/// ```
pub type NextAttempt = isosocket_core::NextAttempt<Backend>;

/// A WebSocket, as the browser's standard has it: a socket of this target's backend.
///
/// A value is a handle. Clones are handles of the same socket, are usable on any
/// thread, and are equal. When the last one is dropped, the socket closes.
///
/// | to | there is |
/// | --- | --- |
/// | open it | [`new`](WebSocket::new) at once, [`open`](WebSocket::open) and wait, [`builder`](WebSocket::builder) with options |
/// | send | [`send`](WebSocket::send) text and bytes, [`send_ready`](WebSocket::send_ready) for room, [`sender`](WebSocket::sender) as a sink |
/// | receive | [`on_message`](WebSocket::on_message), [`on_open`](WebSocket::on_open), [`on_error`](WebSocket::on_error), [`on_close`](WebSocket::on_close), [`bind`](WebSocket::bind), or [`events`](WebSocket::events) as a stream |
/// | end it | [`close`](WebSocket::close), [`close_with`](WebSocket::close_with) a code, [`closed`](WebSocket::closed) and wait, [`close_event`](WebSocket::close_event) |
/// | ask it | [`ready_state`](WebSocket::ready_state), [`buffered_amount`](WebSocket::buffered_amount), [`url`](WebSocket::url), [`protocol`](WebSocket::protocol), [`extensions`](WebSocket::extensions) |
///
/// [`Socket`] has the same for programs that are generic. Guides: [handlers](guide::callbacks),
/// [streams](guide::streams), [polling](guide::frame_loops), [short answers](guide::how_do_i).
///
/// ```no_run
/// use isosocket::WebSocket;
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = WebSocket::new("wss://example.org/feed")?;
/// socket.on_message(|_, message| println!("{message:?}"));
/// # Ok(())
/// # }
/// ```
pub type WebSocket = isosocket_core::WebSocket<Backend>;

/// A socket to be opened, with its subprotocols, options and handlers.
///
/// It is made by [`WebSocket::builder`]. [`connect`](Builder::connect) and
/// [`open`](Builder::open) end it. Natively `isosocket::native::BuilderExt` has more
/// options. Guides: [short answers](guide::how_do_i), [native options](guide::native).
///
/// ```no_run
/// use isosocket::{Builder, WebSocket};
///
/// /// What all sockets of a program have in common.
/// fn ours(path: &str) -> Builder {
///     let url = format!("wss://example.org{path}");
///     WebSocket::builder(url).subprotocol("v2").max_message_size(1 << 20)
/// }
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = ours("/feed").connect()?;
/// # Ok(())
/// # }
/// ```
pub type Builder = isosocket_core::Builder<Backend>;

/// A socket's events as a stream, made by [`WebSocket::events`].
///
/// [`next`](Events::next) waits, [`try_next`](Events::try_next) does not. Read the stream or
/// drop it: if nobody reads it and it is full, natively the socket stops reading from the
/// network, and handlers get nothing more either. To wait for the end alone there is
/// [`WebSocket::closed`]. Guides:
/// [streams](guide::streams), [polling](guide::frame_loops).
///
/// ```no_run
/// use isosocket::{Events, WebSocket};
///
/// /// What a game keeps of its connection.
/// struct Connection {
///     socket: WebSocket,
///     events: Events,
/// }
/// # fn connect() -> Result<Connection, isosocket::NewError> {
/// #     let socket = WebSocket::new("wss://example.org/game")?;
/// #     Ok(Connection { events: socket.events(), socket })
/// # }
/// ```
pub type Events = isosocket_core::Events<Backend>;

/// A socket as a `Sink` of messages, made by [`WebSocket::sender`]: it waits for room,
/// and may [close with a code](Sender::closing_with). Guide:
/// [backpressure](guide::streams#backpressure).
///
/// ```no_run
/// use isosocket::{Events, Sender, WebSocket};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::open("wss://example.org/chat").await?;
/// // The two halves, for two tasks.
/// let (sender, events): (Sender, Events) = (socket.sender(), socket.events());
/// # Ok(())
/// # }
/// ```
pub type Sender = isosocket_core::Sender<Backend>;

/// A WebSocket that connects again when its connection is lost.
///
/// It has everything that [`WebSocket`] has. `Open` comes once for each connection, and
/// `Close` once, at the very end. [`status`](Reconnecting::status),
/// [`on_status`](Reconnecting::on_status) and [`statuses`](Reconnecting::statuses) report what
/// it does between, and [`time_left`](Reconnecting::time_left) how long it still waits. Guide,
/// with the rules: [`guide::reconnecting`].
///
/// ```no_run
/// use isosocket::Reconnecting;
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = Reconnecting::new("wss://example.org/feed")?;
/// socket.on_open(|socket| {
///     let _ = socket.send("subscribe"); // on each connection
/// });
/// # Ok(())
/// # }
/// ```
pub type Reconnecting = isosocket_core::WebSocket<isosocket_core::Reconnect<Backend>>;

/// A socket that connects again, to be opened: see [`isosocket_core::Builder`]. Guide:
/// [when to connect again](guide::reconnecting#when-to-connect-again).
///
/// ```no_run
/// use std::time::Duration;
/// use isosocket::{Reconnecting, ReconnectingBuilder};
///
/// /// How all of a program's sockets connect again.
/// fn patient(url: &str) -> ReconnectingBuilder {
///     Reconnecting::builder(url).backoff(Duration::from_secs(1), Duration::from_secs(60))
/// }
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = patient("wss://example.org/feed").connect()?;
/// # Ok(())
/// # }
/// ```
pub type ReconnectingBuilder = isosocket_core::Builder<isosocket_core::Reconnect<Backend>>;

/// The events of a socket that connects again, as a stream: see
/// [`isosocket_core::Events`].
///
/// ```no_run
/// use isosocket::{Reconnecting, ReconnectingEvents, Status};
///
/// /// What a game keeps of its connection.
/// struct Connection {
///     socket: Reconnecting,
///     events: ReconnectingEvents,
/// }
///
/// impl Connection {
///     /// Once a frame.
///     fn update(&mut self) {
///         while let Some(event) = self.events.try_next() {
///             println!("{event:?}");
///         }
///         if let Status::Waiting { attempt, .. } = self.socket.status() {
///             println!("connection lost; attempt {attempt} is next");
///         }
///     }
/// }
/// # fn connect() -> Result<Connection, isosocket::NewError> {
/// #     let socket = Reconnecting::new("wss://example.org/game")?;
/// #     Ok(Connection { events: socket.events(), socket })
/// # }
/// ```
pub type ReconnectingEvents = isosocket_core::Events<isosocket_core::Reconnect<Backend>>;

/// A socket that connects again as a `Sink` of messages: see
/// [`isosocket_core::Sender`].
///
/// ```no_run
/// use futures::SinkExt;
/// use isosocket::{Message, Reconnecting, ReconnectingSender};
///
/// /// Waits while there is no connection, or no room.
/// async fn measure(mut sender: ReconnectingSender) -> Result<(), isosocket::SendError> {
///     loop {
///         sender.send(Message::from("21.5")).await?;
///     }
/// }
///
/// # fn connect() -> Result<(), isosocket::NewError> {
/// let socket = Reconnecting::new("wss://example.org/measurements")?;
/// let measuring = measure(socket.sender());
/// # drop(measuring);
/// # Ok(())
/// # }
/// ```
pub type ReconnectingSender = isosocket_core::Sender<isosocket_core::Reconnect<Backend>>;

/// The events of a socket of any kind, as a stream: for programs that are generic
/// over [`Socket`].
///
/// ```
/// use isosocket::{Event, Socket, SocketEvents};
///
/// struct Client<S: Socket> {
///     socket: S,
///     events: SocketEvents<S>,
/// }
///
/// impl<S: Socket> Client<S> {
///     /// Once a frame.
///     fn update(&mut self) {
///         while let Some(Event::Message(message)) = self.events.try_next() {
///             println!("{}: {message}", self.socket.url());
///         }
///     }
/// }
/// ```
pub type SocketEvents<S> = isosocket_core::Events<<S as Socket>::Transport>;

/// A socket of any kind as a `Sink` of messages: for programs that are generic
/// over [`Socket`].
///
/// ```
/// use futures::SinkExt;
/// use isosocket::{SendError, Socket, SocketSender};
///
/// async fn bye<S: Socket>(mut sender: SocketSender<S>) -> Result<(), SendError> {
///     sender.send("bye".into()).await?;
///     sender.close().await
/// }
/// ```
pub type SocketSender<S> = isosocket_core::Sender<<S as Socket>::Transport>;

/// What a transport of your own needs, and the sockets that go over it.
///
/// A transport implements [`Transport`](transport::Transport), whose page has a
/// whole example, and makes connections for `transport::WebSocket<YourTransport>`:
/// a socket with the same interface, events and order as all others, and a
/// [`Socket`] to generic programs.
pub mod transport {
    #[doc(no_inline)]
    pub use isosocket_core::{
        Builder, Events, Host, HostEvent, HostListener, Link, Next, Open, OptionValues, Options,
        Reconnect, Refusal, Report, Request, Sender, SharedCell, Subprotocols, Subscription,
        Transport, Turn, WebSocket,
    };
}

/// Whether there is a WebSocket here.
///
/// ```
/// if isosocket::supported() {
///     // .. WebSocket::new will not fail with NotSupported.
/// }
/// ```
pub fn supported() -> bool {
    isosocket_core::supported::<Backend>()
}

/// Says that the program woke up, or that the network is back: for toolkits, phones and
/// operating systems that report this to a program.
///
/// A [`Reconnecting`] socket that waits for its next attempt makes it now, and its backoff
/// begins again. Sockets with a heartbeat test their connection: if the peer does not
/// answer within 1.5 s (or three times the last [`latency`](WebSocket::latency), or the
/// heartbeat's own timeout), the connection is lost. Other sockets do nothing.
///
/// isosocket notices by itself when a machine has slept, when a process was stopped, and
/// when a page is shown, restored or online again. So call this only if you know more. It
/// does nothing inside the call, and it may be called at any time, on any thread.
///
/// Guide: [waking up](guide::reconnecting#waking-up).
///
/// ```no_run
/// use isosocket::Reconnecting;
///
/// let socket = Reconnecting::new("wss://example.org/feed")?;
/// // In the handler by which a phone says that the app is in front again:
/// isosocket::wake_up();
/// # Ok::<(), isosocket::NewError>(())
/// ```
///
/// ## Platform-specific
/// - **Native:** reaches all sockets of the process.
/// - **Web:** reaches the sockets of this thread.
/// - **Tests:** on a thread with a `mock::Network`, reaches the sockets of this network.
#[doc(alias = "online")]
#[doc(alias = "resume")]
#[doc(alias = "suspend")]
#[doc(alias = "visibilitychange")]
pub fn wake_up() {
    isosocket_core::wake_up::<Backend>();
}

/// Runs a program's future on every target, so that one `main` is enough for all.
///
/// ```
/// isosocket::run(async {
///     println!("the same main everywhere");
/// });
/// ```
///
/// ## Platform-specific
/// - **Native:** blocks this thread until the future is done. Programs that need the
///   future's output call `isosocket::native::block_on`, which returns it. Sockets work on
///   any other executor, too.
/// - **Web:** hands the future to the host's event loop and returns at once. A page cannot
///   block, so `run` returns no output on any target: pass it on inside the future.
/// - **Without a backend:** polls the future once.
pub fn run(future: impl Future<Output = ()> + 'static) {
    sys::run(future);
}

// Proved by compilation, on every target.
const _: () = {
    const fn is_a_handle<T: Clone + Send + Sync + 'static>() {}
    const fn can_be_sent<T: Send + Unpin + 'static>() {}
    is_a_handle::<WebSocket>();
    is_a_handle::<Event>();
    can_be_sent::<Events>();
    can_be_sent::<Sender>();
    can_be_sent::<Binding>();
    can_be_sent::<isosocket_core::Open<Backend>>();
    is_a_handle::<Reconnecting>();
    can_be_sent::<ReconnectingEvents>();
    can_be_sent::<ReconnectingSender>();
    can_be_sent::<Statuses>();
};

#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
