//! Receiving, and waiting for room to send, on a thread that waits.

use std::io;
use std::net::TcpListener;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{EventLoop, EventsExt, RecvError, SendReadyError, SocketExt, block_on};
use isosocket::{CloseEvent, Event, OpenError, Reconnecting, Status, WebSocket};
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
fn a_handler_cannot_wait_for_an_event() {
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

/// More than two kernels buffer.
const MUCH: usize = 32 << 20;

/// A peer that reads nothing until it is released, and then all that was sent.
fn late_reader() -> (String, Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (release, released) = channel();
    thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut peer = tungstenite::accept(stream).unwrap();
        let _ = released.recv();
        let _ = io::copy(peer.get_mut(), &mut io::sink());
    });
    (url, release)
}

fn sends_when_there_is_room(socket: &WebSocket, release: Sender<()>) {
    assert_eq!(socket.send_ready_blocking(), Ok(()));
    socket.send(vec![0; MUCH]).unwrap();
    let soon = Duration::from_millis(50);
    let late = Err(SendReadyError::TimedOut);
    assert_eq!(socket.send_ready_timeout(soon), late);
    assert_eq!(socket.send_ready_deadline(Instant::now() + soon), late);
    assert_eq!(socket.send_ready_timeout(Duration::ZERO), late);
    release.send(()).unwrap();
    assert_eq!(socket.send_ready_timeout(DEADLINE), Ok(()));
    assert!(socket.buffered_amount() <= 1 << 20);
    // It is ready, and `send` says why not.
    socket.close();
    assert_eq!(socket.send_ready_blocking(), Ok(()));
    assert!(socket.send("late").is_err());
}

#[test]
fn a_thread_waits_for_room_to_send() {
    let (url, release) = late_reader();
    sends_when_there_is_room(&WebSocket::new(&url).unwrap(), release);
}

#[test]
fn a_thread_with_a_loop_of_its_own_drives_it_while_it_waits_for_room() {
    let (url, release) = late_reader();
    let event_loop = EventLoop::new().unwrap();
    let _entered = event_loop.enter();
    sends_when_there_is_room(&WebSocket::new(&url).unwrap(), release);
}

#[test]
fn a_handler_cannot_wait_for_room() {
    let (url, _release) = late_reader();
    let (sender, results) = channel();
    let socket = WebSocket::new(&url).unwrap();
    socket.on_open(move |socket| {
        let with_room = socket.send_ready_blocking();
        socket.send(vec![0; MUCH]).unwrap();
        let _ = sender.send((with_room, socket.send_ready_blocking()));
    });
    assert_eq!(
        results.recv_timeout(DEADLINE),
        Ok((Ok(()), Err(SendReadyError::InHandler)))
    );
}

#[test]
fn a_thread_waits_for_a_connection_of_a_reconnecting_socket() {
    let (_peer, url) = peer();
    let socket = Reconnecting::new(&url).unwrap();
    assert_eq!(socket.send_ready_blocking(), Ok(()));
    assert_eq!(socket.status(), Status::Open);
}

#[test]
fn a_future_gives_its_output_to_a_thread_that_blocks() {
    let (_peer, url) = peer();
    // A borrowed value: the future need not be `'static`.
    let conversation = async |url: &str| -> Result<String, OpenError> {
        let socket = WebSocket::open(url).await?;
        Ok(socket.url().to_owned())
    };
    assert_eq!(block_on(conversation(&url)).unwrap(), url);
}
