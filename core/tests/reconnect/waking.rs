//! Waking up: waits end, attempts are begun again, and open connections are tested (S116).

use isosocket_core::{Heartbeat, Timeout, wake_up};

use super::edges::waits;
use super::*;

fn wake(network: &Network) {
    wake_up::<Mock>();
    network.run();
}

/// Asks "?" after 30 s, and waits 10 s.
fn heartbeat() -> Heartbeat {
    let heartbeat = Heartbeat::new(30 * SECOND, 10 * SECOND);
    heartbeat.message("?").answer("!")
}

/// R47.
#[test]
fn a_wait_ends_at_once_and_the_backoff_begins_again() {
    let network = network();
    for _ in 0..6 {
        network.peer(URL).refuse("no");
    }
    network.peer(URL);
    let builder = Socket::builder(URL).backoff(100 * MILLISECOND, 10 * SECOND);
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(750 * MILLISECOND);
    let before = [(2, 100), (3, 200), (4, 400), (5, 800)];
    assert_eq!(waits(&mut statuses), before);
    wake(&network);
    assert_eq!(waits(&mut statuses), [(6, 100)]);
    assert_eq!(network.now(), 750 * MILLISECOND);
    // Woken in each wait: no wait grows.
    wake(&network);
    assert_eq!(waits(&mut statuses), [(7, 100)]);
    network.advance(100 * MILLISECOND);
    assert_eq!(socket.status(), Status::Open);
    network.finish();
}

/// R47.
#[test]
fn all_sockets_wake_up() {
    let network = network();
    let urls = ["ws://one/", "ws://two/", "ws://three/"];
    for url in urls {
        network.peer(url).refuse("no");
        network.peer(url);
    }
    let sockets = urls.map(|url| Socket::new(url).unwrap());
    network.run();
    wake(&network);
    assert!(sockets.iter().all(|socket| socket.status() == Status::Open));
}

/// R47: attempts are counted on, so that `max_attempts` still ends them.
#[test]
fn waking_up_gives_no_more_attempts() {
    let network = network();
    for _ in 0..3 {
        network.peer(URL).refuse("no");
    }
    let builder = Socket::builder(URL).max_attempts(3);
    let socket = builder.connect().unwrap();
    (0..3).for_each(|_| wake(&network));
    assert!(matches!(socket.status(), Status::GaveUp(loss) if loss.attempt == 3));
    network.finish();
}

/// R47, R28.
#[test]
fn a_server_that_wants_to_be_left_alone_is() {
    let network = network();
    let refusal = ErrorEvent::refused(503, 60 * SECOND, "busy");
    network.peer(URL).refuse(refusal);
    network.peer(URL);
    let socket = Socket::new(URL).unwrap();
    network.advance(30 * SECOND);
    wake(&network);
    assert!(matches!(socket.status(), Status::Waiting { .. }));
    network.advance(31 * SECOND);
    assert_eq!(socket.status(), Status::Open);
}

/// R48.
#[test]
fn an_attempt_that_hangs_is_begun_again_and_nobody_sees_it() {
    let network = network();
    network.peer(URL).hang();
    network.peer(URL).send("hello").expect("kept").hang();
    let seen = Seen::default();
    let socket = seen.bind(Socket::builder(URL)).connect().unwrap();
    socket.send("kept").unwrap();
    network.advance(3 * SECOND);
    wake(&network);
    network.advance(SECOND / 2);
    // Woken once more: that gives it no more time.
    wake(&network);
    network.advance(SECOND / 2 - MILLISECOND);
    assert_eq!(seen.take(), ["connecting 1 [0]"]);
    network.advance(MILLISECOND);
    assert_eq!(network.now(), 4 * SECOND);
    assert_eq!(seen.take(), ["connected [1]", "Open [1]", "hello [1]"]);
    assert_eq!(socket.buffered_amount(), 0);
    drop(socket);
    network.advance(10 * SECOND);
    assert_eq!(network.timers(), 0);
}

/// R48.
#[test]
fn an_attempt_that_gets_there_is_left_alone() {
    let network = network();
    network
        .peer(URL)
        .delay(SECOND - MILLISECOND)
        .accept()
        .send("hello");
    let seen = Seen::default();
    let socket = seen.bind(Socket::builder(URL)).connect().unwrap();
    network.run();
    wake(&network);
    network.advance(60 * SECOND);
    let expected = ["connecting 1 [0]", "connected [1]", "Open [1]", "hello [1]"];
    assert_eq!(seen.take(), expected);
    drop(socket);
    network.finish();
}

/// R48, R29: the program's function is asked again, as for the same attempt.
#[test]
fn what_a_new_beginning_uses_is_asked_for() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).hang();
    network.peer("ws://peer/3");
    let asked = Arc::new(Mutex::new(Vec::new()));
    let asks = asked.clone();
    let builder = Socket::builder(URL).each_attempt(move |next| {
        let mut asked = asks.lock().unwrap();
        asked.push((next.number(), next.loss().map(|loss| loss.attempt)));
        let url = match asked.len() {
            3 => "ws://peer/3",
            _ => URL,
        };
        async move { Ok::<_, ErrorEvent>(next.url(url)) }
    });
    let socket = builder.connect().unwrap();
    network.advance(SECOND);
    wake(&network);
    network.advance(SECOND);
    assert_eq!(socket.status(), Status::Open);
    assert_eq!(
        *asked.lock().unwrap(),
        [(1, None), (2, Some(1)), (2, Some(1))]
    );
    network.finish();
}

/// R48: as it is closed, no beginning follows.
#[test]
fn a_socket_that_is_closed_meanwhile_begins_nothing() {
    let network = network();
    network.peer(URL).hang();
    let socket = Socket::new(URL).unwrap();
    network.run();
    wake(&network);
    socket.close();
    wake(&network);
    network.advance(60 * SECOND);
    assert_eq!(socket.status(), Status::Closed);
    assert_eq!(network.timers(), 0);
    wake(&network);
}

/// R49.
#[test]
fn a_peer_that_is_gone_is_replaced_within_two_seconds() {
    let network = network();
    network.fix_random(0);
    network.peer(URL).expect("?").hang();
    network.peer(URL).send("hello");
    let builder = Socket::builder(URL).heartbeat(heartbeat());
    let socket = network.block_on(builder.open()).unwrap();
    let mut events = socket.events();
    let mut statuses = socket.statuses();
    wake(&network);
    network.advance(1499 * MILLISECOND);
    assert_eq!(statuses.try_next(), Some(Status::Open));
    network.advance(MILLISECOND);
    let Some(Status::Waiting { loss, .. }) = statuses.try_next() else {
        panic!("{:?}", socket.status());
    };
    assert_eq!(loss.kind(), ErrorKind::TimedOut(Timeout::Heartbeat));
    let text = format!("{loss:#}");
    assert!(
        text.contains("did not answer the heartbeat within 1.5s"),
        "{text}"
    );
    network.run();
    assert_eq!(network.now(), 1500 * MILLISECOND);
    assert_eq!(socket.status(), Status::Open);
    let events: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let hello = Event::Message("hello".into());
    assert_eq!(events, [Event::Open, Event::Open, hello]);
}

/// R49.
#[test]
fn a_peer_that_answers_is_kept() {
    let network = network();
    let peer = network.peer(URL);
    peer.expect("?")
        .delay(SECOND)
        .send("!")
        .expect("?")
        .delay(2 * SECOND)
        .send("!");
    let builder = Socket::builder(URL).heartbeat(heartbeat());
    let socket = network.block_on(builder.open()).unwrap();
    // All at once, as in a page: one question.
    (0..3).for_each(|_| wake(&network));
    network.advance(SECOND);
    assert_eq!(socket.latency(), Some(SECOND));
    // It is a slow peer, so it has three times as long.
    wake(&network);
    network.advance(2 * SECOND);
    assert_eq!(socket.latency(), Some(2 * SECOND));
    assert_eq!(socket.status(), Status::Open);
    network.finish();
}

/// R49: of a plain socket, too; and not beyond the heartbeat's own timeout.
#[test]
fn a_plain_socket_is_tested_too() {
    let network = network();
    network.peer(URL).expect("?").hang();
    network.peer(URL).accept();
    let plain = |heartbeat| {
        let builder = WebSocket::<Mock>::builder(URL).heartbeat(heartbeat);
        builder.connect().unwrap()
    };
    let heartbeat = Heartbeat::new(30 * SECOND, SECOND).message("?");
    let socket = plain(Some(heartbeat));
    let without = plain(None);
    network.run();
    wake(&network);
    network.advance(SECOND - MILLISECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.advance(MILLISECOND);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    network.advance(60 * SECOND);
    assert_eq!(without.ready_state(), ReadyState::Open);
    assert_eq!(network.timers(), 0);
}

/// R49, R45: an idle timeout asks nothing, and is as long as before.
#[test]
fn an_idle_timeout_is_not_shortened() {
    let network = network();
    network.peer(URL).accept();
    let builder = WebSocket::<Mock>::builder(URL).idle_timeout(20 * SECOND);
    let socket = builder.connect().unwrap();
    network.run();
    wake(&network);
    network.advance(20 * SECOND - MILLISECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    network.finish();
}

/// R51, S98: it may be called in a handler, and does nothing inside the call.
#[test]
fn a_handler_may_say_it() {
    let network = network();
    network.fix_random(0);
    network.peer(URL).send("wake up").expect("?").hang();
    network.peer(URL);
    let builder = Socket::builder(URL).heartbeat(heartbeat());
    let socket = builder
        .on_message(|socket, _| {
            wake_up::<Mock>();
            assert_eq!(socket.status(), Status::Open);
        })
        .connect()
        .unwrap();
    network.advance(1500 * MILLISECOND);
    assert_eq!(socket.status(), Status::Open);
    network.finish();
}
