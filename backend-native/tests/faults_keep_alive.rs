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
    for secure in [false, true] {
        let server = Server::new();
        let builder = match secure {
            true => server.tls_builder(),
            false => server.builder(),
        };
        let second = Duration::from_secs(1);
        let (socket, events) = connect(builder.heartbeat(Heartbeat::new(second / 2, 2 * second)));
        let tcp = server.accept();
        let mut io: Box<dyn Io> = match secure {
            true => Box::new(tls(tcp)),
            false => Box::new(tcp),
        };
        greet(&mut io, "");
        assert_eq!(next(&events), Event::Open);
        // One message, so that the ping waits behind all of it.
        let size = 4 << 20;
        socket.send(vec![7; size]).unwrap();
        // It takes about twice as long as a silent peer has.
        let mut buffer = vec![0; 32 << 10];
        let mut left = size + 14;
        while left > 0 {
            let most = left.min(buffer.len());
            left -= io.read(&mut buffer[..most]).unwrap();
            thread::sleep(Duration::from_millis(40) * most as u32 / (32 << 10));
        }
        io.write_all(&frame(TEXT, b"thanks")).unwrap();
        io.flush().unwrap();
        assert_eq!(next(&events), Event::Message("thanks".into()));
    }
}

/// Much longer than the peers here take for what they do at once, and much
/// shorter than what they wait for.
const SHORT: Duration = Duration::from_secs(2);

#[test]
fn keep_alive_stops_when_the_program_closes() {
    let server = Server::new();
    let builder = server.builder().close_timeout(DEADLINE);
    let (socket, events) = connect(builder.heartbeat(Heartbeat::new(SHORT, SHORT)));
    let mut tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    socket.close_with(4001, "").unwrap();
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
    let server = Server::new();
    let (_socket, events) = connect(
        server
            .builder()
            .heartbeat(Heartbeat::new(SHORT / 4, SHORT / 4)),
    );
    let mut tcp = server.greet();
    tcp.write_all(&close_frame(4002)).unwrap();
    assert_eq!(next(&events), Event::Open);
    while read_frame(&mut tcp).unwrap().0 != CLOSE {}
    // TCP stays open for longer than keep-alive waits.
    thread::sleep(SHORT * 3 / 4);
    drop(tcp);
    assert_eq!(next(&events), closed(4002));
}
