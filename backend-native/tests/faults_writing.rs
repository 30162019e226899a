//! A stream that takes nothing for now is tried again later, on every path that
//! writes, and nobody else notices (S104).

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::channel;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use isosocket::native::{BuilderExt, EventLoop, Proxy};
use isosocket::{Builder, CloseEvent, Event};

use support::*;

/// One test at a time: some look at how much the process works.
fn alone() -> impl Sized {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The time that threads of event loops have worked, where the system reports it.
fn work() -> Duration {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let mut ticks = 0;
    for task in tasks.flatten() {
        let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
        if let Some((_, fields)) = stat.split_once("(isosocket) ") {
            let fields: Vec<&str> = fields.split(' ').collect();
            ticks += fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        }
    }
    Duration::from_millis(ticks * 10)
}

/// While one socket waits for the network, the loop sleeps, and others are served.
fn the_loop_is_idle_and_others_work() {
    let other = echo();
    echoes(&other, 100);
    let before = work();
    // The time to measure in. A loop that spins works for all of it.
    thread::sleep(Duration::from_millis(300));
    let worked = work() - before;
    assert!(
        worked < Duration::from_millis(150),
        "it worked for {worked:?}"
    );
    echoes(&other, 100);
}

/// With so many bytes of headers.
fn with_headers(builder: Builder, bytes: usize) -> Builder {
    let value = "v".repeat(5_000);
    (0..bytes / 5_000).fold(builder, |builder, n| {
        builder.header(&format!("X-Padding-{n}"), &value)
    })
}

#[test]
fn a_long_request_to_a_server_that_reads_late_waits_without_work() {
    let _alone = alone();
    for size in [70_000, 300_000] {
        for handshake_first in [false, true] {
            let server = Server::new();
            let builder = with_headers(server.tls_builder(), size);
            let (socket, events) = connect(builder);
            let tcp = server.accept();
            let mut tls = tls(tcp);
            if handshake_first {
                tls.conn.complete_io(&mut tls.sock).unwrap();
            }
            the_loop_is_idle_and_others_work();
            let head = greet(&mut tls, "");
            assert!(head.len() > size);
            assert_eq!(next(&events), Event::Open);
            socket.send("hello").unwrap();
            assert_eq!(read_frame(&mut tls).unwrap(), (TEXT, b"hello".to_vec()));
        }
    }
}

#[test]
fn the_connect_timeout_ends_a_long_request_that_nobody_reads() {
    let _alone = alone();
    for handshake_first in [false, true] {
        let server = Server::new();
        let builder = with_headers(server.tls_builder(), 300_000);
        let (_socket, events) = connect(builder.connect_timeout(Duration::from_secs(3)));
        let tcp = server.accept();
        let mut tls = tls(tcp);
        if handshake_first {
            tls.conn.complete_io(&mut tls.sock).unwrap();
        }
        assert!(matches!(next(&events), Event::Error(_)));
        assert_eq!(next(&events), Event::Close(CloseEvent::abnormal()));
    }
}

/// Bytes that show where they belong.
fn pattern(size: usize, seed: usize) -> Vec<u8> {
    (0..size)
        .map(|n| ((n * 7 + n / 251 + seed) % 256) as u8)
        .collect()
}

/// Sends more than any buffer holds, of all sizes, to a server that then reads.
fn nothing_is_lost_or_doubled(builder: Builder, accept: impl FnOnce() -> Box<dyn Io>) {
    let sizes = [10, 3_000_000, 70_000, 1, 200_000, 0, 1_000_000, 65_537];
    let (socket, events) = connect(builder);
    let mut io = accept();
    assert_eq!(next(&events), Event::Open);
    for round in 0..2 {
        for (seed, size) in sizes.into_iter().enumerate() {
            socket.send(pattern(size, seed + round)).unwrap();
        }
        the_loop_is_idle_and_others_work();
        for (seed, size) in sizes.into_iter().enumerate() {
            let (opcode, payload) = read_frame(&mut io).unwrap();
            assert_eq!((opcode, payload.len()), (BINARY, size));
            assert!(payload == pattern(size, seed + round));
        }
    }
    socket.close();
    assert_eq!(read_frame(&mut io).unwrap().0, CLOSE);
    io.write_all(&frame(CLOSE, &[])).unwrap();
    drop(io);
    assert_eq!(next(&events), closed(1005));
}

#[test]
fn a_full_buffer_of_tls_loses_and_doubles_nothing() {
    let _alone = alone();
    let server = Server::new();
    nothing_is_lost_or_doubled(server.tls_builder(), || {
        let mut tls = tls(server.accept());
        greet(&mut tls, "");
        Box::new(tls)
    });
}

#[test]
fn a_full_stream_without_tls_loses_and_doubles_nothing() {
    let _alone = alone();
    let server = Server::new();
    nothing_is_lost_or_doubled(server.builder(), || Box::new(server.greet()));
}

/// Accepts a tunnel, as a proxy that is also the server behind it.
fn tunnel(server: &Server) -> TcpStream {
    let mut tcp = server.accept();
    assert!(read_head(&mut tcp).starts_with("CONNECT "));
    tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n").unwrap();
    tcp
}

#[test]
fn a_full_buffer_of_tls_in_a_tunnel_loses_and_doubles_nothing() {
    let _alone = alone();
    let server = Server::new();
    let proxy = Proxy::new(format!("http://127.0.0.1:{}", server.port())).unwrap();
    let builder = with_headers(server.tls_builder(), 300_000).proxy(proxy);
    nothing_is_lost_or_doubled(builder, || {
        let mut tls = tls(tunnel(&server));
        the_loop_is_idle_and_others_work();
        greet(&mut tls, "");
        Box::new(tls)
    });
}

/// S36, S109: frames come with the reply, and the answer to them cannot be written. What has
/// arrived is read on, as at any other time.
#[test]
fn a_reset_behind_frames_that_came_with_the_reply() {
    let _alone = alone();
    let server = Server::new();
    let mut event_loop = EventLoop::new().unwrap();
    let entered = event_loop.enter();
    let (_socket, events) = connect(server.builder());
    drop(entered);
    let (asked, requests) = channel();
    let (go, goes) = channel::<()>();
    let serving = thread::spawn(move || {
        let mut tcp = server.accept();
        let head = read_head(&mut tcp);
        asked.send(()).unwrap();
        goes.recv().unwrap();
        let frames = [
            frame(TEXT, b"first"),
            frame(PING, b""),
            frame(TEXT, b"second"),
        ];
        tcp.write_all(&[reply(&head, "").into_bytes(), frames.concat()].concat())
            .unwrap();
        let tcp = socket2::Socket::from(tcp);
        tcp.set_linger(Some(Duration::ZERO)).unwrap();
    });
    while requests.try_recv().is_err() {
        event_loop.turn(Some(Duration::from_millis(1)));
    }
    go.send(()).unwrap();
    serving.join().unwrap();
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::Close(_))) {
        event_loop.turn(Some(DEADLINE));
        seen.extend(events.try_iter());
    }
    let expected = [
        Event::Open,
        Event::Message("first".into()),
        Event::Message("second".into()),
    ];
    assert_eq!(seen[..3], expected);
}
