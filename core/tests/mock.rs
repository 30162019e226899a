//! The mock network: what scripts do, in simulated time, and what is reported
//! when they are not followed.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::FutureExt;
use isosocket_core::mock::{Mock, Network};
use isosocket_core::{
    CloseEvent, ErrorEvent, Event, NewError, OpenError, ReadyState, SendError, WebSocket,
};

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);

type Socket = WebSocket<Mock>;

/// All events that a socket has had by now, in words.
fn drain(events: &mut isosocket_core::Events<Mock>) -> String {
    let mut words = Vec::new();
    while let Some(event) = events.try_next() {
        words.push(match event {
            Event::Open => "open".to_owned(),
            Event::Message(message) => message.as_text().unwrap_or("binary").to_owned(),
            Event::Error(_) => "error".to_owned(),
            Event::Close(close) if close.was_clean => format!("close {}", close.code),
            Event::Close(close) => format!("end {}", close.code),
        });
    }
    words.join(", ")
}

fn source(error: &ErrorEvent) -> String {
    std::error::Error::source(error).unwrap().to_string()
}

#[test]
fn a_script_is_followed_and_everything_ends_well() {
    let network = Network::new();
    network
        .peer(URL)
        .expect("hello")
        .send("welcome")
        .expect([1u8, 2])
        .expect_close_with(4000, "bye");
    let socket = Socket::new("ws://PEER").unwrap();
    let mut events = socket.events();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    network.run();
    assert_eq!(drain(&mut events), "open");
    socket.send("hello").unwrap();
    assert_eq!(socket.buffered_amount(), 5, "S49: until the caller yields");
    network.run();
    assert_eq!(socket.buffered_amount(), 0);
    assert_eq!(drain(&mut events), "welcome");
    socket.send(vec![1, 2]).unwrap();
    socket.close_with(4000, "bye").unwrap();
    network.run();
    assert_eq!(drain(&mut events), "close 4000");
    assert_eq!(network.now(), Duration::ZERO);
    network.finish();
}

#[test]
fn what_comes_together_is_one_turn() {
    let network = Network::new();
    network.peer(URL).send("a").send("b").close_with(1001, "");
    let socket = Socket::new(URL).unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    socket.on_message(move |socket, message| {
        let text = message.as_text().unwrap().to_owned();
        log.lock().unwrap().push((text, socket.ready_state()));
    });
    let mut events = socket.events();
    network.run();
    assert_eq!(drain(&mut events), "open, a, b, close 1001");
    let open = |text: &str| (text.to_owned(), ReadyState::Open);
    assert_eq!(*seen.lock().unwrap(), [open("a"), open("b")]);
    network.finish();
}

#[test]
fn the_subprotocol_is_negotiated() {
    let network = Network::new();
    let connect = || Socket::builder(URL).subprotocols(["a", "b"]).open();
    network.peer(URL);
    assert_eq!(network.block_on(connect()).unwrap().protocol(), "a");
    network.peer(URL).accept_with("b", "permessage-deflate");
    let socket = network.block_on(connect()).unwrap();
    assert_eq!(socket.protocol(), "b");
    assert_eq!(socket.extensions(), "permessage-deflate");
    for wrong in ["", "c", "A"] {
        network.peer(URL).accept_with(wrong, "");
        assert!(network.block_on(connect()).is_err(), "{wrong:?}");
    }
    network.finish();
}

#[test]
fn refusals_and_faults_have_their_cause() {
    let network = Network::new();
    network.peer(URL).refuse("403 Forbidden");
    let Err(OpenError::Failed(error)) = network.block_on(Socket::open(URL)) else {
        panic!("it was refused");
    };
    assert_eq!(source(&error), "403 Forbidden");

    network.peer(URL).drop_connection();
    assert!(network.block_on(Socket::open(URL)).is_err());

    let peer = network.peer(URL);
    peer.send("a").fail("connection reset");
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    let mut seen = std::iter::from_fn(|| events.try_next());
    assert_eq!(seen.nth(1), Some(Event::Message("a".into())));
    let Some(Event::Error(error)) = seen.next() else {
        panic!("it failed");
    };
    assert_eq!(source(&error), "connection reset");
    assert_eq!(seen.next(), Some(Event::Close(CloseEvent::abnormal())));

    network.peer(URL).send("b").drop_connection();
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    assert_eq!(drain(&mut events), "open, b, end 1006", "S96: no error");
    network.finish();
}

#[test]
fn time_passes_only_when_it_is_let() {
    let network = Network::new();
    network.peer(URL).delay(3 * SECOND).send("late");
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    network.advance(3 * SECOND - Duration::from_nanos(1));
    assert_eq!(drain(&mut events), "");
    network.advance(Duration::from_nanos(1));
    assert_eq!(drain(&mut events), "open, late");
    assert_eq!((network.now(), network.timers()), (3 * SECOND, 0));
}

#[test]
fn timeouts_are_kept_and_leave_no_timer() {
    let network = Network::new();
    network.peer(URL).hang();
    let opening = Socket::builder(URL).connect_timeout(5 * SECOND).open();
    assert!(network.block_on(opening).is_err());
    assert_eq!((network.now(), network.timers()), (5 * SECOND, 0));

    network.peer(URL).accept().hang();
    let socket = network.block_on(Socket::open(URL)).unwrap();
    assert_eq!(network.timers(), 0, "the connect timeout is over");
    let mut events = socket.events();
    socket.send("nobody hears it").unwrap();
    socket.close();
    network.advance(10 * SECOND - Duration::from_nanos(1));
    assert_eq!(drain(&mut events), "open");
    network.advance(Duration::from_nanos(1));
    assert_eq!(drain(&mut events), "end 1006", "S76");
    assert_eq!(network.timers(), 0);
    network.finish();
}

#[test]
fn an_answer_may_be_late_and_another_code() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.expect_close().send("dropped").delay(SECOND);
    peer.close_with(4001, "other");
    let socket = network.block_on(Socket::open(URL)).unwrap();
    let mut events = socket.events();
    socket.close();
    network.run();
    assert_eq!(drain(&mut events), "open", "S74");
    network.advance(SECOND);
    assert_eq!(drain(&mut events), "close 4001", "S60, S71");
    network.finish();
}

#[test]
fn a_stalled_peer_fills_the_buffer() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.stall();
    let socket = network.block_on(Socket::builder(URL).send_limit(10).open());
    let socket = socket.unwrap();
    socket.send("12345678").unwrap();
    network.run();
    assert_eq!(socket.buffered_amount(), 8);
    assert_eq!(socket.send("abc"), Err(SendError::Full("abc".into())));
    peer.drain().expect("12345678").expect("abc");
    network.run();
    assert_eq!(socket.buffered_amount(), 0);
    socket.send("abc").unwrap();
    network.finish();
}

#[test]
fn send_ready_waits_for_a_stalled_peer() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.stall()
        .accept()
        .delay(SECOND)
        .drain()
        .expect(vec![7; 2 << 20]);
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.send(vec![7; 2 << 20]).unwrap();
    network.block_on(socket.send_ready());
    assert_eq!((network.now(), socket.buffered_amount()), (SECOND, 0));
    network.finish();
}

#[test]
fn a_stream_that_nobody_drains_holds_up_the_peer() {
    let network = Network::new();
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

/// S101: also while `Open` still waits for its own handler.
#[test]
fn what_was_kept_and_then_delivered_leaves_room_for_more() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.send(vec![0; 700_000]);
    let builder = Socket::builder(URL).backlog_limit(1 << 20);
    let socket = builder.connect().unwrap();
    network.run();
    let got = Arc::new(AtomicUsize::new(0));
    let listen = || {
        let got = got.clone();
        socket.on_message(move |_, _| {
            got.fetch_add(1, Ordering::Relaxed);
        })
    };
    let binding = listen();
    network.run();
    binding.unbind();
    network.run();
    assert_eq!(got.load(Ordering::Relaxed), 1);
    peer.send(vec![0; 700_000]);
    network.run();
    listen();
    network.run();
    assert_eq!(got.load(Ordering::Relaxed), 2);
    assert_eq!(socket.ready_state(), ReadyState::Open);
}

#[test]
#[cfg_attr(miri, ignore = "300,000 messages are too much for an interpreter")]
fn empty_messages_cannot_fill_the_memory() {
    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..200_000 {
        peer.send("");
    }
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    assert!(!peer.is_done(), "a stream makes the peer wait");
    let held = std::iter::from_fn(|| events.try_next()).count();
    assert!((1000..150_000).contains(&held), "{held}");

    let network = Network::new();
    let peer = network.peer(URL);
    for _ in 0..100_000 {
        peer.send("");
    }
    let socket = Socket::builder(URL)
        .backlog_limit(1 << 20)
        .connect()
        .unwrap();
    network.run();
    assert!(peer.is_done());
    let mut events = socket.events();
    network.run();
    let kept = std::iter::from_fn(|| events.try_next()).count();
    assert!((1000..50_000).contains(&kept), "{kept}");
    assert_eq!(socket.ready_state(), ReadyState::Closed, "S101");
}

#[test]
fn limits_hold() {
    let network = Network::new();
    network.peer(URL).send("1234").send("12345");
    let socket = Socket::builder(URL).max_message_size(4).connect().unwrap();
    let mut events = socket.events();
    network.run();
    assert_eq!(drain(&mut events), "open, 1234, error, end 1006", "S62");
}

#[test]
fn dropping_the_last_handle_closes() {
    let network = Network::new();
    network.peer(URL).expect_close();
    drop(network.block_on(Socket::open(URL)).unwrap());
    network.finish();

    let network = Network::new();
    let peer = network.peer(URL);
    peer.hang();
    drop(Socket::new(URL).unwrap());
    network.run();
    assert!(
        !peer.is_in_use(),
        "it was given up before it came to the peer"
    );
    assert_eq!(network.timers(), 0);
}

#[test]
fn without_a_network_there_is_no_mock() {
    assert_eq!(Socket::new(URL).map(drop), Err(NewError::NotSupported));
    let network = Network::new();
    assert!(Socket::new(URL).is_ok());
    drop(network);
    assert_eq!(Socket::new(URL).map(drop), Err(NewError::NotSupported));
}

/// What `check` says, without places.
fn complaints(network: &Network) -> Vec<String> {
    let unmet = network.check().unwrap_err();
    let without_place = |line: &String| {
        let (before, rest) = line.split_once(" (").unwrap();
        assert!(rest.starts_with("core/tests/mock.rs:"), "{rest}");
        let (_, after) = rest.split_once(')').unwrap();
        format!("{before}{after}")
    };
    unmet.lines().iter().map(without_place).collect()
}

#[test]
fn the_wrong_message_is_reported_with_its_place() {
    let network = Network::new();
    network.peer(URL).expect("a").expect("b");
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    socket.on_open(|socket| {
        socket.send("a").unwrap();
        socket.send([0xffu8]).unwrap();
    });
    network.run();
    assert_eq!(drain(&mut events), "open, error, end 1006");
    let expected = "connection 1 to ws://peer/: step 2, expect text \"b\": got binary [ff]";
    assert_eq!(complaints(&network), [expected]);
}

#[test]
fn a_message_may_be_expected_by_a_test_of_it() {
    let network = Network::new();
    network.peer(URL).expect_where("a number", |message| {
        message
            .as_text()
            .is_some_and(|text| text.parse::<u32>().is_ok())
    });
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.send("7").unwrap();
    network.run();
    network.check().unwrap();

    let network = Network::new();
    network.peer(URL).expect_where("a number", |_| false);
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.send("x".repeat(200)).unwrap();
    network.run();
    let long = "x".repeat(200);
    let expected =
        format!("connection 1 to ws://peer/: step 1, expect a number: got text {long:?}");
    assert_eq!(complaints(&network), [expected]);
}

#[test]
fn a_long_message_is_reported_by_its_length() {
    for (message, kind) in [
        (isosocket_core::Message::from("x".repeat(201)), "text"),
        (isosocket_core::Message::from(vec![1; 201]), "binary"),
    ] {
        let network = Network::new();
        network.peer(URL).expect("a");
        let socket = network.block_on(Socket::open(URL)).unwrap();
        socket.send(message).unwrap();
        network.run();
        let got = format!("got {kind} of 201 bytes");
        let expected = format!("connection 1 to ws://peer/: step 1, expect text \"a\": {got}");
        assert_eq!(complaints(&network), [expected]);
    }
}

#[test]
fn a_close_frame_is_expected_with_or_without_its_content() {
    let network = Network::new();
    network.peer(URL).expect_close();
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.close_with(4000, "bye").unwrap();
    network.run();
    network.check().unwrap();

    let network = Network::new();
    network.peer(URL).expect_close_with(4001, "");
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.close_with(4000, "bye").unwrap();
    network.run();
    let expected = "connection 1 to ws://peer/: step 1, expect a Close frame with 4001 \"\": \
                    got a Close frame with 4000 \"bye\"";
    assert_eq!(complaints(&network), [expected]);
}

/// S76: a stream that nobody reads does not keep the peer's answer away.
#[test]
fn close_ends_the_pause_of_a_full_stream() {
    for stalled in [false, true] {
        close_while_paused(stalled);
    }
}

fn close_while_paused(stalled: bool) {
    let network = Network::new();
    let peer = network.peer(URL);
    if stalled {
        peer.accept().stall();
    }
    for _ in 0..20 {
        peer.send(vec![0; (1 << 20) - 100]);
    }
    if stalled {
        peer.drain();
    }
    let socket = Socket::new(URL).unwrap();
    let mut events = socket.events();
    network.run();
    assert!(!peer.is_done());
    socket.close_with(4000, "bye").unwrap();
    network.run();
    // S60: what comes after `close` is not delivered.
    let count = std::iter::from_fn(|| events.try_next()).count();
    assert_eq!(count, 1 + 5 + 1);
    assert_eq!(
        socket.close_event(),
        Some(&CloseEvent::new(4000, "bye", true))
    );
    assert_eq!(network.now(), Duration::ZERO);
}

/// S54: so that a message of any size can be sent.
#[test]
fn a_message_above_the_send_limit_goes_out_if_nothing_waits() {
    let network = Network::new();
    network.peer(URL).accept().stall();
    let builder = Socket::builder(URL).send_limit(1000);
    let socket = network.block_on(builder.open()).unwrap();
    network.run();
    socket.send(vec![0; 5000]).unwrap();
    assert!(matches!(socket.send("b"), Err(SendError::Full(_))));
}

#[test]
fn as_much_may_wait_as_the_send_limit_says() {
    let network = Network::new();
    network.peer(URL).accept().stall();
    let builder = Socket::builder(URL).send_limit(1000);
    let socket = network.block_on(builder.open()).unwrap();
    network.run();
    socket.send(vec![0; 400]).unwrap();
    assert!(matches!(socket.send(vec![0; 601]), Err(SendError::Full(_))));
    socket.send(vec![0; 600]).unwrap();
    assert_eq!(socket.buffered_amount(), 1000);
}

#[test]
fn a_seed_fixes_the_random_numbers() {
    let waits = |seed| {
        let network = Network::new();
        network.seed(seed);
        for _ in 0..5 {
            network.peer(URL).refuse("down");
        }
        let builder = isosocket::Reconnecting::builder(URL).max_attempts(5);
        assert!(network.block_on(builder.open()).is_err());
        network.now()
    };
    assert_eq!(waits(1), waits(1));
    assert_ne!(waits(1), waits(2));
}

#[test]
fn what_never_happened_is_reported() {
    let network = Network::new();
    let peer = network.peer(URL);
    peer.send("x").expect("a").drop_connection();
    network.peer("wss://other/path");
    let _socket = Socket::new(URL).unwrap();
    let expected = [
        "connection 1 to ws://peer/: stands before step 2 of 3, expect text \"a\"",
        "expected a connection to wss://other/path: none came",
    ];
    assert_eq!(complaints(&network), expected);
}

#[test]
fn what_nobody_expects_is_reported() {
    let network = Network::new();
    network.peer(URL).expect("a");
    let socket = network.block_on(Socket::open(URL)).unwrap();
    socket.send("a").unwrap();
    socket.send("b").unwrap();
    let error = network.check().unwrap_err();
    let expected = "connection 1 to ws://peer/: got text \"b\" after all 1 steps of the script";
    assert_eq!(error.lines(), [expected]);

    // Without the query, which may be a secret.
    let network = Network::new();
    let _socket = Socket::new("ws://nobody/?token=abc").unwrap();
    let error = network.check().unwrap_err();
    let expected = "unexpected connection to ws://nobody/: no peer is left there";
    assert_eq!(error.lines(), [expected]);
}

#[test]
#[should_panic(expected = "expect text \"never\"")]
fn finish_panics_with_what_is_left() {
    let network = Network::new();
    network.peer(URL).expect("never");
    let _socket = network.block_on(Socket::open(URL)).unwrap();
    network.finish();
}

#[test]
#[should_panic(expected = "nothing can happen any more")]
fn block_on_says_when_nothing_can_happen() {
    let network = Network::new();
    network.peer(URL);
    let socket = network.block_on(Socket::open(URL)).unwrap();
    let mut events = socket.events();
    network.block_on(async { while events.next().await.is_some() {} });
}

#[test]
#[should_panic(expected = "unexpected connection to ws://nobody/")]
fn block_on_says_what_is_unexpected() {
    let network = Network::new();
    network.peer(URL);
    let socket = network.block_on(Socket::open(URL)).unwrap();
    let _other = Socket::new("ws://nobody/").unwrap();
    let mut events = socket.events();
    network.block_on(async { while events.next().await.is_some() {} });
}

#[test]
#[should_panic(expected = "woken again and again")]
fn block_on_says_when_nothing_comes_of_it() {
    Network::new().block_on(std::future::poll_fn(|context| {
        context.waker().wake_by_ref();
        std::task::Poll::<()>::Pending
    }));
}

/// S54: short messages occupy memory, too.
#[test]
fn the_send_limit_counts_empty_messages() {
    let network = Network::new();
    network.peer(URL).accept().stall();
    let opening = Socket::builder(URL).send_limit(1000).open();
    let socket = network.block_on(opening).unwrap();
    let taken = (0..1000).filter(|_| socket.send("").is_ok()).count();
    assert!((1..100).contains(&taken), "{taken}");
}

/// S54: short messages fill the limit, while the buffered amount is far below it.
#[test]
fn send_ready_waits_where_short_messages_found_no_room() {
    let network = Network::new();
    network.peer(URL).accept().stall();
    let opening = Socket::builder(URL).send_limit(1000).open();
    let socket = network.block_on(opening).unwrap();
    assert!(socket.send_ready().now_or_never().is_some());
    while socket.send("x").is_ok() {}
    assert!(socket.send_ready().now_or_never().is_none());
}

/// A socket that may have 1000 bytes on their way, to a peer that reads nothing for a second.
fn with_a_peer_that_stalls(network: &Network) -> Socket {
    let peer = network.peer(URL);
    peer.accept().stall().delay(SECOND).drain().delay(SECOND);
    let opening = Socket::builder(URL).send_limit(1000).open();
    network.block_on(opening).unwrap()
}

/// S54: empty messages fill the limit, while the buffered amount is 0. So a loop of `send` and
/// `send_ready` does not spin.
#[test]
fn every_wait_for_room_waits_for_empty_messages() {
    use futures::SinkExt;

    let network = Network::new();
    let socket = with_a_peer_that_stalls(&network);
    let mut sender = socket.sender();
    while socket.send("").is_ok() {}
    assert_eq!(socket.buffered_amount(), 0);
    assert!(socket.send_ready().now_or_never().is_none());
    assert!(sender.flush().now_or_never().is_none());
    assert!(sender.feed("".into()).now_or_never().is_none());
    network.block_on(socket.send_ready());
    assert_eq!(network.now(), SECOND);
    assert_eq!(socket.send(""), Ok(()));
    network.block_on(sender.flush()).unwrap();
}

/// The same for a message that a sink took before it knew that it does not fit.
#[test]
fn a_sink_waits_for_empty_messages() {
    use futures::SinkExt;

    let network = Network::new();
    let socket = with_a_peer_that_stalls(&network);
    let mut sender = socket.sender();
    network.block_on(async {
        for _ in 0..100 {
            sender.feed("".into()).await.unwrap();
        }
        assert_eq!(network.now(), SECOND);
        sender.flush().await.unwrap();
    });
}

/// A sink does not report success for what was lost.
#[test]
fn a_sink_returns_what_was_not_sent() {
    use futures::SinkExt;

    for closing in [false, true] {
        let network = Network::new();
        network
            .peer(URL)
            .accept()
            .stall()
            .delay(SECOND)
            .drop_connection();
        let socket = network.block_on(Socket::open(URL)).unwrap();
        let mut sender = socket.sender();
        let sent = network.block_on(async {
            sender.feed(vec![0; 1000].into()).await?;
            match closing {
                true => sender.close().await,
                false => sender.flush().await,
            }
        });
        assert_eq!(sent, Err(SendError::Unsent(1000)));
        assert_eq!(sent.unwrap_err().into_message().len(), 0);
    }
}

/// S76: the close timeout begins when all is sent.
#[test]
fn a_sink_is_closed_after_what_a_slow_peer_takes() {
    use futures::SinkExt;

    let network = Network::new();
    let peer = network.peer(URL);
    peer.accept().stall().delay(60 * SECOND).drain();
    peer.expect("last words").expect_close();
    let builder = Socket::builder(URL).close_timeout(10 * SECOND);
    let socket = network.block_on(builder.open()).unwrap();
    let mut sender = socket.sender();
    let sent = network.block_on(async {
        sender.feed("last words".into()).await?;
        sender.close().await
    });
    assert_eq!((sent, network.now()), (Ok(()), 60 * SECOND));
    network.finish();
}
