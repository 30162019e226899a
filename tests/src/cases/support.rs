//! S103: hosts with a WebSocket and hosts without one.

use isosocket::{NewError, OpenError, SyntaxError, WebSocket, supported};

use crate::harness;
use crate::probe::{Probe, Via, new_socket, open_socket, socket_builder, url};
use crate::suite::{Seen, ensure_eq};

pub async fn supported_says_whether_there_is_a_websocket() -> Seen {
    ensure_eq!(supported(), harness::has_web_socket(), "supported()");
    Ok(supported().to_string())
}

/// Without one, that is said before anything about the URL.
pub const URLS: &[&str] = &[
    "ws://127.0.0.1:9/",
    "wss://isosocket.invalid/",
    "/relative",
    "ftp://127.0.0.1/",
    "ws://[",
];

pub async fn the_constructor_says_whether_there_is_one(url: &'static str) -> Seen {
    let created = new_socket(url).map(drop);
    let built = socket_builder(url).subprotocol("a").connect().map(drop);
    ensure_eq!(created, built, "by new and by the builder");
    if harness::has_web_socket() {
        ensure_eq!(
            created == Err(NewError::NotSupported),
            false,
            "not supported"
        );
    } else {
        ensure_eq!(created, Err(NewError::NotSupported), "the error");
    }
    Ok(format!("{created:?}"))
}

pub async fn open_says_whether_there_is_one() -> Seen {
    let opened = open_socket("relative").await.map(drop);
    let error = match harness::has_web_socket() {
        true => NewError::Syntax(SyntaxError::RelativeUrl),
        false => NewError::NotSupported,
    };
    ensure_eq!(opened, Err(OpenError::New(error)), "the error");
    Ok(format!("{opened:?}"))
}

/// On the web the host has to have a `WebSocketStream`.
pub async fn a_receive_limit_is_kept_or_refused() -> Seen {
    if !supported() {
        return Ok("there is no WebSocket".to_owned());
    }
    ensure_eq!(
        harness::can_limit(),
        harness::has_web_socket_stream(),
        "the answer beforehand"
    );
    let address = url("/echo");
    let limited = harness::limited(WebSocket::builder(&address), 1 << 20).connect();
    match harness::can_limit() {
        true => ensure_eq!(limited.as_ref().err(), None, "with a limit"),
        false => ensure_eq!(
            limited.as_ref().err(),
            Some(&NewError::OptionNotSupported("receive_limit")),
            "with a limit"
        ),
    }
    drop(limited);
    let builder = harness::limited_if_possible(WebSocket::builder(&address), 1 << 20);
    let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
    probe.opened().await?;
    probe.socket.send("hello").map_err(|e| e.to_string())?;
    ensure_eq!(probe.message().await?, "hello", "the echo");
    probe.socket.close();
    probe.finish().await
}
