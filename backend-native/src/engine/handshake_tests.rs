//! Tests of the opening handshake with good and bad replies.

use super::*;

const ACCEPT: &str = "{accept}";
const GOOD: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n";

/// A handshake that offers these subprotocols.
fn offering(offers: &[&str]) -> Handshake {
    let target = Target::parse("ws://h/").unwrap();
    let offers = offers.iter().map(|offer| (*offer).to_owned()).collect();
    let headers = Headers::default();
    Handshake::new(&target, offers, &headers, Deflate::default(), [7; 16]).0
}

fn check(offers: &[&str], reply: &str) -> Result<String, HandshakeError> {
    let mut handshake = offering(offers);
    let reply = reply.replace(ACCEPT, &handshake.accept) + "\r\n";
    // By single bytes, so that every split is tried; then frames follow.
    for byte in &reply.as_bytes()[..reply.len() - 1] {
        if let Some(early) = handshake.read(&[*byte])? {
            panic!("ready too early: {early:?}");
        }
    }
    match handshake.read(b"\nframes")? {
        Some((Answer::Accepted(reply), 1)) => match reply.established {
            Report::Established { protocol, .. } => Ok(protocol),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn another_status_refuses() {
    let mut handshake = offering(&[]);
    let reply = GOOD.replace("101", "301") + "\r\n";
    match handshake.read(reply.as_bytes()) {
        Ok(Some((Answer::Refused(head), used))) => {
            assert_eq!((head.status, used), (301, reply.len()));
        }
        other => panic!("{other:?}"),
    }
}

/// S118: the headers of a good reply, without those of the handshake.
#[test]
fn a_good_reply_gives_its_own_headers() {
    let headers = |more: &str| {
        let mut handshake = offering(&[]);
        let reply = GOOD.replace(ACCEPT, &handshake.accept) + more + "\r\n";
        let Ok(Some((Answer::Accepted(reply), _))) = handshake.read(reply.as_bytes()) else {
            panic!("it is a good reply");
        };
        let all = |response: &Arc<Response>| {
            let pairs = response.headers();
            let pairs = pairs.map(|(name, value)| format!("{name}: {value}"));
            (response.status(), pairs.collect::<Vec<_>>())
        };
        reply.response.as_ref().map(all)
    };
    assert_eq!(headers(""), None);
    let own = vec!["Set-Cookie: a=b".to_owned(), "Server: x".to_owned()];
    assert_eq!(
        headers("Set-Cookie: a=b\r\nServer: x\r\n"),
        Some((101, own))
    );
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
    let missing = |name| Header(name, "is missing".to_owned());
    let wrong = |name, value: &str| Header(name, format!("is \"{value}\""));
    let not_offered = |name: &str| Subprotocol(name.to_owned());
    let with = |line: &str| format!("{GOOD}{line}\r\n");
    let changed = |from: &str, to: &str| GOOD.replace(from, to);
    let table: &[(&[&str], String, HandshakeError)] = &[
        (
            &[],
            changed("Upgrade: websocket\r\n", ""),
            missing("Upgrade"),
        ),
        (&[], changed("websocket", "h2c"), wrong("Upgrade", "h2c")),
        (
            &[],
            changed("Connection: Upgrade\r\n", ""),
            missing("Connection"),
        ),
        (
            &[],
            changed("Connection: Upgrade", "Connection: close"),
            wrong("Connection", "close"),
        ),
        (
            &[],
            changed("Sec-WebSocket-Accept: {accept}\r\n", ""),
            missing("Sec-WebSocket-Accept"),
        ),
        (
            &[],
            changed(ACCEPT, "x"),
            wrong("Sec-WebSocket-Accept", "x"),
        ),
        (&[], with("Sec-WebSocket-Protocol: a"), not_offered("a")),
        (&["a"], GOOD.to_owned(), NoSubprotocol),
        (&["a"], with("Sec-WebSocket-Protocol: A"), not_offered("A")),
        (
            &["a", "b"],
            with("Sec-WebSocket-Protocol: a, b"),
            not_offered("a, b"),
        ),
        (&["a"], with("Sec-WebSocket-Protocol:"), not_offered("")),
        (
            &["a"],
            with("Sec-WebSocket-Protocol: a\r\nSec-WebSocket-Protocol: a"),
            wrong("Sec-WebSocket-Protocol", "a\" and \"a"),
        ),
    ];
    let extension = |value| check(&[], &with(&format!("Sec-WebSocket-Extensions:{value}")));
    let error = extension(" foo").unwrap_err().to_string();
    assert!(error.contains("is \"foo\": the server chose"), "{error}");
    let empty = wrong("Sec-WebSocket-Extensions", "");
    assert_eq!(extension(""), Err(empty));

    // Repeated, though both are right (S31).
    let twice = check(&[], &with("Sec-WebSocket-Accept: {accept}"));
    assert!(matches!(twice, Err(Header("Sec-WebSocket-Accept", _))));
    for (offers, reply, error) in table {
        assert_eq!(check(offers, reply).as_ref(), Err(error), "{reply}");
    }
    let lower = |h: &mut Handshake| {
        h.read(b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\nSec-WebSocket-Accept: wrong\r\n\r\n")
    };
    let mut handshake = offering(&[]);
    assert_eq!(
        lower(&mut handshake).map(drop),
        Err(wrong("Sec-WebSocket-Accept", "wrong"))
    );
}

#[test]
fn the_request_is_complete() {
    let target = Target::parse("wss://u:p@Host:8080/a?b").unwrap();
    let mut headers = Headers::default();
    for (name, value) in [("X-Api-KEY", "abc"), ("b", "c"), ("x-api-key", "d")] {
        headers.add(name, value).unwrap();
    }
    let offers = vec!["a".into(), "b".into()];
    let (_, request) = Handshake::new(&target, offers, &headers, Deflate::default(), [7; 16]);
    let request = String::from_utf8(request).unwrap();
    for line in [
        "GET /a?b HTTP/1.1\r\n",
        "Host: host:8080\r\n",
        "Connection: Upgrade\r\n",
        "Upgrade: websocket\r\n",
        "Sec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Protocol: a, b\r\n",
        "Authorization: Basic dTpw\r\n",
        "\r\nX-Api-KEY: abc\r\nb: c\r\nx-api-key: d\r\n\r\n",
    ] {
        assert!(request.contains(line), "{line} in {request}");
    }
    assert!(!request.to_ascii_lowercase().contains("origin") && !request.contains("Referer"));
}

#[test]
fn the_programs_authorization_replaces_the_urls() {
    let target = Target::parse("ws://u:p@h/").unwrap();
    let mut headers = Headers::default();
    headers.add("AUTHORIZATION", "Bearer abc").unwrap();
    let (_, request) = Handshake::new(&target, vec![], &headers, Deflate::default(), [7; 16]);
    let request = String::from_utf8(request).unwrap();
    assert!(request.contains("\r\nAUTHORIZATION: Bearer abc\r\n"));
    assert!(!request.contains("Basic"), "{request}");
}

#[test]
fn the_answer_to_a_key_is_that_of_the_standard() {
    // RFC 6455, 1.3.
    let answer = accept_of("dGhlIHNhbXBsZSBub25jZQ==");
    assert_eq!(answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}
