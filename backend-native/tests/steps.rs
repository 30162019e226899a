//! `BuilderExt::on_step`: which steps of connecting are reported, and in which order.

mod support;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::ConnectStep::{Handshake, Name, Tcp, Tls, Tunnel};
use isosocket::native::{BuilderExt, ConnectStep, Proxy};
use isosocket::{Builder, Event, Reconnecting, Status, WebSocket};
use support::{DEADLINE, connect, next, peer, trusting};

/// The steps of one connection until it is established or has failed, and whether it
/// is established.
#[track_caller]
fn steps(builder: Builder) -> (Vec<ConnectStep>, bool) {
    let steps = Arc::new(Mutex::new(Vec::new()));
    let seen = steps.clone();
    let start = Instant::now();
    let builder = builder.on_step(move |step, time| seen.lock().unwrap().push((step, time)));
    let (_socket, events) = connect(builder);
    let open = next(&events) == Event::Open;
    let steps = steps.lock().unwrap();
    let times: Vec<Duration> = steps.iter().map(|(_, time)| *time).collect();
    assert!(times.is_sorted(), "{steps:?}");
    assert!(times.iter().all(|time| *time <= start.elapsed()));
    (steps.iter().map(|(step, _)| *step).collect(), open)
}

fn address(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

fn secure(url: &str) -> Builder {
    WebSocket::builder(url).tls_config(trusting(peer().ca_der().to_vec().into()))
}

#[test]
fn an_address_without_tls_has_three_steps() {
    let tcp = Tcp(address(peer().ports().plain));
    let builder = WebSocket::builder(peer().url("/echo"));
    assert_eq!(steps(builder), (vec![Name, tcp, Handshake], true));
}

#[test]
fn tls_is_a_step_of_its_own() {
    let tcp = Tcp(address(peer().ports().tls));
    let named = secure(&peer().tls_url("/echo"));
    assert_eq!(steps(named), (vec![Name, tcp, Tls, Handshake], true));
    let url = peer().tls_url("/echo").replace("localhost", "127.0.0.1");
    assert_eq!(steps(secure(&url)), (vec![Name, tcp, Tls, Handshake], true));
}

#[test]
fn a_failure_comes_after_the_last_step_that_succeeded() {
    let ports = peer().ports();
    let refused = WebSocket::builder(format!("ws://127.0.0.1:{}/", ports.refused));
    assert_eq!(steps(refused), (vec![Name], false));
    let unknown = WebSocket::builder("ws://host.invalid/");
    assert_eq!(steps(unknown), (vec![], false));
    let unknown = WebSocket::builder("wss://host.invalid/");
    assert_eq!(steps(unknown), (vec![], false));
    let status = WebSocket::builder(peer().url("/refuse/401"));
    let tcp = Tcp(address(ports.plain));
    assert_eq!(steps(status), (vec![Name, tcp], false));
    let name = secure(&format!("wss://127.0.0.1:{}/", ports.tls_wrong_name));
    let tcp = Tcp(address(ports.tls_wrong_name));
    assert_eq!(steps(name), (vec![Name, tcp], false));
    let status = secure(&format!("wss://127.0.0.1:{}/refuse/401", ports.tls));
    let tcp = Tcp(address(ports.tls));
    assert_eq!(steps(status), (vec![Name, tcp, Tls], false));
}

/// A SOCKS5 proxy for one connection to an IPv4 address.
fn proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let mut ask = [0; 10];
        client.read_exact(&mut ask[..3]).unwrap();
        client.write_all(&[5, 0]).unwrap();
        client.read_exact(&mut ask).unwrap();
        let port = u16::from_be_bytes([ask[8], ask[9]]);
        let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let (mut up, mut down) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        thread::spawn(move || std::io::copy(&mut up, &mut down));
        let _ = std::io::copy(&mut server, &mut client);
    });
    address
}

#[test]
fn a_proxy_has_the_address_and_its_tunnel_a_step() {
    let address = proxy();
    let url = peer().tls_url("/echo").replace("localhost", "127.0.0.1");
    let builder = secure(&url).proxy(Proxy::new(format!("socks5://{address}")).unwrap());
    let expected = vec![Name, Tcp(address), Tunnel, Tls, Handshake];
    assert_eq!(steps(builder), (expected, true));
}

#[test]
fn each_attempt_of_a_reconnecting_socket_reports_its_steps() {
    let (sender, steps) = channel();
    let (opened, open) = channel();
    let socket = Reconnecting::builder(peer().url("/close/1001"))
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .on_step(move |step, _| sender.send(step).unwrap_or_default())
        .on_status(move |_, status| {
            if *status == Status::Open {
                let _ = opened.send(());
            }
        })
        .connect()
        .unwrap();
    let next = |steps: &Receiver<ConnectStep>| steps.recv_timeout(DEADLINE).unwrap();
    for _ in 0..2 {
        assert_eq!(next(&steps), Name);
        assert_eq!(next(&steps), Tcp(address(peer().ports().plain)));
        assert_eq!(next(&steps), Handshake);
        open.recv_timeout(DEADLINE).unwrap();
    }
    socket.close();
}

#[test]
fn a_hook_that_panics_stops_no_connection() {
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("while dropping");
        }
    }
    let bomb = Bomb;
    let builder = WebSocket::builder(peer().url("/echo")).on_step(move |step, _| {
        let _ = &bomb;
        panic!("at {step:?}");
    });
    let (socket, events) = connect(builder);
    assert_eq!(next(&events), Event::Open);
    socket.send("still here").unwrap();
    assert_eq!(next(&events), Event::Message("still here".into()));
}
