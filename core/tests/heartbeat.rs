//! Heartbeats with messages and idle timeouts, in simulated time (S106, S107, S108, S115).
//! Numbers such as R40 name the rules in `facade/guide/reconnecting.md`.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use isosocket::mock::Network;
use isosocket::{
    ErrorKind, Event, Heartbeat, NewError, ReadyState, Reconnecting, Status, Timeout, WebSocket,
};
use isosocket_core::mock::Mock;

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);

/// Asks "?" after 30 s, and waits 10 s.
fn heartbeat() -> Heartbeat {
    Heartbeat::new(30 * SECOND, 10 * SECOND).message("?")
}

fn open(heartbeat: Heartbeat) -> WebSocket {
    WebSocket::builder(URL)
        .heartbeat(heartbeat)
        .connect()
        .unwrap()
}

/// The messages that a handler gets.
fn messages(socket: &WebSocket) -> Arc<Mutex<Vec<String>>> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    socket.on_message(move |_, message| own.lock().unwrap().push(message.to_string()));
    seen
}

/// S115, R40, R42.
#[test]
fn answers_are_measured_and_reach_nobody() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.send("hello");
    for _ in 0..3 {
        peer.expect("?").delay(SECOND / 50).send("!");
    }
    let socket = open(heartbeat().answer("!"));
    let seen = messages(&socket);
    let mut events = socket.events();
    network.run();
    assert_eq!(socket.latency(), None);
    network.advance(95 * SECOND);
    assert_eq!(socket.latency(), Some(SECOND / 50));
    assert_eq!(*seen.lock().unwrap(), ["hello"]);
    let events: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    assert_eq!(events, [Event::Open, Event::Message("hello".into())]);
    network.finish();
}

/// R42: also before anybody listens.
#[test]
fn answers_are_not_kept_for_a_later_listener() {
    let network = Network::new();
    network.peer(URL).expect("?").send("!").send("news");
    let socket = open(heartbeat().answer("!"));
    network.advance(31 * SECOND);
    let seen = messages(&socket);
    network.run();
    assert_eq!(*seen.lock().unwrap(), ["news"]);
}

/// R42: where the program wants them.
#[test]
fn answers_are_delivered_on_request() {
    let network = Network::new();
    network.peer(URL).expect("?").send("online 7");
    let is_answer = |text: &str| text.starts_with("online ");
    let heartbeat = heartbeat()
        .answer_if(move |message| message.as_text().is_some_and(is_answer))
        .deliver_answers();
    let socket = open(heartbeat);
    let seen = messages(&socket);
    network.advance(31 * SECOND);
    assert_eq!(*seen.lock().unwrap(), ["online 7"]);
    assert_eq!(socket.latency(), Some(Duration::from_micros(1)));
}

/// S100: a function that panics has said no.
#[test]
fn a_panic_of_the_function_stops_nothing() {
    let network = Network::new();
    network.peer(URL).send("a").send("b");
    let socket = open(heartbeat().answer_if(|_| panic!("on purpose")));
    let seen = messages(&socket);
    network.run();
    assert_eq!(*seen.lock().unwrap(), ["a", "b"]);
}

/// R40: the connection ends within interval and timeout.
#[test]
fn a_silent_peer_is_dead_after_interval_and_timeout() {
    let network = Network::new();
    network.peer(URL).expect("?").send("!").expect("?").hang();
    let socket = open(heartbeat().answer("!"));
    let mut events = socket.events();
    network.advance(70 * SECOND - Duration::from_millis(1));
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.advance(Duration::from_millis(1));
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    let events: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let [Event::Open, Event::Error(error), Event::Close(close)] = &events[..] else {
        panic!("{events:?}");
    };
    assert_eq!(error.kind(), ErrorKind::TimedOut(Timeout::Heartbeat));
    let text = format!("{error:#}");
    assert!(
        text.contains("did not answer the heartbeat within 10s"),
        "{text}"
    );
    assert_eq!((close.code, close.was_clean), (1006, false));
    // The mock's peer has 10 s to answer the Close frame. After that nothing is left.
    network.advance(10 * SECOND);
    assert_eq!(network.timers(), 0);
}

/// S107, R41: any message is a sign of life.
#[test]
fn any_message_is_a_sign_of_life() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..20 {
        peer.delay(9 * SECOND).send("news");
    }
    let quiet = network.peer("ws://quiet/");
    quiet.expect("?").delay(9 * SECOND).send("news").hang();
    let socket = WebSocket::builder(URL)
        .heartbeat(heartbeat())
        .connect()
        .unwrap();
    let other = WebSocket::builder("ws://quiet/")
        .heartbeat(heartbeat())
        .connect()
        .unwrap();
    network.advance(69 * SECOND);
    assert_eq!(other.ready_state(), ReadyState::Open);
    network.advance(SECOND);
    assert_eq!(other.ready_state(), ReadyState::Closed);
    drop(socket);
}

/// S106, R44: an answer that comes in the moment of the timeout, behind the timer.
#[test]
fn what_has_arrived_has_its_turn_before_the_peer_is_judged() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..3 {
        peer.expect("?").delay(10 * SECOND).send("!");
    }
    let socket = open(heartbeat().answer("!"));
    network.advance(100 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    assert_eq!(socket.latency(), Some(10 * SECOND));
    network.finish();
}

/// S108, R43: a socket that is closing has no heartbeat.
#[test]
fn a_closing_socket_is_not_asked() {
    let network = Network::new();
    network
        .peer(URL)
        .accept()
        .expect_close()
        .delay(100 * SECOND);
    let socket = WebSocket::builder(URL)
        .heartbeat(heartbeat())
        .idle_timeout(50 * SECOND)
        .close_timeout(None)
        .connect()
        .unwrap();
    network.run();
    socket.close();
    network.advance(99 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    network.advance(SECOND);
    let close = socket.close_event().unwrap();
    assert!(close.was_clean);
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// S102: dropping the last handle leaves no timer.
#[test]
fn a_dropped_socket_leaves_nothing() {
    let network = Network::new();
    network.peer(URL).accept().expect_close();
    let held = Arc::new(());
    let captured = held.clone();
    let socket = open(heartbeat().answer_if(move |_| Arc::strong_count(&captured) == 0));
    network.run();
    assert_eq!(network.timers(), 1);
    drop(socket);
    network.run();
    assert_eq!((network.timers(), Arc::strong_count(&held)), (0, 1));
    network.finish();
}

/// R45.
#[test]
fn silence_ends_the_connection() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..10 {
        peer.delay(4 * SECOND).send("tick");
    }
    peer.hang();
    let builder = WebSocket::builder(URL).idle_timeout(5 * SECOND);
    let socket = builder.connect().unwrap();
    let mut events = socket.events();
    network.advance(45 * SECOND - Duration::from_millis(1));
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.advance(Duration::from_millis(1));
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    let errors = std::iter::from_fn(|| events.try_next()).filter_map(|event| match event {
        Event::Error(error) => Some(format!("{error:#}")),
        _ => None,
    });
    let errors: Vec<_> = errors.collect();
    assert!(
        errors[0].contains("the peer was silent for 5s"),
        "{errors:?}"
    );
}

/// R41: while the program does not read, the peer's silence proves nothing.
#[test]
fn a_reader_that_waits_is_no_silence() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..6 {
        peer.send(vec![0; 1 << 20]);
    }
    let builder = WebSocket::builder(URL).idle_timeout(5 * SECOND);
    let socket = builder.connect().unwrap();
    let mut events = socket.events();
    network.advance(60 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    while events.try_next().is_some() {
        network.run();
    }
    network.advance(10 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
}

/// R41, of a socket that connects again.
#[test]
fn a_reader_of_a_socket_that_connects_again_may_wait_too() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..6 {
        peer.send(vec![0; 1 << 20]);
    }
    let builder = Reconnecting::builder(URL).idle_timeout(5 * SECOND);
    let socket = builder.max_attempts(1).connect().unwrap();
    let mut events = socket.events();
    let mut statuses = socket.statuses();
    network.advance(60 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    while events.try_next().is_some() {
        network.run();
    }
    network.advance(10 * SECOND);
    let mut all = std::iter::from_fn(|| statuses.try_next());
    assert!(all.any(|status| matches!(status, Status::Waiting { .. })));
}

/// R7, R40: of each connection, and a dead one is a loss.
#[test]
fn a_socket_that_reconnects_makes_another_connection() {
    let network = Network::new();
    network.fix_random(0);
    network.peer(URL).expect("?").hang();
    let second = network.peer(URL);
    second
        .expect("?")
        .send("!")
        .expect("?")
        .send("!")
        .expect("bye");
    let builder = Reconnecting::builder(URL).heartbeat(heartbeat().answer("!"));
    let socket = builder.connect().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    socket.on_status(move |_, status| own.lock().unwrap().push(format!("{status:#}")));
    network.advance(40 * SECOND);
    assert_eq!(socket.status(), Status::Open);
    let waited = seen
        .lock()
        .unwrap()
        .iter()
        .any(|it| it.contains("did not answer"));
    assert!(waited, "{seen:?}");
    network.advance(65 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    assert!(socket.latency().is_some());
    socket.send("bye").unwrap();
    network.finish();
}

/// R43: nothing is asked, and nothing kept, while there is no connection.
#[test]
fn no_question_waits_for_the_next_connection() {
    let network = Network::new();
    network.fix_random(u64::MAX);
    network
        .peer(URL)
        .accept()
        .delay(29 * SECOND)
        .drop_connection();
    network.peer(URL).expect("?").send("!");
    let builder = Reconnecting::builder(URL)
        .heartbeat(heartbeat().answer("!"))
        .backoff(20 * SECOND, 20 * SECOND);
    let socket = builder.connect().unwrap();
    network.advance(45 * SECOND);
    assert_eq!(socket.buffered_amount(), 0);
    network.advance(35 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.finish();
}

/// R46.
#[test]
fn what_cannot_work_is_an_error_of_the_constructor() {
    let network = Network::new();
    let pings = Heartbeat::new(SECOND, SECOND);
    let builder = isosocket_core::WebSocket::<Mock>::builder(URL).heartbeat(pings);
    let refused = builder.connect().unwrap_err();
    assert_eq!(
        refused,
        NewError::OptionNotSupported("heartbeat without a message")
    );
    for (interval, timeout) in [(Duration::ZERO, SECOND), (SECOND, Duration::ZERO)] {
        let heartbeat = Heartbeat::new(interval, timeout).message("?");
        let refused = WebSocket::builder(URL).heartbeat(heartbeat).connect();
        assert!(matches!(refused, Err(NewError::Option(_))), "{refused:?}");
    }
    let refused = WebSocket::builder(URL)
        .idle_timeout(Duration::ZERO)
        .connect();
    assert!(matches!(refused, Err(NewError::Option(_))), "{refused:?}");
    network.finish();
}

#[test]
fn the_last_call_counts() {
    let network = Network::new();
    network.peer(URL).accept();
    let socket = WebSocket::builder(URL)
        .heartbeat(heartbeat())
        .idle_timeout(SECOND)
        .heartbeat(None)
        .idle_timeout(None)
        .connect()
        .unwrap();
    network.advance(100 * SECOND);
    assert_eq!(
        (socket.ready_state(), network.timers()),
        (ReadyState::Open, 0)
    );
    drop(socket);
    network.finish();
}

/// A heartbeat takes the place of another one only.
#[test]
fn a_second_heartbeat_keeps_handlers_and_the_idle_timeout() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.send("hello").expect("second");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let own = seen.clone();
    let socket = WebSocket::builder(URL)
        .on_message(move |_, message| own.lock().unwrap().push(message.to_string()))
        .heartbeat(heartbeat().message("first"))
        .idle_timeout(35 * SECOND)
        .heartbeat(heartbeat().message("second"))
        .connect()
        .unwrap();
    network.advance(34 * SECOND);
    assert_eq!(*seen.lock().unwrap(), ["hello"]);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.advance(SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    network.check().unwrap();
}

/// S108.
#[test]
fn the_end_stops_the_heartbeat() {
    let network = Network::new();
    network.peer(URL).accept().delay(SECOND).close();
    let socket = open(heartbeat());
    network.advance(SECOND / 2);
    assert_eq!(
        (socket.ready_state(), network.timers()),
        (ReadyState::Open, 2)
    );
    network.advance(SECOND);
    assert_eq!(
        (socket.ready_state(), network.timers()),
        (ReadyState::Closed, 0)
    );
}

/// S107: the backend is asked to note when there was a last sign of life.
#[test]
fn a_heartbeat_watches_for_signs_of_life() {
    let network = Network::new();
    network.peer(URL).accept();
    let _socket = open(heartbeat());
    assert!(isosocket_core::watches_life());
}

/// R40.
#[test]
fn a_long_timeout_delays_no_question() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..6 {
        peer.expect("?").send("!");
    }
    peer.send("news");
    let heartbeat = Heartbeat::new(SECOND, 3600 * SECOND)
        .message("?")
        .answer("!");
    let socket = open(heartbeat);
    let seen = messages(&socket);
    network.advance(6 * SECOND);
    assert_eq!(*seen.lock().unwrap(), ["news"]);
}
