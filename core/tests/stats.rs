//! Counters of sockets, in simulated time. Numbers such as R55 name the rules in
//! `facade/guide/reconnecting.md`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use isosocket::mock::Network;
use isosocket::{Heartbeat, ReadyState, Reconnecting, SendError, Socket, Stats, WebSocket};
use isosocket_core::mock::Mock;

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);

/// Messages and bytes sent, then received.
fn traffic(stats: Stats) -> [(u64, u64); 2] {
    [
        (stats.messages_sent, stats.bytes_sent),
        (stats.messages_received, stats.bytes_received),
    ]
}

/// Sends and receives by a socket of any kind, which has a peer that is like this one.
fn converse<S: Socket>(network: &Network, connect: impl FnOnce() -> S) {
    let peer = network.peer(URL);
    peer.expect("grüße").expect([1, 2, 3]).delay(SECOND);
    peer.send("ä").send([0; 300]).send("");
    let socket = connect();
    assert_eq!(traffic(socket.stats()), [(0, 0), (0, 0)]);
    assert_eq!(
        (socket.stats().attempts, socket.stats().open_for),
        (1, None)
    );
    network.run();
    socket.send("grüße").unwrap();
    socket.send([1, 2, 3]).unwrap();
    assert_eq!(traffic(socket.stats()), [(2, 10), (0, 0)]);
    network.advance(3 * SECOND);
    let stats = socket.stats();
    assert_eq!(traffic(stats), [(2, 10), (3, 302)]);
    assert_eq!((stats.open_for, stats.attempts), (Some(3 * SECOND), 1));
    // What is refused does not count, and nothing is forgotten at the end.
    socket.close();
    assert!(matches!(socket.send("no"), Err(SendError::Closing(_))));
    network.run();
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    let stats = socket.stats();
    assert_eq!(traffic(stats), [(2, 10), (3, 302)]);
    assert_eq!(stats.open_for, None);
}

/// R55.
#[test]
fn every_kind_of_socket_counts() {
    let network = Network::new();
    converse(&network, || WebSocket::new(URL).unwrap());
    converse(&network, || Reconnecting::new(URL).unwrap());
    converse(&network, || {
        isosocket_core::WebSocket::<Mock>::new(URL).unwrap()
    });
    network.finish();
}

/// R55: also what is not counted by the transport itself.
#[test]
fn a_socket_that_receives_in_a_handler_counts_it_before() {
    let network = Network::new();
    network.peer(URL).send("one").send("two").drop_connection();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    let socket = WebSocket::builder(URL)
        .on_message(move |socket, _| own.lock().unwrap().push(socket.stats().messages_received))
        .connect()
        .unwrap();
    network.run();
    assert_eq!(*seen.lock().unwrap(), [1, 2]);
    assert_eq!(socket.stats().bytes_received, 6);
}

/// R55: connections are counted together, and a kept message once it is sent.
#[test]
fn a_reconnecting_socket_counts_over_all_connections() {
    let network = Network::new();
    network.peer(URL).expect("kept").send("a").drop_connection();
    network.peer(URL).refuse("no");
    network.peer(URL).expect("later").send("bc");
    let socket = Reconnecting::builder(URL)
        .backoff(SECOND, SECOND)
        .connect()
        .unwrap();
    socket.send("kept").unwrap();
    assert_eq!(traffic(socket.stats()), [(0, 0), (0, 0)]);
    network.run();
    assert_eq!(traffic(socket.stats()), [(1, 4), (1, 1)]);
    assert_eq!(socket.stats().open_for, None);
    socket.send("later").unwrap();
    assert_eq!(traffic(socket.stats()), [(1, 4), (1, 1)]);
    network.advance(5 * SECOND);
    let stats = socket.stats();
    assert_eq!(traffic(stats), [(2, 9), (2, 3)]);
    assert_eq!(stats.attempts, 3);
    let open_for = stats.open_for.expect("it is open");
    assert!(
        open_for >= 3 * SECOND && open_for <= 5 * SECOND,
        "{open_for:?}"
    );
    network.finish();
}

/// R55.
#[test]
fn heartbeats_count_in_both_directions() {
    let network = Network::new();
    let answer = Duration::from_millis(40);
    for _ in 0..2 {
        network.peer(URL).expect("?").delay(answer).send("!!");
    }
    let heartbeat = || {
        let heartbeat = Heartbeat::new(30 * SECOND, 10 * SECOND);
        heartbeat.message("?").answer("!!")
    };
    let plain = WebSocket::builder(URL).heartbeat(heartbeat()).connect();
    let again = Reconnecting::builder(URL).heartbeat(heartbeat()).connect();
    let (plain, again) = (plain.unwrap(), again.unwrap());
    network.advance(31 * SECOND);
    for stats in [plain.stats(), again.stats()] {
        assert_eq!(traffic(stats), [(1, 1), (1, 2)]);
        assert_eq!(stats.latency, Some(answer));
    }
}
