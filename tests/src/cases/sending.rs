//! S42 to S54: sending, and the buffered amount.

use std::collections::HashSet;

use isosocket::{Data, Message, ReadyState, SendError};

use crate::harness;
use crate::probe::{Probe, Via};
use crate::record::open_gate;
use crate::suite::{Seen, ensure, ensure_eq};

/// Sends, or says why not.
pub fn send(probe: &Probe, data: impl Data) -> Result<(), String> {
    probe.socket.send(data).map_err(|error| error.to_string())
}

/// The reply comes when the messages were refused, so they are sent while connecting.
pub async fn sending_while_connecting_is_an_error() -> Seen {
    let mut probe = Probe::path("/echo?gate")?;
    let sent = probe.socket.send("too early");
    ensure_eq!(sent, Err(SendError::Connecting("too early".into())), "text");
    let sent = probe.socket.send(vec![0u8; 1000]);
    ensure_eq!(
        sent,
        Err(SendError::Connecting(vec![0; 1000].into())),
        "binary"
    );
    ensure_eq!(probe.socket.buffered_amount(), 0, "the buffered amount");
    ensure_eq!(
        probe.socket.ready_state(),
        ReadyState::Connecting,
        "the state"
    );
    open_gate(&probe.id).await?;
    probe.opened().await?;
    send(&probe, "now")?;
    probe.message().await?;
    probe.socket.close();
    probe
        .ends(r#"open text("now") close(1005 "" clean)"#)
        .await?;
    let frames = probe.record().await?.frames();
    ensure_eq!(frames.len(), 2, "frames: {frames:?}");
    Ok("an error, and nothing queued".into())
}

/// Sends a message to the echo, and compares what comes back with it, and the
/// frame on the wire.
async fn round_trip(message: Message) -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    send(&probe, &message)?;
    let echo = probe.message().await?;
    // Said here: the text of a difference could have megabytes.
    ensure!(echo == message, "another message of {} bytes", echo.len());
    ensure_eq!(probe.socket.buffered_amount(), 0, "the buffered amount");
    probe.socket.close();
    probe.finish().await?;
    let sent = probe.record().await?.messages();
    let op = if message.is_text() { 1 } else { 2 };
    ensure_eq!(sent.len(), 1, "messages");
    ensure_eq!(
        (sent[0].0, sent[0].1),
        (op, message.len() as u64),
        "opcode and length"
    );
    Ok(format!("{} bytes", message.len()))
}

/// Bytes that do not repeat soon.
fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at * 31 + at / 251) as u8).collect()
}

fn text(length: usize) -> String {
    let letter = |at: usize| char::from(b' ' + ((at * 7 + at / 91) % 94) as u8);
    (0..length).map(letter).collect()
}

pub async fn text_stays_text_and_binary_stays_binary() -> Seen {
    round_trip("same bytes".into()).await?;
    round_trip(b"same bytes".into()).await
}

/// RFC 6455, 5.3: a client masks every frame, each with a key of its own. A host may take keys
/// from a store of random bytes. There are so many frames that it has to fill the store again.
pub async fn every_frame_has_a_mask_of_its_own() -> Seen {
    const TEXTS: usize = 4500;
    let mut probe = Probe::script("ping:a;echo")?;
    probe.opened().await?;
    for number in 0..TEXTS {
        send(&probe, "the same text")?;
        if number % 100 == 0 {
            probe.message().await?;
        }
    }
    probe.socket.close();
    probe.finish().await?;
    let frames = probe.record().await?.frames();
    let keys: HashSet<_> = frames.iter().map(|frame| &frame.mask).collect();
    ensure!(!keys.contains(&None), "a frame without mask");
    // With the pong and the Close frame.
    ensure_eq!(frames.len(), TEXTS + 2, "frames");
    // Of so many random keys two are equal once in 400 runs, and three pairs never.
    let missing = frames.len() - keys.len();
    ensure!(
        missing < 3,
        "{} keys for {} frames",
        keys.len(),
        frames.len()
    );
    Ok(format!(
        "a key of its own for each of {} frames",
        frames.len()
    ))
}

pub async fn an_empty_text_is_delivered() -> Seen {
    round_trip("".into()).await
}

pub async fn an_empty_binary_is_delivered() -> Seen {
    round_trip(Vec::new().into()).await
}

/// S45: around each boundary of the frame's length, and beyond a buffer.
pub const SIZES: &[usize] = &[
    1, 2, 124, 125, 126, 127, 128, 1000, 4095, 4096, 65534, 65535, 65536, 65537, 100_000, 1_000_000,
];

pub async fn binary_of_any_size_round_trips(size: usize) -> Seen {
    round_trip(bytes(size).into()).await
}

pub async fn text_of_any_size_round_trips(size: usize) -> Seen {
    round_trip(text(size).into()).await
}

/// S46.
pub const TEXTS: &[&str] = &[
    "\0",
    "a\0b\0",
    "e\u{301}",
    "\u{e9}",
    "\u{10ffff}\u{10000}",
    "\u{1d11e}\u{1f600}\u{1f468}\u{200d}\u{1f469}",
    "\u{feff}with a mark",
    "\u{feff}\u{feff}",
    "in the \u{feff} middle",
    "\u{fffd}\u{fffe}\u{ffff}",
    "\u{d7ff}\u{e000}",
    "\r\n\n\r\t",
    "\u{2028}\u{2029}\u{85}",
    "\u{202e}right to left",
    "\u{7f}\u{80}\u{7ff}\u{800}",
    "\\u0041 \"quoted\" %41 &amp;",
];

pub async fn text_is_exact(text: &'static str) -> Seen {
    round_trip(text.into()).await
}

/// The same, long enough to take other ways through a backend.
pub async fn long_text_is_exact(text: &'static str) -> Seen {
    round_trip(text.repeat(3000).into()).await
}

/// The same where the peer accepts compression and echoes compressed frames as
/// they are. Not every host offers it; the message is the same.
async fn compressed(message: Message) -> Seen {
    let mut probe = Probe::path("/echo-deflate")?;
    probe.opened().await?;
    let extensions = probe.socket.extensions().to_owned();
    // Twice, so that the second may refer to the first.
    for _ in 0..2 {
        send(&probe, &message)?;
        let echo = probe.message().await?;
        ensure!(echo == message, "another message of {} bytes", echo.len());
    }
    probe.socket.close();
    probe.finish().await?;
    let record = probe.record().await?;
    let offered = record.header("Sec-WebSocket-Extensions").join(", ");
    ensure_eq!(
        extensions.contains("permessage-deflate"),
        offered.contains("permessage-deflate"),
        "in use, and offered"
    );
    let sent: u64 = record.messages().iter().map(|message| message.1).sum();
    Ok(format!(
        "{sent} bytes for twice {}, {extensions:?}",
        message.len()
    ))
}

pub async fn compressed_binary_round_trips(size: usize) -> Seen {
    compressed(bytes(size).into()).await
}

pub async fn compressed_text_is_exact(text: &'static str) -> Seen {
    compressed(text.into()).await?;
    compressed(text.repeat(3000).into()).await
}

pub async fn order_is_kept() -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    let message = |number: usize| match number % 3 {
        0 => Message::from(format!("{number}")),
        1 => Message::from(number.to_string().into_bytes()),
        _ => Message::from(format!("{number}{}", text(number * 7))),
    };
    for number in 0..1000 {
        send(&probe, message(number))?;
    }
    for number in 0..1000 {
        let echo = probe.message().await?;
        ensure!(echo == message(number), "number {number} is another");
    }
    probe.socket.close();
    probe.finish().await?;
    Ok("1000 in order".into())
}

/// What the kernels of both sides can hold of a stream, and more.
const KERNEL: usize = 7 << 20;

/// A peer that does not read for a while, so that what is sent stays.
const STALLED: &str = "rcvbuf:262144;delay:300;wait:message:48;text:done;wait:close;answer";

/// A socket of another thread shows what the kernel took as sent. A socket of the
/// program's own thread shows nothing of that before the program yields, as on
/// a page. `start` is when the peer cannot have begun to wait yet.
fn check_amount(amount: usize, queued: usize, start: f64) -> Result<(), String> {
    let stalled = harness::now() - start < 300.0;
    let least = match (harness::own_thread(), stalled) {
        (true, _) => queued,
        (false, true) => queued.saturating_sub(KERNEL),
        (false, false) => 0,
    };
    ensure!(
        (least..=queued).contains(&amount),
        "{amount} buffered of {queued}"
    );
    Ok(())
}

/// Two bytes a letter: of UTF-8, not of the text's units or the frames.
pub async fn the_buffered_amount_counts_payload_bytes() -> Seen {
    let start = harness::now();
    let mut probe = Probe::script(STALLED)?;
    probe.opened().await?;
    let mut queued = 0;
    let large = "é".repeat(1 << 16);
    for number in 0..48 {
        // The odd ones are small: framing would show.
        let text = if number % 2 == 0 { &*large } else { "é" };
        send(&probe, text)?;
        queued += text.len();
        check_amount(probe.socket.buffered_amount(), queued, start)?;
    }
    let seen = format!("{} of {queued}", probe.socket.buffered_amount());
    probe.message().await?;
    probe.socket.close();
    probe.finish().await?;
    Ok(seen)
}

pub async fn the_buffered_amount_stays_until_the_caller_yields() -> Seen {
    let start = harness::now();
    let mut probe = Probe::script(STALLED)?;
    probe.opened().await?;
    let part = bytes(256 << 10);
    for number in 1..=48 {
        send(&probe, &part)?;
        check_amount(probe.socket.buffered_amount(), number * part.len(), start)?;
    }
    // However long it is looked at.
    let first = probe.socket.buffered_amount();
    for _ in 0..1000 {
        check_amount(probe.socket.buffered_amount(), 48 * part.len(), start)?;
    }
    probe.message().await?;
    ensure_eq!(probe.socket.buffered_amount(), 0, "when all had arrived");
    probe.socket.close();
    probe.finish().await?;
    Ok(format!("{first} of {}", 48 * part.len()))
}

pub async fn the_buffered_amount_is_zero_after_the_last_echo() -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    for size in [10, 1000, 300_000] {
        for _ in 0..5 {
            send(&probe, bytes(size))?;
        }
        for _ in 0..5 {
            probe.message().await?;
        }
        ensure_eq!(probe.socket.buffered_amount(), 0, "after {size} bytes");
    }
    probe.socket.close();
    probe.finish().await
}

/// Messages after `close`, and after the end: nothing on the wire, but counted.
pub async fn sending_while_closing_only_counts() -> Seen {
    let mut probe = Probe::path("/on-close/late/200")?;
    probe.opened().await?;
    send(&probe, "before")?;
    probe.message().await?;
    probe.socket.close();
    for (text, amount) in [("four", 4), ("é", 6), ("", 6)] {
        let sent = probe.socket.send(text);
        ensure_eq!(sent, Err(SendError::Closing(text.into())), "text");
        ensure_eq!(probe.socket.buffered_amount(), amount, "the amount");
    }
    let sent = probe.socket.send(vec![0u8; 100]);
    ensure_eq!(sent, Err(SendError::Closing(vec![0; 100].into())), "binary");
    ensure_eq!(probe.socket.buffered_amount(), 106, "the amount");
    ensure_eq!(probe.socket.ready_state(), ReadyState::Closing, "the state");
    probe
        .ends(r#"open text("before") close(1005 "" clean)"#)
        .await?;
    let frames = probe.record().await?.frames();
    let ops: Vec<u64> = frames.iter().map(|frame| frame.op).collect();
    ensure_eq!(ops, [1, 8], "frames");
    Ok("counted, not sent".into())
}

pub async fn sending_when_closed_only_counts() -> Seen {
    let mut probe = Probe::path("/on-close/late/50")?;
    probe.opened().await?;
    probe.socket.close();
    ensure!(probe.socket.send("four").is_err(), "sent while closing");
    probe.finish().await?;
    ensure_eq!(probe.socket.buffered_amount(), 4, "closing resets nothing");
    let sent = probe.socket.send("é");
    ensure_eq!(sent, Err(SendError::Closed("é".into())), "text");
    let sent = probe.socket.send([0u8; 10]);
    ensure_eq!(sent, Err(SendError::Closed([0; 10].into())), "binary");
    ensure_eq!(probe.socket.buffered_amount(), 16, "the amount");
    let frames = probe.record().await?.frames();
    ensure_eq!(frames.len(), 1, "frames: {frames:?}");
    Ok("counted, not sent".into())
}

pub async fn sending_after_a_failure_only_counts() -> Seen {
    let mut probe = Probe::path("/refuse/404")?;
    probe.finish().await?;
    let sent = probe.socket.send("four");
    ensure_eq!(sent, Err(SendError::Closed("four".into())), "text");
    ensure_eq!(probe.socket.buffered_amount(), 4, "the amount");
    Ok("counted".into())
}

pub async fn what_was_sent_precedes_the_close_frame() -> Seen {
    let mut probe = Probe::script("rcvbuf:65536;delay:50;wait:close;answer")?;
    probe.opened().await?;
    // More than the systems between hold, so that some of it still waits here
    // when `close` is called.
    for number in 0..100 {
        send(&probe, bytes(number * 3000))?;
    }
    probe
        .socket
        .close_with(4000, "last")
        .map_err(|e| e.to_string())?;
    probe.ends(r#"open close(4000 "last" clean)"#).await?;
    let record = probe.record().await?;
    let messages = record.messages();
    ensure_eq!(messages.len(), 100, "messages");
    for (number, (op, length, _)) in messages.iter().enumerate() {
        let expected = (2, number as u64 * 3000);
        ensure_eq!((*op, *length), expected, "message {number}");
    }
    ensure_eq!(record.closes(), r#"4000 "last""#, "the Close frame");
    let last = record.frames().pop().map(|frame| frame.op);
    ensure_eq!(last, Some(8), "the last frame's opcode");
    Ok("100 messages, then Close".into())
}

pub async fn a_slow_reader_gets_everything() -> Seen {
    let mut probe = Probe::path("/slow-reader/65536/3")?;
    probe.opened().await?;
    for number in 0..50u8 {
        send(&probe, vec![number; 64 << 10])?;
    }
    probe
        .socket
        .close_with(3000, "done")
        .map_err(|e| e.to_string())?;
    probe.ends(r#"open close(3000 "done" clean)"#).await?;
    let record = probe.record().await?;
    let messages = record.messages();
    ensure_eq!(messages.len(), 50, "messages");
    for (number, (op, length, payload)) in messages.iter().enumerate() {
        ensure_eq!((*op, *length), (2, 64 << 10), "message {number}");
        let begin = format!("{number:02x}{number:02x}");
        ensure!(payload.starts_with(&begin), "message {number}");
    }
    Ok("50 messages and a clean close".into())
}

/// Isosocket's own limit, alike on every target: an error, and nothing lost.
pub async fn the_send_limit_refuses_and_keeps_the_message() -> Seen {
    let path = "/script?do=rcvbuf:65536;delay:200;slow:65536:4;wait:close;answer";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder.send_limit(1 << 20))?;
    probe.opened().await?;
    let (mut sent, mut refused) = (0, 0);
    // Much more than the limit, all kernels and so slow a reader can take.
    for number in 0..=255u8 {
        if refused == 20 {
            break;
        }
        match probe.socket.send(vec![number; 64 << 10]) {
            Ok(()) => sent += 1,
            Err(SendError::Full(message)) => {
                ensure!(message == vec![number; 64 << 10], "another");
                refused += 1;
            }
            Err(error) => return Err(error.to_string()),
        }
        let amount = probe.socket.buffered_amount();
        ensure!(amount <= 1 << 20, "{amount} buffered");
    }
    ensure!(refused > 0 && sent >= 16, "{sent} sent, {refused} refused");
    probe.socket.close();
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    let arrived = probe.record().await?.messages().len();
    ensure_eq!(arrived, sent, "messages that arrived");
    Ok(format!("{sent} sent, {refused} refused"))
}

pub async fn one_message_is_accepted_however_large() -> Seen {
    let mut probe = Probe::with(Via::Stream, "/echo", |builder| builder.send_limit(10))?;
    probe.opened().await?;
    send(&probe, bytes(100_000))?;
    let echo = probe.message().await?;
    ensure_eq!(echo.len(), 100_000, "the echo");
    probe.socket.close();
    probe.finish().await
}

/// What the default limit of 64 MiB does to a megabyte at a time.
pub async fn a_full_buffer_by_default() -> Seen {
    let mut probe = Probe::script("rcvbuf:65536;delay:300;rst")?;
    probe.opened().await?;
    let part = bytes(1 << 20);
    let mut sent = 0;
    while sent < 70 && probe.socket.send(&part).is_ok() {
        sent += 1;
    }
    let seen = format!("{sent} MiB, state {:?}", probe.socket.ready_state());
    let end = probe.finish().await?;
    Ok(format!("{seen}, then {end}"))
}
