//! A log sink is code of the program, and runs where the library logs (S105).
//! Alone in its process, which has only one sink.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use isosocket::WebSocket;
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Sends what is logged over a socket, and then panics.
struct Sink;

static REPORTS: OnceLock<WebSocket> = OnceLock::new();
static LOGGED: AtomicUsize = AtomicUsize::new(0);

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        if line.contains("panicked") {
            LOGGED.fetch_add(1, Ordering::SeqCst);
            if let Some(reports) = REPORTS.get() {
                reports.send(line).expect("the socket for reports is open");
            }
            panic!("on purpose, in the log sink");
        }
    }

    fn flush(&self) {}
}

#[test]
fn a_log_sink_may_use_a_socket_and_panic() {
    log::set_logger(&Sink).expect("there is no other sink");
    log::set_max_level(log::LevelFilter::Trace);
    let peer = Peer::start(PeerOptions::default()).expect("the peer starts");

    let reports = WebSocket::new(peer.url("/echo")).expect("a good URL");
    let (sender, reported) = channel();
    let (open, opened) = channel();
    reports.on_open(move |_| open.send(()).unwrap());
    reports.on_message(move |_, line| sender.send(line.to_string()).unwrap());
    opened.recv_timeout(LIMIT).expect("it opens");
    REPORTS.set(reports).expect("set once");

    let socket = WebSocket::new(peer.url("/echo")).expect("a good URL");
    let (sender, heard) = channel();
    socket.on_open(|socket| {
        for text in ["one", "two", "three"] {
            socket.send(text).unwrap();
        }
    });
    socket.on_message(|_, message| panic!("on purpose, for {message}"));
    socket.on_message(move |_, message| sender.send(message.to_string()).unwrap());

    for text in ["one", "two", "three"] {
        assert_eq!(
            heard.recv_timeout(LIMIT).expect("the next handler runs"),
            text
        );
        let line = reported.recv_timeout(LIMIT).expect("the report comes back");
        assert!(line.contains("handler"), "{line}");
    }
    assert_eq!(LOGGED.load(Ordering::SeqCst), 3);

    // The thread that serves sockets goes on, also for new ones.
    let next = WebSocket::new(peer.url("/echo")).expect("a good URL");
    let (sender, opened) = channel();
    next.on_open(move |_| sender.send(()).unwrap());
    opened.recv_timeout(LIMIT).expect("a new socket opens");
}
