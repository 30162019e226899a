//! Tests that nothing is left of a socket when it has ended and its handles are dropped, not
//! even its memory (S102).

use std::future::pending;
use std::sync::{Arc, Weak};
use std::time::Duration;

use crate::delivery::bind::ListenerOwner;
use crate::mock::{Mock, Network};
use crate::{Builder, Heartbeat, Reconnect, Retry, Transport, Unsupported, WebSocket};

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);

type Inner = Unsupported;

/// A moment in a socket's life: its name, what the peers do, and how the socket
/// is made.
type Moment = (
    &'static str,
    fn(&Network),
    fn(Builder<Reconnect<Inner>>) -> Builder<Reconnect<Inner>>,
);

const MOMENTS: &[Moment] = &[
    (
        "connecting",
        |network| {
            network.peer(URL).hang();
        },
        |builder| builder,
    ),
    (
        "waiting",
        |network| {
            network.peer(URL).refuse("no");
        },
        |builder| builder,
    ),
    (
        "asking",
        |_| {},
        |builder| builder.url_provider(|_| pending::<Result<String, String>>()),
    ),
    (
        "open",
        |network| {
            network.peer(URL).accept();
        },
        |builder| {
            let heartbeat = Heartbeat::new(SECOND, SECOND);
            builder.heartbeat(heartbeat.message("?"))
        },
    ),
    (
        "given up",
        |network| {
            network.peer(URL).refuse("no");
        },
        |builder| builder.retry(|_| Retry::GiveUp),
    ),
    (
        "open again",
        |network| {
            network.peer(URL).drop_connection();
            network.peer(URL).send("a");
        },
        |builder| builder.retry(|_| Retry::After(Duration::ZERO)),
    ),
];

/// Shows whether the socket's memory is still there.
fn watch<T: Transport>(socket: &WebSocket<T>) -> Weak<dyn ListenerOwner> {
    Arc::downgrade(&socket.bind(crate::EventKind::Message, |_, _| {}).socket)
}

#[test]
fn a_reconnecting_socket_is_freed_at_each_moment() {
    for how in ["dropped", "closed", "watched to the end"] {
        for (moment, prepare, configure) in MOMENTS {
            let network = Network::new();
            prepare(&network);
            let builder = WebSocket::<Reconnect<Inner>>::builder(URL);
            let socket = configure(builder).connect().unwrap();
            let memory = watch(&socket);
            network.advance(SECOND / 1000);
            let stream = (how == "watched to the end").then(|| socket.events());
            if how == "closed" {
                socket.close();
            }
            drop(socket);
            network.run();
            assert_eq!(network.timers(), 0, "{moment}, {how}: timers");
            assert_eq!(network.listeners(), 0, "{moment}, {how}: listeners");
            drop(stream);
            network.run();
            assert!(memory.upgrade().is_none(), "{moment}, {how}: memory");
        }
    }
}

#[test]
fn a_plain_socket_is_freed() {
    for wrapped in [false, true] {
        let network = Network::new();
        network.peer(URL).send("a").expect_close();
        let memory = if wrapped {
            let socket = WebSocket::<Inner>::new(URL).unwrap();
            network.run();
            watch(&socket)
        } else {
            let socket = WebSocket::<Mock>::new(URL).unwrap();
            network.run();
            watch(&socket)
        };
        network.run();
        assert!(memory.upgrade().is_none(), "wrapped: {wrapped}");
        network.finish();
    }
}

#[test]
fn a_peer_that_does_not_answer_is_not_waited_for() {
    let network = Network::new();
    network.peer(URL).accept().hang();
    let socket = WebSocket::<Reconnect<Inner>>::new(URL).unwrap();
    let memory = watch(&socket);
    network.run();
    drop(socket);
    network.run();
    assert!(memory.upgrade().is_none(), "memory");
    assert_eq!(
        network.timers(),
        1,
        "the close timeout, of the connection alone"
    );
    network.advance(10 * SECOND);
    network.finish();
}
