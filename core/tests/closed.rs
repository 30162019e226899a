//! Waiting for the end without a stream that nobody reads.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};

use futures::FutureExt;
use futures::future::FusedFuture;
use isosocket::mock::{Network, Peer};
use isosocket::{CloseEvent, ReadyState, Reconnecting, WebSocket};

#[test]
fn it_gives_the_close_event_after_the_handlers_ran() {
    let network = Network::new();
    network.peer("ws://peer/").send("a").close_with(4001, "bye");
    let socket = WebSocket::new("ws://peer/").unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let messages = seen.clone();
    socket.on_message(move |_, message| messages.lock().unwrap().push(message.to_string()));
    let end = seen.clone();
    socket.on_close(move |_, close| end.lock().unwrap().push(close.to_string()));
    let close = network.block_on(socket.closed());
    assert_eq!(close, CloseEvent::new(4001, "bye", true));
    assert_eq!(*seen.lock().unwrap(), ["a", &close.to_string()]);
    // Any number of times, also later.
    assert_eq!(socket.closed().now_or_never(), Some(close));
}

#[test]
fn it_ends_whichever_way_the_socket_does() {
    type Prepare = fn(&Peer) -> &Peer;
    let ways: [(Prepare, CloseEvent); 4] = [
        (Peer::drop_connection, CloseEvent::abnormal()),
        (|peer| peer.refuse("no"), CloseEvent::abnormal()),
        (Peer::hang, CloseEvent::abnormal()),
        (Peer::close, CloseEvent::new(1005, "", true)),
    ];
    for (prepare, expected) in ways {
        let network = Network::new();
        prepare(&network.peer("ws://peer/"));
        let socket = WebSocket::new("ws://peer/").unwrap();
        assert!(socket.closed().now_or_never().is_none());
        assert_eq!(network.block_on(socket.closed()), expected);
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    }
}

#[test]
fn a_socket_that_is_waited_for_reads_on_with_a_handler() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    for _ in 0..100 {
        peer.send(vec![7; 1 << 20]);
    }
    peer.close();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let count = Arc::new(Mutex::new(0));
    let counted = count.clone();
    socket.on_message(move |_, _| *counted.lock().unwrap() += 1);
    network.block_on(socket.closed());
    assert_eq!(*count.lock().unwrap(), 100);
}

#[test]
fn a_reconnecting_socket_is_closed_once_it_is_for_good() {
    let network = Network::new();
    network.peer("ws://peer/").drop_connection();
    network.peer("ws://peer/").drop_connection();
    let builder = Reconnecting::builder("ws://peer/").max_attempts(2);
    let socket = builder.connect().unwrap();
    assert_eq!(network.block_on(socket.closed()), CloseEvent::abnormal());
    assert_eq!(socket.ready_state(), ReadyState::Closed);
}

#[test]
fn it_is_fused_and_leaves_nothing_when_it_is_given_up() {
    let network = Network::new();
    network.peer("ws://peer/").close();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let mut closed = socket.closed();
    assert!((&mut closed).now_or_never().is_none());
    assert!(!closed.is_terminated());
    let nobody = Arc::new(Count::default());
    let waker = Waker::from(nobody.clone());
    let polled = Pin::new(&mut closed).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_eq!(Arc::strong_count(&nobody), 3);
    drop(closed);
    assert_eq!(Arc::strong_count(&nobody), 2);
    let mut closed = socket.closed();
    network.block_on(&mut closed);
    assert!(closed.is_terminated());
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn opening_leaves_nothing_when_it_is_given_up() {
    let network = Network::new();
    network.peer("ws://peer/").hang();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut open = Box::pin(WebSocket::open("ws://peer/"));
    let polled = open.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    assert_eq!(Arc::strong_count(&count), 3);
    drop(open);
    network.run();
    assert_eq!(Arc::strong_count(&count), 2);
    assert_eq!(count.0.load(Ordering::Relaxed), 0, "nobody waits any more");
}

#[test]
fn streams_know_how_the_socket_ended() {
    let network = Network::new();
    network.peer("ws://peer/").close_with(1001, "later");
    let socket = WebSocket::new("ws://peer/").unwrap();
    assert_eq!(socket.close_event(), None);
    network.run();
    assert_eq!(
        socket.close_event(),
        Some(&CloseEvent::new(1001, "later", true))
    );
}

#[test]
fn a_socket_that_stays_open_wakes_nobody_who_waits_for_its_end() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    peer.accept();
    let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut closed = socket.closed();
    let mut poll = || Pin::new(&mut closed).poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    peer.send("news").expect("answer");
    network.run();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    socket.send("answer").unwrap();
    network.run();
    assert_eq!(count.0.load(Ordering::Relaxed), 0);
    peer.close();
    network.run();
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert!(poll().is_ready());
}
