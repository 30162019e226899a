//! The methods of [`Bind`], of a socket itself: a program that binds handlers
//! to a socket it knows needs no trait for it.

use crate::{Bind, Binding, CloseEvent, ErrorEvent, Event, EventKind, MaybeSend, Message};
use crate::{Transport, WebSocket};

/// Handlers: the methods of [`Bind`], which has more about them.
impl<T: Transport> WebSocket<T> {
    /// Calls `handler` for each event of this kind, after the handlers that were
    /// bound before: see [`Bind::bind`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{EventKind, WebSocket};
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// for kind in EventKind::ALL {
    ///     socket.bind(kind, |_, event| println!("{event:?}"));
    /// }
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "addEventListener")]
    pub fn bind<F>(&self, kind: EventKind, handler: F) -> Binding
    where
        F: FnMut(&Self, &Event) + MaybeSend + 'static,
    {
        Bind::bind(self, kind, handler)
    }

    /// Calls `handler` when the connection is established: see [`Bind::on_open`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("hello");
    /// let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// socket.on_open(|socket| socket.send("hello").expect("it is open"));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "onopen")]
    pub fn on_open<F>(&self, handler: F) -> Binding
    where
        F: FnMut(&Self) + MaybeSend + 'static,
    {
        Bind::on_open(self, handler)
    }

    /// Calls `handler` for each message: see [`Bind::on_message`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("ping").expect("pong");
    /// let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// socket.on_message(|socket, message| match message.as_text() {
    ///     Some("ping") => drop(socket.send("pong")),
    ///     _ => println!("{message:?}"),
    /// });
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "onmessage")]
    pub fn on_message<F>(&self, handler: F) -> Binding
    where
        F: FnMut(&Self, &Message) + MaybeSend + 'static,
    {
        Bind::on_message(self, handler)
    }

    /// Calls `handler` when the connection fails: see [`Bind::on_error`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("403");
    /// let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// socket.on_error(|socket, error| eprintln!("{}: {error:#}", socket.url()));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "onerror")]
    pub fn on_error<F>(&self, handler: F) -> Binding
    where
        F: FnMut(&Self, &ErrorEvent) + MaybeSend + 'static,
    {
        Bind::on_error(self, handler)
    }

    /// Calls `handler` when the connection is closed: see [`Bind::on_close`].
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").close_with(4001, "maintenance");
    /// let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// socket.on_close(|_, close| println!("{close}"));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[doc(alias = "onclose")]
    pub fn on_close<F>(&self, handler: F) -> Binding
    where
        F: FnMut(&Self, &CloseEvent) + MaybeSend + 'static,
    {
        Bind::on_close(self, handler)
    }
}
