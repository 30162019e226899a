//! How long it waits, and how often it tries.

use super::edges::waits;
use super::*;

fn refused(status: u16, retry_after: Option<u64>) -> ErrorEvent {
    ErrorEvent::refused(status, retry_after.map(Duration::from_secs), "no")
}

/// R28: the server's time and then the random one, which is the longest here.
#[test]
fn a_server_is_left_alone_for_as_long_as_it_wants() {
    let network = network();
    for wait in [Some(3), None, Some(0), Some(601), Some(u64::MAX)] {
        network.peer(URL).refuse(refused(503, wait));
    }
    network.peer(URL);
    let builder = Socket::builder(URL).backoff(100 * MILLISECOND, 100 * MILLISECOND);
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(1300 * SECOND);
    let expected = [(2, 3100), (3, 100), (4, 100), (5, 600_100), (6, 600_100)];
    assert_eq!(waits(&mut statuses), expected);
    assert_eq!(socket.status(), Status::Open);
}

/// R27: and the hook decides otherwise.
#[test]
fn a_refused_request_ends_the_socket_unless_the_hook_wants_otherwise() {
    let network = network();
    network.peer(URL).refuse(refused(401, Some(9)));
    let socket = Socket::builder(URL).connect().unwrap();
    network.advance(60 * SECOND);
    match socket.status() {
        Status::GaveUp(loss) => {
            assert_eq!((loss.status(), loss.attempt), (Some(401), 1));
            assert_eq!(loss.retry_after(), Some(9 * SECOND));
        }
        status => panic!("{status:?}"),
    }
    network.peer(URL).refuse(refused(401, Some(9)));
    network.peer(URL);
    let seen = Arc::new(Mutex::new(None));
    let sees = seen.clone();
    let builder = Socket::builder(URL).retry(move |loss| {
        *sees.lock().unwrap() = Some((loss.kind(), loss.status(), loss.retry_after()));
        Retry::After(SECOND)
    });
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(60 * SECOND);
    assert_eq!(waits(&mut statuses), [(2, 1000)]);
    let kind = ErrorKind::HandshakeRefused(401);
    let expected = (kind, Some(401), Some(9 * SECOND));
    assert_eq!(*seen.lock().unwrap(), Some(expected));
    network.finish();
}

/// R8, R9.
#[test]
fn the_backoff_doubles_and_begins_again_after_the_minimum_uptime() {
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
#[cfg_attr(miri, ignore = "1000 attempts are too much for an interpreter")]
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

/// R26.
#[test]
fn a_socket_that_is_not_open_in_time_gives_up_wherever_it_is() {
    let asking = |builder: Builder<Reconnect<Mock>>| {
        builder.url_provider(|_| std::future::pending::<Result<String, String>>())
    };
    type Prepare = fn(Builder<Reconnect<Mock>>) -> Builder<Reconnect<Mock>>;
    let plain: Prepare = |builder| builder;
    // While it waits, connects, and asks for its URL.
    for (refusals, hangs, prepare) in [(100, false, plain), (0, true, plain), (0, false, asking)] {
        let network = network();
        network.fix_random(u64::MAX);
        for _ in 0..refusals {
            network.peer(URL).refuse("no such host");
        }
        if hangs {
            network.peer(URL).hang();
        }
        let builder = Socket::builder(URL)
            .open_timeout(10 * SECOND)
            .connect_timeout(None);
        let opening = prepare(builder).open();
        let error = network.block_on(opening).unwrap_err();
        assert_eq!(network.now(), 10 * SECOND);
        let shown = format!("{error:#}");
        assert!(shown.contains("no connection within 10s"), "{shown}");
        assert_eq!(shown.contains("no such host"), refusals > 0, "{shown}");
        // Nothing is left that would happen later.
        network.advance(1000 * SECOND);
    }
}

/// R26.
#[test]
fn a_socket_that_was_open_is_not_given_up() {
    let network = network();
    network.fix_random(0);
    network
        .peer(URL)
        .delay(3 * SECOND)
        .accept()
        .delay(SECOND)
        .drop_connection();
    network.peer(URL).delay(60 * SECOND).accept();
    let builder = Socket::builder(URL)
        .open_timeout(5 * SECOND)
        .connect_timeout(None);
    let socket = builder.connect().unwrap();
    network.advance(100 * SECOND);
    assert_eq!(socket.status(), Status::Open);
}

/// R52.
#[test]
fn the_time_left_falls_from_the_delay_to_zero() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).delay(SECOND).accept();
    let builder = Socket::builder(URL).retry(|_| Retry::After(8 * SECOND));
    let socket = builder.connect().unwrap();
    assert_eq!(socket.time_left(), None);
    network.run();
    assert_eq!(socket.time_left(), Some(8 * SECOND));
    network.advance(2500 * MILLISECOND);
    assert_eq!(socket.time_left(), Some(5500 * MILLISECOND));
    // Connecting, and then open.
    network.advance(6 * SECOND);
    assert_eq!(socket.status(), Status::Connecting { attempt: 2 });
    assert_eq!(socket.time_left(), None);
    network.advance(SECOND);
    assert_eq!(socket.status(), Status::Open);
    assert_eq!(socket.time_left(), None);
}

/// R52.
#[test]
fn after_retry_now_and_close_there_is_no_time_left() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL).refuse("no");
    let builder = Socket::builder(URL).retry(|_| Retry::After(3600 * SECOND));
    let socket = builder.connect().unwrap();
    network.run();
    network.advance(SECOND);
    assert_eq!(socket.time_left(), Some(3599 * SECOND));
    socket.retry_now();
    network.run();
    assert_eq!(socket.time_left(), Some(3600 * SECOND));
    socket.close();
    assert_eq!(socket.time_left(), None);
}
