//! Programs that are written once for every kind of socket.

use std::time::Duration;

use futures::SinkExt;
use isosocket::mock::Network;
use isosocket::transport::Transport;
use isosocket::{
    CloseEvent, Event, Heartbeat, ReadyState, Reconnecting, SendError, Socket, SocketEvents,
    SocketSender, WebSocket,
};

const URL: &str = "wss://example.org/adder";

/// A program of handlers, by what every socket has.
fn greet<S: Socket>(socket: &S) {
    socket.on_open(|socket| socket.send("hello").expect("it is open"));
    socket.on_message(|socket, message| match message.as_text() {
        Some("bye") => socket.close_with(4000, "bye").expect("a good code"),
        _ => assert_eq!(socket.ready_state(), ReadyState::Open),
    });
}

/// A program of `await`, that keeps what every socket has.
struct Client<S: Socket> {
    socket: S,
    events: SocketEvents<S>,
    sender: SocketSender<S>,
}

impl<S: Socket> Client<S> {
    fn new(socket: S) -> Self {
        Client {
            events: socket.events(),
            sender: socket.sender(),
            socket,
        }
    }

    async fn ask(&mut self, question: &str) -> Result<String, SendError> {
        self.socket.send_ready().await;
        self.sender.send(question.into()).await?;
        while let Some(event) = self.events.next().await {
            if let Event::Message(message) = event {
                return Ok(message.to_string());
            }
        }
        Ok(format!("closed: {}", self.socket.closed().await))
    }
}

/// Both programs, on a socket of any kind.
fn runs_on<S: Socket>(make: impl Fn() -> S) {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.expect("hello")
        .send("welcome")
        .send("bye")
        .expect_close_with(4000, "bye");
    let socket = make();
    greet(&socket);
    let close = network.block_on(socket.closed());
    assert_eq!((close.code, socket.url()), (4000, URL));
    assert_eq!(socket.buffered_amount(), 0);
    network.finish();

    let network = Network::new();
    let peer = network.peer(URL);
    peer.accept_with("v1", "x")
        .expect("1+1")
        .send("2")
        .expect_close();
    let mut client = Client::new(make());
    assert_eq!(network.block_on(client.ask("1+1")).unwrap(), "2");
    assert_eq!(client.socket.protocol(), "v1");
    assert_eq!(client.socket.extensions(), "x");
    assert_eq!(client.socket, client.socket.clone());
    client.socket.close();
    network.finish();
}

#[test]
fn on_a_plain_socket() {
    runs_on(|| WebSocket::builder(URL).subprotocol("v1").connect().unwrap());
}

#[test]
fn on_one_that_connects_again() {
    runs_on(|| {
        Reconnecting::builder(URL)
            .subprotocol("v1")
            .retry(|_| isosocket::Retry::GiveUp)
            .connect()
            .unwrap()
    });
}

#[test]
fn on_one_of_any_transport() {
    fn make<T: Transport>() -> isosocket::transport::WebSocket<T> {
        isosocket::transport::WebSocket::<T>::builder(URL)
            .subprotocol("v1")
            .connect()
            .unwrap()
    }
    runs_on(make::<isosocket::mock::Mock>);
}

/// No trait is in scope here: the methods are the socket's own.
mod without_traits {
    #[test]
    fn handlers_are_bound_without_a_trait() {
        let network = isosocket::mock::Network::new();
        let peer = network.peer("ws://peer/");
        peer.expect("open").send("x").expect_close();
        let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
        socket.on_open(|socket| socket.send("open").unwrap());
        socket.on_message(|socket, _| socket.close());
        socket.on_error(|_, error| panic!("{error:#}"));
        let (sender, seen) = std::sync::mpsc::channel();
        socket.on_close(move |_, close| sender.send(close.code).unwrap());
        let binding = socket.bind(isosocket::EventKind::Close, |_, _| panic!("unbound"));
        binding.unbind();
        network.finish();
        assert_eq!(seen.try_recv(), Ok(1005));
    }
}

/// What a program asks a socket of any kind.
fn facts<S: Socket>(make: impl Fn() -> S) {
    let network = Network::new();
    let peer = network.peer(URL);
    let heartbeat = peer
        .expect("hello")
        .expect("?")
        .delay(Duration::from_millis(20));
    heartbeat.send("!").expect_close_with(4000, "bye");
    let socket = make();
    network.run();
    socket.send("hello").unwrap();
    assert_eq!((socket.buffered_amount(), socket.latency()), (5, None));
    network.advance(Duration::from_secs(35));
    assert_eq!(socket.buffered_amount(), 0);
    assert_eq!(socket.latency(), Some(Duration::from_millis(20)));
    assert_eq!(socket.close_event(), None);
    socket.close_with(4000, "bye").unwrap();
    network.run();
    assert_eq!(
        socket.close_event(),
        Some(&CloseEvent::new(4000, "bye", true))
    );
    network.finish();
}

#[test]
fn every_kind_of_socket_knows_its_amounts_its_latency_and_its_end() {
    let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(10));
    let heartbeat = || Heartbeat::new(interval, timeout).message("?").answer("!");
    facts(|| {
        WebSocket::builder(URL)
            .heartbeat(heartbeat())
            .connect()
            .unwrap()
    });
    facts(|| {
        Reconnecting::builder(URL)
            .heartbeat(heartbeat())
            .connect()
            .unwrap()
    });
}
