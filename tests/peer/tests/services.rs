//! Records, reports, ports, plain HTTP, TLS, and clients that misbehave.

mod common;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use common::{Raw, close, frame, head, start};
use isosocket_peer::{Peer, PeerOptions};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tungstenite::{Message, WebSocket};

const WAIT: Duration = Duration::from_secs(10);

fn connect(peer: &Peer, path: &str) -> WebSocket<TcpStream> {
    let tcp = TcpStream::connect(("127.0.0.1", peer.ports().plain)).expect("a connection");
    tcp.set_read_timeout(Some(WAIT)).expect("a timeout");
    tungstenite::client(peer.url(path), tcp)
        .expect("a WebSocket")
        .0
}

/// The text that a service sends before it closes.
fn ask(peer: &Peer, path: &str) -> String {
    let mut socket = connect(peer, path);
    let text = socket
        .read()
        .expect("a message")
        .into_text()
        .expect("text")
        .to_string();
    let closed = socket.read().expect("a Close");
    assert!(matches!(closed, Message::Close(Some(frame)) if u16::from(frame.code) == 1000));
    text
}

fn assert_has(record: &str, parts: &[&str]) {
    for part in parts {
        assert!(record.contains(part), "no {part} in {record}");
    }
}

#[test]
fn a_record_has_what_was_seen() {
    let peer = start();
    let mut raw = Raw::request(&peer, "/echo?id=r1", "x-OdD:  two \r\n");
    raw.reply();
    raw.send(&frame(0x01, b"a\"b"));
    raw.send(&frame(0x80, &[b'z'; 5000]));
    assert_eq!(raw.take(5), b"\x01\x03a\"b");
    raw.take(5004);
    raw.send(&frame(0x88, b"\x0f\xa0bye"));
    raw.rest();
    drop(raw);
    let record = ask(&peer, "/record?id=r1");
    assert_has(
        &record,
        &[
            r#"{"id":"r1","complete":true,"connections":[{"request":"GET /echo?id=r1 HTTP/1.1""#,
            r#"["Host","peer"],["Connection","Upgrade"]"#,
            r#"["x-OdD"," two "]"#,
            r#""after":0,"fin":false,"rsv":0,"op":1,"mask":"01020304","len":3,"minimal":true,"payload":"612262""#,
            r#""text":"a\"b""#,
            r#""fin":true,"rsv":0,"op":0,"mask":"01020304","len":5000,"#,
            r#""after":2,"fin":true,"rsv":0,"op":8,"#,
            r#""code":4000,"reason":"bye""#,
            r#""frame_count":3,"all_masked":true,"partial":false,"extra":0,"sent_frames":3,"#,
            r#""client_end":"fin","peer_end":"fin","first_end":"peer","timeout":false"#,
            r#""done":true"#,
        ],
    );
    // FNV-1a of "a" is a published vector; of the payload above it is what the
    // reference loop gives.
    let hash = [b'z'; 5000]
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, &byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
        });
    assert_has(
        &record,
        &[&format!("{}\",\"hash\":\"{hash:016x}\"", "7a".repeat(4096))],
    );
    assert!(!record.contains(&"7a".repeat(4097)));
}

#[test]
fn a_record_has_how_it_ended() {
    let peer = start();
    let ended = |path: &str, end: &dyn Fn(&mut Raw)| {
        let mut raw = Raw::request(
            &peer,
            &format!("{path}{}id=e", if path.contains('?') { '&' } else { '?' }),
            "",
        );
        end(&mut raw);
        drop(raw);
        peer.record("e", 1, WAIT)
    };
    let last = |record: &str| record[record.rfind("\"partial\"").expect("a record")..].to_owned();
    let record = ended("/echo", &|raw| {
        raw.reply();
        raw.send(&frame(0x81, b"whole"));
        raw.send(&[0x81, 0x85, 1, 2, 3]);
        raw.0.shutdown(Shutdown::Write).expect("an open socket");
        raw.rest();
    });
    assert_has(
        &record,
        &[
            r#""partial":true,"#,
            r#""client_end":"fin","peer_end":"fin","first_end":"client""#,
        ],
    );
    let record = ended("/silent", &|raw| {
        raw.reply();
        raw.send(&[
            0x81, 0x01, b'x', 0x81, 0x7e, 0, 1, b'y', 0xf3, 0x80, 0, 0, 0, 0,
        ]);
        socket2::SockRef::from(&raw.0)
            .set_linger(Some(Duration::ZERO))
            .expect("linger");
    });
    assert_has(
        &last(&record),
        &[r#""client_end":"rst","#, r#""first_end":"client""#],
    );
    assert_has(
        &record,
        &[
            r#""op":1,"mask":null,"len":1,"minimal":true"#,
            r#""minimal":false"#,
            r#""rsv":7,"op":3"#,
            r#""all_masked":false"#,
        ],
    );
    let record = ended("/rst", &|raw| drop(raw.try_rest()));
    assert_has(
        &last(&record),
        &[r#""client_end":null,"peer_end":"rst","first_end":"peer""#],
    );
    let record = ended("/refuse/403", &|raw| {
        raw.send(b"what");
        raw.rest();
    });
    assert_has(&record, &[r#""accepted":false"#]);
    assert_has(&last(&record), &[r#""extra":4,"#]);
    assert_eq!(
        record.matches("\"request\"").count(),
        4,
        "all under one id, in order"
    );
}

#[test]
fn a_record_can_be_had_before_the_end() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/echo?id=live");
    raw.send(&frame(0x81, b"x"));
    raw.take(3);
    assert_has(
        &ask(&peer, "/record?id=live&when=now"),
        &[
            r#""complete":false"#,
            r#""done":false"#,
            r#""sent_frames":"#,
        ],
    );
    assert_has(
        &ask(&peer, "/record?id=live&wait=50"),
        &[r#""complete":false"#],
    );
    assert_eq!(
        peer.record("none", 1, Duration::ZERO),
        r#"{"id":"none","complete":false,"connections":[]}"#
    );
    raw.send(&close());
    drop(raw);
    assert_has(&ask(&peer, "/record?id=live"), &[r#""complete":true"#]);
    assert_has(
        &ask(&peer, "/record?id=live&count=2&wait=50"),
        &[r#""complete":false"#],
    );
}

#[test]
fn a_gate_opens_for_the_connections_of_its_id_only() {
    let peer = start();
    let [mut mine, mut other] =
        ["mine", "other"].map(|id| Raw::request(&peer, &format!("/text/{id}?gate&id={id}"), ""));
    ask(&peer, "/open-gate?id=mine");
    mine.reply();
    assert_eq!(mine.take(6), b"\x81\x04mine");
    // Whatever the peer had sent before the answer to this, would be here.
    ask(&peer, "/ports");
    other.0.set_nonblocking(true).expect("an open socket");
    let early = other.0.read(&mut [0; 8]);
    assert_eq!(
        early.map_err(|error| error.kind()),
        Err(ErrorKind::WouldBlock)
    );
    other.0.set_nonblocking(false).expect("an open socket");
    ask(&peer, "/open-gate?id=other");
    other.reply();
    assert_eq!(other.take(7), b"\x81\x05other");
}

#[test]
fn report_lines_are_handed_over() {
    let (sender, lines) = mpsc::channel();
    let on_report = Box::new(move |from: &str, line: &str| {
        sender
            .send(format!("{from}/{line}"))
            .expect("the test waits");
    });
    let peer = Peer::start(PeerOptions {
        on_report: Some(on_report),
        ..PeerOptions::default()
    })
    .expect("a peer");
    let mut socket = connect(&peer, "/report?from=fire%20fox");
    let long = "y".repeat(100_000);
    for line in ["ok 1 é", &long] {
        socket.send(Message::text(line)).expect("an open socket");
    }
    socket.close(None).expect("an open socket");
    while socket.read().is_ok() {}
    let got: Vec<String> = lines.try_iter().collect();
    assert_eq!(
        got,
        ["fire fox/ok 1 é".to_owned(), format!("fire fox/{long}")]
    );
}

#[test]
fn ports_are_listed_and_the_refused_one_refuses() {
    let peer = start();
    let ports = peer.ports();
    assert_eq!(ask(&peer, "/ports"), ports.to_json());
    assert!(TcpStream::connect(("127.0.0.1", ports.refused)).is_err());
    let mut garbage = TcpStream::connect(("127.0.0.1", ports.tls_garbage)).expect("a connection");
    garbage.write_all(&[0x16, 3, 1]).expect("an open socket");
    let mut answer = Vec::new();
    garbage.read_to_end(&mut answer).expect("a FIN");
    assert!(answer.starts_with(b"\0\x01\x02"));
    let port = ports.plain;
    drop(peer);
    assert!(
        TcpStream::connect(("127.0.0.1", port)).is_err(),
        "a dropped peer listens no more"
    );
}

#[test]
fn plain_http_gets_a_page() {
    let peer = start();
    for (path, part) in [
        ("/", "/on-close/"),
        ("/ports", "\"refused\":"),
        ("/record?id=x&when=now", "\"connections\":[]"),
    ] {
        let mut raw = Raw::connect(&peer);
        raw.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        let page = String::from_utf8(raw.rest()).expect("UTF-8");
        assert_has(
            &page,
            &[
                "HTTP/1.1 200 OK\r\n",
                "Access-Control-Allow-Origin: *\r\n",
                part,
            ],
        );
    }
}

#[test]
fn tungstenite_talks_to_it() {
    let peer = start();
    let mut socket = connect(&peer, "/echo?id=t");
    for message in [Message::text("hé"), Message::binary(vec![0; 70_000])] {
        socket.send(message.clone()).expect("an open socket");
        assert_eq!(socket.read().expect("the echo"), message);
    }
    socket.close(None).expect("an open socket");
    while socket.read().is_ok() {}
    drop(socket);
    assert_has(
        &peer.record("t", 1, WAIT),
        &[
            r#""frame_count":3,"all_masked":true"#,
            r#""client_end":"fin""#,
        ],
    );
}

#[test]
fn certificates_are_as_named() {
    let folder = std::env::temp_dir().join(format!("isosocket-peer-{}", std::process::id()));
    let options = || PeerOptions {
        ca_dir: Some(folder.clone()),
        ..PeerOptions::default()
    };
    let first = Peer::start(options()).expect("a peer").ca_pem().to_owned();
    let peer = Peer::start(options()).expect("a second peer");
    assert_eq!(peer.ca_pem(), first, "the CA outlives the run");
    std::fs::remove_dir_all(&folder).expect("the folder");

    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(peer.ca_der().to_vec()))
        .expect("a CA");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    let config = Arc::new(config);
    let echo = |name: &str, port: u16, path: &str| {
        let tcp = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
        tcp.set_read_timeout(Some(WAIT)).expect("a timeout");
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let tls = ClientConnection::new(config.clone(), name).expect("a client");
        let mut stream = StreamOwned::new(tls, tcp);
        stream.write_all(&[head(path, "").into_bytes(), frame(0x81, b"x"), close()].concat())?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).map(|_| bytes)
    };
    let ports = peer.ports();
    for name in ["localhost", "127.0.0.1"] {
        let bytes = echo(name, ports.tls, "/echo?id=tls").expect("TLS");
        assert!(bytes.ends_with(b"\x81\x01x\x88\x02\x03\xe8"));
    }
    assert_has(
        &peer.record("tls", 2, WAIT),
        &[r#""tls":true"#, r#""complete":true"#],
    );
    let dropped =
        echo("localhost", ports.tls, "/script?do=wait:close;drop").expect_err("no goodbye of TLS");
    assert_eq!(dropped.kind(), ErrorKind::UnexpectedEof);
    for (port, part) in [
        (ports.tls_expired, "xpired"),
        (ports.tls_self_signed, "UnknownIssuer"),
        (ports.tls_wrong_name, "not valid for name"),
        (ports.tls_garbage, "InvalidContentType"),
    ] {
        let error = format!(
            "{0} {0:?}",
            echo("localhost", port, "/echo").expect_err(part)
        );
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn many_connections_at_once() {
    let peer = start();
    let mut all: Vec<Raw> = (0..60).map(|_| Raw::open(&peer, "/echo?id=many")).collect();
    for raw in &mut all {
        raw.send(&[frame(0x81, b"x"), close()].concat());
    }
    for mut raw in all {
        assert_eq!(raw.rest(), b"\x81\x01x\x88\x02\x03\xe8");
    }
    assert_eq!(
        peer.record("many", 60, WAIT)
            .matches("\"done\":true")
            .count(),
        60
    );
}

#[test]
fn garbage_from_a_client_harms_nobody() {
    let peer = start();
    let mut seed = 7_u64;
    let mut noise = |count: usize| -> Vec<u8> {
        let byte = |_| {
            seed = seed
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            (seed >> 56) as u8
        };
        (0..count).map(byte).collect()
    };
    for round in 0..60 {
        let mut raw = Raw::connect(&peer);
        let bytes = noise(2000);
        match round % 4 {
            0 => raw.send(&bytes),
            1 => raw.send(&[head("/echo?id=g", "").as_bytes(), &bytes].concat()),
            2 => raw.send(
                &[
                    b"GET ",
                    &bytes[..],
                    b" HTTP/1.1\r\nUpgrade:\xff\r\n:\r\n\r\n",
                ]
                .concat(),
            ),
            _ => raw.send(b"\r\n\r\nGET"),
        }
        let _ = raw.0.shutdown(Shutdown::Write);
        let _ = raw.try_rest();
    }
    assert_eq!(
        peer.record("g", 15, WAIT).matches("\"done\":true").count(),
        15
    );
    Raw::open(&peer, "/echo");
}

#[test]
fn dropping_the_peer_ends_its_connections() {
    let peer = start();
    let mut all = [
        "/silent",
        "/script?do=delay:60000",
        "/script?do=repeat:1000000;text:*1M;next",
    ]
    .map(|path| Raw::open(&peer, path));
    drop(peer);
    for raw in &mut all {
        let _ = raw.try_rest();
    }
}
