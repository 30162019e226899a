//! From the first connection to the end: what is reported, and what each connection has.

use super::*;

/// R1, R2, R3.
#[test]
fn the_whole_course_in_order() {
    let network = network();
    network.peer(URL).refuse("not yet");
    network.peer(URL).send("a").close_with(1012, "restart");
    network.peer(URL).send("b").expect_close();
    let seen = Seen::default();
    let socket = seen.bind(Socket::builder(URL)).connect().unwrap();
    assert_eq!(seen.take(), [""; 0], "S98: not inside the constructor");
    network.run();
    assert_eq!(
        seen.take(),
        ["connecting 1 [0]", "waiting 500 ms for 2 [0]"]
    );
    network.advance(500 * MILLISECOND);
    assert_eq!(
        seen.take(),
        [
            "connecting 2 [0]",
            "connected [1]",
            "Open [1]",
            "a [1]",
            "waiting 1000 ms for 3 [0]"
        ]
    );
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    network.advance(SECOND);
    assert_eq!(
        seen.take(),
        ["connecting 3 [0]", "connected [1]", "Open [1]", "b [1]"]
    );
    socket.close();
    network.run();
    assert_eq!(seen.take(), ["closed [2]", "Close 1005 [3]"]);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// R7.
#[test]
fn a_loss_has_what_a_plain_socket_would_have_reported() {
    let network = network();
    network.peer(URL).drop_connection();
    network.peer(URL).accept().fail("reset");
    network.peer(URL).close_with(4001, "bye");
    let losses = Arc::new(Mutex::new(Vec::new()));
    let log = losses.clone();
    let _socket = Socket::builder(URL)
        .retry(move |loss| {
            let error = loss.error.as_ref().and_then(std::error::Error::source);
            log.lock().unwrap().push((
                loss.attempt,
                loss.was_open,
                loss.close.clone(),
                error.map(ToString::to_string),
            ));
            match loss.attempt {
                3 => Retry::GiveUp,
                _ => Retry::After(SECOND),
            }
        })
        .connect()
        .unwrap();
    network.advance(3 * SECOND);
    let losses = losses.lock().unwrap();
    let early = "the peer dropped the connection before it was established";
    assert_eq!(
        *losses,
        [
            (1, false, CloseEvent::abnormal(), Some(early.to_owned())),
            (2, true, CloseEvent::abnormal(), Some("reset".to_owned())),
            (3, true, CloseEvent::new(4001, "bye", true), None),
        ]
    );
    network.finish();
}

/// R4.
#[test]
fn giving_up_ends_as_the_last_connection_did() {
    for (end, expected) in [
        (
            "refuse",
            &["gave up after 1 [0]", "Error [3]", "Close 1006 [3]"][..],
        ),
        ("close", &["gave up after 1 [1]", "Close 4000 [3]"]),
        ("drop", &["gave up after 1 [1]", "Close 1006 [3]"]),
        (
            "fail",
            &["gave up after 1 [1]", "Error [3]", "Close 1006 [3]"],
        ),
    ] {
        let network = network();
        let peer = network.peer(URL);
        match end {
            "refuse" => peer.refuse("no"),
            "close" => peer.close_with(4000, ""),
            "drop" => peer.accept().drop_connection(),
            _ => peer.accept().fail("reset"),
        };
        let seen = Seen::default();
        let builder = seen.bind(Socket::builder(URL)).retry(|_| Retry::GiveUp);
        let socket = builder.connect().unwrap();
        network.run();
        let seen = seen.take();
        assert_eq!(&seen[seen.len() - expected.len()..], expected, "{end}");
        assert!(matches!(socket.status(), Status::GaveUp(_)));
        assert_eq!(network.timers(), 0);
        network.finish();
    }
}

/// R22.
#[test]
fn protocol_and_extensions_are_those_of_the_last_connection() {
    let network = network();
    network.peer(URL).accept_with("a", "x").drop_connection();
    network.peer(URL).accept_with("b", "");
    let socket = Socket::builder(URL)
        .subprotocols(["a", "b"])
        .connect()
        .unwrap();
    assert_eq!(socket.protocol(), "");
    network.run();
    assert_eq!((socket.protocol(), socket.extensions()), ("a", "x"));
    network.advance(SECOND);
    assert_eq!((socket.protocol(), socket.extensions()), ("b", ""));
}

/// R22.
#[test]
fn limits_and_timeouts_hold_for_each_connection() {
    let network = network();
    network.peer(URL).hang();
    network.peer(URL).send("12345");
    network.peer(URL).hang();
    network.peer(URL).accept().hang();
    let socket = Socket::builder(URL)
        .connect_timeout(3 * SECOND)
        .close_timeout(2 * SECOND)
        .max_message_size(4);
    let seen = Seen::default();
    let socket = seen.bind(socket).connect().unwrap();
    network.advance(3 * SECOND);
    assert_eq!(
        seen.take(),
        ["connecting 1 [0]", "waiting 500 ms for 2 [0]"]
    );
    network.advance(500 * MILLISECOND);
    assert_eq!(seen.take()[3..], ["waiting 1000 ms for 3 [0]"]);
    network.advance(SECOND + 3 * SECOND);
    assert_eq!(
        seen.take(),
        ["connecting 3 [0]", "waiting 2000 ms for 4 [0]"]
    );
    network.advance(2 * SECOND);
    seen.take();
    socket.close();
    network.advance(2 * SECOND - MILLISECOND);
    assert_eq!(seen.take(), [""; 0]);
    network.advance(MILLISECOND);
    assert_eq!(seen.take(), ["closed [2]", "Close 1006 [3]"]);
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// R13.
#[test]
fn what_is_malformed_is_an_error_at_once() {
    let network = network();
    assert!(Socket::new("relative").is_err());
    assert!(
        Socket::builder(URL)
            .subprotocol("not a token")
            .connect()
            .is_err()
    );
    assert_eq!(network.timers(), 0);
}
