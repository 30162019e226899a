//! A loop that is dropped, or moves to another thread: its sockets live on.

use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use isosocket::native::{BuilderExt, EventLoop, EventsExt};
use isosocket::{Event, Events, ReadyState, WebSocket};

use super::{LIMIT, peer, socket_of, turn_until};

/// Echoes one message and closes, without our loop.
fn finish(socket: &WebSocket, events: &mut Events) {
    socket.send("after").unwrap();
    assert_eq!(
        events.recv_timeout(LIMIT),
        Ok(Event::Message("after".into()))
    );
    socket.close();
    assert!(matches!(events.recv_timeout(LIMIT), Ok(Event::Close(close)) if close.was_clean));
}

fn open_on(event_loop: &mut EventLoop, url: &str) -> (WebSocket, Events) {
    let socket = event_loop
        .block_on(async { WebSocket::open(url).await })
        .unwrap();
    let mut events = socket.events();
    assert_eq!(event_loop.block_on(events.next()), Some(Event::Open));
    (socket, events)
}

#[test]
fn a_loop_that_never_turned_leaves_its_socket_to_the_shared_thread() {
    let (_peer, url) = peer("/echo");
    let event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let mut events = socket.events();
    drop(event_loop);
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    finish(&socket, &mut events);
}

#[test]
fn a_loop_that_is_dropped_while_dialling_leaves_its_socket_to_the_shared_thread() {
    let (peer, _) = peer("/echo");
    // A name, which is resolved on another thread; and an address.
    for host in ["localhost", "127.0.0.1"] {
        let mut event_loop = EventLoop::new().unwrap();
        let url = format!("ws://{host}:{}/echo", peer.ports().plain);
        let socket = socket_of(&event_loop, &url);
        let mut events = socket.events();
        event_loop.turn(Some(Duration::ZERO));
        drop(event_loop);
        assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
        finish(&socket, &mut events);
    }
}

#[test]
fn a_loop_that_is_dropped_while_opening_leaves_its_socket_to_the_shared_thread() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let mut events = socket.events();
    let (sender, requested) = smol::channel::bounded(1);
    let (go_on, wait) = channel();
    let server = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        // The request has arrived, so the client waits for the reply.
        stream.peek(&mut [0]).unwrap();
        sender.try_send(()).unwrap();
        wait.recv_timeout(LIMIT).unwrap();
        let mut peer = tungstenite::accept(stream).unwrap();
        while let Ok(message) = peer.read() {
            if message.is_text() {
                peer.send(message).unwrap();
            }
        }
    });
    event_loop.block_on(requested.recv()).unwrap();
    drop(event_loop);
    go_on.send(()).unwrap();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    finish(&socket, &mut events);
    server.join().unwrap();
}

#[test]
fn a_loop_that_is_dropped_leaves_its_open_socket_to_the_shared_thread() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (socket, mut events) = open_on(&mut event_loop, &url);
    // It arrives, or has arrived, and is read by the other loop.
    socket.send("before").unwrap();
    drop(event_loop);
    assert_eq!(
        events.recv_timeout(LIMIT),
        Ok(Event::Message("before".into()))
    );
    finish(&socket, &mut events);
}

#[test]
fn a_loop_that_is_dropped_leaves_what_is_not_sent_to_the_shared_thread() {
    const SIZE: usize = 1 << 20;
    const COUNT: usize = 16;
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let socket = {
        let _entered = event_loop.enter();
        let builder = WebSocket::builder(&*url).receive_limit(4 * SIZE * COUNT);
        builder.connect().unwrap()
    };
    let mut events = socket.events();
    let mut opened = false;
    turn_until(&mut event_loop, || {
        opened |= events.try_next() == Some(Event::Open);
        opened
    });
    for number in 0..COUNT {
        socket.send(vec![number as u8; SIZE]).unwrap();
    }
    assert!(socket.buffered_amount() > 0);
    drop(event_loop);
    for number in 0..COUNT {
        let Ok(Event::Message(message)) = events.recv_timeout(LIMIT) else {
            panic!("message {number} did not come");
        };
        assert!(message == vec![number as u8; SIZE]);
    }
    finish(&socket, &mut events);
}

#[test]
fn a_loop_that_is_dropped_while_closing_leaves_its_socket_to_the_shared_thread() {
    let (_peer, url) = peer("/echo");
    // The request is queued for the loop; and the loop has begun to close.
    for turns in [false, true] {
        let mut event_loop = EventLoop::new().unwrap();
        let (socket, mut events) = open_on(&mut event_loop, &url);
        socket.close();
        if turns {
            event_loop.turn(Some(Duration::ZERO));
        }
        drop(event_loop);
        assert!(matches!(events.recv_timeout(LIMIT), Ok(Event::Close(close)) if close.was_clean));
    }
}

#[test]
fn what_a_socket_was_asked_before_its_loop_was_dropped_reaches_no_other_socket() {
    let (_peer, url) = peer("/echo");
    // Sockets of the shared thread, in its first places.
    let mut others: Vec<_> = (0..4)
        .map(|_| {
            let socket = WebSocket::new(&*url).unwrap();
            let mut events = socket.events();
            assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
            (socket, events)
        })
        .collect();
    // Sockets in the same places of a loop, which still connect.
    let mut event_loop = EventLoop::new().unwrap();
    let (_silent, silent) = peer("/no-reply");
    let sockets: Vec<_> = (0..4).map(|_| socket_of(&event_loop, &silent)).collect();
    let mut ends: Vec<_> = sockets.iter().map(WebSocket::events).collect();
    event_loop.turn(Some(Duration::ZERO));
    sockets.iter().for_each(WebSocket::close);
    drop(event_loop);
    for events in &mut ends {
        assert!(!events.recv_closed().unwrap().was_clean);
    }
    for (socket, events) in &mut others {
        finish(socket, events);
    }
}

#[test]
fn the_buffered_amount_falls_after_the_loop_was_dropped() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (socket, mut events) = open_on(&mut event_loop, &url);
    // Not seen as sent until the program yields to its loop (S49), which is gone.
    socket.send("before").unwrap();
    drop(event_loop);
    socket.send("after").unwrap();
    for text in ["before", "after"] {
        assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Message(text.into())));
    }
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn the_buffered_amount_falls_after_the_loop_moved_to_another_thread() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (socket, mut events) = open_on(&mut event_loop, &url);
    socket.send("before").unwrap();
    assert_eq!(socket.buffered_amount(), 6);
    let mut event_loop = thread::spawn(move || {
        let mut received = None;
        turn_until(&mut event_loop, || {
            received = received.take().or_else(|| events.try_next());
            received.is_some()
        });
        assert_eq!(received, Some(Event::Message("before".into())));
        event_loop
    })
    .join()
    .unwrap();
    assert_eq!(socket.buffered_amount(), 0);
    socket.close();
    turn_until(&mut event_loop, || {
        socket.ready_state() == ReadyState::Closed
    });
}

#[test]
fn a_loop_that_is_dropped_on_another_thread_leaves_its_sockets_as_well() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (socket, mut events) = open_on(&mut event_loop, &url);
    socket.send("before").unwrap();
    thread::spawn(move || drop(event_loop)).join().unwrap();
    assert_eq!(
        events.recv_timeout(LIMIT),
        Ok(Event::Message("before".into()))
    );
    assert_eq!(socket.buffered_amount(), 0);
    finish(&socket, &mut events);
}
