//! Connecting again, in simulated time: every option, every moment at which a
//! socket can be dropped, and nothing left afterwards. Numbers such as R7 name
//! the rules in `docs/reconnecting.md`.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::SinkExt;
use isosocket_core::mock::{Mock, Network};
use isosocket_core::{
    Bind, Builder, CloseEvent, ErrorEvent, Event, EventKind, ReadyState, Reconnect, Retry,
    SendError, Status, WebSocket,
};

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

type Socket = WebSocket<Reconnect<Mock>>;

/// What is told, in one list: events, statuses and the ready state in each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn bind(&self, builder: Builder<Reconnect<Mock>>) -> Builder<Reconnect<Mock>> {
        let seen = self.clone();
        let mut builder = builder.on_status(move |socket, status| {
            let words = match status {
                Status::Connecting { attempt } => format!("connecting {attempt}"),
                Status::Open => "connected".to_owned(),
                Status::Waiting { attempt, delay, .. } => {
                    format!("waiting {} ms for {attempt}", delay.as_millis())
                }
                Status::GaveUp(loss) => format!("gave up after {}", loss.attempt),
                Status::Closed => "closed".to_owned(),
                _ => "?".to_owned(),
            };
            seen.note(words, socket);
        });
        for kind in EventKind::ALL {
            let seen = self.clone();
            builder = builder.bind(kind, move |socket, event| {
                let words = match event {
                    Event::Open => "Open".to_owned(),
                    Event::Message(message) => message.as_text().unwrap().to_owned(),
                    Event::Error(_) => "Error".to_owned(),
                    Event::Close(close) => format!("Close {}", close.code),
                };
                seen.note(words, socket);
            });
        }
        builder
    }

    fn note(&self, words: String, socket: &Socket) {
        let state = socket.ready_state() as u8;
        self.0.lock().unwrap().push(format!("{words} [{state}]"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A network in which every jitter is the most it can be.
fn network() -> Network {
    let network = Network::new();
    network.fix_random(u64::MAX);
    network
}

/// A socket whose first connection is open.
fn open(network: &Network) -> Socket {
    network.block_on(Socket::open(URL)).unwrap()
}

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
            "connected [0]",
            "Open [1]",
            "a [1]",
            "waiting 1000 ms for 3 [0]"
        ]
    );
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    network.advance(SECOND);
    assert_eq!(
        seen.take(),
        ["connecting 3 [0]", "connected [0]", "Open [1]", "b [1]"]
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
fn a_loss_has_what_a_plain_socket_would_have_told() {
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
        let told = seen.take();
        assert_eq!(&told[told.len() - expected.len()..], expected, "{end}");
        assert!(matches!(socket.status(), Status::GaveUp(_)));
        assert_eq!(network.timers(), 0);
        network.finish();
    }
}

/// R8, R9.
#[test]
fn the_backoff_doubles_and_begins_anew_after_the_minimum_uptime() {
    let network = network();
    let builder = Socket::builder(URL)
        .backoff(100 * MILLISECOND, 350 * MILLISECOND)
        .min_uptime(10 * SECOND);
    for _ in 0..4 {
        network.peer(URL).refuse("no");
    }
    network
        .peer(URL)
        .accept()
        .delay(10 * SECOND - MILLISECOND)
        .drop_connection();
    network
        .peer(URL)
        .accept()
        .delay(10 * SECOND + MILLISECOND)
        .drop_connection();
    network.peer(URL).refuse("no");
    network.peer(URL).accept();
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(60 * SECOND);
    let mut waits = Vec::new();
    while let Some(status) = statuses.try_next() {
        if let Status::Waiting { attempt, delay, .. } = status {
            waits.push((attempt, delay.as_millis()));
        }
    }
    assert_eq!(
        waits,
        [
            (2, 100),
            (3, 200),
            (4, 350),
            (5, 350),
            (6, 350), // it was lost too soon
            (1, 100), // it had held
            (2, 200),
        ]
    );
    assert_eq!(socket.status(), Status::Open);
}

/// R9.
#[test]
fn jitter_is_between_nothing_and_the_bound() {
    let network = Network::new();
    network.seed(7);
    let builder = Socket::builder(URL).backoff(SECOND, SECOND);
    let delays = Arc::new(Mutex::new(Vec::new()));
    let log = delays.clone();
    let socket = builder.on_status(move |_, status| {
        if let Status::Waiting { delay, .. } = status {
            log.lock().unwrap().push(*delay);
        }
    });
    for _ in 0..1000 {
        network.peer(URL).refuse("no");
    }
    network.peer(URL);
    let _socket = network.block_on(socket.open()).unwrap();
    let delays = delays.lock().unwrap();
    assert_eq!(delays.len(), 1000);
    assert!(delays.iter().all(|delay| *delay <= SECOND));
    for tenth in 0..10 {
        let from = tenth * 100 * MILLISECOND;
        let count = delays
            .iter()
            .filter(|delay| **delay >= from && **delay < from + 100 * MILLISECOND);
        let count = count.count();
        assert!(
            (60..=140).contains(&count),
            "{count} of 1000 in tenth {tenth}"
        );
    }
    assert_eq!(delays.iter().sum::<Duration>(), network.now());
}

/// R9.
#[test]
fn no_wait_is_possible() {
    let network = Network::new();
    network.fix_random(0);
    network.peer(URL).drop_connection();
    network.peer(URL);
    let _socket = open(&network);
    assert_eq!(network.now(), Duration::ZERO);
}

/// R10.
#[test]
fn attempts_are_counted_up_to_the_maximum() {
    let network = network();
    for _ in 0..3 {
        network.peer(URL).refuse("no");
    }
    let opening = Socket::builder(URL).max_attempts(3).open();
    assert!(network.block_on(opening).is_err());
    assert_eq!(network.now(), 1500 * MILLISECOND);

    // A connection that held is not among them.
    network
        .peer(URL)
        .accept()
        .delay(5 * SECOND)
        .delay(MILLISECOND)
        .drop_connection();
    network.peer(URL).refuse("no");
    let socket = Socket::builder(URL).max_attempts(1).connect().unwrap();
    network.advance(60 * SECOND);
    assert!(matches!(socket.status(), Status::GaveUp(loss) if loss.attempt == 1));
    assert_eq!(network.timers(), 0);
    network.finish();
}

/// R11.
#[test]
fn the_hook_may_say_when() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).refuse("no");
    network.peer(URL);
    let socket = Socket::builder(URL).retry(|loss| match loss.attempt {
        1 => Retry::After(42 * SECOND),
        _ => Retry::Backoff,
    });
    let _socket = network.block_on(socket.open()).unwrap();
    assert_eq!(network.now(), 43 * SECOND, "it counts as a retry");
}

/// R12.
#[test]
fn a_wait_can_be_cut_short() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).refuse("no");
    network.peer(URL).expect_close();
    let socket = Socket::new(URL).unwrap();
    socket.retry_now();
    network.run();
    assert_eq!(network.timers(), 1);
    // Once is enough.
    socket.retry_now();
    socket.retry_now();
    network.run();
    let status = socket.status();
    assert!(
        matches!(status, Status::Waiting { attempt: 3, delay, .. } if delay == SECOND),
        "{status:?}"
    );
    assert_eq!((network.now(), network.timers()), (Duration::ZERO, 1));
    network.advance(SECOND);
    assert_eq!(socket.status(), Status::Open);
    socket.retry_now();
    socket.close();
    network.run();
    socket.retry_now();
    network.run();
    assert_eq!((socket.status(), network.timers()), (Status::Closed, 0));
    network.finish();
}

/// R5, R11.
#[test]
fn a_hook_that_panics_changes_nothing() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).expect("hello");
    let socket = Socket::builder(URL)
        .retry(|_| panic!("on purpose"))
        .on_status(|_, _| panic!("on purpose"));
    let socket = network.block_on(socket.open()).unwrap();
    socket.send("hello").unwrap();
    network.finish();
}

/// R16, R17.
#[test]
fn what_is_sent_while_there_is_no_connection_comes_first() {
    let network = network();
    network.peer(URL).refuse("no");
    network
        .peer(URL)
        .expect("1")
        .expect("2")
        .expect("3")
        .drop_connection();
    network.peer(URL).expect("4").expect("3").expect("5");
    let socket = Socket::builder(URL).on_open(|socket| socket.send("3").unwrap());
    let socket = socket.connect().unwrap();
    socket.send("1").unwrap();
    network.run();
    socket.send("2").unwrap();
    assert_eq!(socket.buffered_amount(), 2);
    network.advance(500 * MILLISECOND);
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    assert_eq!(socket.buffered_amount(), 0);
    socket.send("4").unwrap();
    network.advance(SECOND);
    socket.send("5").unwrap();
    network.finish();
}

/// R18.
#[test]
fn what_a_lost_connection_took_is_not_sent_again() {
    let network = network();
    let peer = network.peer(URL);
    peer.stall();
    network.peer(URL).expect("after");
    let socket = open(&network);
    socket.send("lost").unwrap();
    network.run();
    assert_eq!(socket.buffered_amount(), 4);
    peer.drop_connection();
    network.run();
    assert_eq!(socket.buffered_amount(), 0);
    socket.send("after").unwrap();
    network.advance(SECOND);
    network.finish();
}

/// R16.
#[test]
fn the_queue_is_bounded_or_there_is_none() {
    let network = network();
    network.peer(URL).hang();
    let socket = Socket::builder(URL).queue_limit(5).connect().unwrap();
    socket.send("abc").unwrap();
    assert_eq!(socket.send("def"), Err(SendError::Full("def".into())));
    socket.send("de").unwrap();

    let socket = Socket::builder(URL).send_limit(2).connect().unwrap();
    assert_eq!(socket.send("abc"), Err(SendError::Full("abc".into())));

    let socket = Socket::builder(URL).refuse_while_down().connect().unwrap();
    let refused = Err(SendError::Connecting("abc".into()));
    assert_eq!(socket.send("abc"), refused);
    assert_eq!(socket.buffered_amount(), 0);
}

/// R18.
#[test]
fn a_message_to_a_connection_that_is_ending_is_for_the_next() {
    let network = network();
    network.peer(URL).close_with(1001, "");
    network.peer(URL).expect("hello");
    let socket = Socket::builder(URL).connect().unwrap();
    // Inside the turn in which the peer closes: core has not heard of it.
    let told = Arc::new(AtomicUsize::new(0));
    let count = told.clone();
    socket.on_status(move |socket, status| {
        if matches!(status, Status::Waiting { .. }) {
            count.fetch_add(1, Ordering::Relaxed);
            socket.send("hello").unwrap();
        }
    });
    network.advance(SECOND);
    assert_eq!(told.load(Ordering::Relaxed), 1);
    network.finish();
}

/// R19.
#[test]
fn send_ready_waits_for_a_connection() {
    let network = network();
    network.peer(URL).refuse("no");
    network
        .peer(URL)
        .stall()
        .accept()
        .delay(SECOND)
        .drain()
        .expect(vec![0; 1 << 20])
        .expect("x");
    let socket = Socket::new(URL).unwrap();
    socket.send(vec![0; 1 << 20]).unwrap();
    assert_eq!(socket.send("x"), Err(SendError::Full("x".into())));
    network.block_on(socket.send_ready());
    assert_eq!(network.now(), 500 * MILLISECOND);
    socket.send("x").unwrap();
    network.block_on(socket.send_ready());
    assert_eq!(network.now(), 1500 * MILLISECOND);
    assert_eq!(socket.buffered_amount(), 0);
    network.finish();
}

/// R21.
#[test]
fn a_stream_that_nobody_drains_holds_up_the_connection() {
    let network = network();
    let peer = network.peer(URL);
    for _ in 0..10 {
        peer.send(vec![0; (1 << 20) - 100]);
    }
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    assert!(!peer.is_done());
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 1 + 5);
    network.run();
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 5);
    network.finish();
}

/// R21.
#[test]
fn a_stream_is_woken_once_for_a_turn() {
    let network = network();
    let peer = network.peer(URL);
    let socket = open(&network);
    let mut events = socket.events();
    network.run();
    assert_eq!(events.try_next(), Some(Event::Open));
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let polled = pin!(events.next()).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    peer.send("a").send("b").send("c");
    network.run();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 3);
}

#[derive(Default)]
struct Count(AtomicUsize);

impl std::task::Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// R2, R21.
#[test]
fn the_stream_of_events_goes_on_over_connections_and_ends_once() {
    let network = network();
    network.peer(URL).send("a").drop_connection();
    network.peer(URL).send("b").expect_close();
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    let kinds = network.block_on(async {
        let mut kinds = Vec::new();
        while let Some(event) = events.next().await {
            if event == Event::Message("b".into()) {
                socket.close();
            }
            kinds.push(event.kind().name());
        }
        kinds
    });
    assert_eq!(kinds, ["open", "message", "open", "message", "close"]);
    network.finish();
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
fn what_is_malformed_is_told_at_once() {
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
    let told = ["connecting 1 [0]", "closed [2]", "Close 1006 [3]"];
    assert_eq!(seen.take(), told);
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
    let expected = "connecting 1 [0], connected [2], closed [2], Close 1006 [3]";
    assert_eq!(close_at("Open"), expected);
    let expected = "connecting 1 [0], connected [0], Open [1], \
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

// The URL provider.

/// R14.
#[test]
fn the_provider_is_asked_for_each_attempt() {
    let network = network();
    network.peer("ws://peer/?token=1").refuse("stale");
    network.peer("ws://peer/?token=2").drop_connection();
    network.peer("ws://peer/?token=3").expect("hello");
    let socket = Socket::builder("ws://peer/nominal").url_provider(|attempt| async move {
        Ok::<_, ErrorEvent>(format!("ws://peer/?token={attempt}"))
    });
    let socket = network.block_on(socket.open()).unwrap();
    assert_eq!(socket.url(), "ws://peer/nominal");
    socket.send("hello").unwrap();
    network.finish();
}

/// R14.
#[test]
fn a_provider_that_fails_is_a_failed_attempt() {
    let network = network();
    network.peer(URL);
    let losses = Arc::new(Mutex::new(Vec::new()));
    let log = losses.clone();
    let socket = Socket::builder(URL)
        .url_provider(|attempt| {
            assert_ne!(attempt, 3, "on purpose");
            async move {
                match attempt {
                    1 => Err("no token"),
                    2 => Ok("no url".to_owned()),
                    4 => panic!("on purpose"),
                    _ => Ok(URL.to_owned()),
                }
            }
        })
        .retry(move |loss| {
            let error = loss.error.as_ref().and_then(std::error::Error::source);
            log.lock()
                .unwrap()
                .push(error.map(ToString::to_string).unwrap());
            Retry::Backoff
        });
    let _socket = network.block_on(socket.open()).unwrap();
    assert_eq!(
        *losses.lock().unwrap(),
        [
            "no token",
            "relative URL: a scheme such as wss: is needed",
            "the provider panicked",
            "the provider's future panicked",
        ]
    );
    assert_eq!(network.now(), 7500 * MILLISECOND);
}

/// A future that is ready when the test says so, and tells when it is dropped.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        let waker = {
            let mut inner = self.0.lock().unwrap();
            inner.0 = true;
            inner.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    async fn pass(self) -> Result<String, ErrorEvent> {
        poll_fn(|context| {
            let mut inner = self.0.lock().unwrap();
            match inner.0 {
                true => Poll::Ready(()),
                false => {
                    inner.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        Ok(URL.to_owned())
    }

    fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}

/// R15.
#[test]
fn a_provider_may_take_its_time() {
    let network = network();
    network.peer(URL).expect("hello");
    let gate = Gate::default();
    let own = gate.clone();
    let socket = Socket::builder(URL).url_provider(move |_| own.clone().pass());
    let socket = socket.connect().unwrap();
    socket.send("hello").unwrap();
    network.advance(SECOND);
    assert_eq!(socket.status(), Status::Connecting { attempt: 1 });
    gate.open();
    network.run();
    assert_eq!(socket.status(), Status::Open);
    assert_eq!(network.timers(), 1, "the minimum uptime");
    network.finish();
}

/// R15.
#[test]
fn a_provider_that_never_answers_is_given_up() {
    let network = network();
    let gate = Gate::default();
    let own = gate.clone();
    let socket = Socket::builder(URL)
        .connect_timeout(2 * SECOND)
        .max_attempts(2)
        .url_provider(move |_| own.clone().pass());
    let socket = socket.connect().unwrap();
    network.run();
    assert_eq!(gate.holders(), 3, "ours, the provider's and the future's");
    network.advance(2 * SECOND);
    assert_eq!(gate.holders(), 2, "the future is gone");
    network.advance(60 * SECOND);
    assert!(matches!(socket.status(), Status::GaveUp(_)));
    assert_eq!((gate.holders(), network.timers()), (1, 0));
    // Its waker is kept by the gate, and leads nowhere.
    gate.open();
    network.run();
}

// Dropping the last handle, at each moment.

/// What is left of a socket that was dropped: nothing.
fn drop_at(network: Network, prepare: impl FnOnce(&Network, Builder<Reconnect<Mock>>) -> Socket) {
    let witness = Arc::new(());
    let owned = [(); 4].map(|()| witness.clone());
    let [a, b, c, d] = owned;
    let builder = Socket::builder(URL)
        .on_message(move |_, _| drop(a.clone()))
        .on_close(move |_, _| drop(b.clone()))
        .on_status(move |_, _| drop(c.clone()))
        .retry(move |_| {
            drop(d.clone());
            Retry::Backoff
        });
    let socket = prepare(&network, builder);
    drop(socket);
    network.run();
    assert_eq!(network.timers(), 0, "timers");
    assert_eq!(Arc::strong_count(&witness), 1, "handlers");
    network.finish();
}

/// R25.
#[test]
fn dropped_before_anything_happened() {
    drop_at(network(), |_, builder| builder.connect().unwrap());
}

/// R25.
#[test]
fn dropped_while_waiting() {
    drop_at(network(), |network, builder| {
        network.peer(URL).refuse("no");
        let socket = builder.connect().unwrap();
        network.advance(100 * MILLISECOND);
        assert!(matches!(socket.status(), Status::Waiting { .. }));
        socket
    });
}

/// R25.
#[test]
fn dropped_while_the_provider_is_asked() {
    let gate = Gate::default();
    drop_at(network(), |network, builder| {
        let own = gate.clone();
        let socket = builder.url_provider(move |_| own.clone().pass());
        let socket = socket.connect().unwrap();
        network.run();
        assert_eq!(gate.holders(), 3);
        socket
    });
    assert_eq!(gate.holders(), 1);
}

/// R25.
#[test]
fn dropped_while_connecting() {
    drop_at(network(), |network, builder| {
        network.peer(URL).hang();
        let socket = builder.connect().unwrap();
        network.run();
        socket
    });
}

/// R25.
#[test]
fn dropped_while_open() {
    drop_at(network(), |network, builder| {
        network.peer(URL).send("a").expect_close();
        let socket = builder.connect().unwrap();
        network.run();
        assert_eq!(socket.ready_state(), ReadyState::Open);
        socket
    });
}

/// R25.
#[test]
fn dropped_while_a_peer_does_not_answer() {
    let network = network();
    network.peer(URL).accept().hang();
    let socket = open(&network);
    let closed = Arc::new(AtomicUsize::new(0));
    let count = closed.clone();
    socket.on_close(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
    });
    drop(socket);
    network.run();
    assert_eq!(network.timers(), 1, "the close timeout");
    network.advance(10 * SECOND);
    assert_eq!(closed.load(Ordering::Relaxed), 1);
    assert_eq!((network.timers(), Arc::strong_count(&closed)), (0, 1));
}

/// R25.
#[test]
fn dropped_in_a_handler() {
    for kind in [EventKind::Open, EventKind::Message] {
        drop_at(network(), |network, builder| {
            network.peer(URL).send("a").expect_close();
            let slot = Arc::new(Mutex::new(None));
            let own = slot.clone();
            let socket = builder.bind(kind, move |_, _| drop(own.lock().unwrap().take()));
            let socket = socket.connect().unwrap();
            *slot.lock().unwrap() = Some(socket.clone());
            let other = socket.clone();
            drop(socket);
            // Both are gone when the handler has run.
            let own = slot.clone();
            other.on_open(move |_| drop(own.lock().unwrap().take()));
            other
        });
    }
}

/// R25.
#[test]
fn dropped_in_a_status_handler() {
    for wanted in ["Connecting", "Open", "Waiting"] {
        let network = network();
        network.peer(URL).send("a").close_with(1001, "");
        let slot: Arc<Mutex<Option<Socket>>> = Arc::default();
        let own = slot.clone();
        let socket = Socket::builder(URL).on_status(move |_, status| {
            if format!("{status:?}").starts_with(wanted) {
                drop(own.lock().unwrap().take());
            }
        });
        *slot.lock().unwrap() = Some(socket.connect().unwrap());
        network.advance(60 * SECOND);
        assert_eq!(network.timers(), 0, "{wanted}");
        assert_eq!(Arc::strong_count(&slot), 1, "{wanted}");
    }
}

/// R24, R25.
#[test]
fn dropped_with_a_stream_that_gets_the_end() {
    let network = network();
    network.peer(URL).refuse("no");
    let socket = Socket::new(URL).unwrap();
    let (mut events, mut statuses) = (socket.events(), socket.statuses());
    network.run();
    drop(socket);
    network.run();
    assert_eq!(
        events.try_next(),
        Some(Event::Close(CloseEvent::abnormal()))
    );
    let statuses: Vec<_> = std::iter::from_fn(|| statuses.try_next()).collect();
    assert_eq!(statuses.len(), 3, "{statuses:?}");
    assert_eq!(statuses[2], Status::Closed);
}

/// R5.
#[test]
fn an_unbound_status_handler_is_freed() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL);
    let socket = Socket::new(URL).unwrap();
    let witness = Arc::new(());
    let owned = witness.clone();
    let binding = socket.on_status(move |_, _| drop(owned.clone()));
    network.run();
    assert_eq!(Arc::strong_count(&witness), 2);
    binding.unbind();
    network.run();
    assert_eq!(Arc::strong_count(&witness), 1);
}

// Statuses.

/// R6.
#[test]
fn a_stream_of_statuses_begins_with_the_present_one_and_ends() {
    let network = network();
    network.peer(URL).expect_close();
    let socket = open(&network);
    let mut statuses = socket.statuses();
    socket.close();
    let seen = network.block_on(async {
        let mut seen = Vec::new();
        while let Some(status) = statuses.next().await {
            seen.push(status);
        }
        seen
    });
    assert_eq!(seen, [Status::Open, Status::Closed]);
    let mut late = socket.statuses();
    assert_eq!(late.try_next(), Some(Status::Closed));
    assert_eq!(network.block_on(late.next()), None);
}

/// R6.
#[test]
fn a_stream_that_nobody_reads_keeps_the_last_statuses() {
    let network = network();
    for _ in 0..100 {
        network.peer(URL).refuse("no");
    }
    let socket = Socket::builder(URL).max_attempts(100).connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(3600 * SECOND);
    let kept: Vec<_> = std::iter::from_fn(|| statuses.try_next()).collect();
    assert_eq!(kept.len(), 64);
    assert!(matches!(kept.last(), Some(Status::GaveUp(_))));
}

/// R19.
#[test]
fn a_sink_waits_for_the_next_connection() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).expect("a").expect("b").expect_close();
    let socket = Socket::builder(URL).queue_limit(1).connect().unwrap();
    let mut sender = socket.sender();
    network.block_on(async {
        // Queued, as a sink that is not ready yet was told to take it.
        socket.send("a").unwrap();
        sender.flush().await.unwrap();
        assert_eq!(network.now(), 500 * MILLISECOND);
        sender.send("b".into()).await.unwrap();
        sender.close().await.unwrap();
    });
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    network.finish();
}

/// R25.
#[test]
fn what_the_hooks_own_is_freed_by_the_end() {
    for provided in [false, true] {
        let network = network();
        let (gate, witness) = (Gate::default(), Arc::new(()));
        let owned = witness.clone();
        let mut builder = Socket::builder(URL).retry(move |_| {
            drop(owned.clone());
            Retry::GiveUp
        });
        if provided {
            let own = gate.clone();
            builder = builder.url_provider(move |_| own.clone().pass());
        } else {
            network.peer(URL).hang();
        }
        let socket = builder.connect().unwrap();
        network.run();
        socket.close();
        let future = usize::from(provided);
        assert_eq!(gate.holders(), 1 + future, "the future is gone at once");
        network.run();
        assert_eq!((gate.holders(), Arc::strong_count(&witness)), (1, 1));
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    }
}

/// R15.
#[test]
fn a_provider_is_polled_once_however_often_it_is_woken() {
    let network = network();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = polls.clone();
    let _socket = Socket::builder(URL)
        .url_provider(move |_| {
            let polls = count.clone();
            poll_fn(move |context| {
                if polls.fetch_add(1, Ordering::Relaxed) == 0 {
                    context.waker().wake_by_ref();
                    context.waker().wake_by_ref();
                }
                Poll::<Result<String, ErrorEvent>>::Pending
            })
        })
        .connect()
        .unwrap();
    network.run();
    assert_eq!(polls.load(Ordering::Relaxed), 2);
}
