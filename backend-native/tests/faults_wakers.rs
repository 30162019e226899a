//! Wakers and wake hooks are code of the program, and run on the thread that
//! serves sockets (S105). Whatever they do, other sockets do not notice.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context, RawWaker, RawWakerVTable, Waker};
use std::time::Duration;

use isosocket::native::EventsExt;
use isosocket::{Event, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Where a waker panics. Clones of one that panics in `drop` do so too.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Where {
    Clone,
    Wake,
    Drop,
}

/// The thread that polls is the test's own: there nothing is to panic.
static ARMED: AtomicBool = AtomicBool::new(false);

fn panic_in(place: Where, at: Where) {
    if place == at && ARMED.load(Ordering::SeqCst) && thread_of_the_loop() {
        panic!("on purpose, in {at:?} of a waker");
    }
}

fn thread_of_the_loop() -> bool {
    std::thread::current().name() == Some("isosocket")
}

static PLACES: [Where; 3] = [Where::Clone, Where::Wake, Where::Drop];

static TABLE: RawWakerVTable = RawWakerVTable::new(
    |data| {
        panic_in(place(data), Where::Clone);
        RawWaker::new(data, &TABLE)
    },
    |data| {
        panic_in(place(data), Where::Wake);
        panic_in(place(data), Where::Drop);
    },
    |data| panic_in(place(data), Where::Wake),
    |data| panic_in(place(data), Where::Drop),
);

fn place(data: *const ()) -> Where {
    PLACES[data.addr()]
}

#[allow(
    unsafe_code,
    reason = "the standard library's wakers do not panic in clone"
)]
fn waker(index: usize) -> Waker {
    let data = std::ptr::without_provenance(index);
    // SAFETY: the functions use no more of `data` than its address.
    unsafe { Waker::from_raw(RawWaker::new(data, &TABLE)) }
}

/// A new socket and an old one both echo.
fn echoes(socket: &WebSocket) {
    let (sender, heard) = channel();
    let binding = socket.on_message(move |_, message| drop(sender.send(message.to_string())));
    socket.send("still here").unwrap();
    assert_eq!(heard.recv_timeout(LIMIT).unwrap(), "still here");
    binding.unbind();
}

fn open(peer: &Peer) -> WebSocket {
    let socket = WebSocket::new(peer.url("/echo")).unwrap();
    let (sender, opened) = channel();
    socket.on_open(move |_| sender.send(()).unwrap());
    opened.recv_timeout(LIMIT).unwrap();
    socket
}

#[test]
fn a_waker_that_panics_stops_nobody() {
    let peer = Peer::start(PeerOptions::default()).unwrap();
    let other = open(&peer);
    for (index, at) in PLACES.iter().enumerate() {
        ARMED.store(true, Ordering::SeqCst);
        let socket = open(&peer);
        let (sender, ended) = channel();
        socket.on_close(move |_, close| sender.send(close.code).unwrap());
        let mut events = socket.events();
        let waker = waker(index);
        let mut context = Context::from_waker(&waker);
        assert!(events.poll(&mut context).is_pending());
        let mut closed = pin!(socket.closed());
        assert!(closed.as_mut().poll(&mut context).is_pending());
        // The loop's thread wakes the stream, and then those who wait for the end.
        socket.send("wake up").unwrap();
        socket.close();
        echoes(&other);
        echoes(&open(&peer));
        assert_eq!(ended.recv_timeout(LIMIT).unwrap(), 1005, "{:?}", at);
        // What the stream had is not lost with its waker.
        ARMED.store(false, Ordering::SeqCst);
        // It gets an event after the handlers, so it may have to wait for the last one.
        let last = loop {
            match events.recv_timeout(LIMIT) {
                Ok(Event::Close(close)) => break close,
                Ok(_) => {}
                Err(error) => panic!("the end of the stream is missing: {error}"),
            }
        };
        assert_eq!(last.code, 1005);
    }
}

#[test]
fn a_wake_hook_that_panics_stops_nobody() {
    let peer = Peer::start(PeerOptions::default()).unwrap();
    let socket = open(&peer);
    let mut events = socket.events();
    let (sender, called) = channel();
    events.set_wake_hook(move || {
        let _ = sender.send(());
        panic!("on purpose, in a wake hook");
    });
    for _ in 0..3 {
        socket.send("wake up").unwrap();
        called.recv_timeout(LIMIT).unwrap();
        while events.try_next().is_some() {}
    }
    echoes(&socket);
    echoes(&open(&peer));
}
