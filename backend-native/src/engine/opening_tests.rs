//! Tests of an opening: what it writes, and which stages it passes.

use super::*;

fn setup() -> Setup {
    Setup {
        target: Target::parse("ws://server.example/").expect("a good URL"),
        subprotocols: Vec::new(),
        native: NativeOptions::default(),
        session: SessionOptions {
            max_message_size: 1 << 20,
            close_timeout: None,
            keep_alive: None,
            receive_limit: 1 << 20,
        },
    }
}

/// Writes all of it, in pieces of these many bytes.
fn written(opening: &mut Opening, size: usize) -> Vec<u8> {
    let mut wire = Vec::new();
    while !opening.outgoing().is_empty() {
        let next = opening.outgoing().len().min(size);
        wire.extend_from_slice(&opening.outgoing()[..next]);
        opening.advance(next);
    }
    wire
}

fn goes_on(opening: Opening, bytes: &[u8]) -> Opening {
    match opening.receive(bytes, SystemTime::UNIX_EPOCH) {
        Ok(Progress::More(opening)) => opening,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_request_is_written_in_any_pieces() {
    let wire = written(&mut Opening::handshake(setup(), [7; 16]), usize::MAX);
    assert!(wire.starts_with(b"GET / HTTP/1.1\r\nHost: server.example\r\n"));
    assert!(wire.ends_with(b"\r\n\r\n"));
    for size in [1, 7, 100] {
        let mut opening = Opening::handshake(setup(), [7; 16]);
        assert_eq!(written(&mut opening, size), wire);
    }
}

/// What fails before that has failed in TLS.
#[test]
fn an_opening_has_begun_when_some_of_its_request_is_written() {
    let mut opening = Opening::handshake(setup(), [7; 16]);
    assert!(!opening.has_begun() && !opening.is_refused());
    opening.advance(1);
    assert!(opening.has_begun());
    let opening = goes_on(opening, b"HTTP/1.1 404 x\r\nContent-Length: 9\r\n\r\nwhy");
    assert!(opening.has_begun() && opening.is_refused());
    assert!(opening.outgoing().is_empty());
}

#[test]
fn a_tunnel_is_asked_for_before_the_server_hears_anything() {
    let proxy = Proxy::new("socks5://proxy").expect("a good URL");
    let mut opening = Opening::tunnel(proxy, setup());
    assert_eq!(written(&mut opening, 2), [5, 1, 0]);
    let mut opening = goes_on(opening, &[5, 0]);
    let asked = [&[5, 1, 0, 3, 14], &b"server.example"[..], &[0, 80]].concat();
    assert_eq!(written(&mut opening, 3), asked);
    assert!(!opening.has_begun() && !opening.is_refused());
    let reply = [5, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    let opened = opening.receive(&reply, SystemTime::UNIX_EPOCH);
    assert!(matches!(opened, Ok(Progress::TunnelIsOpen(_))));
}
