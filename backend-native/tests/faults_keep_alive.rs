//! Keep-alive distinguishes a dead peer from a slow one (S107), and stops when closing
//! begins (S108).

mod support;

use std::io::{Read, Write};
use std::thread;
use std::time::Duration;

use isosocket::{Event, Heartbeat};

use support::*;

#[test]
fn a_slow_upload_is_not_a_dead_peer() {
    let mut timeout = Duration::from_secs(2);
    for secure in [false, true] {
        while !survives_a_slow_upload(secure, timeout) {
            timeout *= 2;
        }
    }
}

/// An upload that takes twice as long as a silent peer has. False if the peer itself did not
/// run for a large part of that time, because the machine was busy: that proves nothing.
fn survives_a_slow_upload(secure: bool, timeout: Duration) -> bool {
    let server = Server::new();
    let builder = match secure {
        true => server.tls_builder(),
        false => server.builder(),
    };
    let builder = builder.connect_timeout(Duration::MAX);
    let (socket, events) = connect(builder.heartbeat(Heartbeat::new(timeout / 4, timeout)));
    let tcp = server.accept();
    let mut io: Box<dyn Io> = match secure {
        true => Box::new(tls(tcp)),
        false => Box::new(tcp),
    };
    let mut pace = open_at_a_pace(&mut io, timeout / 2);
    assert_eq!(next(&events), Event::Open);
    // One message, so that the ping waits behind all of it.
    let size = (timeout.as_secs() as usize) << 21;
    let sent = socket.send(vec![7; size]).is_ok();
    let read = pace.read(&mut io, size + 14, timeout * 2);
    let answered = io.write_all(&frame(TEXT, b"thanks")).and(io.flush());
    if !pace.is_kept() {
        return false;
    }
    assert!(sent);
    read.and(answered).unwrap();
    assert_eq!(next(&events), Event::Message("thanks".into()));
    true
}

/// Much shorter than what the peers here wait for. Before that, no test gives the client time
/// in which its peer is silent.
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn keep_alive_stops_when_the_program_closes() {
    let server = Server::new();
    let builder = server.builder().close_timeout(DEADLINE);
    let builder = builder.on_open(|socket| socket.close_with(4001, "").unwrap());
    let (_socket, events) = connect(builder.heartbeat(Heartbeat::new(SHORT, SHORT)));
    let mut tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    while read_frame(&mut tcp).unwrap().0 != CLOSE {
        tcp.write_all(&frame(PONG, b"")).unwrap();
    }
    // A slow peer: longer than the interval and the timeout.
    thread::sleep(SHORT * 3);
    tcp.write_all(&close_frame(4001)).unwrap();
    drop(tcp);
    assert_eq!(next(&events), closed(4001));
}

#[test]
fn keep_alive_stops_when_the_peer_closes() {
    while !survives_a_close_by_the_peer() {}
}

/// False if the machine was so busy that the peer was silent for too long before its Close.
fn survives_a_close_by_the_peer() -> bool {
    let server = Server::new();
    let (_socket, events) = connect(
        server
            .builder()
            .heartbeat(Heartbeat::new(SHORT / 4, SHORT / 4)),
    );
    let mut tcp = server.accept();
    let mut pace = open_at_a_pace(&mut tcp, SHORT / 4);
    tcp.write_all(&close_frame(4002)).unwrap();
    if !pace.is_kept() {
        return false;
    }
    assert_eq!(next(&events), Event::Open);
    while read_frame(&mut tcp).unwrap().0 != CLOSE {}
    // TCP stays open for longer than keep-alive waits.
    thread::sleep(SHORT * 3 / 4);
    drop(tcp);
    assert_eq!(next(&events), closed(4002));
    true
}

/// Accepts the opening handshake. The pace begins before the client can begin to wait.
fn open_at_a_pace(io: &mut (impl Read + Write), limit: Duration) -> Pace {
    let head = read_head(io);
    let pace = Pace::start(limit);
    io.write_all(reply(&head, "").as_bytes()).unwrap();
    io.flush().unwrap();
    pace
}
