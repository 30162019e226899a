//! Connecting again at the edges of its rules (`facade/guide/reconnecting.md`): limits of
//! zero, answers that are too late, and ends with something left.

use std::future::pending;

use isosocket_core::{NewError, SyntaxError};

use super::*;

/// A hook that counts how often it is asked.
pub(super) fn counted(
    builder: Builder<Reconnect<Mock>>,
) -> (Builder<Reconnect<Mock>>, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let builder = builder.retry(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Retry::Backoff
    });
    (builder, asked)
}

/// The attempts and milliseconds that a socket has waited for.
pub(super) fn waits(statuses: &mut isosocket_core::Statuses) -> Vec<(u32, u128)> {
    let all = std::iter::from_fn(|| statuses.try_next());
    let waits = all.filter_map(|status| match status {
        Status::Waiting { attempt, delay, .. } => Some((attempt, delay.as_millis())),
        _ => None,
    });
    waits.collect()
}

/// R1, R16.
#[test]
fn a_socket_that_waits_is_connecting_and_takes_messages() {
    let network = network();
    network.peer(URL).close_with(1001, "");
    network.peer(URL).expect("for the next");
    let socket = Socket::new(URL).unwrap();
    network.run();
    assert!(matches!(socket.status(), Status::Waiting { .. }));
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    socket.send("for the next").unwrap();
    assert_eq!(socket.buffered_amount(), 12);
    network.advance(SECOND);
    assert_eq!(socket.buffered_amount(), 0);
    network.finish();
}

/// R8.
#[test]
fn without_a_minimum_uptime_every_connection_has_held() {
    let network = network();
    for _ in 0..3 {
        network.peer(URL).accept().drop_connection();
    }
    network.peer(URL);
    let builder = Socket::builder(URL).min_uptime(Duration::ZERO);
    let socket = builder.max_attempts(1).connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(60 * SECOND);
    assert_eq!(waits(&mut statuses), [(1, 500); 3]);
    assert_eq!(socket.status(), Status::Open);
}

/// R8.
#[test]
fn a_connection_that_is_lost_at_the_very_minimum_uptime_has_held() {
    for (uptime, expected) in [(5 * SECOND - MILLISECOND, 2), (5 * SECOND, 1)] {
        let network = network();
        let peer = network.peer(URL);
        peer.accept();
        let socket = Socket::new(URL).unwrap();
        let mut statuses = socket.statuses();
        network.advance(uptime);
        peer.drop_connection();
        network.run();
        assert_eq!(waits(&mut statuses), [(expected, 500)], "{uptime:?}");
    }
}

/// R9.
#[test]
fn a_maximum_below_the_base_bounds_every_wait() {
    let network = network();
    (0..3).for_each(|_| drop(network.peer(URL).refuse("no").clone()));
    let builder = Socket::builder(URL).backoff(10 * SECOND, SECOND);
    let socket = builder.max_attempts(3).connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(60 * SECOND);
    assert_eq!(waits(&mut statuses), [(2, 1000), (3, 1000)]);
}

/// R10, R11.
#[test]
fn the_last_attempt_is_nothing_to_ask_about() {
    for (attempts, made) in [(0, 1), (1, 1), (2, 2)] {
        let network = network();
        (0..made).for_each(|_| drop(network.peer(URL).refuse("no").clone()));
        let (builder, asked) = counted(Socket::builder(URL).max_attempts(attempts));
        let socket = builder.connect().unwrap();
        network.advance(60 * SECOND);
        assert!(matches!(socket.status(), Status::GaveUp(loss) if loss.attempt == made));
        assert_eq!(asked.load(Ordering::Relaxed), made as usize - 1);
        network.finish();
    }
}

/// R11, R23.
#[test]
fn the_hook_is_not_asked_once_the_program_has_closed() {
    let network = network();
    network.peer(URL).expect_close().drop_connection();
    let (builder, asked) = counted(Socket::builder(URL));
    let socket = network.block_on(builder.open()).unwrap();
    socket.close();
    network.advance(60 * SECOND);
    assert_eq!(socket.status(), Status::Closed);
    assert_eq!(asked.load(Ordering::Relaxed), 0);
    network.finish();
}

/// R11: what it says then no longer matters.
#[test]
fn a_hook_may_find_the_socket_closed_by_itself() {
    let network = network();
    network.peer(URL).refuse("no");
    let slot = Arc::new(Mutex::new(None::<Socket>));
    let own = slot.clone();
    let builder = Socket::builder(URL).retry(move |_| {
        own.lock().unwrap().as_ref().unwrap().close();
        Retry::After(SECOND)
    });
    let socket = builder.connect().unwrap();
    *slot.lock().unwrap() = Some(socket.clone());
    network.advance(60 * SECOND);
    assert_eq!((socket.status(), network.timers()), (Status::Closed, 0));
    network.finish();
}

/// R12.
#[test]
fn there_is_no_wait_to_end_while_the_url_is_asked_for() {
    let network = network();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let builder = Socket::builder(URL).url_provider(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        pending::<Result<String, ErrorEvent>>()
    });
    let socket = builder.connect().unwrap();
    network.run();
    socket.retry_now();
    network.run();
    assert_eq!(socket.status(), Status::Connecting { attempt: 1 });
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// R13.
#[test]
fn a_malformed_url_is_an_error_at_once_also_where_another_is_asked_for() {
    let _network = network();
    let builder = Socket::builder("no address")
        .url_provider(|_| async { Ok::<_, ErrorEvent>(URL.to_owned()) });
    let error = builder.connect().unwrap_err();
    assert_eq!(error, NewError::Syntax(SyntaxError::RelativeUrl));
}

/// R15.
#[test]
fn the_connect_timeout_begins_again_with_the_connecting() {
    let network = network();
    network.peer(URL).delay(1500 * MILLISECOND).accept();
    let gate = Arc::new(Mutex::new((false, None::<Waker>)));
    let own = gate.clone();
    let builder = Socket::builder(URL)
        .connect_timeout(2 * SECOND)
        .url_provider(move |_| {
            let gate = own.clone();
            poll_fn(move |context| {
                let mut gate = gate.lock().unwrap();
                gate.1 = Some(context.waker().clone());
                match gate.0 {
                    true => Poll::Ready(Ok::<_, ErrorEvent>(URL.to_owned())),
                    false => Poll::Pending,
                }
            })
        });
    let socket = builder.connect().unwrap();
    network.advance(1500 * MILLISECOND);
    let waker = {
        let mut gate = gate.lock().unwrap();
        gate.0 = true;
        gate.1.take()
    };
    waker.into_iter().for_each(Waker::wake);
    network.advance(1500 * MILLISECOND);
    assert_eq!(socket.status(), Status::Open);
    network.finish();
}

/// R20.
#[test]
fn what_is_kept_when_it_gives_up_stays_buffered() {
    let network = network();
    network.peer(URL).refuse("no");
    let socket = Socket::builder(URL).max_attempts(1).connect().unwrap();
    socket.send("never sent").unwrap();
    network.run();
    assert!(matches!(socket.status(), Status::GaveUp(_)));
    assert_eq!(socket.buffered_amount(), 10);
    network.finish();
}

/// R22.
#[test]
fn protocol_and_extensions_stay_between_two_connections() {
    let network = network();
    network.peer(URL).accept_with("a", "x").drop_connection();
    let socket = Socket::builder(URL).subprotocol("a").connect().unwrap();
    network.run();
    assert!(matches!(socket.status(), Status::Waiting { .. }));
    assert_eq!((socket.protocol(), socket.extensions()), ("a", "x"));
}

/// R5.
#[test]
fn a_status_handler_that_is_bound_late_hears_of_the_next() {
    let network = network();
    network.peer(URL).refuse("no");
    network.peer(URL);
    let socket = Socket::new(URL).unwrap();
    network.run();
    let (seen, mut opened) = (Arc::new(Mutex::new(Vec::new())), false);
    let log = seen.clone();
    socket.on_status(|_, _| panic!("on purpose"));
    socket.on_status(move |_, status| log.lock().unwrap().push(status.clone()));
    let log = seen.clone();
    socket.on_open(move |_| {
        assert!(!std::mem::replace(&mut opened, true));
        assert_eq!(log.lock().unwrap().last(), Some(&Status::Open));
    });
    network.advance(SECOND);
    let expected = [Status::Connecting { attempt: 2 }, Status::Open];
    assert_eq!(*seen.lock().unwrap(), expected);
}

/// R5. The handler owns the socket, so that it would keep it for ever.
#[test]
fn a_status_handler_that_is_bound_after_the_end_is_dropped() {
    let network = network();
    network.peer(URL).refuse("no");
    let socket = Socket::builder(URL)
        .retry(|_| Retry::GiveUp)
        .connect()
        .unwrap();
    network.run();
    assert!(matches!(socket.status(), Status::GaveUp(_)));
    let owned = Arc::new(socket.clone());
    let seen = Arc::downgrade(&owned);
    socket.on_status(move |_, _| drop(owned.clone()));
    assert!(seen.upgrade().is_none());
}
