//! Dropping the last handle, at each moment.

use super::*;

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

/// R25: those who listen for statuses only hear of the end.
#[test]
fn dropped_with_statuses_that_get_the_end() {
    for how in ["a stream", "a handler"] {
        let network = network();
        // So the socket is abandoned before its connection ends.
        network.peer(URL).expect_close().delay(SECOND);
        let socket = open(&network);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut statuses = (how == "a stream").then(|| socket.statuses());
        if how == "a handler" {
            let log = seen.clone();
            socket.on_status(move |_, status| log.lock().unwrap().push(status.clone()));
        }
        drop(socket);
        network.advance(SECOND);
        if let Some(statuses) = &mut statuses {
            network.block_on(async {
                while let Some(status) = statuses.next().await {
                    seen.lock().unwrap().push(status);
                }
            });
        }
        let seen_last = seen.lock().unwrap().last().cloned();
        assert_eq!(seen_last, Some(Status::Closed), "{how}");
        assert_eq!(network.timers(), 0, "{how}");
        assert_eq!(Arc::strong_count(&seen), 1, "{how}: the handler is gone");
        network.finish();
    }
}

/// R25: a stream of statuses that is dropped last frees the socket at once.
#[test]
fn dropped_with_statuses_that_are_dropped_later() {
    let network = network();
    network.peer(URL).accept().hang();
    let gate = Gate::default();
    let own = gate.clone();
    let socket = Socket::builder(URL)
        .retry(move |_| {
            drop(own.clone());
            Retry::Backoff
        })
        .connect()
        .unwrap();
    network.run();
    let statuses = socket.statuses();
    drop(socket);
    network.run();
    assert_eq!(gate.holders(), 2, "the end is awaited");
    drop(statuses);
    network.run();
    assert_eq!(gate.holders(), 1);
}
