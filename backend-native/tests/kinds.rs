//! The kinds of failures (S118): each is made by a scripted server, and the program hears
//! which one it was. The events are the same for all (S33).

mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;
use std::time::Duration;

use isosocket::native::{
    BuilderExt, ErrorEventExt, Proxy, Response, SocketExt, rustls_0_23 as rustls,
};
use isosocket::{
    Builder, CloseEvent, ErrorEvent, ErrorKind, Event, Heartbeat, Reconnecting, Status, Timeout,
    TlsFailure, WebSocket,
};
use support::{Server, TEXT, connect, frame, greet, next, read_head, server_config, trusting};

/// The error of a connection that fails before or after it was open.
#[track_caller]
fn error_of(events: &Receiver<Event>) -> ErrorEvent {
    loop {
        match next(events) {
            Event::Error(error) => {
                assert_eq!(next(events), Event::Close(CloseEvent::abnormal()));
                return error;
            }
            Event::Close(close) => panic!("no error, but {close}"),
            Event::Open | Event::Message(_) => {}
        }
    }
}

/// Why a connection to this server failed.
fn failure(
    builder: Builder,
    serve: impl FnOnce(TcpStream) + Send + 'static,
    server: Server,
) -> ErrorEvent {
    let serving = thread::spawn(move || serve(server.accept()));
    let (_socket, events) = connect(builder);
    let error = error_of(&events);
    serving.join().unwrap();
    error
}

fn plain(serve: impl FnOnce(TcpStream) + Send + 'static) -> ErrorEvent {
    let server = Server::new();
    failure(server.builder(), serve, server)
}

/// Reads until the client goes.
fn wait_for_end(mut tcp: TcpStream) {
    let _ = tcp.read_to_end(&mut Vec::new());
}

fn reset(tcp: TcpStream) {
    let tcp = socket2::Socket::from(tcp);
    tcp.set_linger(Some(Duration::ZERO)).unwrap();
}

#[test]
fn a_name_that_does_not_exist() {
    let (_socket, events) = connect(WebSocket::builder("ws://isosocket.invalid/"));
    assert_eq!(error_of(&events).kind(), ErrorKind::NameNotFound);
}

#[test]
fn a_port_where_nobody_listens() {
    // Where somebody has listened a moment ago.
    let port = Server::new().port();
    let (_socket, events) = connect(WebSocket::builder(format!("ws://127.0.0.1:{port}/")));
    assert_eq!(error_of(&events).kind(), ErrorKind::ConnectionRefused);
}

/// The system refuses it at once, with or without a network.
#[test]
#[cfg(target_os = "linux")]
fn a_network_without_a_way_to_it() {
    let (_socket, events) = connect(WebSocket::builder("ws://255.255.255.255:81/"));
    let error = error_of(&events);
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:#}");
}

#[test]
fn a_blocked_port() {
    let (_socket, events) = connect(WebSocket::builder("ws://127.0.0.1:6000/"));
    assert_eq!(error_of(&events).kind(), ErrorKind::BlockedPort);
}

#[test]
fn a_close_while_connecting() {
    let server = Server::new();
    let (socket, events) = connect(server.builder());
    let tcp = server.accept();
    socket.close();
    assert_eq!(error_of(&events).kind(), ErrorKind::Aborted);
    drop(tcp);
}

/// A status, the headers, and the start of the body, however slowly they come.
#[test]
fn a_refused_handshake_has_its_reply() {
    let error = plain(|mut tcp| {
        read_head(&mut tcp);
        let head = "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nX-Two: a\r\n\
                    x-two: b\r\nContent-Length: 3000\r\n\r\n";
        for piece in head.as_bytes().chunks(7) {
            tcp.write_all(piece).unwrap();
        }
        tcp.write_all(b"no such token").unwrap();
        // It may be closed by now.
        let _ = tcp.write_all(&[b'.'; 2987]);
        wait_for_end(tcp);
    });
    assert_eq!(error.kind(), ErrorKind::HandshakeRefused(401));
    assert!(format!("{error:#}").ends_with("the server answered with status 401"));
    let response: &Response = error.response().unwrap();
    assert_eq!(response.status(), 401);
    assert_eq!(response.header("www-authenticate"), Some("Bearer"));
    let twos: Vec<_> = response
        .headers()
        .filter(|(name, _)| name.eq_ignore_ascii_case("X-Two"))
        .collect();
    assert_eq!(twos, [("X-Two", "a"), ("x-two", "b")]);
    assert_eq!(response.body().len(), 1024);
    assert!(response.body().starts_with(b"no such token..."));
}

/// The end of the stream ends a body, and so does a reset.
#[test]
fn a_body_that_stops_is_as_long_as_it_came() {
    for ends in [drop::<TcpStream>, reset] {
        let error = plain(move |mut tcp| {
            read_head(&mut tcp);
            tcp.write_all(b"HTTP/1.1 403 x\r\nContent-Length: 99\r\n\r\nno")
                .unwrap();
            ends(tcp);
        });
        assert_eq!(error.kind(), ErrorKind::HandshakeRefused(403));
        assert!(b"no".starts_with(error.response().unwrap().body()));
    }
}

/// A body that does not come delays the failure by no more than a second or so.
#[test]
fn a_body_that_never_comes_is_not_waited_for() {
    let server = Server::new();
    let builder = server.builder().connect_timeout(None);
    let error = failure(
        builder,
        |mut tcp| {
            read_head(&mut tcp);
            tcp.write_all(b"HTTP/1.1 503 x\r\nContent-Length: 99\r\n\r\nbusy")
                .unwrap();
            wait_for_end(tcp);
        },
        server,
    );
    assert_eq!(error.kind(), ErrorKind::HandshakeRefused(503));
    assert_eq!(error.response().unwrap().body(), b"busy");
}

#[test]
fn a_good_reply_has_headers_too() {
    let server = Server::new();
    let serving = {
        let lines = "Server: test\r\nSet-Cookie: a=b\r\n";
        let builder = server.builder();
        let serving = thread::spawn(move || {
            let mut tcp = server.accept();
            greet(&mut tcp, lines);
            wait_for_end(tcp);
        });
        let (socket, events) = connect(builder);
        assert_eq!(next(&events), Event::Open);
        let response = socket.response().unwrap();
        assert_eq!(response.status(), 101);
        let headers: Vec<_> = response.headers().collect();
        assert_eq!(headers, [("Server", "test"), ("Set-Cookie", "a=b")]);
        assert!(!format!("{response:?}").contains("a=b"));
        serving
    };
    serving.join().unwrap();
    // One that says nothing is there, too, once it is open.
    let server = Server::new();
    let (socket, events) = connect(server.builder());
    assert!(socket.response().is_none());
    let tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    assert_eq!(socket.response().unwrap().headers().count(), 0);
    drop(tcp);
}

#[test]
fn an_invalid_handshake() {
    for reply in [
        "garbage\r\n\r\n",
        "HTTP/1.1 101 x\r\n\r\n",
        "HTTP/1.1 101 x\r\nX: \0\r\n\r\n",
    ] {
        let error = plain(move |mut tcp| {
            read_head(&mut tcp);
            tcp.write_all(reply.as_bytes()).unwrap();
            wait_for_end(tcp);
        });
        assert_eq!(error.kind(), ErrorKind::HandshakeInvalid, "{error:#}");
        assert!(error.response().is_none());
    }
}

#[test]
fn a_connection_that_ends_before_it_is_established() {
    for ends in [drop::<TcpStream>, reset] {
        let error = plain(move |mut tcp| {
            read_head(&mut tcp);
            ends(tcp);
        });
        assert_eq!(error.kind(), ErrorKind::Reset, "{error:#}");
    }
}

#[test]
fn a_reset_of_an_open_connection() {
    let server = Server::new();
    let (socket, events) = connect(server.builder());
    let mut tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    // Something unread makes the close a reset, and the message shows that it was open.
    tcp.write_all(&frame(TEXT, b"a")).unwrap();
    assert_eq!(next(&events), Event::Message("a".into()));
    reset(tcp);
    assert_eq!(error_of(&events).kind(), ErrorKind::Reset);
    drop(socket);
}

#[test]
fn a_violation_of_the_protocol() {
    let cases: [(&[u8], ErrorKind); 3] = [
        (&[0x83, 0], ErrorKind::ProtocolViolation(1002)),
        (&[0x81, 1, 0xff], ErrorKind::ProtocolViolation(1007)),
        (&[0x82, 126, 0x20, 0], ErrorKind::MessageTooLarge),
    ];
    for (bytes, kind) in cases {
        let server = Server::new();
        let builder = server.builder().max_message_size(1000);
        let error = failure(
            builder,
            move |mut tcp| {
                greet(&mut tcp, "");
                tcp.write_all(bytes).unwrap();
                wait_for_end(tcp);
            },
            server,
        );
        assert_eq!(error.kind(), kind, "{error:#}");
    }
}

#[test]
fn time_that_runs_out() {
    let connect = ErrorKind::TimedOut(Timeout::Connect);
    let heartbeat = ErrorKind::TimedOut(Timeout::Heartbeat);
    let short = Duration::from_millis(50);
    let server = Server::new();
    let builder = server.builder().connect_timeout(short);
    assert_eq!(failure(builder, wait_for_end, server).kind(), connect);
    let server = Server::new();
    let builder = server.builder().heartbeat(Heartbeat::new(short, short));
    let serve = |mut tcp: TcpStream| {
        greet(&mut tcp, "");
        wait_for_end(tcp);
    };
    assert_eq!(failure(builder, serve, server).kind(), heartbeat);
}

#[test]
fn proxies_that_refuse_or_are_not_there() {
    let proxied = |proxy: String| {
        WebSocket::builder("ws://isosocket.invalid/").proxy(Proxy::new(proxy).unwrap())
    };
    let (_socket, events) = connect(proxied("http://isosocket.invalid:3128".to_owned()));
    let error = error_of(&events);
    assert_eq!(error.kind(), ErrorKind::Proxy, "{error:#}");
    let answers: [(&str, &[u8], ErrorKind); 4] = [
        (
            "http",
            b"HTTP/1.1 407 x\r\n\r\n",
            ErrorKind::ProxyRefused(407),
        ),
        ("http", b"garbage\r\n\r\n", ErrorKind::Proxy),
        ("http", b"", ErrorKind::Proxy),
        ("socks5", &[5, 255], ErrorKind::Proxy),
    ];
    for (scheme, answer, kind) in answers {
        let server = Server::new();
        let builder = proxied(format!("{scheme}://127.0.0.1:{}", server.port()));
        let error = failure(
            builder,
            move |mut tcp| {
                tcp.read_exact(&mut [0; 3]).unwrap();
                tcp.write_all(answer).unwrap();
            },
            server,
        );
        assert_eq!(error.kind(), kind, "{error:#}");
    }
}

#[test]
fn certificates_that_are_not_good() {
    type Edit = fn(&mut rcgen::CertificateParams);
    let cases: [(&str, Edit, TlsFailure); 4] = [
        (
            "localhost",
            |params| params.not_after = rcgen::date_time_ymd(2020, 1, 1),
            TlsFailure::Expired,
        ),
        (
            "localhost",
            |params| params.not_before = rcgen::date_time_ymd(4000, 1, 1),
            TlsFailure::NotYetValid,
        ),
        ("example.org", |_| {}, TlsFailure::WrongName),
        // As `openssl req -x509` makes it.
        (
            "localhost",
            |params| params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained),
            TlsFailure::WrongPurpose,
        ),
    ];
    for (name, edit, expected) in cases {
        let error = tls_failure(name, edit, true);
        assert_eq!(error.kind(), ErrorKind::Tls(expected), "{error:#}");
    }
    let error = tls_failure("localhost", |_| {}, false);
    assert_eq!(
        error.kind(),
        ErrorKind::Tls(TlsFailure::UnknownIssuer),
        "{error:#}"
    );
    // No TLS at all.
    let server = Server::new();
    let error = failure(
        server.tls_builder(),
        |mut tcp| {
            tcp.write_all(b"HTTP/1.1 400 this is no TLS\r\n\r\n")
                .unwrap();
            wait_for_end(tcp);
        },
        server,
    );
    let kind = ErrorKind::Tls(TlsFailure::DecodeError);
    assert_eq!(error.kind(), kind, "{error:#}");
}

/// Why a server's certificate is not accepted, by a client that trusts it or another one.
fn tls_failure(
    name: &str,
    edit: impl FnOnce(&mut rcgen::CertificateParams),
    trusted: bool,
) -> ErrorEvent {
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.is_ca = rcgen::IsCa::ExplicitNoCa;
    edit(&mut params);
    let (config, certificate) = server_config(params);
    let other = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params
        .distinguished_name
        .push(rcgen::DnType::CommonName, "other");
    let other = params.self_signed(&other).unwrap().der().clone();
    let client = trusting(if trusted { certificate } else { other });
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut tls = rustls::ServerConnection::new(config).unwrap();
        // It fails, because the client does.
        let _ = tls.complete_io(&mut tcp);
    });
    let builder = WebSocket::builder(format!("wss://localhost:{port}/")).tls_config(client);
    let (_socket, events) = connect(builder);
    let error = error_of(&events);
    serving.join().unwrap();
    error
}

/// R27, R28: over the network, with seconds and with a date.
#[test]
fn a_reconnecting_socket_comes_back_when_the_server_wants() {
    for header in [
        "Retry-After: 1",
        // By the server's clock, which is wrong.
        "Date: Sun, 06 Nov 1994 08:49:36 GMT\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT",
    ] {
        let server = Server::new();
        let url = format!("ws://127.0.0.1:{}/", server.port());
        let serving = thread::spawn(move || {
            for status in [503, 404] {
                let mut tcp = server.accept();
                read_head(&mut tcp);
                write!(
                    tcp,
                    "HTTP/1.1 {status} x\r\n{header}\r\nContent-Length: 0\r\n\r\n"
                )
                .unwrap();
            }
        });
        let (sender, statuses) = std::sync::mpsc::channel();
        let socket = Reconnecting::builder(url)
            .backoff(Duration::ZERO, Duration::ZERO)
            .on_status(move |_, status| drop(sender.send(status.clone())))
            .connect()
            .unwrap();
        let next = || statuses.recv_timeout(support::DEADLINE).unwrap();
        assert_eq!(next(), Status::Connecting { attempt: 1 });
        match next() {
            Status::Waiting {
                attempt: 2,
                delay,
                loss,
            } => {
                assert_eq!((delay, loss.status()), (Duration::from_secs(1), Some(503)));
            }
            status => panic!("{status:?}"),
        }
        assert_eq!(next(), Status::Connecting { attempt: 2 });
        match next() {
            Status::GaveUp(loss) => {
                let error = loss.error.unwrap();
                assert_eq!(error.kind(), ErrorKind::HandshakeRefused(404));
                assert!(error.response().is_some());
            }
            status => panic!("{status:?}"),
        }
        serving.join().unwrap();
        drop(socket);
    }
}

/// What a program may log: no part of the query, the user info, or a header's value.
#[test]
fn nothing_that_is_logged_holds_a_secret() {
    let server = Server::new();
    let url = format!(
        "ws://secret:secret@127.0.0.1:{}/p?token=secret",
        server.port()
    );
    let proxy = Proxy::new("http://secret:secret@127.0.0.1:1/").unwrap();
    let builder = WebSocket::builder(url.as_str())
        .subprotocol("secret")
        .header("Authorization", "secret");
    let mut shown = format!("{:?} {proxy:?}", builder.proxy(proxy.clone()));
    let serving = thread::spawn(move || {
        let mut tcp = server.accept();
        read_head(&mut tcp);
        write!(
            tcp,
            "HTTP/1.1 401 x\r\nX-Echo: secret\r\nContent-Length: 6\r\n\r\nsecret"
        )
        .unwrap();
    });
    let builder = WebSocket::builder(url.as_str())
        .subprotocol("secret")
        .header("Authorization", "secret");
    let (socket, events) = connect(builder);
    let error = error_of(&events);
    shown += &format!(
        "{socket:?} {error} {error:#} {error:?} {:?}",
        error.response()
    );
    shown += &format!("{:?}", socket.transport());
    serving.join().unwrap();
    let reconnecting = Reconnecting::builder(url.as_str()).header("Authorization", "secret");
    shown += &format!("{reconnecting:?}");
    let socket = reconnecting.connect().unwrap();
    shown += &format!("{socket:?} {:?} {}", socket.status(), socket.status());
    shown += &format!("{:?}", socket.transport());
    let refused = WebSocket::builder(url.as_str()).header("Authorization: secret", "secret");
    shown += &format!("{:?}", refused.connect().unwrap_err());
    assert!(shown.contains("***@127.0.0.1"), "{shown}");
    assert!(!shown.contains("secret"), "{shown}");
}
