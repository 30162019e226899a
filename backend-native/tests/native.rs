//! What only native sockets do, against the scripted peer: proxies, TLS,
//! keep-alive pings, receive backpressure.

use std::error::Error;
use std::future::Future;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::pin::pin;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Waker};
use std::thread;
use std::time::Duration;

use isosocket::native::{BuilderExt, Proxy, rustls_0_23 as rustls};
use isosocket::{Builder, CloseEvent, Event, Events, Heartbeat, NewError, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// Connects and gives all events, as they come, on a channel; the handle too.
fn connect(builder: Builder) -> (WebSocket, Receiver<Event>) {
    let (sender, events) = channel();
    let socket = isosocket::EventKind::ALL
        .into_iter()
        .fold(builder, |builder, kind| {
            let sender = sender.clone();
            builder.bind(kind, move |_, event| drop(sender.send(event.clone())))
        })
        .connect()
        .expect("the request is good");
    (socket, events)
}

fn next(events: &Receiver<Event>) -> Event {
    events
        .recv_timeout(DEADLINE)
        .expect("an event comes in time")
}

/// The cause of a failure, in words, with all that caused it.
fn cause(events: &Receiver<Event>) -> String {
    let Event::Error(error) = next(events) else {
        panic!("it fails");
    };
    assert_eq!(next(events), Event::Close(CloseEvent::abnormal()));
    let mut text = String::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("{error}; ");
        cause = error.source();
    }
    text
}

/// Opens, sends, gets the echo, and closes.
#[track_caller]
fn echoes(builder: Builder) {
    let (socket, events) = connect(builder);
    assert_eq!(next(&events), Event::Open);
    socket.send("through").unwrap();
    assert_eq!(next(&events), Event::Message("through".into()));
    socket.close();
    assert_eq!(next(&events), Event::Close(CloseEvent::new(1005, "", true)));
}

// Proxies.

/// A proxy that answers each connection with `greet`, which says where to
/// connect, and then carries bytes.
fn proxy(greet: fn(&mut TcpStream) -> Option<SocketAddr>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut client in listener.incoming().flatten() {
            thread::spawn(move || {
                let Some(server) = greet(&mut client) else {
                    return;
                };
                let mut server = TcpStream::connect(server).unwrap();
                let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
                thread::spawn(move || {
                    let _ = std::io::copy(&mut up, &mut down);
                    let _ = down.shutdown(Shutdown::Write);
                });
                let _ = std::io::copy(&mut server, &mut client);
                let _ = client.shutdown(Shutdown::Write);
            });
        }
    });
    address
}

fn connect_method(client: &mut TcpStream) -> Option<SocketAddr> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).ok()?;
    let good = head.contains("Proxy-Authorization: Basic dTpw\r\n");
    let reply = if good { "200 OK" } else { "407 Login" };
    // An interim reply comes first (S112).
    let interim = "HTTP/1.1 103 Early Hints\r\n\r\n";
    write!(client, "{interim}HTTP/1.1 {reply}\r\n\r\n").ok()?;
    let server = head.strip_prefix("CONNECT ")?.split(' ').next()?;
    good.then(|| server.replace("localhost", "127.0.0.1").parse().unwrap())
}

fn socks5(client: &mut TcpStream) -> Option<SocketAddr> {
    let mut hello = [0; 3];
    client.read_exact(&mut hello).ok()?;
    assert_eq!(hello, [5, 1, 0]);
    client.write_all(&[5, 0]).ok()?;
    let mut ask = [0; 10];
    client.read_exact(&mut ask).ok()?;
    let [5, 1, 0, 1, a, b, c, d, high, low] = ask else {
        panic!("an IPv4 address is asked for: {ask:?}");
    };
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(([a, b, c, d], u16::from_be_bytes([high, low])).into())
}

fn socks4(client: &mut TcpStream) -> Option<SocketAddr> {
    let mut ask = [0; 9];
    client.read_exact(&mut ask).ok()?;
    let [4, 1, high, low, a, b, c, d, 0] = ask else {
        panic!("an IPv4 address is asked for: {ask:?}");
    };
    client.write_all(&[0, 90, 0, 0, 0, 0, 0, 0]).ok()?;
    Some(([a, b, c, d], u16::from_be_bytes([high, low])).into())
}

#[test]
fn a_connection_goes_through_a_socks4_proxy() {
    let url = peer().url("/echo").replace("localhost", "127.0.0.1");
    let proxy = Proxy::new(format!("socks4://{}", proxy(socks4))).unwrap();
    echoes(WebSocket::builder(url).proxy(proxy));
}

#[test]
fn a_connection_goes_through_an_http_proxy() {
    let address = proxy(connect_method);
    let through = |login: &str| {
        let proxy = Proxy::new(format!("http://{login}{address}")).unwrap();
        WebSocket::builder(peer().url("/echo")).proxy(proxy)
    };
    echoes(through("u:p@"));
    let (_socket, events) = connect(through(""));
    assert!(cause(&events).contains("407"));
}

#[test]
fn a_secure_connection_goes_through_a_socks_proxy() {
    let proxy = Proxy::new(format!("socks5://{}", proxy(socks5))).unwrap();
    let url = peer().tls_url("/echo").replace("localhost", "127.0.0.1");
    echoes(WebSocket::builder(url).tls_config(trusting()).proxy(proxy));
}

#[test]
fn a_proxy_that_is_gone_is_a_failure() {
    let refused = peer().ports().refused;
    let proxy = Proxy::new(format!("http://127.0.0.1:{refused}")).unwrap();
    let (_socket, events) = connect(WebSocket::builder(peer().url("/echo")).proxy(proxy));
    let cause = cause(&events);
    let named = format!("the proxy 127.0.0.1:{refused} cannot be reached; ");
    assert!(
        cause.starts_with(&named) && cause.len() > named.len(),
        "{cause}"
    );
}

// TLS.

/// A configuration that trusts the peer's authority.
fn trusting() -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(peer().ca_der().to_vec().into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(config)
}

#[test]
fn a_trusted_certificate_is_good_and_large_messages_pass() {
    echoes(WebSocket::builder(peer().tls_url("/echo")).tls_config(trusting()));
    let builder = WebSocket::builder(peer().tls_url("/echo")).tls_config(trusting());
    let (socket, events) = connect(builder);
    assert_eq!(next(&events), Event::Open);
    let large: Vec<u8> = (0..3_000_000).map(|n| (n % 251) as u8).collect();
    socket.send(&large).unwrap();
    assert_eq!(next(&events), Event::Message(large.into()));
    assert_eq!(socket.buffered_amount(), 0);
}

/// The protocols that a client with these in its configuration offers by ALPN.
fn offered(configured: &[&str]) -> Vec<Vec<u8>> {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut config = Arc::unwrap_or_clone(trusting());
    config.alpn_protocols = configured
        .iter()
        .map(|name| name.as_bytes().to_vec())
        .collect();
    let builder = WebSocket::builder(format!("wss://127.0.0.1:{port}/"));
    let _socket = builder.tls_config(Arc::new(config)).connect().unwrap();
    let (mut tcp, _) = listener.accept().unwrap();
    let mut acceptor = rustls::server::Acceptor::default();
    loop {
        acceptor.read_tls(&mut tcp).unwrap();
        if let Some(accepted) = acceptor.accept().map_err(|(error, _)| error).unwrap() {
            let hello = accepted.client_hello();
            let offered = hello.alpn().into_iter().flatten();
            return offered.map(<[u8]>::to_vec).collect();
        }
    }
}

#[test]
fn only_http_1_1_is_offered_by_alpn() {
    // A server that speaks HTTP/2 would choose h2, and then not understand us.
    assert_eq!(offered(&["h2", "http/1.1"]), [b"http/1.1"]);
    assert_eq!(offered(&["h2"]), [b"http/1.1"]);
    assert_eq!(offered(&["http/1.1"]), [b"http/1.1"]);
    assert!(offered(&[]).is_empty());
}

/// Whether a certificate that signed itself, and is trusted, is accepted; as the
/// server sees it, and why not.
fn self_signed(is_ca: rcgen::IsCa) -> (bool, String) {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.is_ca = is_ca;
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let serving = thread::spawn(move || {
        let (mut tcp, _) = listener.accept().unwrap();
        let mut session = rustls::ServerConnection::new(Arc::new(server)).unwrap();
        session.complete_io(&mut tcp).is_ok()
    });
    let builder = WebSocket::builder(format!("wss://localhost:{port}/"));
    let (_socket, events) = connect(builder.tls_config(Arc::new(client)));
    let cause = cause(&events);
    (serving.join().unwrap(), cause)
}

#[test]
fn a_self_signed_certificate_works_or_the_error_says_what_to_do() {
    let (accepted, _) = self_signed(rcgen::IsCa::ExplicitNoCa);
    assert!(accepted);
    let authority = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let (accepted, cause) = self_signed(authority);
    assert!(!accepted);
    let advice = "-addext basicConstraints=critical,CA:FALSE";
    assert!(
        cause.contains("CaUsedAsEndEntity") && cause.contains(advice),
        "{cause}"
    );
}

#[test]
fn bad_certificates_fail_closed_and_say_why() {
    let ports = peer().ports();
    let table = [
        (ports.tls, "UnknownIssuer", false),
        (ports.tls_expired, "xpired", true),
        (ports.tls_self_signed, "UnknownIssuer", true),
        (ports.tls_wrong_name, "not valid for", true),
        (ports.tls_garbage, "", true),
    ];
    for (port, reason, trust) in table {
        let mut builder = WebSocket::builder(format!("wss://localhost:{port}/echo"));
        if trust {
            builder = builder.tls_config(trusting());
        }
        let (_socket, events) = connect(builder);
        let cause = cause(&events);
        assert!(cause.contains(reason), "port {port}: {cause}");
    }
}

#[cfg(feature = "webpki-roots")]
#[test]
fn mozillas_roots_are_trusted_where_they_are_asked_for() {
    let builder = || WebSocket::builder(peer().tls_url("/echo"));
    let (_socket, events) = connect(builder().webpki_roots());
    let refused = cause(&events);
    assert!(refused.contains("UnknownIssuer"), "{refused}");
    // The last choice counts.
    echoes(builder().webpki_roots().tls_config(trusting()));
    let (_socket, events) = connect(builder().tls_config(trusting()).webpki_roots());
    assert_eq!(cause(&events), refused);
}

/// The same by the system's library.
#[cfg(feature = "native-tls")]
#[test]
fn the_systems_library_trusts_and_distrusts_alike() {
    use isosocket_native::native_tls::{Certificate, TlsConnector};

    let connector = || {
        let ca = Certificate::from_der(peer().ca_der()).unwrap();
        TlsConnector::builder()
            .add_root_certificate(ca)
            .build()
            .unwrap()
    };
    echoes(WebSocket::builder(peer().tls_url("/echo")).native_tls(connector()));
    let (socket, events) =
        connect(WebSocket::builder(peer().tls_url("/echo")).native_tls(connector()));
    assert_eq!(next(&events), Event::Open);
    let large: Vec<u8> = (0..3_000_000).map(|n| (n % 251) as u8).collect();
    socket.send(&large).unwrap();
    assert_eq!(next(&events), Event::Message(large.into()));
    let ports = peer().ports();
    for port in [
        ports.tls_expired,
        ports.tls_self_signed,
        ports.tls_wrong_name,
        ports.tls_garbage,
    ] {
        let url = format!("wss://localhost:{port}/echo");
        let (_socket, events) = connect(WebSocket::builder(url).native_tls(connector()));
        assert!(!cause(&events).is_empty(), "port {port}");
    }
}

// Headers, pings, backpressure.

#[test]
fn headers_of_ones_own_are_sent_and_the_handshakes_are_refused() {
    let url = peer().url("/close?id=own-header");
    let (_socket, events) = connect(WebSocket::builder(url).header("X-Token", "abc"));
    while !matches!(next(&events), Event::Close(_)) {}
    let record = peer().record("own-header", 1, DEADLINE);
    assert!(record.contains(r#"["X-Token","abc"]"#), "{record}");

    for (name, value) in [("Host", "h"), ("Sec-WebSocket-Key", "k"), ("X", "a\r\nb")] {
        let result = WebSocket::builder("ws://h/").header(name, value).connect();
        assert!(matches!(result, Err(NewError::Option(_))), "{name}");
    }
}

#[test]
fn times_that_no_system_takes_are_refused() {
    let (zero, second) = (Duration::ZERO, Duration::from_secs(1));
    let builder = || WebSocket::builder("ws://h/");
    for (builder, option) in [
        (
            builder().heartbeat(Heartbeat::new(zero, second)),
            "a heartbeat",
        ),
        (
            builder().heartbeat(Heartbeat::new(second, zero)),
            "a heartbeat",
        ),
        (builder().tcp_keepalive(zero), "tcp_keepalive: "),
        (builder().tcp_keepalive(32768 * second), "tcp_keepalive: "),
        (builder().tcp_keepalive(Duration::MAX), "tcp_keepalive: "),
    ] {
        let Err(NewError::Option(what)) = builder.connect() else {
            panic!("{option} is refused");
        };
        assert!(what.starts_with(option), "{what}");
    }
    for time in [second / 1000, second, 32767 * second] {
        echoes(WebSocket::builder(peer().url("/echo")).tcp_keepalive(time));
    }
}

#[test]
fn a_silent_peer_is_pinged_and_a_dead_one_given_up() {
    let short = Duration::from_millis(30);
    // This peer answers pings, and closes after the third.
    let url = peer().url("/script?do=accept;wait:frame:3;close:4000");
    let (_socket, events) =
        connect(WebSocket::builder(url).heartbeat(Heartbeat::new(short, DEADLINE)));
    assert_eq!(next(&events), Event::Open);
    assert_eq!(next(&events), Event::Close(CloseEvent::new(4000, "", true)));
    // This one does not answer.
    let url = peer().url("/script?do=accept;quiet;hold:20000");
    let (_socket, events) =
        connect(WebSocket::builder(url).heartbeat(Heartbeat::new(short, short)));
    assert_eq!(next(&events), Event::Open);
    assert!(cause(&events).contains("ping"));
}

#[test]
fn a_stream_that_nobody_drains_stops_its_own_socket_and_no_other() {
    // 64 MiB, of which the limit lets a little in.
    let url = peer().url("/send/1024/65536");
    let socket = WebSocket::builder(url)
        .receive_limit(1 << 20)
        .connect()
        .unwrap();
    let mut events: Events = socket.events();
    let (other, heard) = connect(WebSocket::builder(peer().url("/echo")));
    assert_eq!(next(&heard), Event::Open);
    for _ in 0..100 {
        other.send("still here").unwrap();
        assert_eq!(next(&heard), Event::Message("still here".into()));
    }
    let (done, all) = channel();
    thread::spawn(move || {
        let mut bytes = 0;
        isosocket::run(async move {
            while let Some(event) = events.next().await {
                if let Event::Message(message) = event {
                    bytes += message.len();
                    if bytes == 64 << 20 {
                        break;
                    }
                }
            }
            done.send(bytes).unwrap();
        });
    });
    assert_eq!(all.recv_timeout(DEADLINE), Ok(64 << 20));
}

#[test]
fn one_that_floods_does_not_starve_the_others() {
    let (_flood, _unheard) = {
        let socket = WebSocket::new(peer().url("/send/1000000/1000")).unwrap();
        let binding = socket.on_message(|_, _| {});
        (socket, binding)
    };
    let (other, heard) = connect(WebSocket::builder(peer().url("/echo")));
    assert_eq!(next(&heard), Event::Open);
    for _ in 0..200 {
        other.send("me too").unwrap();
        assert_eq!(next(&heard), Event::Message("me too".into()));
    }
}

#[test]
fn the_send_limit_refuses_and_send_ready_waits_for_room() {
    let url = peer().url("/slow-reader");
    let (done, result) = channel();
    thread::spawn(move || {
        isosocket::run(async move {
            let socket = WebSocket::builder(url)
                .send_limit(4 << 20)
                .open()
                .await
                .unwrap();
            let block = vec![1; 1 << 20];
            let mut sent = 0;
            while socket.send(&block).is_ok() {
                sent += 1;
            }
            // What was refused was not queued.
            assert!(socket.buffered_amount() <= 4 << 20);
            socket.send_ready().await;
            assert!(socket.buffered_amount() <= 1 << 20);
            socket.send(&block).unwrap();
            done.send(sent).unwrap();
        });
    });
    let sent: u32 = result.recv_timeout(Duration::from_secs(60)).unwrap();
    assert!(sent >= 4, "{sent} MiB were taken before it was full");
}

/// S54: empty messages fill the limit, while the buffered amount is 0. A loop of `send` and
/// `send_ready` waits for the network.
#[test]
fn send_ready_waits_for_empty_messages() {
    const COUNT: usize = 20_000;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (release, released) = channel::<()>();
    let reader = thread::spawn(move || {
        let mut peer = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        released.recv().unwrap();
        (0..COUNT).all(|_| peer.read().is_ok_and(|message| message.is_empty()))
    });
    isosocket::run(async move {
        let builder = WebSocket::builder(url).send_limit(64 << 10);
        let socket = builder.tcp_send_buffer(4 << 10).open().await.unwrap();
        let mut sent = (0..COUNT).take_while(|_| socket.send("").is_ok()).count();
        assert!(sent < COUNT, "it is full");
        assert_eq!(socket.buffered_amount(), 0);
        let context = &mut Context::from_waker(Waker::noop());
        assert!(pin!(socket.send_ready()).poll(context).is_pending());
        release.send(()).unwrap();
        while sent < COUNT {
            while socket.send("").is_err() {
                socket.send_ready().await;
            }
            sent += 1;
        }
        // Until the queue is empty.
        socket.close();
        socket.closed().await;
    });
    assert!(reader.join().unwrap());
}

// Ports.

/// A listener on a port that browsers block, whichever is free here.
fn blocked_listener() -> TcpListener {
    let ports = [
        10080, 6669, 6668, 6665, 6679, 6697, 6566, 5061, 4190, 4045, 3659,
    ];
    let bound = ports.map(|port| TcpListener::bind(("127.0.0.1", port)).ok());
    bound
        .into_iter()
        .flatten()
        .next()
        .expect("one of the ports is free")
}

/// S13: a blocked port fails as in a page, unless the program allows it.
#[test]
fn a_blocked_port_is_reached_where_the_program_allows_it() {
    let listener = blocked_listener();
    let port = listener.local_addr().unwrap().port();
    let url = format!("ws://127.0.0.1:{port}/");
    let (_socket, events) = connect(WebSocket::builder(&url));
    assert_eq!(cause(&events), format!("port {port} is blocked; "));
    let (_socket, _events) = connect(WebSocket::builder(&url).allow_blocked_ports());
    let (mut stream, _) = listener.accept().expect("it connects");
    let mut request = [0; 3];
    stream.read_exact(&mut request).expect("it asks");
    assert_eq!(&request, b"GET");
}
