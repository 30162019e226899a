//! S21 to S41: the opening handshake, its faults, and what comes with it.

use std::time::Duration;

use isosocket::{Event, OpenError, ReadyState};

use crate::harness;
use crate::probe::{Probe, Via, check, check_path, fresh_id, open_socket, socket_builder, url};
use crate::record::{open_gate, ports, records};
use crate::suite::{Seen, ensure, ensure_eq};

const CLOSED: &str = r#"open close(1000 "" clean)"#;

/// The peer never answers, so what is seen here is seen before any reply.
pub async fn the_constructor_returns_at_once() -> Seen {
    let probe = Probe::path("/no-reply")?;
    let socket = &probe.socket;
    ensure_eq!(socket.ready_state(), ReadyState::Connecting, "the state");
    ensure_eq!(socket.buffered_amount(), 0, "the buffered amount");
    Ok("connecting".into())
}

pub async fn ready_states_are_numbered() -> Seen {
    let mut probe = Probe::path("/on-close/late/100?gate")?;
    let mut numbers = vec![probe.socket.ready_state() as u8];
    open_gate(&probe.id).await?;
    probe.opened().await?;
    numbers.push(probe.socket.ready_state() as u8);
    probe.socket.close();
    numbers.push(probe.socket.ready_state() as u8);
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    numbers.push(probe.socket.ready_state() as u8);
    ensure_eq!(numbers, [0, 1, 2, 3], "the states");
    Ok(format!("{numbers:?}"))
}

/// Once by a handler, in which the state and the protocol are looked at.
pub async fn a_valid_reply_opens() -> Seen {
    let (send, receive) = std::sync::mpsc::channel();
    let path = "/script?do=accept;wait:close;answer";
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.subprotocol("chat").on_open(move |socket| {
            let seen = (socket.ready_state(), socket.protocol().to_owned());
            // The receiver is there until the case is over.
            let _ = send.send(seen);
            socket.close();
        })
    })?;
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    let seen = receive.try_recv().map_err(|error| error.to_string())?;
    ensure_eq!(seen, (ReadyState::Open, "chat".to_owned()), "inside open");
    Ok(format!("{seen:?}"))
}

pub async fn awaiting_open_gives_an_open_socket() -> Seen {
    let socket = open_socket(url("/echo")).await;
    let socket = socket.map_err(|error| error.to_string())?;
    ensure_eq!(socket.ready_state(), ReadyState::Open, "the state");
    Ok("open".into())
}

pub async fn awaiting_open_returns_the_failure() -> Seen {
    match open_socket(url("/refuse/403")).await {
        Err(error @ OpenError::Failed(_)) => Ok(error.to_string()),
        other => Err(format!("{other:?}")),
    }
}

/// What is no reply at all.
pub const NO_REPLIES: &[&str] = &[
    "/garbage",
    "/drop",
    "/drop/rst",
    "/script?do=http:hello;fin",
    "/script?do=http:HTTP/1.1%20101%20Sw;fin",
    "/script?do=http:HTTP/1.1%20101%20Sw;rst",
    "/script?do=http:HTTP/1.1%20101%20Ok%0d%0aUpgrade%3A%20websocket%0d%0a;fin",
    "/script?do=limit:2000;http:HTTP/1.1%20101%20Ok%0d%0a%0d%0a;wait:end",
    "/script?do=limit:2000;http:SSH-2.0-x%0d%0a;wait:end",
    "/script?do=http:%0d%0a%0d%0a;fin",
];

pub async fn no_reply_at_all_fails(path: &'static str) -> Seen {
    check_path(path, "FAIL").await
}

/// What cannot be reached. In braces is the name of one of the peer's ports.
pub const UNREACHABLE: &[(&str, &str)] = &[
    ("refused", "ws://127.0.0.1:{refused}/"),
    ("refused with TLS", "wss://127.0.0.1:{refused}/"),
    ("no such name", "ws://isosocket.invalid/"),
    ("no such name with TLS", "wss://isosocket.invalid/"),
    ("expired certificate", "wss://localhost:{tls_expired}/echo"),
    (
        "self-signed certificate",
        "wss://localhost:{tls_self_signed}/echo",
    ),
    ("wrong name", "wss://localhost:{tls_wrong_name}/echo"),
    ("unknown CA", "wss://localhost:{tls}/echo"),
    ("garbage for TLS", "wss://127.0.0.1:{tls_garbage}/echo"),
    ("HTTP for TLS", "wss://127.0.0.1:{plain}/echo"),
    ("TLS for HTTP", "ws://127.0.0.1:{tls}/echo"),
];

/// An address with the peer's ports instead of their names.
async fn resolve(address: &str) -> Result<String, String> {
    let Some((before, rest)) = address.split_once('{') else {
        return Ok(address.to_owned());
    };
    let (name, after) = rest.split_once('}').ok_or("no brace")?;
    let port = &ports().await?[name];
    ensure!(port.is_u64(), "no port {name}");
    Ok(format!("{before}{port}{after}"))
}

pub async fn what_cannot_be_reached_fails((_, address): (&'static str, &'static str)) -> Seen {
    let address = resolve(address).await?;
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let builder = socket_builder(address.as_str());
        let mut probe = Probe::from_builder(via, builder).map_err(|error| error.to_string())?;
        seen = probe.ends("FAIL").await?;
    }
    Ok(seen)
}

/// Certificates that are bad though their CA is trusted; there is no point in
/// the same on the web, where the CA itself is not.
pub const BAD_CERTIFICATES: &[&str] = &["tls_expired", "tls_self_signed", "tls_wrong_name"];

pub async fn a_bad_certificate_of_a_trusted_ca_fails(port: &'static str) -> Seen {
    let address = resolve(&format!("wss://localhost:{{{port}}}/echo")).await?;
    let builder = harness::trusting(socket_builder(address));
    let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
    probe.ends("FAIL").await
}

pub async fn a_good_certificate_opens() -> Seen {
    for host in ["localhost", "127.0.0.1"] {
        let address = resolve(&format!("wss://{host}:{{tls}}/echo")).await?;
        let builder = harness::trusting(socket_builder(address));
        let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
        probe.opened().await?;
        probe
            .socket
            .send("hello")
            .map_err(|error| error.to_string())?;
        probe.message().await?;
        probe
            .socket
            .close_with(4000, "tls")
            .map_err(|e| e.to_string())?;
        let expected = r#"open text("hello") close(4000 "tls" clean)"#;
        probe.ends(expected).await?;
    }
    Ok("open".into())
}

/// The error events of quite different failures are equal.
pub async fn failures_cannot_be_distinguished() -> Seen {
    let mut all = Vec::new();
    let refused = resolve("ws://127.0.0.1:{refused}/").await?;
    for address in [refused, url("/refuse/500"), url("/garbage"), url("/drop")] {
        let builder = socket_builder(address);
        let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
        let Some(Event::Error(error)) = probe.next().await else {
            return Err("the first event is no error".into());
        };
        // Its causes, natively, are for a log.
        all.push((error.to_string(), probe.next().await));
    }
    ensure!(all.windows(2).all(|pair| pair[0] == pair[1]), "{all:?}");
    Ok("all equal".into())
}

/// The state inside the handlers is looked at by the probe.
pub async fn before_open_there_is_only_the_failure(path: &'static str) -> Seen {
    let mut probe = Probe::with(Via::Handlers, path, |builder| builder)?;
    probe.ends("FAIL").await
}

pub const FAILURES: &[&str] = &[
    "/refuse/401",
    "/garbage",
    "/drop",
    "/script?do=accept:status=200",
];

/// Peers that take longer than the connect timeout, which is short here.
pub const SLOW_REPLIES: &[&str] = &[
    "/no-reply",
    "/script?do=http:HTTP/1.1%20101%20Sw;wait:end",
    "/script?do=split:1:20;accept",
];

pub async fn no_reply_in_time_fails(path: &'static str) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let start = harness::now();
        let mut probe = Probe::with(via, path, |builder| {
            builder.connect_timeout(Duration::from_millis(150))
        })?;
        seen = probe.ends("FAIL").await?;
        let took = harness::now() - start;
        // Timers of hosts are rounded to milliseconds, both ways.
        ensure!(took >= 145.0, "already after {took} ms");
    }
    Ok(seen)
}

pub async fn no_tls_in_time_fails() -> Seen {
    let address = resolve("wss://127.0.0.1:{tls_stall}/").await?;
    let builder = socket_builder(address).connect_timeout(Duration::from_millis(150));
    let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
    probe.ends("FAIL").await
}

/// A timeout that has not run out changes nothing, and ends with the handshake.
pub async fn the_connect_timeout_ends_with_the_handshake() -> Seen {
    // Longer than a busy browser takes for a handshake.
    let path = "/script?do=accept;delay:3300;text:a;close:1000";
    let mut probe = Probe::with(Via::Stream, path, |builder| {
        builder.connect_timeout(Duration::from_millis(3000))
    })?;
    probe.ends(r#"open text("a") close(1000 "" clean)"#).await
}

pub async fn no_referer_is_sent() -> Seen {
    let mut probe = Probe::script("close:1000")?;
    probe.ends(CLOSED).await?;
    let header = probe.record().await?.header("Referer");
    ensure!(header.is_empty(), "{header:?}");
    Ok("none".into())
}

pub async fn origin() -> Seen {
    let mut probe = Probe::script("close:1000")?;
    probe.ends(CLOSED).await?;
    let header = probe.record().await?.header("Origin");
    Ok(format!("{header:?}"))
}

/// The headers of RFC 6455, section 4.1, which every opening handshake has.
pub async fn the_request_is_complete() -> Seen {
    let mut probe = Probe::script("close:1000")?;
    probe.ends(CLOSED).await?;
    let record = probe.record().await?;
    ensure!(record.accepted(), "{record:?}");
    let single = |name: &str| record.header(name).join(" and ").to_ascii_lowercase();
    ensure_eq!(single("Upgrade"), "websocket", "Upgrade");
    let connection = single("Connection");
    let mut tokens = connection.split(',').map(str::trim);
    ensure!(tokens.any(|token| token == "upgrade"), "{connection}");
    ensure_eq!(single("Sec-WebSocket-Version"), "13", "the version");
    ensure_eq!(record.header("Sec-WebSocket-Key").len(), 1, "keys");
    ensure_eq!(record.header("Sec-WebSocket-Key")[0].len(), 24, "the key");
    Ok("complete".into())
}

pub async fn after_failures_a_socket_connects() -> Seen {
    let refused = resolve("ws://127.0.0.1:{refused}/").await?;
    for address in [refused, url("/refuse/503"), url("/drop"), url("/garbage")] {
        let builder = socket_builder(address);
        let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
        probe.ends("FAIL").await?;
    }
    check(
        "text:a;close:1000",
        r#"open text("a") close(1000 "" clean)"#,
    )
    .await
}

pub async fn twenty_five_in_parallel_work() -> Seen {
    let mut probes = Vec::new();
    for _ in 0..25 {
        probes.push(Probe::path("/echo")?);
    }
    for (number, probe) in probes.iter_mut().enumerate() {
        probe.opened().await?;
        let sent = probe.socket.send(number.to_string());
        sent.map_err(|error| error.to_string())?;
    }
    for (number, probe) in probes.iter_mut().enumerate() {
        let message = probe.message().await?;
        ensure_eq!(message.as_text(), Some(&*number.to_string()), "the echo");
        probe.socket.close();
    }
    for (number, probe) in probes.iter_mut().enumerate() {
        let expected = format!(r#"open text("{number}") close(1005 "" clean)"#);
        probe.ends(&expected).await?;
    }
    Ok("25 open at once".into())
}

/// Whether the second of two waits for the first's reply.
pub async fn two_to_the_same_host() -> Seen {
    let id = fresh_id();
    let address = url(&format!("/script?do=delay:150;accept;close:1000&id={id}"));
    let start = harness::now();
    let mut probes = Vec::new();
    for _ in 0..2 {
        let builder = socket_builder(address.as_str());
        probes.push(Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?);
    }
    for probe in &mut probes {
        probe.ends(CLOSED).await?;
    }
    let took = harness::now() - start;
    records(&id, 2).await?;
    let how = if took < 290.0 {
        "at once"
    } else {
        "one by one"
    };
    Ok(format!("{how}, {took:.0} ms for two of 150 ms"))
}
