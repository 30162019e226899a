//! The URL provider.

use super::*;

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

/// R29: with the number and the loss of each attempt, and subprotocols.
#[test]
fn an_attempt_uses_what_the_program_prepares() {
    let network = network();
    network.peer("ws://peer/?token=1").refuse("stale");
    network
        .peer("ws://peer/?token=2")
        .accept_with("bearer.2", "")
        .close_with(4001, "again");
    network
        .peer("ws://peer/?token=1")
        .accept_with("bearer.1", "");
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sees = seen.clone();
    let builder = Socket::builder("ws://peer/nominal")
        .min_uptime(Duration::ZERO)
        .subprotocol("chat")
        .each_attempt(move |next| {
            let loss = next.loss().map(|loss| (loss.attempt, loss.close.code));
            sees.lock().unwrap().push((next.number(), loss));
            async move {
                let number = next.number();
                let next = next.url(format!("ws://peer/?token={number}"));
                Ok::<_, ErrorEvent>(next.subprotocol(format!("bearer.{number}")))
            }
        });
    let socket = builder.connect().unwrap();
    network.advance(60 * SECOND);
    assert_eq!(socket.protocol(), "bearer.1");
    assert_eq!(socket.url(), "ws://peer/nominal");
    let expected = [(1, None), (2, Some((1, 1006))), (1, Some((0, 4001)))];
    assert_eq!(*seen.lock().unwrap(), expected);
    network.finish();
}

/// R29.
#[test]
fn an_error_of_the_program_ends_the_socket() {
    let network = network();
    network.peer(URL).drop_connection();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let (builder, hook) = edges::counted(Socket::builder(URL));
    let socket = builder
        .each_attempt(move |next| {
            let number = count.fetch_add(1, Ordering::Relaxed);
            async move {
                match number {
                    0 => Ok(next),
                    1 => Ok(next.failed("the login server is down")),
                    _ => Err("logged out"),
                }
            }
        })
        .connect()
        .unwrap();
    let mut events = socket.events();
    network.advance(60 * SECOND);
    let error = ErrorEvent::with_kind(ErrorKind::Aborted, "logged out");
    assert_eq!(events.try_next(), Some(Event::Error(error.clone())));
    assert_eq!(
        events.try_next(),
        Some(Event::Close(CloseEvent::abnormal()))
    );
    assert_eq!(events.try_next(), None);
    match socket.status() {
        Status::GaveUp(loss) => assert_eq!((loss.error, loss.attempt), (Some(error), 3)),
        status => panic!("{status:?}"),
    }
    // The hook is asked about the two before.
    assert_eq!(hook.load(Ordering::Relaxed), 2);
    assert_eq!((asked.load(Ordering::Relaxed), network.timers()), (3, 0));
    network.finish();
}

/// R29: what is malformed makes the attempt fail, and says so.
#[test]
fn a_malformed_attempt_fails() {
    let network = network();
    network.peer(URL);
    let builder = Socket::builder(URL).each_attempt(|next| async move {
        Ok::<_, ErrorEvent>(match next.number() {
            1 => next.subprotocol("a b"),
            2 => next.subprotocol("a").subprotocol("a"),
            3 => next.url("no url"),
            _ => next,
        })
    });
    let socket = builder.connect().unwrap();
    network.advance(60 * SECOND);
    assert_eq!(socket.status(), Status::Open);
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
