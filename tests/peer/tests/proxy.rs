//! Proxies that are as bad as networks are.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::{Raw, close, frame, head, start};
use isosocket_peer::Peer;

/// Asks the peer over plain HTTP.
fn get(peer: &Peer, path: &str) -> String {
    let mut raw = Raw::connect(peer);
    raw.send(format!("GET {path} HTTP/1.1\r\nHost: peer\r\n\r\n").as_bytes());
    raw.reply();
    String::from_utf8(raw.rest()).expect("text")
}

/// A proxy, and a WebSocket that was opened through it.
struct Proxied<'a> {
    peer: &'a Peer,
    port: u16,
}

impl<'a> Proxied<'a> {
    fn new(peer: &'a Peer) -> Self {
        let status = get(peer, "/proxy/new");
        let port = status.split([':', ',']).nth(1).expect("a port");
        let port = port.parse().expect("a number");
        Proxied { peer, port }
    }

    fn set(&self, command: &str) -> String {
        get(self.peer, &format!("/proxy/{}/{command}", self.port))
    }

    fn connect(&self) -> Raw {
        let tcp = TcpStream::connect(("127.0.0.1", self.port)).expect("a connection");
        tcp.set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        Raw(tcp)
    }

    fn open(&self) -> Raw {
        let mut raw = self.connect();
        raw.send(head("/echo?id=p", "").as_bytes());
        raw.reply();
        raw
    }

    fn echo(raw: &mut Raw, text: &[u8]) {
        raw.send(&frame(0x81, text));
        assert_eq!(raw.take(text.len() + 2)[2..], *text);
    }
}

/// Nothing arrives for a while.
fn assert_says_nothing(raw: &mut Raw) {
    let limit = raw.0.read_timeout().unwrap();
    raw.0
        .set_read_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    assert_eq!(
        raw.0.read(&mut [0]).unwrap_err().kind(),
        ErrorKind::WouldBlock
    );
    raw.0.set_read_timeout(limit).unwrap();
}

#[test]
fn what_is_held_arrives_later_once_and_in_order() {
    let peer = start();
    let proxied = Proxied::new(&peer);
    let mut raw = proxied.open();
    Proxied::echo(&mut raw, b"before");
    proxied.set("hold");
    raw.send(&frame(0x81, b"1"));
    raw.send(&frame(0x81, b"2"));
    // Another connection is accepted, and nothing comes of it.
    let mut other = proxied.connect();
    other.send(head("/echo", "").as_bytes());
    assert_says_nothing(&mut raw);
    proxied.set("pass");
    assert_eq!(raw.take(6), b"\x81\x011\x81\x012");
    assert!(other.reply().contains(" 101 "));
    let status = proxied.set("status");
    assert!(status.ends_with(r#""accepted":2,"open":2}"#), "{status}");
}

#[test]
fn a_lost_connection_says_nothing_and_another_works() {
    let peer = start();
    let proxied = Proxied::new(&peer);
    let mut raw = proxied.open();
    proxied.set("lose");
    raw.send(&frame(0x81, b"lost"));
    assert_says_nothing(&mut raw);
    let mut other = proxied.open();
    Proxied::echo(&mut other, b"new");
    other.send(&close());
    other.rest();
    // The peer learns that its client is gone.
    drop((raw, other));
    let record = get(&peer, "/record?id=p&count=2");
    assert!(record.contains(r#""complete":true"#), "{record}");
    assert!(!record.contains("lost"), "{record}");
}

#[test]
fn what_is_cut_is_reset_and_what_has_stopped_refuses_until_it_starts() {
    let peer = start();
    let proxied = Proxied::new(&peer);
    let mut raw = proxied.open();
    proxied.set("cut");
    let reset = raw.try_rest().expect_err("no FIN");
    assert_eq!(reset.kind(), ErrorKind::ConnectionReset);
    let mut raw = proxied.open();
    proxied.set("fin");
    assert_eq!(raw.rest(), b"");
    proxied.set("stop");
    let refused = TcpStream::connect(("127.0.0.1", proxied.port)).expect_err("nobody listens");
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
    proxied.set("start");
    Proxied::echo(&mut proxied.open(), b"again");
    proxied.set("end");
    assert!(peer.errors().is_empty(), "{:?}", peer.errors());
    proxied.set("status");
    assert_eq!(peer.errors().len(), 1, "it is there no more");
}

#[test]
fn a_slow_network_delays_and_throttles() {
    let peer = start();
    let proxied = Proxied::new(&peer);
    let mut raw = proxied.open();
    let took = |raw: &mut Raw, size: usize| {
        let start = Instant::now();
        let text = vec![b'x'; size];
        raw.0.write_all(&frame(0x81, &text)).unwrap();
        raw.take(size + 2);
        start.elapsed()
    };
    proxied.set("delay:60");
    assert!(took(&mut raw, 10) >= Duration::from_millis(120));
    proxied.set("pass");
    proxied.set("throttle:1000");
    assert!(took(&mut raw, 100) >= Duration::from_millis(200));
}

#[test]
fn each_connection_of_an_id_has_a_script_of_its_own() {
    let peer = start();
    let path = "/script?do=reply:503&do=reply:401&do=text:ok&id=turns";
    for expected in [" 503 ", " 401 ", " 101 ", " 101 "] {
        let reply = Raw::request(&peer, path, "").reply();
        assert!(reply.contains(expected), "{reply}");
    }
    assert!(peer.errors().is_empty());
}
