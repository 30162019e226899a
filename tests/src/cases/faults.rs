//! S90 to S96: violations of the protocol, and drops.

use crate::probe::{Probe, check_opened};
use crate::suite::{Seen, ensure, ensure_eq, within};

/// S90.
pub const VIOLATIONS: &[&str] = &[
    "text:x:rsv1",
    "text:x:rsv2",
    "text:x:rsv3",
    "binary:x:rsv1,rsv2,rsv3",
    "text:x:nofin;continuation:y:rsv1",
    "ping:x:rsv1",
    "pong:x:rsv2",
    "close:1000:x:rsv3",
    "frame:3:x",
    "frame:4:x",
    "frame:5:x",
    "frame:6:",
    "frame:7:x",
    "frame:b:x",
    "frame:c:x",
    "frame:d:",
    "frame:e:x",
    "frame:f:x",
    "ping:x:nofin",
    "pong:x:nofin",
    "close:1000:x:nofin",
    "ping:*126",
    "pong:*126",
    "ping:*65536",
    "frame:close:*126",
    "continuation:x",
    "continuation:x:nofin",
    "continuation:",
    "text:x:nofin;text:y",
    "text:x:nofin;binary:y",
    "binary:x:nofin;continuation:y:nofin;text:z:nofin",
    "text:x:nofin;continuation:y;continuation:z",
    "text::claim=0x8000000000000000",
    "binary:x:claim=0xffffffffffffffff",
];

pub async fn a_violation_fails(steps: &'static str) -> Seen {
    let expected = match steps {
        // The message before the stray continuation is whole.
        "text:x:nofin;continuation:y;continuation:z" => r#"open text("xy") FAIL"#,
        _ => "open FAIL",
    };
    check_opened(&format!("{steps};wait:end"), expected).await
}

/// Where compression was accepted, if the host offers it: RSV1 elsewhere than
/// on a message's first frame, the other bits, and data that is not deflate.
pub const COMPRESSED: &[&str] = &[
    "text:x:rsv2",
    "text:x:rsv3",
    "ping:x:rsv1",
    "close:1000::rsv1",
    "text:x:nofin;continuation:y:rsv1",
    "text:%ff%ff%ff%ff:rsv1",
    "binary:0x06:rsv1",
];

pub async fn a_violation_fails_with_compression(steps: &'static str) -> Seen {
    let path = format!("/script?do=accept:deflate;wait:message;limit:2000;{steps};wait:end");
    let mut probe = Probe::path(&path)?;
    probe.opened().await?;
    let sent = probe.socket.send("go on");
    sent.map_err(|error| error.to_string())?;
    probe.ends("open FAIL").await
}

/// What Firefox waits for the rest of.
pub async fn a_reserved_opcode_that_goes_on_fails() -> Seen {
    check_opened("frame:3:x:nofin;close:1000", "open FAIL").await
}

/// S91.
pub const BAD_UTF8: &[&str] = &[
    "text:%ff",
    "text:a%80",
    "text:%c3",
    "text:%c3%28",
    "text:%e2%82",
    "text:%f0%9f%98",
    "text:%c0%af",
    "text:%c1%bf",
    "text:%e0%80%af",
    "text:%f0%80%80%af",
    "text:%ed%a0%80",
    "text:%ed%bf%bf",
    "text:%f4%90%80%80",
    "text:%f8%88%80%80%80",
    "text:%fe",
    "text:%c3:nofin;continuation:%28",
    "text:%e2%82:nofin;continuation:",
    "text:a:nofin;continuation:%ff:nofin;continuation:b",
    "text:%f0%9f:nofin;ping:x;continuation:%98",
    "text:%ed:nofin;continuation:%a0%80",
    "fragments:text:%ce%ba%e1%bd%b9%cf%83%ce%bc%ce%b5%ed%a0%80:1",
];

pub async fn invalid_utf8_fails(steps: &'static str) -> Seen {
    check_opened(&format!("{steps};wait:end"), "open FAIL").await
}

/// In a text too long for one packet, at the very end.
pub async fn invalid_utf8_at_the_end_of_a_long_text_fails() -> Seen {
    let steps = "text:*300k:nofin;continuation:%c3%a4%ff;wait:end";
    check_opened(steps, "open FAIL").await
}

/// S92.
pub const LONG_LENGTHS: &[&str] = &[
    "text:hi:len16",
    "text:hi:len64",
    "binary:*125:len16",
    "binary:*126:len64",
    "binary:*65535:len64",
    "text::len16",
    "ping:x:len16",
    "close:1000::len64",
];

pub async fn a_length_too_long_fails(steps: &'static str) -> Seen {
    check_opened(&format!("{steps};wait:end"), "open FAIL").await
}

/// S93.
pub const MASKED: &[&str] = &[
    "text:hi:mask",
    "binary::mask",
    "ping:x:mask",
    "close:1000::mask",
];

/// Where a browser accepts it, how that ends is not waited for.
pub async fn a_masked_frame_fails(steps: &'static str) -> Seen {
    let steps = format!("{steps};close:4000:accepted");
    let checked = within(2000, check_opened(&steps, "open FAIL")).await;
    checked.unwrap_or(Err("nothing in two seconds".to_owned()))
}

/// S94: all in one packet.
pub const BEFORE: &[(&str, &str)] = &[
    (
        "cork;text:a;binary:0x01;frame:3:x;text:late",
        r#"open text("a") binary(01) FAIL"#,
    ),
    (
        "cork;text:a:nofin;continuation:b;text:%ff",
        r#"open text("ab") FAIL"#,
    ),
    ("cork;text:a;text:b:rsv2", r#"open text("a") FAIL"#),
    ("cork;text:a;text:b:nofin;text:c", r#"open text("a") FAIL"#),
    (
        "cork;repeat:3;text:@n;next;raw:0xf100",
        r#"open text("0") text("1") text("2") FAIL"#,
    ),
];

pub async fn what_came_before_is_delivered(
    (steps, expected): (&'static str, &'static str),
) -> Seen {
    check_opened(&format!("{steps};wait:end"), expected).await
}

/// S94, of violations that are in a frame's head. Chromium drops with such a
/// frame all that it read together with it, so on the web these are recorded.
pub const BEFORE_A_BAD_HEAD: &[&str] = &[
    "ping:x:nofin",
    "ping:*126",
    "text:hi:len16",
    "text::claim=0x8000000000000000",
];

pub async fn what_came_before_a_bad_head_is_delivered(steps: &'static str) -> Seen {
    let steps = format!("cork;text:a;{steps};uncork;wait:end");
    check_opened(&steps, r#"open text("a") FAIL"#).await
}

/// The same where the client has answered the message before the violation.
pub async fn what_was_read_before_is_delivered(steps: &'static str) -> Seen {
    let mut probe = Probe::script(&format!("text:a;wait:message;limit:2000;{steps};wait:end"))?;
    probe.opened().await?;
    probe.message().await?;
    let sent = probe.socket.send("go on");
    sent.map_err(|error| error.to_string())?;
    probe.ends(r#"open text("a") FAIL"#).await
}

/// S95: what goes on the wire about it.
pub const CLOSE_CODES: &[(&str, u16)] = &[
    ("text:%ff", 1007),
    ("text:%c3", 1007),
    ("text:%ed%a0:nofin;continuation:%80", 1007),
    ("frame:close:0x03e8ff", 1007),
    ("text:x:rsv1", 1002),
    ("frame:3:x", 1002),
    ("frame:b:x", 1002),
    ("ping:x:nofin", 1002),
    ("ping:*126", 1002),
    ("continuation:x", 1002),
    ("text:x:nofin;text:y", 1002),
    ("text::claim=0x8000000000000000", 1002),
    ("text:hi:len16", 1002),
    ("text:hi:mask", 1002),
    ("frame:close:0x03", 1002),
    ("close:1006", 1002),
];

pub async fn the_peer_learns_why((steps, code): (&'static str, u16)) -> Seen {
    let mut probe = Probe::script(&format!("wait:message;limit:1000;{steps};wait:close"))?;
    probe.opened().await?;
    let sent = probe.socket.send("go on");
    sent.map_err(|error| error.to_string())?;
    probe.finish().await?;
    let record = probe.record().await?;
    let wire = record.closes();
    // The reason is free.
    ensure!(
        wire.starts_with(&code.to_string()),
        "the Close frame: {wire}, expected {code}"
    );
    ensure_eq!(record.frames().len(), 2, "frames");
    Ok(wire)
}

/// S96: where the stream ends.
pub const ENDS: &[(&str, &str)] = &[
    ("text:a;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x81;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x817e;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x817e00;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x827f00000000;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x81056865;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x8205;fin", r#"open text("a") DROP"#),
    ("text:a;text:part:nofin;fin", r#"open text("a") DROP"#),
    ("text:a;text:%c3:nofin;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x88;fin", r#"open text("a") DROP"#),
    ("text:a;raw:0x880203;fin", r#"open text("a") DROP"#),
    ("text:a;ping:x;fin", r#"open text("a") DROP"#),
    ("text:a;delay:50;fin", r#"open text("a") DROP"#),
];

pub async fn a_drop_has_no_error_event((steps, expected): (&'static str, &'static str)) -> Seen {
    check_opened(steps, expected).await
}

pub const RESETS: &[&str] = &[
    "text:a;wait:message;rst",
    "text:a;text:part:nofin;wait:message;rst",
];

/// The peer waits for a message, so that what it sent is not lost.
pub async fn a_reset(steps: &'static str) -> Seen {
    let mut probe = Probe::script(steps)?;
    probe.opened().await?;
    probe.message().await?;
    let sent = probe.socket.send("go");
    sent.map_err(|error| error.to_string())?;
    let seen = probe.finish().await?;
    ensure!(seen.ends_with(r#"close(1006 "" unclean)"#), "{seen}");
    Ok(seen)
}
