//! Binding handlers to events, as the browser's `addEventListener` does.

use std::fmt;
use std::sync::Arc;

use crate::base::maybe_send::Flag;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::{CloseEvent, ErrorEvent, Event, EventKind, MaybeSend, Message};

/// The trait of everything that handlers can be bound to.
///
/// Sockets also have these methods themselves. So only generic code needs the trait, and
/// for such code [`Socket`](crate::Socket) has all other methods too.
///
/// The handlers of one socket run one at a time, in the order of events, and never
/// inside the call that caused the event. Each handler receives the socket, so that it
/// can answer without owning a handle. Do not capture a clone of the socket in its own
/// handler: it would keep the socket open for ever.
///
/// If no handler is bound for an event, the event is kept. It is delivered when the
/// first handler for it is bound.
///
/// ```no_run
/// use isosocket::{EventKind, WebSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::new("wss://example.org/feed")?;
/// socket.on_open(|socket| {
///     let _ = socket.send("hello");
/// });
/// socket.on_message(|_, message| println!("{message:?}"));
/// let binding = socket.bind(EventKind::Close, |_, event| println!("{event:?}"));
/// binding.unbind();
/// # Ok(())
/// # }
/// ```
///
/// ## Platform-specific
/// - **Native:** handlers run on the event-loop thread that all sockets share,
///   so they must be `Send` and must not block. A panic in a handler is caught
///   and logged.
/// - **Web:** handlers run on the thread that made the socket, and need not be
///   `Send`: a page without shared memory has no other thread.
/// - **Threads on wasm** (shared memory, the target feature `atomics`): handlers
///   may be bound on any thread and run on the one that made the socket, so
///   they must be `Send`, as natively.
///
#[doc = concat!(
    "Guide: [callbacks](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/callbacks/)."
)]
pub trait Bind: Sized + 'static {
    /// Calls `handler` for each event of this kind, after the handlers that
    /// were bound before.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{Bind, EventKind, WebSocket};
    ///
    /// fn log_all(socket: &impl Bind) {
    ///     for kind in EventKind::ALL {
    ///         socket.bind(kind, |_, event| println!("{event:?}"));
    ///     }
    /// }
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// log_all(&socket);
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    fn bind<F>(&self, kind: EventKind, handler: F) -> Binding
    where
        F: FnMut(&Self, &Event) + MaybeSend + 'static;

    /// Calls `handler` when the connection is established.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("hello");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// socket.on_open(|socket| socket.send("hello").expect("it is open"));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    fn on_open<F>(&self, mut handler: F) -> Binding
    where
        F: FnMut(&Self) + MaybeSend + 'static,
    {
        self.bind(EventKind::Open, move |socket, _| handler(socket))
    }

    /// Calls `handler` for each message.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("ping").expect("pong");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// socket.on_message(|socket, message| match message.as_text() {
    ///     Some("ping") => drop(socket.send("pong")),
    ///     _ => println!("{} bytes", message.len()),
    /// });
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    fn on_message<F>(&self, mut handler: F) -> Binding
    where
        F: FnMut(&Self, &Message) + MaybeSend + 'static,
    {
        self.bind(EventKind::Message, move |socket, event| {
            if let Event::Message(message) = event {
                handler(socket, message);
            }
        })
    }

    /// Calls `handler` when the connection fails; `Close` follows.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("403");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// // With the cause, which browsers do not report.
    /// socket.on_error(|socket, error| eprintln!("{}: {error:#}", socket.url()));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    fn on_error<F>(&self, mut handler: F) -> Binding
    where
        F: FnMut(&Self, &ErrorEvent) + MaybeSend + 'static,
    {
        self.bind(EventKind::Error, move |socket, event| {
            if let Event::Error(error) = event {
                handler(socket, error);
            }
        })
    }

    /// Calls `handler` when the connection is closed.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").close_with(4001, "maintenance");
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// socket.on_close(|_, close| match close.code {
    ///     1000 | 1005 => println!("done"),
    ///     code => println!("closed with {code} {:?}", close.reason),
    /// });
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    fn on_close<F>(&self, mut handler: F) -> Binding
    where
        F: FnMut(&Self, &CloseEvent) + MaybeSend + 'static,
    {
        self.bind(EventKind::Close, move |socket, event| {
            if let Event::Close(close) = event {
                handler(socket, close);
            }
        })
    }
}

/// A handle of a bound handler. [`unbind`](Binding::unbind) removes the handler. If you drop the
/// binding, the handler stays bound.
///
/// A binding does not keep the socket open. Only the memory of a socket that has ended is kept
/// until its bindings are dropped.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").send("one").send("two");
/// use isosocket::WebSocket;
///
/// let socket = WebSocket::new("ws://peer/")?;
/// let binding = socket.on_message(|_, message| println!("{message:?}"));
/// // .. and when it is no longer wanted:
/// binding.unbind();
/// # network.run();
/// # Ok::<(), isosocket::NewError>(())
/// ```
pub struct Binding {
    pub(crate) live: Arc<AtomicBool>,
    pub(crate) socket: Arc<dyn ListenerOwner>,
}

static UNBINDS: Flag = Flag::new();

/// Whether the program may unbind handlers: see [`rare`](crate::base::rare).
#[inline(always)]
pub(crate) fn unbinds() -> bool {
    UNBINDS.get()
}

impl Binding {
    /// Removes the handler: it is not called again, even if you call this inside another handler
    /// for the same event. The handler itself is dropped shortly after.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # let peer = network.peer("ws://peer/");
    /// use std::sync::{Arc, Mutex};
    /// use isosocket::{Binding, WebSocket};
    ///
    /// // A handler that wants one message only.
    /// let socket = WebSocket::new("ws://peer/")?;
    /// let own = Arc::new(Mutex::new(None::<Binding>));
    /// let mine = own.clone();
    /// let count = Arc::new(Mutex::new(0));
    /// let counted = count.clone();
    /// let binding = socket.on_message(move |_, _| {
    ///     *counted.lock().unwrap() += 1;
    ///     if let Some(binding) = mine.lock().unwrap().take() {
    ///         binding.unbind();
    ///     }
    /// });
    /// *own.lock().unwrap() = Some(binding);
    /// # peer.send("a").send("b");
    /// # network.run();
    /// assert_eq!(*count.lock().unwrap(), 1);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// ## Platform-specific
    /// - **Native:** called on another thread than the event loop's, it does
    ///   not wait for a handler that is running at this moment.
    pub fn unbind(self) {
        UNBINDS.set();
        self.live.store(false, Ordering::Release);
        self.socket.drop_unbound();
    }
}

impl fmt::Debug for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Binding")
    }
}

/// A socket, as a binding or a stream knows it.
pub(crate) trait ListenerOwner: Send + Sync {
    /// Drops, soon, the handlers that are no longer live.
    fn drop_unbound(self: Arc<Self>);

    /// A listener was dropped that the socket does not know of. If it was the last
    /// one of a socket without handles, nothing of the socket is needed any more.
    fn listener_left(self: Arc<Self>);
}
