//! One greedy peer, or one large message, delays others by a bounded amount (S110).
//! What is asserted are counts, and not times.

mod support;

use std::convert::Infallible;
use std::future::Future;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{BuilderExt, EventsExt};
use isosocket::{Event, Reconnecting};

use support::*;

/// Writes without pause, until the client is gone.
fn flood(mut io: impl Write, message: &[u8]) {
    let many = message.repeat((64 << 10) / message.len() + 1);
    while io.write_all(&many).is_ok() {}
}

/// A handler that takes some time.
fn work() {
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_micros(200) {
        std::hint::spin_loop();
    }
}

/// The greedy peers do not answer `close`.
const SHORT: Duration = Duration::from_millis(100);

/// How many times an echo comes while one greedy peer is served.
const ECHOES: usize = 50;
/// How many messages of the greedy peer may be handled for each echo, at most, on
/// average: a visit of 1 ms is 5 of them. They were thousands.
const MOST: usize = 500;

fn others_are_served(count: &AtomicUsize) {
    let other = echo();
    let before = count.load(Ordering::Relaxed);
    echoes(&other, ECHOES);
    let per_echo = (count.load(Ordering::Relaxed) - before) / ECHOES;
    assert!(per_echo < MOST, "{per_echo} messages for each echo");
}

/// A greedy peer whose messages go to a handler that takes some time.
fn greedy_peer(secure: bool, lines: &'static str, message: Vec<u8>) {
    let server = Server::new();
    let builder = match secure {
        true => server.tls_builder(),
        false => server.builder(),
    };
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let greedy = builder
        .tcp_receive_buffer(16 << 10)
        .close_timeout(SHORT)
        .on_message(move |_, _| {
            counter.fetch_add(1, Ordering::Relaxed);
            work();
        });
    let greedy = greedy.connect().unwrap();
    let mut tcp = server.accept();
    let serving = thread::spawn(move || match secure {
        true => {
            let mut tls = tls(tcp);
            greet(&mut tls, lines);
            flood(tls, &message);
        }
        false => {
            greet(&mut tcp, lines);
            flood(tcp, &message);
        }
    });
    wait_for(|| count.load(Ordering::Relaxed) > 100);
    others_are_served(&count);
    greedy.close();
    serving.join().unwrap();
}

#[track_caller]
fn wait_for(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE);
        thread::yield_now();
    }
}

#[test]
fn a_greedy_peer_with_a_slow_handler() {
    greedy_peer(false, "", frame(TEXT, b"more"));
}

#[test]
fn a_greedy_peer_over_tls() {
    greedy_peer(true, "", frame(TEXT, b"more"));
}

/// With what a server without context takeover compresses.
#[cfg(feature = "deflate")]
const DEFLATE: &str =
    "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";

#[cfg(feature = "deflate")]
fn compressed(data: &[u8]) -> Vec<u8> {
    let level = flate2::Compression::default();
    let mut compressor = flate2::write::DeflateEncoder::new(Vec::new(), level);
    compressor.write_all(data).unwrap();
    compressor.flush().unwrap();
    let mut packed = compressor.get_ref().clone();
    packed.truncate(packed.len() - 4);
    frame(0x40 | BINARY, &packed)
}

#[cfg(feature = "deflate")]
#[test]
fn a_greedy_peer_that_compresses() {
    greedy_peer(false, DEFLATE, compressed(&[7; 10_000]));
}

#[cfg(feature = "deflate")]
#[test]
fn empty_compressed_blocks() {
    // One message never ends: fragments of stored blocks without content.
    let server = Server::new();
    let greedy = server.builder().close_timeout(SHORT).connect().unwrap();
    let mut tcp = server.accept();
    let (sender, first_is_written) = mpsc::channel();
    let serving = thread::spawn(move || {
        greet(&mut tcp, DEFLATE);
        let blocks = [0, 0, 0, 0xff, 0xff].repeat(10_000);
        let mut first = frame(0x40 | BINARY, &blocks);
        first[0] &= 0x7f;
        tcp.write_all(&first).unwrap();
        sender.send(()).unwrap();
        let mut more = frame(0, &blocks);
        more[0] &= 0x7f;
        flood(tcp, &more);
    });
    let other = echo();
    first_is_written.recv().unwrap();
    echoes(&other, ECHOES);
    greedy.close();
    serving.join().unwrap();
}

#[test]
fn a_greedy_peer_with_a_stream() {
    let server = Server::new();
    let greedy = server.builder().close_timeout(SHORT).connect().unwrap();
    let mut events = greedy.events();
    let tcp = server.greet();
    let serving = thread::spawn(move || flood(tcp, &frame(BINARY, &[7; 1_000])));
    let count = Arc::new(AtomicUsize::new(0));
    let counter = count.clone();
    let reading = thread::spawn(move || {
        while let Ok(Event::Open | Event::Message(_)) = events.recv_timeout(DEADLINE) {
            counter.fetch_add(1, Ordering::Relaxed);
            work();
        }
    });
    wait_for(|| count.load(Ordering::Relaxed) > 100);
    others_are_served(&count);
    drop(greedy);
    serving.join().unwrap();
    reading.join().unwrap();
}

#[test]
fn a_greedy_peer_that_never_finishes_its_reply() {
    // Interim replies are skipped, and there may be any number of them (S112).
    let server = Server::new();
    let builder = server.builder().connect_timeout(Duration::from_secs(3));
    let (_greedy, events) = connect(builder);
    let mut tcp = server.accept();
    let serving = thread::spawn(move || {
        read_head(&mut tcp);
        flood(tcp, b"HTTP/1.1 103 Early Hints\r\n\r\n");
    });
    echoes(&echo(), ECHOES);
    assert!(matches!(next(&events), Event::Error(_)));
    serving.join().unwrap();
}

/// Lets everybody else have a turn.
struct YieldNow(bool);

impl Future for YieldNow {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 {
            return Poll::Ready(());
        }
        self.0 = true;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

#[test]
fn a_future_that_wakes_itself_stops_nobody() {
    let (stop, yields) = (
        Arc::new(AtomicBool::new(false)),
        Arc::new(AtomicUsize::new(0)),
    );
    let (stopped, counter) = (stop.clone(), yields.clone());
    let socket = Reconnecting::builder("ws://h/")
        .url_provider(move |_| {
            let (stopped, counter) = (stopped.clone(), counter.clone());
            async move {
                while !stopped.load(Ordering::Relaxed) {
                    counter.fetch_add(1, Ordering::Relaxed);
                    YieldNow(false).await;
                }
                Ok::<_, Infallible>(peer().url("/text/hello"))
            }
        })
        .connect()
        .unwrap();
    let mut events = socket.events();
    wait_for(|| yields.load(Ordering::Relaxed) > 10);
    echoes(&echo(), ECHOES);
    // Timers come as well: this one is the connect timeout of a silent server.
    let silent = Server::new();
    let builder = silent.builder().connect_timeout(Duration::from_millis(10));
    let (_socket, failed) = connect(builder);
    assert!(matches!(next(&failed), Event::Error(_)));
    stop.store(true, Ordering::Relaxed);
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    socket.close();
}

/// Reads everything.
fn sink(mut tcp: TcpStream) {
    let mut buffer = vec![0; 1 << 20];
    while !matches!(tcp.read(&mut buffer), Ok(0) | Err(_)) {}
}

#[test]
fn large_messages_stall_nobody() {
    let server = Server::new();
    let socket = server.builder().connect().unwrap();
    let tcp = server.greet();
    let serving = thread::spawn(move || sink(tcp));
    let stop = Arc::new(AtomicBool::new(false));
    let sending = {
        let (socket, stop) = (socket.clone(), stop.clone());
        thread::spawn(move || {
            let large = vec![7; 60 << 20];
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                sent += usize::from(socket.send(&large).is_ok());
                thread::yield_now();
            }
            sent
        })
    };
    wait_for(|| socket.buffered_amount() > 0);
    echoes(&echo(), ECHOES);
    stop.store(true, Ordering::Relaxed);
    assert!(sending.join().unwrap() > 0);
    // What is queued goes nowhere.
    drop(socket);
    drop(serving);
}

#[test]
fn a_pong_goes_out_in_the_middle_of_a_steady_upload() {
    for secure in [false, true] {
        let server = Server::new();
        let builder = match secure {
            true => server.tls_builder(),
            false => server.builder(),
        };
        let (socket, events) = connect(builder.send_limit(4 << 20));
        let tcp = server.accept();
        let mut io: Box<dyn Io> = match secure {
            true => Box::new(tls(tcp)),
            false => Box::new(tcp),
        };
        greet(&mut io, "");
        assert_eq!(next(&events), Event::Open);
        let stop = Arc::new(AtomicBool::new(false));
        let uploading = {
            let (socket, stop) = (socket.clone(), stop.clone());
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if socket.send(vec![7; 1_000]).is_err() {
                        thread::yield_now();
                    }
                }
            })
        };
        // There is always more than the queue may hold.
        wait_for(|| socket.buffered_amount() > 3 << 20);
        io.write_all(&frame(PING, b"there?")).unwrap();
        io.flush().unwrap();
        let mut bytes = 0;
        loop {
            let (opcode, payload) = read_frame(&mut io).unwrap();
            bytes += payload.len();
            if opcode == PONG {
                assert_eq!(payload, b"there?");
                break;
            }
            // Of 4 MB that wait, and as much as comes meanwhile.
            assert!(bytes < 64 << 20, "no pong before {bytes} bytes of messages");
        }
        stop.store(true, Ordering::Relaxed);
        uploading.join().unwrap();
    }
}

/// An empty message counts as well.
#[test]
fn a_queue_of_empty_messages_is_bounded() {
    let server = Server::new();
    let (socket, events) = connect(server.builder().send_limit(1_000));
    let tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    let mut sent = 0;
    while socket.send("").is_ok() {
        sent += 1;
        assert!(sent < 20_000_000, "there is no limit");
    }
    drop(tcp);
}

#[test]
fn a_pong_precedes_the_answer_to_a_message_that_came_behind_the_ping() {
    let server = Server::new();
    let socket = server
        .builder()
        .on_message(|socket, message| socket.send(message).unwrap())
        .connect()
        .unwrap();
    let mut tcp = server.accept();
    greet(&mut tcp, "");
    // In one write, so that one read finds both.
    let both = [frame(PING, b"ping"), frame(TEXT, b"message")].concat();
    for _ in 0..20 {
        tcp.write_all(&both).unwrap();
        assert_eq!(read_frame(&mut tcp).unwrap(), (PONG, b"ping".to_vec()));
        assert_eq!(read_frame(&mut tcp).unwrap(), (TEXT, b"message".to_vec()));
    }
    drop(socket);
}
