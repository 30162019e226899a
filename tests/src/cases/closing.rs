//! S64 to S79: `close`, and how the peer takes it.

use std::time::Duration;

use isosocket::{CloseError, ReadyState, WebSocket};

use crate::cases::sending::send;
use crate::harness;
use crate::probe::{Probe, Via, open_socket, socket_builder, url};
use crate::record::open_gate;
use crate::suite::{Seen, ensure, ensure_eq, within};

/// Closes, or says why not.
pub fn close_with(probe: &Probe, code: u16, reason: &str) -> Result<(), String> {
    let closed = probe.socket.close_with(code, reason);
    closed.map_err(|error| error.to_string())
}

/// S64.
pub const BAD_CODES: &[u16] = &[
    0, 1, 999, 1001, 1002, 1003, 1004, 1005, 1006, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014,
    1015, 1016, 2000, 2999, 5000, 10000, 65535,
];

/// The socket goes on as if nothing had been said.
pub async fn another_code_is_an_error(code: u16) -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    let closed = probe.socket.close_with(code, "");
    ensure_eq!(closed, Err(CloseError::InvalidCode(code)), "close");
    ensure_eq!(probe.socket.ready_state(), ReadyState::Open, "the state");
    send(&probe, "still open")?;
    probe.message().await?;
    close_with(&probe, 1000, "")?;
    probe
        .ends(r#"open text("still open") close(1000 "" clean)"#)
        .await?;
    ensure_eq!(probe.record().await?.closes(), r#"1000 """#, "the wire");
    Ok("an error".into())
}

/// S65.
pub async fn arguments_are_checked_in_every_state() -> Seen {
    let mut probe = Probe::path("/on-close/late/100")?;
    let long = "x".repeat(124);
    let refused = |expected: ReadyState, probe: &Probe| -> Result<(), String> {
        let socket = &probe.socket;
        let code = socket.close_with(1001, "");
        ensure_eq!(code, Err(CloseError::InvalidCode(1001)), "{expected:?}");
        let reason = socket.close_with(1000, &long);
        ensure_eq!(reason, Err(CloseError::ReasonTooLong(124)), "{expected:?}");
        ensure_eq!(socket.ready_state(), expected, "the state");
        Ok(())
    };
    refused(ReadyState::Connecting, &Probe::path("/no-reply")?)?;
    probe.opened().await?;
    refused(ReadyState::Open, &probe)?;
    close_with(&probe, 4000, "first")?;
    refused(ReadyState::Closing, &probe)?;
    probe.ends(r#"open close(4000 "first" clean)"#).await?;
    refused(ReadyState::Closed, &probe)?;
    Ok("in all four".into())
}

/// S66, S79: a code that would wrap, or a reason without a code, cannot be
/// written: this function's type is the proof.
pub async fn what_cannot_be_sent_cannot_be_written() -> Seen {
    let _: fn(&WebSocket) = WebSocket::close;
    let _: fn(&WebSocket, u16, &str) -> Result<(), CloseError> = WebSocket::close_with;
    Ok("by the types".into())
}

/// S67: a letter, and how often it is repeated.
pub const REASONS: &[(&str, &str, usize)] = &[
    ("123 of one byte", "a", 123),
    ("124 of one byte", "a", 124),
    ("61 of two bytes", "é", 61),
    ("62 of two bytes", "é", 62),
    ("41 of three bytes", "€", 41),
    ("42 of three bytes", "€", 42),
    ("30 of four bytes", "😀", 30),
    ("31 of four bytes", "😀", 31),
    ("5000 bytes", "a", 5000),
];

pub async fn a_reason_has_at_most_123_bytes(
    (_, letter, count): (&'static str, &'static str, usize),
) -> Seen {
    let reason = letter.repeat(count);
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    let closed = probe.socket.close_with(3000, &reason);
    if reason.len() <= 123 {
        ensure_eq!(closed, Ok(()), "close");
        probe
            .ends(&format!("open close(3000 {reason:?} clean)"))
            .await?;
        let wire = probe.record().await?.closes();
        ensure_eq!(wire, format!("3000 {reason:?}"), "the wire");
        return Ok("accepted".into());
    }
    let expected = CloseError::ReasonTooLong(reason.len());
    ensure_eq!(closed, Err(expected), "close");
    ensure_eq!(probe.socket.ready_state(), ReadyState::Open, "the state");
    // S67: the code is checked first.
    let both = probe.socket.close_with(2999, &reason);
    ensure_eq!(both, Err(CloseError::InvalidCode(2999)), "both are wrong");
    probe.socket.close();
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    Ok("an error".into())
}

/// S68.
pub const CONNECTING: &[(&str, Option<u16>)] = &[
    ("/no-reply", None),
    ("/close/1000?gate", None),
    ("/script?do=accept;wait:end&gate", Some(4000)),
    ("/drop/rst?gate", Some(1000)),
];

pub async fn closing_while_connecting_fails((path, code): (&'static str, Option<u16>)) -> Seen {
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, path, |builder| builder)?;
        match code {
            Some(code) => close_with(&probe, code, "early")?,
            None => probe.socket.close(),
        }
        // A socket of another thread may have ended already.
        let state = probe.socket.ready_state();
        let is_exact = state == ReadyState::Closing;
        let may_have_ended = state == ReadyState::Closed && !harness::own_thread();
        ensure!(is_exact || may_have_ended, "the state is {state:?}");
        open_gate(&probe.id).await?;
        probe.ends("FAIL").await?;
    }
    Ok("closing, then FAIL".into())
}

/// Where nothing was sent yet, and where a name is still being resolved.
pub async fn closing_before_anything_was_sent_fails() -> Seen {
    for address in [
        "ws://isosocket.invalid/",
        "ws://127.0.0.1:1/",
        "ws://127.0.0.1:9/",
    ] {
        let builder = socket_builder(address);
        let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
        probe.socket.close();
        probe.ends("FAIL").await?;
    }
    Ok("FAIL".into())
}

pub async fn close_without_arguments_sends_an_empty_frame() -> Seen {
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, "/echo", |builder| builder)?;
        probe.opened().await?;
        probe.socket.close();
        let state = probe.socket.ready_state();
        ensure!(state >= ReadyState::Closing, "the state is {state:?}");
        probe.ends(r#"open close(1005 "" clean)"#).await?;
        ensure_eq!(probe.record().await?.closes(), "empty", "the wire");
    }
    Ok("empty".into())
}

/// S70.
pub const CLOSES: &[(u16, &str)] = &[
    (1000, ""),
    (3000, "three"),
    (3001, "é€😀"),
    (3999, "a\0b"),
    (4000, " "),
    (4001, "\u{feff}mark"),
    (
        4999,
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
    ),
];

pub async fn an_echoed_close_is_clean((code, reason): (u16, &'static str)) -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    close_with(&probe, code, reason)?;
    let seen = probe
        .ends(&format!("open close({code} {reason:?} clean)"))
        .await?;
    let wire = probe.record().await?.closes();
    ensure_eq!(wire, format!("{code} {reason:?}"), "the wire");
    Ok(seen)
}

/// S71 to S78: how the peer reacts to a Close of 4000, and the events.
pub const REACTIONS_OTHER: &[(&str, &str)] = &[
    (
        "/on-close/reply/4001/other",
        r#"open close(4001 "other" clean)"#,
    ),
    ("/on-close/reply/1000", r#"open close(1000 "" clean)"#),
    (
        "/on-close/reply/1001/away",
        r#"open close(1001 "away" clean)"#,
    ),
    (
        "/on-close/reply/3000/%C3%A9",
        r#"open close(3000 "é" clean)"#,
    ),
    ("/on-close/reply/1011", r#"open close(1011 "" clean)"#),
];
pub const REACTIONS_EMPTY: &[(&str, &str)] = &[("/on-close/empty", r#"open close(1005 "" clean)"#)];
pub const REACTIONS_FIN: &[(&str, &str)] = &[
    ("/on-close/fin", "open DROP"),
    ("/script?do=echo;text:late;fin", "open DROP"),
    ("/script?do=echo;raw:0x88;fin", "open DROP"),
];
pub const REACTIONS_HELD: &[(&str, &str)] = &[
    ("/on-close/hold/100", r#"open close(4000 "mine" clean)"#),
    (
        "/script?do=echo;close:4001:other;hold:100",
        r#"open close(4001 "other" clean)"#,
    ),
];

pub async fn the_peer_reacts((path, expected): (&'static str, &'static str)) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, path, |builder| builder)?;
        probe.opened().await?;
        close_with(&probe, 4000, "mine")?;
        seen = probe.ends(expected).await?;
        let wire = probe.record().await?.closes();
        ensure_eq!(wire, r#"4000 "mine""#, "the wire");
    }
    Ok(seen)
}

pub async fn garbage_instead_of_an_answer() -> Seen {
    let mut probe = Probe::path("/on-close/garbage")?;
    probe.opened().await?;
    probe.socket.close();
    probe.finish().await
}

pub async fn a_further_close_does_nothing() -> Seen {
    let mut probe = Probe::path("/on-close/late/100")?;
    probe.opened().await?;
    close_with(&probe, 4000, "first")?;
    close_with(&probe, 4001, "second")?;
    probe.socket.close();
    ensure_eq!(probe.socket.ready_state(), ReadyState::Closing, "the state");
    probe.ends(r#"open close(4000 "first" clean)"#).await?;
    close_with(&probe, 4002, "third")?;
    probe.socket.close();
    ensure_eq!(probe.socket.ready_state(), ReadyState::Closed, "the state");
    let wire = probe.record().await?.closes();
    ensure_eq!(wire, r#"4000 "first""#, "the wire");
    Ok(wire)
}

/// 300 ms stand for the rule's second.
pub async fn the_close_event_waits_for_the_answer() -> Seen {
    let mut probe = Probe::path("/on-close/late/300")?;
    probe.opened().await?;
    let start = harness::now();
    close_with(&probe, 4000, "mine")?;
    ensure_eq!(probe.socket.ready_state(), ReadyState::Closing, "the state");
    probe.ends(r#"open close(4000 "mine" clean)"#).await?;
    let took = harness::now() - start;
    // The peer begins to wait when the frame arrives; timers are rounded.
    ensure!(took >= 295.0, "already after {took} ms");
    Ok(format!("after {took:.0} ms"))
}

pub async fn a_reset_instead_of_an_answer() -> Seen {
    let mut probe = Probe::path("/on-close/rst")?;
    probe.opened().await?;
    probe.socket.close();
    probe.finish().await
}

/// With a close timeout of 200 ms.
pub async fn no_answer_in_time_is_not_clean() -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, "/on-close/never", |builder| {
            builder.close_timeout(Duration::from_millis(400))
        })?;
        probe.opened().await?;
        let start = harness::now();
        close_with(&probe, 4000, "mine")?;
        ensure_eq!(probe.socket.ready_state(), ReadyState::Closing, "the state");
        // Not twice as long: that the network took the Close frame is no sign
        // of the peer.
        let ended = within(750, probe.ends("open DROP")).await;
        seen = ended.ok_or("it is still closing")??;
        let took = harness::now() - start;
        ensure!(took >= 395.0, "already after {took} ms");
    }
    Ok(seen)
}

/// It does not run before `close`.
pub async fn the_close_timeout_begins_with_close() -> Seen {
    let path = "/script?do=text:a;delay:400;text:b;echo;answer";
    let mut probe = Probe::with(Via::Stream, path, |builder| {
        builder.close_timeout(Duration::from_millis(200))
    })?;
    probe.opened().await?;
    probe.message().await?;
    probe.message().await?;
    probe.socket.close();
    probe
        .ends(r#"open text("a") text("b") close(1005 "" clean)"#)
        .await
}

pub async fn how_long_tcp_may_be_held_open() -> Seen {
    let mut probe = Probe::path("/on-close/hold/600")?;
    probe.opened().await?;
    let start = harness::now();
    probe.socket.close();
    let seen = probe.finish().await?;
    let took = harness::now() - start;
    Ok(format!("{seen} after {took:.0} ms of 600"))
}

/// S78: the peer's Close is in the packet of the message whose handler closes.
pub async fn crossing_closes_are_clean() -> Seen {
    let path = "/script?do=cork;text:go;close:4001:peer;uncork;wait:close";
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.on_message(|socket, _| {
            // That the code is good is shown elsewhere.
            let _ = socket.close_with(4000, "mine");
        })
    })?;
    let seen = probe
        .ends(r#"open text("go") close(4001 "peer" clean)"#)
        .await?;
    let closes = probe.record().await?.frames_of(8);
    ensure_eq!(closes.len(), 1, "Close frames");
    Ok(seen)
}

/// The client's Close is under way when the peer sends its own.
pub async fn crossing_closes_are_clean_on_the_wire() -> Seen {
    let mut probe = Probe::script("text:go;wait:close;close:4001:peer")?;
    probe.opened().await?;
    probe.message().await?;
    close_with(&probe, 4000, "mine")?;
    let seen = probe
        .ends(r#"open text("go") close(4001 "peer" clean)"#)
        .await?;
    ensure_eq!(probe.record().await?.closes(), r#"4000 "mine""#, "the wire");
    Ok(seen)
}

/// Closing twice from two clones is closing once.
pub async fn clones_are_one_socket() -> Seen {
    let socket = open_socket(url("/echo")).await;
    let socket = socket.map_err(|error| error.to_string())?;
    let clone = socket.clone();
    clone.close();
    let state = socket.ready_state();
    ensure!(state >= ReadyState::Closing, "{state:?}");
    Ok("closing".into())
}
