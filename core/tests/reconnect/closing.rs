//! Closing at each moment.

use super::*;

/// R20, R24.
#[test]
fn close_while_there_is_no_connection_ends_at_once() {
    let network = network();
    network.peer(URL).refuse("no");
    let seen = Seen::default();
    let socket = seen.bind(Socket::builder(URL)).connect().unwrap();
    network.run();
    seen.take();
    socket.send("never sent").unwrap();
    socket.close_with(4000, "bye").unwrap();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert_eq!(network.timers(), 0);
    network.run();
    assert_eq!(seen.take(), ["closed [2]", "Close 1006 [3]"]);
    assert_eq!(socket.buffered_amount(), 10, "S51");
    assert_eq!(socket.send("x"), Err(SendError::Closed("x".into())));
    network.advance(60 * SECOND);
    assert_eq!(seen.take(), [""; 0]);
    network.finish();
}

/// R24.
#[test]
fn close_while_connecting_ends_at_once() {
    let network = network();
    let peer = network.peer(URL);
    peer.hang();
    let seen = Seen::default();
    let socket = seen.bind(Socket::builder(URL)).connect().unwrap();
    network.run();
    socket.close();
    network.run();
    let expected = ["connecting 1 [0]", "closed [2]", "Close 1006 [3]"];
    assert_eq!(seen.take(), expected);
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// R24.
#[test]
fn close_in_a_status_handler_is_obeyed() {
    let close_at = |wanted: &'static str| {
        let network = network();
        network.peer(URL).close_with(4000, "");
        let builder = Socket::builder(URL).on_status(move |socket, status| {
            if format!("{status:?}").starts_with(wanted) {
                socket.close();
            }
        });
        let seen = Seen::default();
        let socket = seen.bind(builder).connect().unwrap();
        network.advance(60 * SECOND);
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        assert_eq!(network.timers(), 0);
        drop(socket);
        seen.take().join(", ")
    };
    let expected = "connecting 1 [2], closed [2], Close 1006 [3]";
    assert_eq!(close_at("Connecting"), expected);
    let expected = "connecting 1 [0], connected [2], closed [2], Close 4000 [3]";
    assert_eq!(close_at("Open"), expected);
    let expected = "connecting 1 [0], connected [1], Open [1], \
        waiting 500 ms for 2 [2], closed [2], Close 1006 [3]";
    assert_eq!(close_at("Waiting"), expected);
}

/// R23.
#[test]
fn an_open_connection_is_closed_like_any_other() {
    let network = network();
    network
        .peer(URL)
        .expect("last")
        .expect_close_with(4000, "bye")
        .delay(SECOND);
    let seen = Seen::default();
    let socket = network
        .block_on(seen.bind(Socket::builder(URL)).open())
        .unwrap();
    seen.take();
    socket.send("last").unwrap();
    socket.close_with(4000, "bye").unwrap();
    assert!(matches!(socket.send("x"), Err(SendError::Closing(_))));
    network.run();
    assert_eq!(seen.take(), [""; 0]);
    network.advance(SECOND);
    assert_eq!(seen.take(), ["closed [2]", "Close 4000 [3]"]);
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// R23.
#[test]
fn a_connection_lost_while_closing_is_the_end() {
    let network = network();
    network.peer(URL).expect_close().drop_connection();
    let seen = Seen::default();
    let socket = network
        .block_on(seen.bind(Socket::builder(URL)).open())
        .unwrap();
    seen.take();
    socket.close();
    network.advance(60 * SECOND);
    assert_eq!(seen.take(), ["closed [2]", "Close 1006 [3]"]);
    network.finish();
}
