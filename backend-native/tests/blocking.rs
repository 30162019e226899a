//! Receiving on a thread that waits.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{EventsExt, RecvError};
use isosocket::{CloseEvent, Event, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

fn peer() -> (Peer, String) {
    let peer = Peer::start(PeerOptions::default()).expect("the peer starts");
    let url = peer.url("/echo");
    (peer, url)
}

#[test]
fn a_conversation_without_async() {
    let (_peer, url) = peer();
    let socket = WebSocket::new(&url).unwrap();
    let mut events = socket.events();
    assert_eq!(events.recv(), Ok(Event::Open));
    for text in ["a", "b"] {
        socket.send(text).unwrap();
    }
    assert_eq!(
        events.recv_timeout(DEADLINE),
        Ok(Event::Message("a".into()))
    );
    assert_eq!(
        events.recv_deadline(Instant::now() + DEADLINE),
        Ok(Event::Message("b".into()))
    );
    socket.close();
    assert_eq!(
        events.recv_timeout(Duration::MAX),
        Ok(Event::Close(CloseEvent::new(1005, "", true)))
    );
    assert_eq!(events.recv(), Err(RecvError::Ended));
    assert_eq!(events.recv_timeout(Duration::ZERO), Err(RecvError::Ended));
}

#[test]
fn a_deadline_loses_nothing() {
    let (_peer, url) = peer();
    let socket = WebSocket::new(&url).unwrap();
    let mut events = socket.events();
    assert_eq!(events.recv(), Ok(Event::Open));
    for _ in 0..100 {
        assert_eq!(
            events.recv_timeout(Duration::from_micros(50)),
            Err(RecvError::TimedOut)
        );
    }
    assert_eq!(
        events.recv_deadline(Instant::now()),
        Err(RecvError::TimedOut)
    );
    socket.send("there").unwrap();
    assert_eq!(events.recv(), Ok(Event::Message("there".into())));
}

#[test]
fn a_wait_is_ended_by_another_thread() {
    let (_peer, url) = peer();
    let socket = WebSocket::new(&url).unwrap();
    let mut events = socket.events();
    let waiting = thread::spawn(move || std::iter::from_fn(|| events.recv().ok()).count());
    drop(socket);
    // Error, if it was still connecting, and Close; or Open and Close.
    assert_eq!(waiting.join().unwrap(), 2);
}

#[test]
fn a_handler_that_waits_is_told_that_it_cannot() {
    let (_peer, url) = peer();
    let (sender, results) = channel();
    let socket = WebSocket::new(&url).unwrap();
    socket.on_open(move |socket| drop(sender.send(socket.events().recv())));
    assert_eq!(
        results.recv_timeout(DEADLINE),
        Ok(Err(RecvError::InHandler))
    );
}

#[test]
fn a_program_of_handlers_waits_for_the_end() {
    let (_peer, url) = peer();
    let socket = WebSocket::new(&url).unwrap();
    socket.on_open(|socket| socket.send("hello").unwrap());
    socket.on_message(|socket, _| socket.close_with(4000, "done").unwrap());
    let expected = Ok(CloseEvent::new(4000, "done", true));
    let mut events = socket.events();
    assert_eq!(events.recv_closed(), expected);
    // Also when the end has been seen, by this stream or before it began.
    assert_eq!(events.recv_closed(), expected);
    assert_eq!(socket.events().recv_closed(), expected);
}
