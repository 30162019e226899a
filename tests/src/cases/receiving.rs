//! S55 to S63: receiving.

use isosocket::{Message, ReadyState};

use crate::probe::{Probe, Via, check, fresh_id, hex, socket_builder, url, with_id};
use crate::record::record;
use crate::suite::{Seen, ensure, ensure_eq};

/// Steps of the peer, and the events.
pub type Script = (&'static str, &'static str);

/// S55.
pub const MESSAGES: &[Script] = &[
    (
        "text:hello;close:1000",
        r#"open text("hello") close(1000 "" clean)"#,
    ),
    ("text:;close:1000", r#"open text("") close(1000 "" clean)"#),
    (
        "binary:;close:1000",
        r#"open binary() close(1000 "" clean)"#,
    ),
    (
        "binary:0x00ff80;close:1000",
        r#"open binary(00ff80) close(1000 "" clean)"#,
    ),
    (
        "binary:hello;close:1000",
        r#"open binary(68656c6c6f) close(1000 "" clean)"#,
    ),
    (
        "text:%C3%A4%00%EF%BB%BF%F0%9F%98%80;close:1000",
        r#"open text("ä\0\u{feff}😀") close(1000 "" clean)"#,
    ),
    (
        "text:%EF%BB%BFmark;close:1000",
        r#"open text("\u{feff}mark") close(1000 "" clean)"#,
    ),
    (
        "text:a;binary:b;text:c;close:1000",
        r#"open text("a") binary(62) text("c") close(1000 "" clean)"#,
    ),
    (
        "text:*200;close:1000",
        r#"open text[200] close(1000 "" clean)"#,
    ),
    (
        "binary:*125;binary:*126;close:1000",
        r#"open binary[125] binary[126] close(1000 "" clean)"#,
    ),
    (
        "binary:*65535;binary:*65536;text:*65536;close:1000",
        r#"open binary[65535] binary[65536] text[65536] close(1000 "" clean)"#,
    ),
];

pub async fn a_script_gives_these_events((steps, expected): Script) -> Seen {
    check(steps, expected).await
}

/// The peer's pattern, to the last byte.
pub const LENGTHS: &[usize] = &[1, 125, 126, 65535, 65536, 131_072, 1_000_000, 5_000_000];

pub async fn every_byte_is_right(length: usize) -> Seen {
    let mut probe = Probe::script(&format!("binary:*{length};text:*{length};close:1000"))?;
    probe.opened().await?;
    let alphabet = |at: usize| b'a' + (at % 26) as u8;
    let expected: Vec<u8> = (0..length).map(alphabet).collect();
    for is_text in [false, true] {
        let message = probe.message().await?;
        ensure_eq!(
            (message.is_text(), message.len()),
            (is_text, length),
            "kind"
        );
        ensure!(message.as_bytes() == expected, "another content");
    }
    probe.finish().await
}

/// The state inside the handler; `close` in it ends the messages (S60).
pub async fn messages_come_only_while_open() -> Seen {
    let (send, receive) = std::sync::mpsc::channel();
    let path = "/script?do=cork;text:1;text:2;text:3;uncork;close:1000";
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.on_message(move |socket, _| {
            // The receiver is there until the case is over.
            let _ = send.send(socket.ready_state());
        })
    })?;
    probe.finish().await?;
    let states: Vec<ReadyState> = receive.try_iter().collect();
    ensure_eq!(states, [ReadyState::Open; 3], "inside messages");
    Ok("open".into())
}

/// S56.
pub const FRAGMENTS: &[Script] = &[
    (
        "fragments:text:hello:1;close:1000",
        r#"open text("hello") close(1000 "" clean)"#,
    ),
    (
        "fragments:binary:0x010203:1;close:1000",
        r#"open binary(010203) close(1000 "" clean)"#,
    ),
    (
        "text:he:nofin;ping:x;continuation:l:nofin;pong:y;ping:;continuation:lo;close:1000",
        r#"open text("hello") close(1000 "" clean)"#,
    ),
    (
        "text::nofin;continuation::nofin;continuation:a:nofin;continuation:;close:1000",
        r#"open text("a") close(1000 "" clean)"#,
    ),
    (
        "text::nofin;continuation:;close:1000",
        r#"open text("") close(1000 "" clean)"#,
    ),
    (
        "binary::nofin;continuation:;close:1000",
        r#"open binary() close(1000 "" clean)"#,
    ),
    (
        "split:1;binary:ab:nofin;ping:x;continuation:cd;text:e;close:1000",
        r#"open binary(61626364) text("e") close(1000 "" clean)"#,
    ),
    (
        "fragments:binary:*100000:1000;close:1000",
        r#"open binary[100000] close(1000 "" clean)"#,
    ),
    (
        "text:a:nofin;delay:30;continuation:b:nofin;delay:30;continuation:c;close:1000",
        r#"open text("abc") close(1000 "" clean)"#,
    ),
];

/// S57: every split of two, three and four bytes.
pub const SPLIT_TEXT: &[Script] = &[
    (
        "fragments:text:%C3%A4%E2%82%AC%F0%9F%98%80:1;close:1000",
        r#"open text("ä€😀") close(1000 "" clean)"#,
    ),
    (
        "fragments:text:%C3%A4%E2%82%AC%F0%9F%98%80:2;close:1000",
        r#"open text("ä€😀") close(1000 "" clean)"#,
    ),
    (
        "fragments:text:%C3%A4%E2%82%AC%F0%9F%98%80:4;close:1000",
        r#"open text("ä€😀") close(1000 "" clean)"#,
    ),
    (
        "text:%F0%9F:nofin;ping:%98;continuation::nofin;continuation:%98%80;close:1000",
        r#"open text("😀") close(1000 "" clean)"#,
    ),
    (
        "split:1:1;text:%C3%A4%E2%82%AC%F0%9F%98%80;close:1000",
        r#"open text("ä€😀") close(1000 "" clean)"#,
    ),
    (
        "cut:4:20;text:%F0%9F%98%80;close:1000",
        r#"open text("😀") close(1000 "" clean)"#,
    ),
];

/// S58: payloads in the script's notation and in hex.
pub const PINGS: &[(&str, &str)] = &[
    ("", ""),
    ("x", "78"),
    ("0x00ff7f80", "00ff7f80"),
    ("%C3", "c3"),
    ("a%20longer%20one", "61206c6f6e676572206f6e65"),
];

pub async fn a_ping_is_answered((payload, answer): (&'static str, &'static str)) -> Seen {
    let steps = format!("ping:{payload};wait:frame;text:after;close:1000");
    let mut probe = Probe::script(&steps)?;
    probe
        .ends(r#"open text("after") close(1000 "" clean)"#)
        .await?;
    let pongs = probe.record().await?.frames_of(10);
    ensure_eq!(pongs.len(), 1, "pongs");
    ensure_eq!(pongs[0].payload, answer, "the payload");
    Ok(format!("pong {answer:?}"))
}

pub async fn the_longest_ping_is_answered() -> Seen {
    let mut probe = Probe::script("ping:*125;wait:frame;close:1000")?;
    probe.ends(r#"open close(1000 "" clean)"#).await?;
    let pongs = probe.record().await?.frames_of(10);
    let payload: Vec<u8> = (0..125).map(|at| b'a' + at % 26).collect();
    ensure_eq!(pongs.len(), 1, "pongs");
    ensure_eq!(pongs[0].payload, hex(&payload), "the payload");
    Ok("125 bytes".into())
}

pub async fn pings_are_answered_in_order() -> Seen {
    let mut probe = Probe::script("ping:1;wait:frame;ping:2;wait:frame;ping:3;wait:frame;close")?;
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    let pongs = probe.record().await?.frames_of(10);
    let payloads: Vec<&str> = pongs.iter().map(|frame| &*frame.payload).collect();
    ensure_eq!(payloads, ["31", "32", "33"], "the pongs");
    Ok("in order".into())
}

/// Nothing on the wire, and no event.
pub async fn a_pong_that_nobody_asked_for_is_ignored() -> Seen {
    let mut probe = Probe::script("pong:x;pong:;text:a;close:1000")?;
    let seen = probe.ends(r#"open text("a") close(1000 "" clean)"#).await?;
    let frames = probe.record().await?.frames();
    ensure_eq!(frames.len(), 1, "frames: {frames:?}");
    Ok(seen)
}

pub async fn all_messages_come_before_close() -> Seen {
    for via in [Via::Handlers, Via::Stream] {
        let path = "/script?do=cork;repeat:2k;text:@n;next;close:4001:end";
        let mut probe = Probe::with(via, path, |builder| builder)?;
        probe.opened().await?;
        for number in 0..2048 {
            let message = probe.message().await?;
            ensure_eq!(message.as_text(), Some(&*number.to_string()), "by {via:?}");
        }
        let seen = probe.finish().await?;
        let end = r#" close(4001 "end" clean)"#;
        ensure!(seen.ends_with(end), "the end");
    }
    Ok("2048 in order".into())
}

/// S60: the peer answers `close` with data first.
pub async fn nothing_is_delivered_after_close() -> Seen {
    let mut probe = Probe::path("/on-close/data")?;
    probe.opened().await?;
    probe
        .socket
        .close_with(4000, "enough")
        .map_err(|e| e.to_string())?;
    probe.ends(r#"open close(4000 "enough" clean)"#).await
}

/// They are here already when the handler of the first closes.
pub async fn close_in_a_handler_ends_the_messages() -> Seen {
    let path = "/script?do=cork;repeat:100;text:@n;next;uncork;wait:close;text:late;answer";
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.on_message(|socket, message| {
            if message.as_text() == Some("1") {
                socket.close();
            }
        })
    })?;
    probe
        .ends(r#"open text("0") text("1") close(1005 "" clean)"#)
        .await
}

/// S61.
pub const UNFINISHED: &[Script] = &[
    ("text:a:nofin;close:1000", r#"open close(1000 "" clean)"#),
    (
        "binary:a:nofin;continuation:b:nofin;close:4000:x",
        r#"open close(4000 "x" clean)"#,
    ),
    (
        "text:whole;text:part:nofin;close",
        r#"open text("whole") close(1005 "" clean)"#,
    ),
];

/// S62, with a limit of 1000 bytes: on both sides of it, in one frame and in
/// several, of text and binary.
pub const LIMITED: &[Script] = &[
    (
        "binary:*1000;close:1000",
        r#"open binary[1000] close(1000 "" clean)"#,
    ),
    (
        "text:*1000;close:1000",
        r#"open text[1000] close(1000 "" clean)"#,
    ),
    (
        "fragments:binary:*1000:300;close:1000",
        r#"open binary[1000] close(1000 "" clean)"#,
    ),
    ("text:a;binary:*1001", r#"open text("a") FAIL"#),
    ("text:a;text:*1001", r#"open text("a") FAIL"#),
    ("fragments:binary:*1001:300", "open FAIL"),
    ("fragments:text:*1001:1000", "open FAIL"),
    ("binary:*2M", "open FAIL"),
    (
        "binary:*999;text:*1000;binary:*1001;text:late",
        "open binary[999] text[1000] FAIL",
    ),
];

pub async fn a_message_over_the_limit_fails((steps, expected): Script) -> Seen {
    let path = format!("/script?do={steps}");
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, &path, |builder| builder.max_message_size(1000))?;
        probe.ends(expected).await?;
    }
    Ok(expected.into())
}

/// 500 letters of two bytes are at the limit, 501 over it.
pub async fn the_limit_counts_bytes_of_utf8() -> Seen {
    for (letters, expected) in [(500, "close"), (501, "FAIL")] {
        let mut probe = Probe::with(Via::Stream, "/echo", |builder| {
            builder.max_message_size(1000)
        })?;
        probe.opened().await?;
        let sent = probe.socket.send("é".repeat(letters));
        sent.map_err(|error| error.to_string())?;
        if expected == "FAIL" {
            probe.ends("open FAIL").await?;
        } else {
            ensure_eq!(probe.message().await?.len(), 1000, "bytes");
            probe.socket.close();
            probe.finish().await?;
        }
    }
    Ok("1000 bytes, not letters".into())
}

pub async fn a_message_over_the_limit_is_reported_on_the_wire() -> Seen {
    let path = "/script?do=binary:*1001;wait:close";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder.max_message_size(1000))?;
    probe.ends("open FAIL").await?;
    let closes = probe.record().await?.closes();
    ensure_eq!(closes, r#"1009 """#, "the Close frame");
    Ok(closes)
}

const DEFAULT_LIMIT: usize = 64 << 20;

pub async fn a_message_of_the_default_limit_arrives() -> Seen {
    let mut probe = Probe::script(&format!("binary:*{DEFAULT_LIMIT};close:1000"))?;
    probe.opened().await?;
    let message: Message = probe.message().await?;
    ensure_eq!(message.len(), DEFAULT_LIMIT, "bytes");
    drop(message);
    probe.finish().await
}

pub async fn a_message_over_the_default_limit_fails() -> Seen {
    let mut probe = Probe::script(&format!("binary:*{};wait:end", DEFAULT_LIMIT + 1))?;
    probe.ends("open FAIL").await
}

/// Two seconds stand for the rule's twenty, in which a run would wait as long:
/// no timer of isosocket's own runs while a socket is open and idle.
pub async fn silence_is_survived() -> Seen {
    let id = fresh_id();
    let path = with_id("/script?do=delay:2000;text:still%20here;close:1000", &id);
    let builder = socket_builder(url(&path));
    let mut probe = Probe::from_builder(Via::Stream, builder).map_err(|e| e.to_string())?;
    let seen = probe
        .ends(r#"open text("still here") close(1000 "" clean)"#)
        .await?;
    let frames = record(&id).await?.frames();
    ensure_eq!(frames.len(), 1, "frames: {frames:?}");
    Ok(seen)
}
