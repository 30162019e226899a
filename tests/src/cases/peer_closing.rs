//! S80 to S89: the peer closes.

use isosocket::ReadyState;

use crate::probe::{Probe, Via, check, check_opened};
use crate::suite::{Seen, ensure, ensure_eq};

/// Events by both ways, and the Close frames of the client.
async fn closes(steps: &str, expected: &str, wire: &str) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, &format!("/script?do={steps}"), |builder| builder)?;
        let events = probe.ends(expected).await?;
        let closes = probe.record().await?.closes();
        ensure_eq!(closes, wire, "the answer");
        seen = format!("{events}, answer {closes}");
    }
    Ok(seen)
}

pub async fn a_close_is_echoed() -> Seen {
    let expected = r#"open close(4000 "bye" clean)"#;
    closes("close:4000:bye", expected, r#"4000 "bye""#).await
}

/// In every handler after it: the probe looks at Closed inside `Close`, and
/// here nothing is Open any more.
pub async fn the_state_is_closed_inside_the_event() -> Seen {
    let (send, receive) = std::sync::mpsc::channel();
    let mut probe = Probe::with(Via::Handlers, "/close/4000/bye", |builder| {
        builder.on_close(move |socket, close| {
            // The receiver is there until the case is over.
            let _ = send.send((socket.ready_state(), close.code));
        })
    })?;
    probe.finish().await?;
    let seen: Vec<_> = receive.try_iter().collect();
    ensure_eq!(seen, [(ReadyState::Closed, 4000)], "inside close");
    Ok("closed".into())
}

pub async fn an_empty_close_is_answered_by_an_empty_one() -> Seen {
    closes("close", r#"open close(1005 "" clean)"#, "empty").await
}

/// S82.
pub const CODES: &[u16] = &[
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3001, 3999, 4000, 4998,
    4999,
];

pub async fn a_code_passes_through(code: u16) -> Seen {
    let steps = format!("close:{code}:why");
    let expected = format!(r#"open close({code} "why" clean)"#);
    closes(&steps, &expected, &format!(r#"{code} "why""#)).await
}

/// Reasons as the script has them, and as they arrive.
pub const REASONS: &[(&str, &str)] = &[
    ("", ""),
    ("a%20b", "a b"),
    ("%00", "\0"),
    ("%C3%A9%E2%82%AC%F0%9F%98%80", "é€😀"),
    ("%EF%BB%BFmark", "\u{feff}mark"),
    ("%EF%BF%BD", "\u{fffd}"),
    ("%0D%0A", "\r\n"),
    (
        "%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80%F0%9F%98%80abc",
        "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀abc",
    ),
    (
        "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890%31%32",
        "012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012",
    ),
];

pub async fn a_reason_is_exact((reason, expected): (&'static str, &'static str)) -> Seen {
    let steps = format!("close:4000:{reason}");
    let events = format!("open close(4000 {expected:?} clean)");
    closes(&steps, &events, &format!("4000 {expected:?}")).await
}

/// S83, S84: codes that must not be on the wire.
pub const RESERVED: &[u16] = &[1005, 1006, 1015];
pub const UNKNOWN: &[u16] = &[
    0, 1, 999, 1004, 1016, 1100, 1999, 2000, 2999, 5000, 10000, 65535,
];

pub async fn a_code_that_must_not_be_sent_fails(code: u16) -> Seen {
    let steps = format!("wait:message;close:{code}:why;wait:close");
    let mut probe = Probe::script(&steps)?;
    probe.opened().await?;
    let sent = probe.socket.send("go on");
    sent.map_err(|error| error.to_string())?;
    let events = probe.finish().await?;
    let wire = probe.record().await?.closes();
    let seen = format!("{events}, answer {wire}");
    let expected = r#"open error close(1006 "" unclean), answer 1002 """#;
    ensure_eq!(seen, expected, "events and wire");
    Ok(seen)
}

pub async fn the_registered_code_1014_passes() -> Seen {
    let mut probe = Probe::script("close:1014:gateway")?;
    let events = probe.finish().await?;
    let seen = format!("{events}, answer {}", probe.record().await?.closes());
    let expected = r#"open close(1014 "gateway" clean), answer 1014 "gateway""#;
    ensure_eq!(seen, expected, "events and wire");
    Ok(seen)
}

/// S85.
pub async fn a_body_of_one_byte_fails() -> Seen {
    check_opened("frame:close:0x03;wait:close", "open FAIL").await
}

/// S86.
pub const BAD_REASONS: &[&str] = &[
    "0x03e8ff",
    "0x03e8c3",
    "0x03e861c328",
    "0x03e8eda080",
    "0x03e8c0af",
    "0x0fa0f4908080",
    "0x03e8e282",
];

pub async fn a_reason_of_invalid_utf8_fails(body: &'static str) -> Seen {
    check_opened(&format!("frame:close:{body};wait:close"), "open FAIL").await
}

/// S87: there is more to send than the network takes when the peer closes.
pub async fn unsent_data_does_not_matter() -> Seen {
    let path = "/script?do=rcvbuf:65536;wait:message;close:4000:enough;slow:65536:2";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder)?;
    probe.opened().await?;
    for number in 0..24u8 {
        if probe.socket.send(vec![number; 256 << 10]).is_err() {
            break;
        }
    }
    probe.ends(r#"open close(4000 "enough" clean)"#).await
}

/// S88.
pub const AFTER_CLOSE: &[&str] = &[
    "cork;close:4000:bye;text:late",
    "cork;close:4000:bye;close:4001:again",
    "cork;close:4000:bye;ping:late",
    "cork;close:4000:bye;raw:0xffffffff",
];

pub async fn frames_after_a_close(steps: &'static str) -> Seen {
    let mut probe = Probe::script(&format!("wait:message;{steps}"))?;
    probe.opened().await?;
    let sent = probe.socket.send("go on");
    sent.map_err(|error| error.to_string())?;
    probe.finish().await
}

/// S89.
pub const INSIDE: &[(&str, &str)] = &[
    ("text:part:nofin;close:1000", r#"open close(1000 "" clean)"#),
    (
        "binary:a:nofin;continuation:b:nofin;close",
        r#"open close(1005 "" clean)"#,
    ),
    (
        "text:whole;text:part:nofin;ping:x;close:4000:bye",
        r#"open text("whole") close(4000 "bye" clean)"#,
    ),
    (
        "text:%C3:nofin;close:4000:bye",
        r#"open close(4000 "bye" clean)"#,
    ),
];

pub async fn a_close_inside_a_message_is_clean(
    (steps, expected): (&'static str, &'static str),
) -> Seen {
    let seen = check(steps, expected).await?;
    ensure!(!seen.contains("part"), "the part was delivered");
    Ok(seen)
}
