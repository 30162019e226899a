//! What is sent and received over several connections.

use super::*;

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
    let socket = Socket::builder(URL).queue_limit(300).connect().unwrap();
    let (part, much) = ("x".repeat(100), "x".repeat(201));
    socket.send(&part).unwrap();
    assert_eq!(socket.send(&much), Err(SendError::Full(much.into())));
    socket.send(&part).unwrap();
    socket.send(&part).unwrap();
    assert!(matches!(socket.send(""), Err(SendError::Full(_))));

    // Short messages occupy memory, too.
    let socket = Socket::builder(URL).queue_limit(1000).connect().unwrap();
    let kept = (0..1000).filter(|_| socket.send("").is_ok()).count();
    assert!((1..100).contains(&kept), "{kept}");

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
    let calls = Arc::new(AtomicUsize::new(0));
    let count = calls.clone();
    socket.on_status(move |socket, status| {
        if matches!(status, Status::Waiting { .. }) {
            count.fetch_add(1, Ordering::Relaxed);
            socket.send("hello").unwrap();
        }
    });
    network.advance(SECOND);
    assert_eq!(calls.load(Ordering::Relaxed), 1);
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

/// S54, of its connection: empty messages count, too.
#[test]
fn send_ready_waits_for_empty_messages() {
    let network = network();
    let peer = network.peer(URL);
    peer.accept().stall().delay(SECOND).drain().delay(SECOND);
    let opening = Socket::builder(URL).send_limit(1000).open();
    let socket = network.block_on(opening).unwrap();
    while socket.send("").is_ok() {}
    network.block_on(socket.send_ready());
    assert_eq!((network.now(), socket.send("")), (SECOND, Ok(())));
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
        // Queued, because the program gave it to a sink that is not ready yet.
        socket.send("a").unwrap();
        sender.flush().await.unwrap();
        assert_eq!(network.now(), 500 * MILLISECOND);
        sender.send("b".into()).await.unwrap();
        sender.close().await.unwrap();
    });
    assert_eq!(socket.ready_state(), ReadyState::Closed);
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

/// R4, S101: one that was listened to too late gives up.
#[test]
fn a_socket_that_was_listened_to_too_late_gives_up() {
    let network = network();
    let peer = network.peer(URL);
    for _ in 0..3 {
        peer.send(vec![0; 400 << 10]);
    }
    peer.expect_close();
    let socket = Socket::builder(URL)
        .backlog_limit(1 << 20)
        .connect()
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    socket.on_status(move |_, status| log.lock().unwrap().push(status.clone()));
    network.run();
    let mut statuses = socket.statuses();
    let mut events = socket.events();
    network.advance(60 * SECOND);
    let kinds: Vec<_> = std::iter::from_fn(|| events.try_next())
        .map(|event| event.kind().name())
        .collect();
    assert_eq!(kinds, ["open", "message", "message", "error", "close"]);
    assert_eq!(statuses.try_next(), Some(Status::Open));
    let last = statuses.try_next().unwrap();
    assert!(matches!(&last, Status::GaveUp(loss) if loss.was_open && loss.error.is_some()));
    assert_eq!(seen.lock().unwrap().last(), Some(&last));
    assert_eq!((Arc::strong_count(&seen), network.timers()), (1, 0));
    network.finish();
}

/// R16: what was sent makes room in the queue, also for short messages.
#[test]
fn a_queue_that_was_sent_has_room_again() {
    let network = network();
    let builder = Socket::builder(URL).queue_limit(200);
    let builder = builder.backoff(100 * MILLISECOND, 100 * MILLISECOND);
    let socket = builder.connect().unwrap();
    for _ in 0..4 {
        for _ in 0..3 {
            socket.send("short").unwrap();
        }
        assert!(matches!(socket.send("short"), Err(SendError::Full(_))));
        let peer = network.peer(URL);
        peer.expect("short").expect("short").expect("short");
        peer.drop_connection();
        network.advance(SECOND);
        assert!(peer.is_done());
    }
}

/// S101. A socket that lives for months has had many connections.
#[test]
fn opens_that_nobody_listens_for_do_not_pile_up() {
    let network = network();
    for text in ["a", "b"] {
        network.peer(URL).accept().drop_connection();
        network.peer(URL).accept().send(text).drop_connection();
    }
    network.peer(URL);
    let socket = Socket::new(URL).unwrap();
    network.advance(60 * SECOND);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    let seen = Arc::new(Mutex::new(Vec::new()));
    for kind in EventKind::ALL {
        let seen = seen.clone();
        socket.bind(kind, move |_, event| {
            seen.lock().unwrap().push(event.clone())
        });
    }
    network.run();
    let message = |text: &str| Event::Message(text.into());
    let expected = [
        Event::Open,
        message("a"),
        Event::Open,
        message("b"),
        Event::Open,
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}
