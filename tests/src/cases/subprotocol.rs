//! S15 to S20: which subprotocols a program can offer, and how they are sent.

use isosocket::{NewError, ReadyState, SyntaxError};

use crate::probe::{Probe, Via, fresh_id, socket_builder, url, with_id};
use crate::record::records_now;
use crate::suite::{Seen, ensure, ensure_eq};

pub async fn none_requested_means_no_header() -> Seen {
    let mut probe = Probe::script("close:1000")?;
    probe.ends(r#"open close(1000 "" clean)"#).await?;
    let header = probe.record().await?.header("Sec-WebSocket-Protocol");
    ensure!(header.is_empty(), "{header:?}");
    Ok("no header".into())
}

/// S16.
pub const BAD_TOKENS: &[&str] = &[
    "", " ", "\t", "a b", " a", "a ", "a,b", ",", "a\r\nb", "a\nX: y", "\0", "a\u{1f}", "\u{7f}",
    "é", "ä", "😀", "(", ")", "<", ">", "@", ";", ":", "\\", "\"", "/", "[", "]", "?", "=", "{",
    "}", "a/b", "\u{80}", "\u{ff}", "\u{100}",
];

/// Nothing is sent either: the peer sees no connection.
pub async fn what_is_no_token_is_a_syntax_error(token: &'static str) -> Seen {
    for list in [&[token][..], &["ok", token], &[token, "ok"]] {
        let id = fresh_id();
        let builder = socket_builder(url(&with_id("/echo", &id)));
        let result = builder.subprotocols(list.iter().copied()).connect();
        let expected = NewError::Syntax(SyntaxError::Subprotocol(token.to_owned()));
        match result {
            Err(error) if error == expected => {}
            other => return Err(format!("{list:?}: {other:?}")),
        }
        ensure!(records_now(&id).await?.is_empty(), "a connection was made");
    }
    Ok("syntax error".into())
}

/// All characters that a token may have.
pub const TOKENS: &[&str] = &[
    "!#$%&'*+-.^_`|~",
    "0123456789",
    "abcdefghijklmnopqrstuvwxyz",
    "ABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "v12.stomp",
    "a",
    "~",
    "!",
];

pub async fn tokens_are_accepted(token: &'static str) -> Seen {
    let mut probe = Probe::with(Via::Stream, "/close/1000", |builder| {
        builder.subprotocol(token)
    })?;
    probe.opened().await?;
    ensure_eq!(probe.socket.protocol(), token, "the protocol");
    probe.ends(r#"open close(1000 "" clean)"#).await?;
    let header = probe.record().await?.header("Sec-WebSocket-Protocol");
    ensure_eq!(header, [token], "the header");
    Ok(token.to_owned())
}

/// S17.
pub const DUPLICATES: &[(&str, &[&str])] = &[
    ("a a", &["a", "a"]),
    ("a b a", &["a", "b", "a"]),
    ("b a c a", &["b", "a", "c", "a"]),
];

pub async fn a_duplicate_is_a_syntax_error(
    (_, list): (&'static str, &'static [&'static str]),
) -> Seen {
    let builder = socket_builder(url("/echo")).subprotocols(list.iter().copied());
    let expected = NewError::Syntax(SyntaxError::DuplicateSubprotocol("a".to_owned()));
    ensure_eq!(builder.connect().err(), Some(expected), "the error");
    Ok("syntax error".into())
}

pub async fn a_duplicate_in_other_case() -> Seen {
    let builder = socket_builder(url("/close/1000")).subprotocols(["chat", "Chat"]);
    match Probe::from_builder(Via::Stream, builder) {
        Ok(mut probe) => probe.finish().await,
        Err(error) => Ok(format!("refused: {error}")),
    }
}

/// S19.
pub const LISTS: &[(&str, &[&str])] = &[
    ("a", &["a"]),
    ("a, b, c", &["a", "b", "c"]),
    ("c, a, b", &["c", "a", "b"]),
    ("z.9, z.10, a", &["z.9", "z.10", "a"]),
];

pub async fn they_are_sent_in_order_in_one_header(
    (line, list): (&'static str, &'static [&'static str]),
) -> Seen {
    let mut probe = Probe::with(Via::Stream, "/close/1000", |builder| {
        builder.subprotocols(list.iter().copied())
    })?;
    probe.ends(r#"open close(1000 "" clean)"#).await?;
    let header = probe.record().await?.header("Sec-WebSocket-Protocol");
    ensure_eq!(header.len(), 1, "header lines");
    let sent: Vec<&str> = header[0].split(',').map(str::trim).collect();
    ensure_eq!(sent, list, "the header {line:?}");
    Ok(header[0].clone())
}

pub async fn protocol_and_extensions_are_empty_before_open() -> Seen {
    let probe = Probe::with(Via::Stream, "/no-reply", |builder| builder.subprotocol("a"))?;
    let socket = &probe.socket;
    ensure_eq!(socket.ready_state(), ReadyState::Connecting, "the state");
    ensure_eq!((socket.protocol(), socket.extensions()), ("", ""), "both");
    Ok("empty".into())
}

pub async fn protocol_and_extensions_stay_empty_after_a_failure() -> Seen {
    let path = "/script?do=reply:404:Sec-WebSocket-Protocol=a";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder.subprotocol("a"))?;
    probe.ends("FAIL").await?;
    let socket = &probe.socket;
    ensure_eq!((socket.protocol(), socket.extensions()), ("", ""), "both");
    Ok("empty".into())
}
