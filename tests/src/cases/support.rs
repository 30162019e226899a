//! S103: hosts with a WebSocket and hosts without one.

use isosocket::{NewError, OpenError, SyntaxError, WebSocket, supported};

use crate::harness;
use crate::suite::{Seen, ensure_eq};

pub async fn supported_tells_whether_there_is_a_websocket() -> Seen {
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
    let created = WebSocket::new(url).map(drop);
    let built = WebSocket::builder(url).subprotocol("a").connect().map(drop);
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
    let opened = WebSocket::open("relative").await.map(drop);
    let error = match harness::has_web_socket() {
        true => NewError::Syntax(SyntaxError::RelativeUrl),
        false => NewError::NotSupported,
    };
    ensure_eq!(opened, Err(OpenError::New(error)), "the error");
    Ok(format!("{opened:?}"))
}
