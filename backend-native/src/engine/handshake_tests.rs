//! Replies, good and bad, against the rules of the opening handshake.

use super::*;
use crate::options::headers::check_header;

const ACCEPT: &str = "{accept}";
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

fn check(offers: &[&str], reply: &str) -> Result<String, HandshakeError> {
    let target = Target::parse("ws://h/").unwrap();
    let offers = offers.iter().map(|offer| (*offer).to_owned()).collect();
    let (mut handshake, _) =
        Handshake::new(&target, offers, &HeaderMap::new(), Deflate::default()).unwrap();
    let reply = reply.replace(ACCEPT, &handshake.accept) + "\r\n";
    // By single bytes, so that every split is tried; then frames follow.
    for byte in &reply.as_bytes()[..reply.len() - 1] {
        if let Some(early) = handshake.read(&[*byte])? {
            panic!("ready too early: {early:?}");
        }
    }
    match handshake.read(b"\nframes")? {
        Some((reply, 1)) => match reply.established {
            Report::Established { protocol, .. } => Ok(protocol),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn good_replies_are_accepted() {
    assert_eq!(check(&[], GOOD), Ok(String::new()));
    let mixed = GOOD
        .replace("Upgrade: websocket", "uPGRADE:  WebSocket ")
        .replace("Connection: Upgrade", "connection: keep-alive, upgrade");
    assert_eq!(check(&[], &mixed), Ok(String::new()));
    let split = GOOD.replace(
        "Connection: Upgrade",
        "Connection: keep-alive\r\nConnection: Upgrade",
    );
    assert_eq!(check(&[], &split), Ok(String::new()));
    let chosen = format!("{GOOD}Sec-WebSocket-Protocol: b\r\n");
    assert_eq!(check(&["a", "b"], &chosen), Ok("b".to_owned()));
}

#[test]
fn bad_replies_fail() {
    use HandshakeError::*;
    let with = |line: &str| format!("{GOOD}{line}\r\n");
    let changed = |from: &str, to: &str| GOOD.replace(from, to);
    let table: &[(&[&str], String, HandshakeError)] = &[
        (&[], changed("101", "200"), Status(200)),
        (&[], changed("101", "301"), Status(301)),
        (
            &[],
            changed("Upgrade: websocket\r\n", ""),
            Missing("Upgrade"),
        ),
        (&[], changed("websocket", "h2c"), Missing("Upgrade")),
        (
            &[],
            changed("Connection: Upgrade\r\n", ""),
            Missing("Connection"),
        ),
        (
            &[],
            changed("Connection: Upgrade", "Connection: close"),
            Missing("Connection"),
        ),
        (
            &[],
            changed("Sec-WebSocket-Accept: {accept}\r\n", ""),
            Missing("Sec-WebSocket-Accept"),
        ),
        (&[], changed(ACCEPT, "x"), Missing("Sec-WebSocket-Accept")),
        (
            &[],
            with("Sec-WebSocket-Accept: {accept}"),
            Missing("Sec-WebSocket-Accept"),
        ),
        (&[], with("Sec-WebSocket-Protocol: a"), Subprotocol),
        (&["a"], GOOD.to_owned(), NoSubprotocol),
        (&["a"], with("Sec-WebSocket-Protocol: A"), Subprotocol),
        (
            &["a", "b"],
            with("Sec-WebSocket-Protocol: a, b"),
            Subprotocol,
        ),
        (&["a"], with("Sec-WebSocket-Protocol:"), Subprotocol),
        (
            &["a"],
            with("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a"),
            Subprotocol,
        ),
    ];
    let extension = with("Sec-WebSocket-Extensions: foo");
    assert!(matches!(check(&[], &extension), Err(Extension(_))));
    for (offers, reply, error) in table {
        assert_eq!(check(offers, reply).as_ref(), Err(error), "{reply}");
    }
    let lower = |h: &mut Handshake| {
        h.read(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
    };
    let target = Target::parse("ws://h/").unwrap();
    let (mut handshake, _) =
        Handshake::new(&target, vec![], &HeaderMap::new(), Deflate::default()).unwrap();
    assert_eq!(lower(&mut handshake), Err(Missing("Sec-WebSocket-Accept")));
}

#[test]
fn garbage_and_endless_heads_are_bounded() {
    let start = || {
        let target = Target::parse("ws://h/").unwrap();
        Handshake::new(&target, vec![], &HeaderMap::new(), Deflate::default())
            .unwrap()
            .0
    };
    assert!(matches!(
        start().read(b"SSH-2.0"),
        Err(HandshakeError::NotHttp(_))
    ));
    assert_eq!(start().read(b"HTT"), Ok(None));
    let mut endless = start();
    assert_eq!(endless.read(b"HTTP/1.1 101 x\r\n"), Ok(None));
    let line = format!("x: {}\r\n", "y".repeat(1000));
    let result = (0..100).find_map(|_| endless.read(line.as_bytes()).err());
    assert_eq!(result, Some(HandshakeError::HeadTooLarge));
}

#[test]
fn the_request_is_complete() {
    let target = Target::parse("wss://u:p@Host:8080/a?b").unwrap();
    let mut headers = HeaderMap::new();
    let (name, value) = check_header("X-Token", "abc").unwrap();
    headers.append(name, value);
    let offers = vec!["a".into(), "b".into()];
    let (_, request) = Handshake::new(&target, offers, &headers, Deflate::default()).unwrap();
    let request = String::from_utf8(request).unwrap();
    for line in [
        "GET /a?b HTTP/1.1\r\n",
        "Host: host:8080\r\n",
        "Connection: Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Protocol: a, b\r\n",
        "authorization: Basic dTpw\r\n",
        "x-token: abc\r\n",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
    assert!(!request.to_ascii_lowercase().contains("origin") && !request.contains("Referer"));
}
