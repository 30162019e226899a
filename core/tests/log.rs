//! What is written to the log, and at which level.

use std::cell::RefCell;
use std::sync::Once;
use std::time::Duration;

use isosocket::mock::Network;
use isosocket::{Reconnecting, WebSocket};
use log::{Level, LevelFilter, Metadata, Record};

thread_local! {
    static LINES: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

struct Sink;

impl log::Log for Sink {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let line = (record.level(), record.args().to_string());
        LINES.with_borrow_mut(|lines| lines.push(line));
    }

    fn flush(&self) {}
}

/// What is logged on this thread, on which the mock's sockets live.
fn logged(program: impl FnOnce(&Network)) -> Vec<(Level, String)> {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Sink).expect("the only sink");
        log::set_max_level(LevelFilter::Trace);
    });
    let network = Network::new();
    program(&network);
    LINES.with_borrow_mut(std::mem::take)
}

#[test]
fn each_loss_is_logged_with_its_cause_and_the_first_for_everybody() {
    let lines = logged(|network| {
        network.fix_random(u64::MAX);
        for _ in 0..3 {
            network
                .peer("ws://peer/feed?token=abc")
                .refuse("status 401");
        }
        let socket = Reconnecting::builder("ws://peer/feed?token=abc").max_attempts(3);
        let _socket = socket.connect().unwrap();
        network.advance(Duration::from_secs(60));
    });
    let failed = "ws://peer/feed: the WebSocket connection failed: status 401; attempt";
    let gave_up = "ws://peer/feed: gave up: the WebSocket connection failed: status 401";
    assert_eq!(
        lines,
        [
            (Level::Info, format!("{failed} 2 in 0.5 s")),
            (Level::Debug, format!("{failed} 3 in 1.0 s")),
            (Level::Info, gave_up.to_owned()),
        ]
    );
}

#[test]
fn a_connection_that_held_is_lost_for_everybody_to_see() {
    let lines = logged(|network| {
        network.fix_random(0);
        network.peer("ws://peer/").refuse("down");
        let peer = network.peer("ws://peer/");
        peer.accept()
            .delay(Duration::from_secs(60))
            .drop_connection();
        network.peer("ws://peer/").accept();
        let socket = Reconnecting::new("ws://peer/").unwrap();
        network.advance(Duration::from_secs(90));
        socket.close();
    });
    let levels: Vec<_> = lines.iter().map(|(level, _)| *level).collect();
    assert_eq!(levels, [Level::Info, Level::Info], "{lines:?}");
    assert!(
        lines[1].1.contains("1006 (not clean); attempt 1"),
        "{lines:?}"
    );
}

#[test]
fn a_stream_that_nobody_reads_while_a_handler_wants_messages_is_warned_of_once() {
    let lines = logged(|network| {
        let peer = network.peer("ws://peer/feed?token=abc");
        for _ in 0..200 {
            peer.send(vec![0; 1 << 20]);
        }
        let socket = WebSocket::new("ws://peer/feed?token=abc").unwrap();
        let mut events = socket.events();
        socket.on_message(|_, _| {});
        network.run();
        while events.try_next().is_some() {}
        network.run();
    });
    assert_eq!(lines.len(), 1, "{lines:?}");
    let (level, line) = &lines[0];
    assert_eq!(*level, Level::Warn);
    assert!(
        line.starts_with("ws://peer/feed: reading stopped"),
        "{line}"
    );
}

#[test]
fn a_stream_that_is_the_only_one_to_want_messages_is_not_warned_of() {
    let lines = logged(|network| {
        let peer = network.peer("ws://peer/");
        for _ in 0..200 {
            peer.send(vec![0; 1 << 20]);
        }
        let socket = WebSocket::new("ws://peer/").unwrap();
        let _events = socket.events();
        socket.on_close(|_, _| {});
        network.run();
    });
    assert_eq!(lines, []);
}

/// S101: one line, however many messages are dropped.
#[test]
fn dropped_messages_are_warned_of_once() {
    let lines = logged(|network| {
        let peer = network.peer("ws://peer/");
        for _ in 0..5 {
            peer.send(vec![0; 1 << 10]);
        }
        let builder = WebSocket::builder("ws://peer/").backlog_limit(2 << 10);
        let _socket = builder.connect().unwrap();
        network.run();
    });
    let line = "nobody listens for messages: dropping them from now on";
    assert_eq!(lines, [(Level::Warn, line.to_owned())]);
}

/// S105: the log says which part of the program panicked.
#[test]
fn a_panic_in_a_handler_is_logged_with_its_kind() {
    let lines = logged(|network| {
        network.peer("ws://peer/").send("hello").fail("reset");
        let socket = WebSocket::new("ws://peer/").unwrap();
        socket.on_open(|_| panic!("on purpose"));
        socket.on_message(|_, _| panic!("on purpose"));
        socket.on_error(|_, _| panic!("on purpose"));
        socket.on_close(|_, _| panic!("on purpose"));
        network.run();
    });
    let line = |kind: &str| (Level::Error, format!("a handler for {kind} panicked"));
    assert_eq!(lines, ["open", "message", "error", "close"].map(line));
}
