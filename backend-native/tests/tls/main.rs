//! TLS fails closed: bad servers, each refused by rustls and by the system's library, with
//! the kind that names it (S33, S118).
//!
//! Invariant: no server here ever reads a byte of the request, but where the fault comes
//! after the handshake.

#[path = "../support/mod.rs"]
mod support;

mod bad;
mod certificates;
mod clients;
mod protocols;
mod servers;

use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::thread;

use certificates::Chain;
use clients::Client;
use isosocket::native::{BuilderExt, rustls_0_23 as rustls};
use isosocket::{Builder, CloseEvent, ErrorKind, Event, TlsFailure, WebSocket};
use support::{connect, next};

/// How a client does TLS.
type Library = fn(Builder, &Client) -> Builder;

const LIBRARIES: &[Library] = &[
    |builder, client| builder.tls_config(client.rustls()),
    #[cfg(feature = "native-tls")]
    |builder, client| builder.native_tls(client.system()),
];

/// What a server does with a connection. Returns what it understood of the request.
type Serve = Box<dyn FnOnce(TcpStream) -> Vec<u8> + Send>;

/// A bad server: what the table in the guide has in one row.
struct Bad {
    name: &'static str,
    client: Client,
    serve: Serve,
    /// The kind and a part of the text by rustls.
    rustls: (ErrorKind, &'static str),
    /// The same by the system's library. `None`: it cannot be asked for this.
    #[cfg_attr(not(feature = "native-tls"), allow(dead_code))]
    system: Option<(ErrorKind, &'static str)>,
}

impl Bad {
    /// The system's library has another kind for it.
    fn by_system(mut self, failure: TlsFailure) -> Self {
        if let Some((kind, _)) = &mut self.system {
            *kind = ErrorKind::Tls(failure);
        }
        self
    }
}

/// Why a connection to a server failed, and what that server understood.
fn refusal(builder: Builder, listener: TcpListener, serve: Serve) -> (ErrorKind, String, Vec<u8>) {
    let serving = thread::spawn(move || serve(listener.accept().expect("a client comes").0));
    let (socket, events) = connect(builder);
    let (kind, text) = error_of(&events);
    drop(socket);
    (kind, text, serving.join().expect("the server ends"))
}

#[track_caller]
fn error_of(events: &Receiver<Event>) -> (ErrorKind, String) {
    match next(events) {
        Event::Error(error) => {
            assert_eq!(next(events), Event::Close(CloseEvent::abnormal()));
            (error.kind(), format!("{error:#}"))
        }
        other => panic!("no error, but {other:?}"),
    }
}

fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let port = listener.local_addr().expect("it has an address").port();
    (listener, format!("wss://localhost:{port}/"))
}

/// So that no other test here passes because nothing works.
#[test]
fn a_good_server_is_accepted() {
    for good in servers::good() {
        let (listener, url) = listen();
        let serving = thread::spawn(move || (good.serve)(listener.accept().expect("a client").0));
        let builder = WebSocket::builder(&url).tls_config(good.client.rustls());
        let (socket, events) = connect(builder);
        assert_eq!(next(&events), Event::Open, "{}", good.name);
        drop(socket);
        assert!(serving.join().expect("it ends").starts_with(b"GET / "));
    }
}

#[test]
fn bad_servers_are_refused_by_rustls() {
    let bad = bad::bad();
    assert!(bad.len() >= 20);
    let mut wrong = Vec::new();
    for Bad {
        name,
        client,
        serve,
        rustls: (kind, text),
        ..
    } in bad
    {
        let (listener, url) = listen();
        let builder = WebSocket::builder(&url).tls_config(client.rustls());
        let found = refusal(builder, listener, serve);
        println!("{name}: {}", found.1);
        if found.0 != kind || !found.1.contains(text) || !found.2.is_empty() {
            wrong.push(format!("{name}: {found:?}, and not {kind:?} {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[cfg(feature = "native-tls")]
#[test]
fn bad_servers_are_refused_by_the_systems_library() {
    let mut wrong = Vec::new();
    for Bad {
        name,
        client,
        serve,
        system,
        ..
    } in bad::bad()
    {
        let Some((kind, text)) = system else { continue };
        let (listener, url) = listen();
        let builder = WebSocket::builder(&url).native_tls(client.system());
        let found = refusal(builder, listener, serve);
        println!("{name}: {}", found.1);
        if found.0 != kind || !found.1.contains(text) || !found.2.is_empty() {
            wrong.push(format!("{name}: {found:?}, and not {kind:?} {text:?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A certificate for a name does not do for an address, and the other way round.
#[test]
fn an_address_is_not_a_name() {
    for names in [&["localhost"][..], &["192.0.2.1"]] {
        for library in LIBRARIES {
            let (server, client) = Chain::new(names).sign().serve();
            let (listener, url) = listen();
            let builder = WebSocket::builder(url.replace("localhost", "127.0.0.1"));
            let found = refusal(library(builder, &client), listener, servers::with(server));
            let kind = ErrorKind::Tls(TlsFailure::WrongName);
            assert_eq!((found.0, found.2.len()), (kind, 0), "{}", found.1);
        }
    }
}

/// An attacker who cuts an established connection cannot pass that for a clean close, and
/// no part of a record is delivered.
#[test]
fn a_truncated_connection_is_not_clean() {
    for cut in [
        servers::ends_without_saying_so as fn(_),
        servers::ends_inside_a_record,
    ] {
        for library in LIBRARIES {
            let (config, client) = Chain::new(&["localhost"]).sign().serve();
            let (listener, url) = listen();
            let serving = thread::spawn(move || {
                let (tcp, _) = listener.accept().expect("a client comes");
                let tls = rustls::ServerConnection::new(config).expect("it is valid");
                let mut stream = rustls::StreamOwned::new(tls, tcp);
                support::greet(&mut stream, "");
                cut(stream);
            });
            let (_socket, events) = connect(library(WebSocket::builder(url), &client));
            assert_eq!(next(&events), Event::Open);
            assert_eq!(next(&events), Event::Close(CloseEvent::abnormal()));
            serving.join().expect("the server ends");
        }
    }
}
