//! Event loops of the program: which thread serves whose sockets, and how any
//! other loop drives one.

mod drive;
mod moves;
mod on_tokio;
mod ownership;
mod two_threads;

use std::time::{Duration, Instant};

use isosocket::WebSocket;
use isosocket::native::EventLoop;
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// A peer, and the URL of one of its behaviours.
fn peer(path: &str) -> (Peer, String) {
    let peer = Peer::start(PeerOptions::default()).expect("the peer starts");
    let url = peer.url(path);
    (peer, url)
}

/// A socket that belongs to the loop.
fn socket_of(event_loop: &EventLoop, url: &str) -> WebSocket {
    let _entered = event_loop.enter();
    WebSocket::new(url).expect("the URL is good")
}

/// Turns the loop until something is so.
fn turn_until(event_loop: &mut EventLoop, mut done: impl FnMut() -> bool) {
    let limit = Instant::now() + LIMIT;
    while !done() {
        let left = limit.saturating_duration_since(Instant::now());
        assert_ne!(left, Duration::ZERO, "it did not happen in time");
        event_loop.turn(Some(left));
    }
}
