//! Describing a socket before it is opened.

use std::fmt;
use std::time::Duration;

use crate::delivery::{Mail, Slot, Wish};
use crate::request::{Subprotocols, ask_for};
use crate::{
    CloseEvent, ErrorEvent, Event, EventKind, MaybeSend, Message, NewError, Open, Options, Request,
    Transport, WebSocket,
};

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
    subprotocols: Subprotocols,
    options: Options,
    native: T::Options,
    handlers: Mail<WebSocket<T>>,
}

impl<T: Transport> Builder<T> {
    pub(crate) fn new(url: String) -> Self {
        Builder {
            url,
            subprotocols: Ok(Vec::new()),
            options: Options::default(),
            native: T::Options::default(),
            handlers: Vec::new(),
        }
    }

    /// Asks for a subprotocol, after those asked for before: the peer chooses
    /// one of them (S16, S19, S24).
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        ask_for(subprotocol.into(), &mut self.subprotocols);
        self
    }

    /// Asks for several subprotocols, in this order.
    pub fn subprotocols<S: Into<String>>(
        mut self,
        subprotocols: impl IntoIterator<Item = S>,
    ) -> Self {
        for subprotocol in subprotocols {
            ask_for(subprotocol.into(), &mut self.subprotocols);
        }
        self
    }

    /// How long connecting may take before it fails (S37). Default: 20 s.
    /// `None`: as long as the host allows.
    pub fn connect_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.connect_timeout = timeout.into();
        self
    }

    /// How long the peer may take to answer `close` before the socket is closed
    /// without it (S76). Default: 10 s. `None`: as long as the host allows.
    pub fn close_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        self.options.close_timeout = timeout.into();
        self
    }

    /// The largest message that is delivered, in bytes; a larger one fails the
    /// connection (S62). Default: 64 MiB.
    pub fn max_message_size(mut self, bytes: usize) -> Self {
        self.options.max_message_size = bytes;
        self
    }

    /// How many bytes may be buffered before `send` gives
    /// [`SendError::Full`](crate::SendError::Full) (S54). One message is always
    /// accepted when nothing is buffered. Default: 64 MiB.
    pub fn send_limit(mut self, bytes: usize) -> Self {
        self.options.send_limit = bytes;
        self
    }

    /// Calls `handler` for each event of this kind; see [`Bind`](crate::Bind).
    pub fn bind<F>(mut self, kind: EventKind, handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>, &Event) + MaybeSend + 'static,
    {
        let slot = Slot {
            live: None,
            listener: Box::new(handler),
        };
        self.handlers.push((Wish::Kind(kind), slot));
        self
    }

    /// Calls `handler` when the connection is established.
    pub fn on_open<F>(self, mut handler: F) -> Self
    where
        F: FnMut(&WebSocket<T>) + MaybeSend + 'static,
    {
        self.bind(EventKind::Open, move |socket, _| handler(socket))
    }

    /// Calls `handler` for each message.
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

    /// The options that only this backend has, for its extension trait.
    #[doc(hidden)]
    pub fn native_mut(&mut self) -> &mut T::Options {
        &mut self.native
    }

    /// Starts connecting and returns at once.
    ///
    /// # Errors
    /// As for [`WebSocket::new`].
    pub fn connect(self) -> Result<WebSocket<T>, NewError> {
        if !T::supported() {
            return Err(NewError::NotSupported);
        }
        let request = Request::new(&self.url, self.subprotocols, self.options, self.native)?;
        WebSocket::start(request, self.handlers)
    }

    /// Starts connecting and waits until the socket is open.
    ///
    /// # Errors
    /// See [`OpenError`](crate::OpenError).
    pub fn open(self) -> Open<T> {
        Open::new(self.connect())
    }
}

impl<T: Transport> fmt::Debug for Builder<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("url", &self.url)
            .field("subprotocols", &self.subprotocols.as_deref().unwrap_or(&[]))
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
