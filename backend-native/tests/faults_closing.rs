//! What has arrived is not lost when a connection ends, and every end comes in
//! its time (S97, S102, S109).

mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::channel;
use std::sync::{Mutex, Once};
use std::thread;
use std::time::Duration;

use isosocket::native::{BuilderExt, EventsExt};
use isosocket::{CloseEvent, Event, Events, WebSocket};

use support::*;

/// How many messages the server sends before it closes.
/// All of it is in the receiver's kernel then, also where that keeps little.
const MESSAGES: u32 = 200;

/// Longer than any test runs, so that it is not what ends a connection.
const NEVER: Duration = Duration::from_secs(600);

/// Messages of 1 kB with their numbers.
fn send_messages(io: &mut impl Write) {
    for number in 0..MESSAGES {
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(1_000, 0);
        io.write_all(&frame(BINARY, &payload)).unwrap();
    }
}

/// Ends TCP both ways, so that what the client writes is answered by a reset,
/// after everything that the server had to say has arrived there.
fn end(tcp: TcpStream) {
    tcp.shutdown(Shutdown::Both).unwrap();
}

fn all_arrive(events: &mut Events, last: Event) {
    for number in 0..MESSAGES {
        let event = events.recv_timeout(DEADLINE).unwrap();
        let Event::Message(message) = &event else {
            panic!("message {number} is missing: {event:?}");
        };
        assert_eq!(message.as_bytes()[..4], number.to_be_bytes());
    }
    assert_eq!(events.recv_timeout(DEADLINE), Ok(last));
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Security {
    None,
    Rustls,
    #[cfg(feature = "native-tls")]
    NativeTls,
}

const SECURITY: &[Security] = &[
    Security::None,
    Security::Rustls,
    #[cfg(feature = "native-tls")]
    Security::NativeTls,
];

/// A socket whose stream is full, after its peer has sent everything, Close(4001)
/// and the end of TCP.
fn full_stream(security: Security, limit: usize) -> (WebSocket, Events) {
    let server = Server::new();
    let secure = security != Security::None;
    let builder = match security {
        Security::None => server.builder(),
        Security::Rustls => server.tls_builder(),
        #[cfg(feature = "native-tls")]
        Security::NativeTls => {
            let connector = native_tls::TlsConnector::builder()
                .danger_accept_invalid_certs(true)
                .build()
                .unwrap();
            let url = format!("wss://localhost:{}/", server.port());
            WebSocket::builder(url).native_tls(connector)
        }
    };
    // The kernel holds what the stream does not.
    let builder = builder.receive_limit(limit).tcp_receive_buffer(1 << 20);
    let socket = builder.close_timeout(NEVER).connect().unwrap();
    let mut events = socket.events();
    let tcp = server.accept();
    let (done, is_done) = channel();
    thread::spawn(move || {
        if secure {
            let mut tls = tls(tcp);
            greet(&mut tls, "");
            send_messages(&mut tls);
            tls.write_all(&close_frame(4001)).unwrap();
            tls.flush().unwrap();
            end(tls.sock);
        } else {
            let mut tcp = tcp;
            greet(&mut tcp, "");
            send_messages(&mut tcp);
            tcp.write_all(&close_frame(4001)).unwrap();
            end(tcp);
        }
        done.send(()).unwrap();
    });
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    is_done.recv_timeout(DEADLINE).unwrap();
    (socket, events)
}

/// Keeps the warnings that reading has stopped.
struct Log;

static STOPPED: Mutex<Vec<String>> = Mutex::new(Vec::new());

impl log::Log for Log {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = record.args().to_string();
        if line.contains("reading stopped") {
            STOPPED.lock().unwrap().push(line);
        }
    }

    fn flush(&self) {}
}

/// A socket whose stream is full and not read, so that reading has stopped. The server
/// goes on with 32 MB, which no kernel holds here.
fn stopped_socket(close_timeout: Option<Duration>) -> (WebSocket, Events, TcpStream, Sending) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Log).unwrap();
        log::set_max_level(log::LevelFilter::Warn);
    });
    let server = Server::new();
    let builder = server.builder().receive_limit(LITTLE);
    let builder = builder.tcp_receive_buffer(64 << 10);
    // The warning comes where a handler waits as well.
    let builder = builder.close_timeout(close_timeout).on_message(|_, _| {});
    let socket = builder.connect().unwrap();
    let events = socket.events();
    let tcp = server.greet();
    let mut writer = tcp.try_clone().unwrap();
    let sending = thread::spawn(move || {
        let payload = [7; 1_000];
        for _ in 0..160 * MESSAGES {
            writer.write_all(&frame(BINARY, &payload)).unwrap();
        }
        writer
    });
    let begin = std::time::Instant::now();
    let port = format!(":{}/", server.port());
    while !STOPPED
        .lock()
        .unwrap()
        .iter()
        .any(|line| line.contains(&port))
    {
        assert!(begin.elapsed() < DEADLINE, "reading goes on");
        thread::yield_now();
    }
    (socket, events, tcp, sending)
}

type Sending = thread::JoinHandle<TcpStream>;

/// Small enough that most of the messages wait in the kernel.
const LITTLE: usize = 4 << 10;

#[test]
fn a_write_after_the_peers_end_loses_nothing_that_arrived() {
    for security in SECURITY {
        let (socket, mut events) = full_stream(*security, LITTLE);
        // The peer's system answers with a reset; later ones may fail at once.
        for _ in 0..20 {
            let _ = socket.send(vec![0; 100_000]);
        }
        all_arrive(&mut events, closed(4001));
    }
}

#[test]
fn when_a_write_has_failed_the_program_may_still_read_later() {
    for security in SECURITY {
        let (socket, mut events) = full_stream(*security, LITTLE);
        // Writing has failed when sends are refused: the socket is closing.
        let begin = std::time::Instant::now();
        while socket.send(vec![0; 10_000]).is_ok() {
            assert!(begin.elapsed() < DEADLINE);
            thread::yield_now();
        }
        all_arrive(&mut events, closed(4001));
    }
}

#[test]
fn close_with_a_full_stream_ends_as_the_peer_says() {
    let (socket, mut events, mut tcp, sending) = stopped_socket(Some(NEVER));
    socket.close();
    let (opcode, payload) = read_frame(&mut tcp).unwrap();
    assert_eq!((opcode, payload.len()), (CLOSE, 0));
    // Behind everything else, which is much more than the kernel holds.
    let mut writer = sending.join().unwrap();
    writer.write_all(&frame(CLOSE, &[])).unwrap();
    drop((tcp, writer));
    let mut last = events.recv_timeout(DEADLINE).unwrap();
    while let Event::Open | Event::Message(_) = last {
        last = events.recv_timeout(DEADLINE).unwrap();
    }
    assert_eq!(last, closed(1005));
}

#[test]
fn a_dropped_socket_with_a_full_stream_ends_in_good_order() {
    let (socket, events, mut tcp, sending) = stopped_socket(None);
    drop((socket, events));
    assert_eq!(read_frame(&mut tcp).unwrap().0, CLOSE);
    let mut writer = sending.join().unwrap();
    writer.write_all(&frame(CLOSE, &[])).unwrap();
    writer.shutdown(Shutdown::Write).unwrap();
    assert_eq!(tcp.read(&mut [0]).unwrap(), 0, "no reset, and nothing more");
}

#[test]
fn close_in_the_same_read_as_the_peers_close_does_not_wait_for_its_timeout() {
    let server = Server::new();
    let builder = server.builder().close_timeout(NEVER);
    let builder = builder.on_message(|socket, _| socket.close());
    let (_socket, events) = connect(builder);
    let mut tcp = server.greet();
    let mut both = frame(TEXT, b"hello");
    both.extend(close_frame(4001));
    tcp.write_all(&both).unwrap();
    assert_eq!(next(&events), Event::Open);
    assert_eq!(next(&events), Event::Message("hello".into()));
    // The server keeps TCP open.
    assert_eq!(next(&events), closed(4001));
    drop(tcp);
}

#[test]
fn a_peer_that_never_stops_sending_cannot_outlast_the_close_timeout() {
    for slow in [false, true] {
        let server = Server::new();
        let builder = server
            .builder()
            .tcp_receive_buffer(16 << 10)
            .close_timeout(Duration::from_millis(500));
        let (_socket, events) = connect(builder.on_message(move |socket, _| {
            socket.close();
            if slow {
                thread::sleep(Duration::from_micros(100));
            }
        }));
        let mut tcp = server.greet();
        let serving = thread::spawn(move || {
            let message = frame(BINARY, &[7; 10]).repeat(10_000);
            while tcp.write_all(&message).is_ok() {}
        });
        let mut last = next(&events);
        let begin = std::time::Instant::now();
        while !matches!(last, Event::Close(_)) {
            assert!(begin.elapsed() < DEADLINE, "it goes on for ever");
            last = next(&events);
        }
        assert_eq!(last, Event::Close(CloseEvent::abnormal()));
        serving.join().unwrap();
    }
}

/// The Close frame is written at once. That is no sign that the peer needs more time.
#[test]
fn a_peer_that_never_stops_sending_earns_no_second_close_timeout() {
    let (sender, ends) = channel();
    let close = |name: &'static str, timeout: Duration| {
        let server = Server::new();
        let sender = sender.clone();
        let builder = server.builder().tcp_receive_buffer(1 << 20);
        let builder = builder.on_close(move |_, _| sender.send(name).unwrap());
        // What was read before the end is not all handled when it closes.
        let builder = builder.on_message(|_, _| thread::sleep(Duration::from_micros(100)));
        let (socket, events) = connect(builder.close_timeout(timeout));
        let tcp = server.greet();
        assert_eq!(next(&events), Event::Open);
        (socket, tcp, events)
    };
    // One event loop serves both, so a busy machine delays both. Twice the flooded socket's
    // timeout is more than the silent one's.
    let (silent, silent_peer, _events) = close("silent", Duration::from_millis(5500));
    let (flooded, mut tcp, events) = close("flooded", Duration::from_secs(3));
    let serving = thread::spawn(move || {
        // As many messages for each byte as there can be.
        let message = frame(BINARY, &[]).repeat(50_000);
        while tcp.write_all(&message).is_ok() {}
    });
    for _ in 0..100 {
        assert!(matches!(next(&events), Event::Message(_)));
    }
    silent.close();
    flooded.close();
    assert_eq!(ends.recv_timeout(DEADLINE).unwrap(), "flooded");
    assert_eq!(ends.recv_timeout(DEADLINE).unwrap(), "silent");
    serving.join().unwrap();
    drop(silent_peer);
}

#[test]
fn an_abandoned_socket_without_a_close_timeout_ends() {
    // The peer takes some data first, never answers, and keeps TCP open.
    let server = Server::new();
    let socket = server.builder().close_timeout(None).connect().unwrap();
    let mut events = socket.events();
    let mut tcp = server.greet();
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    let begin = std::time::Instant::now();
    while socket.send(vec![7; 100_000]).is_ok() && socket.buffered_amount() < 4 << 20 {
        assert!(begin.elapsed() < DEADLINE);
    }
    drop((socket, events));
    tcp.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut some = vec![0; 1 << 20];
    tcp.read_exact(&mut some).unwrap();
    // Our system notices the end by the client's reset when we write.
    while tcp.write_all(&frame(PING, b"")).is_ok() {
        assert!(begin.elapsed() < DEADLINE, "it stays for ever");
        thread::sleep(Duration::from_millis(20));
    }
}
