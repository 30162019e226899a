//! Describing what a peer does.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use super::script::{Script, Step};
use super::world::World;
use crate::{Data, ErrorEvent, Message};

/// A scripted peer: it serves one connection.
///
/// It does its steps one after the other. A test may add more at any time, also while the
/// connection is open. Before the first step that needs a connection, it accepts the connection by
/// itself. When the script is over, the peer answers a Close frame. Everything else that the client
/// then sends is unexpected.
///
/// ```
/// use isosocket::WebSocket;
/// use isosocket::mock::Network;
///
/// let network = Network::new();
/// let peer = network.peer("wss://example.org/greeter");
/// peer.expect("hello").send("welcome").expect_close();
///
/// let socket = WebSocket::new("wss://example.org/greeter").unwrap();
/// socket.on_open(|socket| socket.send("hello").unwrap());
/// socket.on_message(|socket, message| {
///     assert_eq!(message.as_text(), Some("welcome"));
///     socket.close();
/// });
/// network.finish();
/// ```
#[derive(Clone)]
pub struct Peer {
    pub(crate) world: Arc<World>,
    pub(crate) script: Arc<Script>,
}

impl Peer {
    #[track_caller]
    fn push(&self, step: Step) -> &Self {
        let place = Location::caller();
        self.script.progress().steps.push_back((step, place));
        if let Some(connection) = self.script.connection() {
            connection.wake(&self.world);
        }
        self
    }

    /// Accepts the connection, with the first subprotocol that the client offers, if any. Without
    /// this step the peer does so before the first step that needs a connection.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// // Open at once, and closed without a Close frame a second later.
    /// network.peer("ws://peer/").accept().delay(Duration::from_secs(1)).drop_connection();
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// # network.run();
    /// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Open);
    /// # network.advance(Duration::from_secs(1));
    /// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
    /// ```
    #[track_caller]
    pub fn accept(&self) -> &Self {
        self.push(Step::Accept {
            protocol: None,
            extensions: String::new(),
        })
    }

    /// Accepts the connection with this subprotocol (empty: none) and these extensions.
    /// The connection fails if the client did not offer this subprotocol, or if this is empty and
    /// the client offered some.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").accept_with("chat.v1", "");
    /// let builder = isosocket::WebSocket::builder("ws://peer/");
    /// let opening = builder.subprotocols(["chat.v2", "chat.v1"]).open();
    /// assert_eq!(network.block_on(opening).unwrap().protocol(), "chat.v1");
    /// ```
    #[track_caller]
    pub fn accept_with(&self, protocol: &str, extensions: &str) -> &Self {
        self.push(Step::Accept {
            protocol: Some(protocol.to_owned()),
            extensions: extensions.to_owned(),
        })
    }

    /// Refuses the connection: it fails, with this cause in the error's source, or with
    /// an [`ErrorEvent`] of the test's own, which may have a kind.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").delay(std::time::Duration::from_secs(1)).refuse("403");
    /// assert!(network.block_on(isosocket::WebSocket::open("ws://peer/")).is_err());
    /// ```
    #[track_caller]
    pub fn refuse(&self, error: impl Into<ErrorEvent>) -> &Self {
        self.push(Step::Refuse(error.into()))
    }

    /// Waits for this time before the next step. If the connection is not accepted yet, it is
    /// accepted after that.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// // A slow handshake, and then a slow answer.
    /// let peer = network.peer("ws://peer/");
    /// peer.delay(Duration::from_secs(2)).expect("ping").delay(Duration::from_secs(5)).send("pong");
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// # assert_eq!(network.now(), Duration::from_secs(2));
    /// # socket.send("ping").unwrap();
    /// # network.advance(Duration::from_secs(5));
    /// # network.finish();
    /// ```
    #[track_caller]
    pub fn delay(&self, delay: Duration) -> &Self {
        self.push(Step::Delay(delay))
    }

    /// From now on does nothing, and ignores everything. If the connection is not accepted yet,
    /// the connect timeout ends it. Otherwise the close timeout does, when the client closes.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").accept().hang();
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.close();
    /// network.advance(Duration::from_secs(10)); // the close timeout
    /// assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
    /// ```
    #[track_caller]
    pub fn hang(&self) -> &Self {
        self.push(Step::Hang)
    }

    /// Waits for this message.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").expect("a text").expect([1, 2, 3]);
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.send("a text").unwrap();
    /// socket.send([1, 2, 3]).unwrap();
    /// network.finish();
    /// ```
    #[track_caller]
    pub fn expect(&self, message: impl Data) -> &Self {
        self.push(Step::Expect(message.into_message()))
    }

    /// Waits for a message that passes a test; `what` names it in reports.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # let peer = network.peer("ws://peer/");
    /// peer.expect_where("a time stamp", |message| {
    ///     message.as_text().is_some_and(|text| text.parse::<u64>().is_ok())
    /// });
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// # isosocket::Bind::on_open(&socket, |socket| socket.send("17").unwrap());
    /// # network.finish();
    /// ```
    #[track_caller]
    pub fn expect_where(
        &self,
        what: &str,
        test: impl Fn(&Message) -> bool + Send + Sync + 'static,
    ) -> &Self {
        self.push(Step::ExpectWhere(what.to_owned(), Box::new(test)))
    }

    /// Waits for a Close frame with any content. Later steps happen before the answer. If one of
    /// them is [`close_with`](Peer::close_with), that is the answer. Otherwise the peer answers with
    /// the same frame at the end of the script.
    ///
    /// ```
    /// # use isosocket::{CloseEvent, Event, WebSocket};
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").expect_close().close_with(4001, "you, too");
    /// let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
    /// let mut events = socket.events();
    /// socket.close();
    /// network.run();
    /// let end = std::iter::from_fn(|| events.try_next()).last();
    /// assert_eq!(end, Some(Event::Close(CloseEvent::new(4001, "you, too", true))));
    /// ```
    #[track_caller]
    pub fn expect_close(&self) -> &Self {
        self.push(Step::ExpectClose(None))
    }

    /// Waits for a Close frame with this code and reason.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").expect_close_with(4000, "enough");
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.close_with(4000, "enough").unwrap();
    /// network.finish();
    /// ```
    #[track_caller]
    pub fn expect_close_with(&self, code: u16, reason: &str) -> &Self {
        self.push(Step::ExpectClose(Some((code, reason.to_owned()))))
    }

    /// Sends a message.
    ///
    /// ```
    /// # use isosocket::{Event, WebSocket};
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").send("a text").send([1, 2, 3]);
    /// let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
    /// let mut events = socket.events();
    /// network.run();
    /// let sizes = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
    ///     Event::Message(message) => Some(message.len()),
    ///     _ => None,
    /// });
    /// assert_eq!(sizes.collect::<Vec<_>>(), [6, 3]);
    /// ```
    #[track_caller]
    pub fn send(&self, message: impl Data) -> &Self {
        self.push(Step::Send(message.into_message()))
    }

    /// Sends an empty Close frame.
    ///
    /// ```
    /// # use isosocket::WebSocket;
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").close();
    /// let socket = WebSocket::new("ws://peer/").unwrap();
    /// socket.on_close(|_, close| assert_eq!((close.code, close.was_clean), (1005, true)));
    /// network.finish();
    /// ```
    #[track_caller]
    pub fn close(&self) -> &Self {
        self.push(Step::Close(None))
    }

    /// Sends a Close frame with any code and reason.
    ///
    /// ```
    /// # use isosocket::WebSocket;
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").close_with(1001, "going away");
    /// let socket = WebSocket::new("ws://peer/").unwrap();
    /// socket.on_close(|_, close| assert_eq!(close.reason, "going away"));
    /// network.finish();
    /// ```
    #[track_caller]
    pub fn close_with(&self, code: u16, reason: &str) -> &Self {
        self.push(Step::Close(Some((code, reason.to_owned()))))
    }

    /// Ends the connection without a Close frame: the client gets 1006 and no error. Messages of the
    /// client for which the peer has not waited are lost.
    ///
    /// ```
    /// # use isosocket::{CloseEvent, Event, WebSocket};
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").send("half of the ne").drop_connection();
    /// let socket = WebSocket::new("ws://peer/").unwrap();
    /// let mut events = socket.events();
    /// network.run();
    /// let end = std::iter::from_fn(|| events.try_next()).last();
    /// assert_eq!(end, Some(Event::Close(CloseEvent::abnormal())));
    /// ```
    #[track_caller]
    pub fn drop_connection(&self) -> &Self {
        self.push(Step::Drop)
    }

    /// Fails the connection, with this cause in the error's source, or with an
    /// [`ErrorEvent`] of the test's own, which may have a kind.
    ///
    /// ```
    /// # use isosocket::WebSocket;
    /// # use std::error::Error;
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").send("fine so far").fail("bad frame");
    /// let socket = WebSocket::new("ws://peer/").unwrap();
    /// socket.on_error(|_, error| assert_eq!(error.source().unwrap().to_string(), "bad frame"));
    /// network.finish();
    /// ```
    #[track_caller]
    pub fn fail(&self, error: impl Into<ErrorEvent>) -> &Self {
        self.push(Step::Fail(error.into()))
    }

    /// Stops reading what the client sends, until [`drain`](Peer::drain). So the client's buffered
    /// amount grows.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// let peer = network.peer("ws://peer/");
    /// peer.stall();
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.send("waits").unwrap();
    /// network.run();
    /// assert_eq!(socket.buffered_amount(), 5);
    /// peer.drain().expect("waits");
    /// network.run();
    /// assert_eq!(socket.buffered_amount(), 0);
    /// # network.finish();
    /// ```
    #[track_caller]
    pub fn stall(&self) -> &Self {
        self.push(Step::Stall)
    }

    /// Reads again what the client sends.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// let peer = network.peer("ws://peer/");
    /// peer.accept().stall().delay(Duration::from_secs(7)).drain().expect(vec![0; 2 << 20]).expect("more");
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// socket.send(vec![0; 2 << 20]).unwrap();
    /// network.block_on(socket.send_ready()); // until the peer takes it
    /// assert_eq!(network.now(), Duration::from_secs(7));
    /// # socket.send("more").unwrap();
    /// # network.finish();
    /// ```
    #[track_caller]
    pub fn drain(&self) -> &Self {
        self.push(Step::Drain)
    }

    /// Whether a connection has begun to follow this script.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// let (first, second) = (network.peer("ws://peer/"), network.peer("ws://peer/"));
    /// let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// network.run();
    /// assert!(first.is_in_use() && !second.is_in_use());
    /// ```
    pub fn is_in_use(&self) -> bool {
        self.script.progress().number.is_some()
    }

    /// Whether every step is done.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// let peer = network.peer("ws://peer/");
    /// peer.expect("login");
    /// let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// assert!(!peer.is_done());
    /// socket.send("login").unwrap();
    /// network.run();
    /// assert!(peer.is_done());
    /// peer.send("welcome"); // and it goes on
    /// ```
    pub fn is_done(&self) -> bool {
        self.is_in_use() && self.script.progress().steps.is_empty()
    }
}

impl fmt::Debug for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Peer")
            .field("url", &self.script.url)
            .finish_non_exhaustive()
    }
}
