//! Describing a socket before it is opened.

use std::fmt;
use std::time::Duration;

use crate::base::rare::Rare;
use crate::contract::request::{Asked, Shown, ask_for};
use crate::delivery::{Interest, Letter, Mailbox, Slot, has_first};
use crate::socket::carrier::supported;
use crate::{
    CloseEvent, ErrorEvent, Event, EventKind, IntoUrl, MaybeSend, Message, NewError, Open, Options,
    Request, Transport, WebSocket,
};

impl<T: Transport> WebSocket<T> {
    /// Opens a socket to `url` and returns at once: the state is `Connecting`, and
    /// `Open`, or `Error` and `Close`, follow.
    ///
    /// The URL must be absolute, with the scheme `ws`, `wss`, `http` or `https`, and without a
    /// fragment. [`IntoUrl`] lists the types that you can pass. For subprotocols and options see
    /// [`builder`](Self::builder).
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{ReadyState, WebSocket};
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// assert_eq!(socket.ready_state(), ReadyState::Connecting);
    /// assert!(WebSocket::new("no address").is_err());
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Errors
    /// [`NewError::NotSupported`] if there is no WebSocket here, and [`NewError::Syntax`] if the
    /// URL is malformed. Network errors are reported as events.
    #[doc(alias = "connect")]
    pub fn new(url: impl IntoUrl) -> Result<Self, NewError> {
        Self::builder(url).connect()
    }

    /// Starts to describe a socket with subprotocols, options, or handlers that
    /// are bound before anything can happen.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use std::time::Duration;
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .subprotocol("chat")
    ///     .connect_timeout(Duration::from_secs(5))
    ///     .on_message(|_, message| println!("{message:?}"))
    ///     .connect()?;
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn builder(url: impl IntoUrl) -> Builder<T> {
        Builder::new(url.into_url())
    }
}

/// A socket to be opened: subprotocols, options, and handlers that are bound
/// before anything can happen.
///
/// ```no_run
/// use std::time::Duration;
/// use isosocket::WebSocket;
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = WebSocket::builder("wss://example.org/chat")
///     .subprotocol("chat.v2")
///     .subprotocol("chat.v1")
///     .connect_timeout(Duration::from_secs(5))
///     .on_message(|_, message| println!("{message:?}"))
///     .connect()?;
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder opens nothing until connect or open is called"]
pub struct Builder<T: Transport> {
    url: String,
    asked: Rare<Asked>,
    options: Options,
    native: T::Options,
    pub(crate) handlers: Mailbox<WebSocket<T>>,
}

/// What has the options that only one backend has: a builder, or an attempt of a socket that
/// reconnects. The backend's extension trait is implemented for it.
#[doc(hidden)]
pub trait Configure: Sized {
    type Options;

    #[doc(hidden)]
    fn native_mut(&mut self) -> &mut Self::Options;
}

impl<T: Transport> Configure for Builder<T> {
    type Options = T::Options;

    fn native_mut(&mut self) -> &mut T::Options {
        &mut self.native
    }
}

impl<T: Transport> Builder<T> {
    pub(crate) fn new(url: String) -> Self {
        Builder {
            url,
            asked: Rare::NONE,
            options: Options::default(),
            native: T::Options::default(),
            handlers: Mailbox::default(),
        }
    }

    /// Offers a subprotocol, in addition to those before. The peer chooses one of them.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept_with("chat.v1", "");
    /// use isosocket::WebSocket;
    ///
    /// let opening = WebSocket::builder("ws://peer/")
    ///     .subprotocol("chat.v2") // preferred
    ///     .subprotocol("chat.v1")
    ///     .open();
    /// # let socket = network.block_on(opening).unwrap();
    /// // .. once it is open:
    /// assert_eq!(socket.protocol(), "chat.v1");
    /// ```
    #[doc(alias = "protocol")]
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        ask_for(subprotocol.into(), &mut self.asked);
        self
    }

    /// Offers several subprotocols, in this order.
    ///
    /// ```
    /// use isosocket::{NewError, SyntaxError, WebSocket};
    ///
    /// let versions = ["chat.v2", "chat.v1", "chat.v2"];
    /// let refused = WebSocket::builder("ws://localhost/").subprotocols(versions).connect();
    /// let twice = SyntaxError::DuplicateSubprotocol("chat.v2".to_owned());
    /// assert_eq!(refused.unwrap_err(), NewError::Syntax(twice));
    /// ```
    #[doc(alias = "protocols")]
    pub fn subprotocols<S: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = S>,
    ) -> Self {
        for subprotocol in subprotocols {
            ask_for(subprotocol.into(), &mut self.asked);
        }
        self
    }

    /// How long connecting may take before it fails. Default: 20 s. `None`: as long as
    /// the host allows.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").hang();
    /// use std::time::Duration;
    /// use isosocket::WebSocket;
    ///
    /// let opening = WebSocket::builder("ws://peer/")
    ///     .connect_timeout(Duration::from_secs(5))
    ///     .open();
    /// # assert!(network.block_on(opening).is_err());
    /// # assert_eq!(network.now(), Duration::from_secs(5));
    /// ```
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.connect_timeout = timeout.into();
        self
    }

    /// How long the peer may take to answer `close` before the socket is closed without
    /// it. Default: 10 s. `None`: as long as the host allows.
    ///
    /// Natively, a peer that is slow gets more time: if the network has accepted data
    /// since the timeout began, it starts again.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept().hang();
    /// use std::time::Duration;
    /// use isosocket::{ReadyState, WebSocket};
    ///
    /// let builder = WebSocket::builder("ws://peer/").close_timeout(Duration::from_secs(1));
    /// let socket = builder.connect()?;
    /// # network.run();
    /// socket.close(); // and the peer is silent
    /// # network.advance(Duration::from_millis(999));
    /// # assert_eq!(socket.ready_state(), ReadyState::Closing);
    /// # network.advance(Duration::from_millis(1));
    /// // .. a second later:
    /// assert_eq!(socket.ready_state(), ReadyState::Closed);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.close_timeout = timeout.into();
        self
    }

    /// The largest message that is delivered, in bytes; a larger one fails the
    /// connection. Default: 64 MiB.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("x".repeat(5000));
    /// use isosocket::WebSocket;
    ///
    /// // A chat: nobody has more than 4 KiB to say.
    /// let socket = WebSocket::builder("ws://peer/").max_message_size(4 << 10).connect()?;
    /// socket.on_error(|_, error| println!("{error:#}"));
    /// # network.run();
    /// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.options.max_message_size = bytes;
        self
    }

    /// How many bytes may be buffered before `send` returns
    /// [`SendError::Full`](crate::SendError::Full). If nothing is buffered, one message of any
    /// size is accepted. Default: 64 MiB.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept().stall();
    /// use isosocket::{SendError, WebSocket};
    ///
    /// let socket = WebSocket::builder("ws://peer/").send_limit(1000).connect()?;
    /// # network.run();
    /// // .. when it is open, and the peer takes nothing:
    /// socket.send(vec![0; 900]).expect("there is room");
    /// assert!(matches!(socket.send(vec![0; 900]), Err(SendError::Full(_))));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.options.send_limit = bytes;
        self
    }

    /// How many bytes of messages are kept while no handler and no stream listens for messages.
    /// Default: 64 MiB.
    ///
    /// Messages beyond that are dropped, with a line in the log. If a program listens after
    /// that, it first gets the kept messages. Then the socket fails, with an error that says how
    /// many were dropped. A program that never listens for messages gets no such error.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send(vec![0; 900]).send(vec![0; 900]).send(vec![0; 900]);
    /// use isosocket::{Event, WebSocket};
    ///
    /// let socket = WebSocket::builder("ws://peer/").backlog_limit(2000).connect()?;
    /// # network.run();
    /// // .. when more has come:
    /// let mut events = socket.events();
    /// # network.run();
    /// while let Some(event) = events.try_next() {
    ///     match event {
    ///         Event::Message(message) => println!("{} bytes", message.len()), // two of them
    ///         Event::Error(error) => println!("{error:#}"), // .. 1 messages were dropped ..
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn backlog_limit(mut self, bytes: usize) -> Self {
        self.options.backlog_limit = bytes;
        self
    }

    /// Calls `handler` for each event of this kind; see [`Bind`](crate::Bind).
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{EventKind, WebSocket};
    ///
    /// let kind: EventKind = "close".parse()?; // from a configuration, say
    /// let socket = WebSocket::builder("ws://peer/")
    ///     .bind(kind, |socket, event| println!("{}: {event:?}", socket.url()))
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn bind<F>(mut self, kind: EventKind, handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>, &Event) + MaybeSend + 'static,
    {
        let slot = Slot::new(kind, None, Box::new(handler));
        self.handlers.push(Letter::Handler(slot));
        self
    }

    /// Calls `handler` when the connection is established.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("subscribe");
    /// let socket = isosocket::WebSocket::builder("ws://peer/")
    ///     .on_open(|socket| socket.send("subscribe").expect("it is open"))
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_open<F>(self, mut handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>) + MaybeSend + 'static,
    {
        self.bind(EventKind::Open, move |socket, _| handler(socket))
    }

    /// Calls `handler` for each message.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("news");
    /// use std::sync::mpsc;
    ///
    /// let (sender, receiver) = mpsc::channel();
    /// let socket = isosocket::WebSocket::builder("ws://peer/")
    ///     .on_message(move |_, message| drop(sender.send(message.clone())))
    ///     .connect()?;
    /// # network.finish();
    /// # assert_eq!(receiver.try_recv(), Ok("news".into()));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_message<F>(self, mut handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>, &Message) + MaybeSend + 'static,
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
    /// # network.peer("ws://peer/").refuse("no");
    /// let socket = isosocket::WebSocket::builder("ws://peer/")
    ///     .on_error(|socket, error| eprintln!("{}: {error:#}", socket.url()))
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_error<F>(self, mut handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>, &ErrorEvent) + MaybeSend + 'static,
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
    /// # network.peer("ws://peer/").close_with(1001, "");
    /// let socket = isosocket::WebSocket::builder("ws://peer/")
    ///     .on_close(|_, close| println!("{close}")) // closed with code 1001 (clean)
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_close<F>(self, mut handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>, &CloseEvent) + MaybeSend + 'static,
    {
        self.bind(EventKind::Close, move |socket, event| {
            if let Event::Close(close) = event {
                handler(socket, close);
            }
        })
    }

    /// Starts connecting and returns at once.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{ReadyState, WebSocket};
    ///
    /// let socket = WebSocket::builder("ws://peer/").subprotocol("chat").connect()?;
    /// assert_eq!(socket.ready_state(), ReadyState::Connecting);
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Errors
    /// As for [`WebSocket::new`].
    pub fn connect(self) -> Result<WebSocket<T>, NewError> {
        if !supported::<T>() {
            return Err(NewError::NotSupported);
        }
        if has_first() {
            check(&self.handlers)?;
        }
        let request = Request::new(&self.url, self.asked, self.options, self.native)?;
        WebSocket::start(request, self.handlers)
    }

    /// Starts connecting and waits until the socket is open.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("hello");
    /// # network.block_on(async {
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::builder("ws://peer/").subprotocol("chat").open().await?;
    /// socket.send("hello").expect("it is open");
    /// # Ok::<(), isosocket::OpenError>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    ///
    /// # Errors
    /// See [`OpenError`](crate::OpenError).
    pub fn open(self) -> Open<T> {
        Open::new(self.connect())
    }
}

/// Whether all handlers that come first are possible.
fn check<S>(handlers: &[Letter<S>]) -> Result<(), NewError> {
    for letter in handlers {
        match letter {
            Letter::Handler(slot) if slot.interest() == Interest::NoPings => {
                let option = "heartbeat without a message";
                return Err(NewError::OptionNotSupported(option));
            }
            Letter::Handler(slot) if slot.interest() == Interest::ZeroTime => {
                let what = "a heartbeat or an idle timeout with a time of zero";
                return Err(NewError::Option(what.to_owned()));
            }
            _ => {}
        }
    }
    Ok(())
}

impl<T: Transport> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("url", &Shown(&self.url))
            .field(
                "subprotocols",
                &self
                    .asked
                    .as_ref()
                    .map_or(0, |asked| asked.as_ref().map_or(0, Vec::len)),
            )
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
