//! S24 to S36: what a peer may reply to the request, and what comes with it.

use crate::probe::{Probe, Via, check, fresh_id};
use crate::record::records_now;
use crate::suite::{Seen, ensure, ensure_eq};

const CLOSED: &str = r#"open close(1000 "" clean)"#;

/// What is offered, what the peer does, and what is chosen.
pub const CHOICES: &[(&str, &[&str], &str)] = &[
    ("first", &["a", "b", "c"], "a"),
    ("last", &["a", "b", "c"], "c"),
    ("protocol=b", &["a", "b", "c"], "b"),
    ("protocol=chat", &["chat.1", "chat.2", "chat"], "chat"),
    ("protocol=Chat", &["Chat"], "Chat"),
    ("protocol=a:lower", &["a"], "a"),
    ("protocol=a:upper", &["a"], "a"),
];

pub async fn an_offered_subprotocol_is_chosen(
    (edit, offer, expected): (&'static str, &'static [&'static str], &'static str),
) -> Seen {
    let path = format!("/script?do=accept:{edit};close:1000");
    let mut probe = Probe::with(Via::Stream, &path, |builder| {
        builder.subprotocols(offer.iter().copied())
    })?;
    probe.opened().await?;
    ensure_eq!(probe.socket.protocol(), expected, "the protocol");
    probe.ends(CLOSED).await?;
    ensure_eq!(probe.socket.protocol(), expected, "the protocol after all");
    Ok(expected.into())
}

/// What the events are, and what the protocol is then.
async fn after(edit: &str, offer: &[&str], expected: &str) -> Seen {
    let path = format!("/script?do=accept:{edit};close:1000");
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, &path, |builder| {
            builder.subprotocols(offer.iter().copied())
        })?;
        let trace = probe.finish().await?;
        seen = format!("{trace}, protocol {:?}", probe.socket.protocol());
        let expected = format!("{expected}, protocol \"\"");
        ensure_eq!(seen, expected.replace("FAIL", FAIL), "events");
    }
    Ok(seen)
}

const FAIL: &str = r#"error close(1006 "" unclean)"#;

pub async fn offered_and_none_chosen_fails() -> Seen {
    after("none", &["a", "b"], "FAIL").await
}

pub async fn chosen_and_none_offered_fails() -> Seen {
    after("protocol=a", &[], "FAIL").await
}

pub const BAD_CHOICES: &[&str] = &[
    "protocol=c",
    "protocol=A",
    "protocol=a,%20b",
    "protocol=a,b",
    "protocol=a,%20c",
    "protocol=",
    "protocol=a%20b",
    "protocol=%22a%22",
    "protocol=a:+Sec-WebSocket-Protocol=b",
    "protocol=a:+Sec-WebSocket-Protocol=a",
];

pub async fn a_bad_choice_of_subprotocol_fails(edit: &'static str) -> Seen {
    after(edit, &["a", "b"], "FAIL").await
}

pub const STATUSES: &[&str] = &[
    "200", "201", "204", "206", "300", "301", "302", "303", "304", "307", "308", "400", "401",
    "403", "404", "410", "418", "426", "429", "500", "501", "502", "503", "504", "599",
];

pub async fn another_status_fails(status: &'static str) -> Seen {
    check(&format!("reply:{status}"), "FAIL").await
}

/// With all that a 101 has, only the status is another.
pub async fn another_status_with_the_right_headers_fails(status: &'static str) -> Seen {
    check(&format!("accept:status={status};text:a;close:1000"), "FAIL").await
}

pub const REDIRECTS: &[&str] = &["301", "302", "303", "307", "308"];

pub async fn redirects_are_not_followed(status: &'static str) -> Seen {
    let id = fresh_id();
    let steps = format!("reply:{status}:Location=/close/1000%3Fid={id}");
    let seen = check(&steps, "FAIL").await?;
    ensure!(records_now(&id).await?.is_empty(), "it was followed");
    Ok(seen)
}

/// Replies that must not open a connection, by rule.
pub const UPGRADE_FAULTS: &[&str] = &[
    "-Upgrade",
    "Upgrade=",
    "Upgrade=h2c",
    "Upgrade=websockets",
    "Upgrade=websocket/13",
    "Upgrade=web%20socket",
    "-Connection",
    "Connection=",
    "Connection=close",
    "Connection=keep-alive",
    "Connection=upgraded",
    "Connection=websocket",
    "-Upgrade:-Connection",
];

/// Firefox takes spaces for separators, too.
pub async fn a_token_ends_at_a_comma_only() -> Seen {
    a_fault_in_the_reply_fails("Connection=keep-alive%20upgrade").await
}

pub const ACCEPT_FAULTS: &[&str] = &[
    "-Sec-WebSocket-Accept",
    "Sec-WebSocket-Accept=",
    "Sec-WebSocket-Accept=wrong",
    "Sec-WebSocket-Accept=AAAAAAAAAAAAAAAAAAAAAAAAAAA=",
    "Sec-WebSocket-Accept=@swapped",
    "Sec-WebSocket-Accept=@keyx",
    "Sec-WebSocket-Accept=x@key",
    "+Sec-WebSocket-Accept=@key",
    "+Sec-WebSocket-Accept=wrong",
    "Sec-WebSocket-Accept=wrong:+Sec-WebSocket-Accept=@key",
];

pub const EXTENSION_FAULTS: &[&str] = &[
    "Sec-WebSocket-Extensions=foo",
    "Sec-WebSocket-Extensions=foo%3B%20bar=1",
    "Sec-WebSocket-Extensions=x-webkit-deflate-frame",
    "Sec-WebSocket-Extensions=permessage-deflate%3B%20foo",
    "Sec-WebSocket-Extensions=permessage-deflate%3B%20server_max_window_bits=7",
    "Sec-WebSocket-Extensions=permessage-deflate%3B%20server_max_window_bits=16",
    "Sec-WebSocket-Extensions=permessage-deflate%3B%20server_no_context_takeover=1",
    "Sec-WebSocket-Extensions=permessage-deflate,%20foo",
];

pub async fn a_fault_in_the_reply_fails(edit: &'static str) -> Seen {
    let path = format!("/script?do=limit:2000;accept:{edit};text:a;close:1000");
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, &path, |builder| builder)?;
        seen = probe.ends("FAIL").await?;
        // The client refuses the reply; it does not wait until the peer goes.
        let record = probe.record().await?;
        ensure!(!record.timed_out(), "the client accepted, or waited on");
    }
    Ok(seen)
}

pub const GOOD_REPLIES: &[&str] = &[
    "lower",
    "upper",
    "Upgrade=WebSocket",
    "Upgrade=WEBSOCKET",
    "upgrade=websocket",
    "Connection=upgrade",
    "Connection=UPGRADE",
    "Connection=keep-alive,%20Upgrade",
    "Connection=Upgrade,%20keep-alive",
    "Connection=keep-alive,upgrade",
    "sec-websocket-accept=@key",
    "SEC-WEBSOCKET-ACCEPT=@key",
    "status=101%20Yes%20please",
    "+Server=x:+X-Long=abc",
];

pub async fn names_and_tokens_are_compared_without_case(edit: &'static str) -> Seen {
    check(&format!("accept:{edit};close:1000"), CLOSED).await
}

pub async fn http_1_0() -> Seen {
    Probe::script("accept:version=HTTP/1.0;close:1000")?
        .finish()
        .await
}

pub async fn a_list_of_upgrades() -> Seen {
    Probe::script("accept:Upgrade=websocket,%20h2c;close:1000")?
        .finish()
        .await
}

/// What comes with the 101, in the same packet or in pieces.
pub const WITH_REPLY: &[(&str, &str)] = &[
    ("with101;close:1000", CLOSED),
    (
        "with101;text:a;binary:0x0102;close:4000:bye",
        r#"open text("a") binary(0102) close(4000 "bye" clean)"#,
    ),
    (
        "with101;text:he:nofin;ping:x;continuation:llo;uncork;wait:frame;close:1000",
        r#"open text("hello") close(1000 "" clean)"#,
    ),
    (
        "split:1;accept;text:a;close:1000:in%20pieces",
        r#"open text("a") close(1000 "in pieces" clean)"#,
    ),
    (
        "split:7:1;with101;text:a;text:b;close:1000",
        r#"open text("a") text("b") close(1000 "" clean)"#,
    ),
    (
        "cut:130:20;with101;text:abcdefghij;close:1000",
        r#"open text("abcdefghij") close(1000 "" clean)"#,
    ),
];

/// The same where the connection ends badly in that packet: Firefox then does
/// not open at all, so on the web these are recorded.
pub const ENDING_WITH_REPLY: &[(&str, &str)] = &[
    ("with101;text:a;fin", r#"open text("a") DROP"#),
    ("with101;text:a;frame:3:x", r#"open text("a") FAIL"#),
    ("with101;text:a;continuation:x", r#"open text("a") FAIL"#),
];

pub async fn what_comes_before_an_early_end_counts(
    (steps, expected): (&'static str, &'static str),
) -> Seen {
    check(steps, expected).await
}

pub async fn frames_that_come_with_the_reply_count(
    (steps, expected): (&'static str, &'static str),
) -> Seen {
    check(steps, expected).await
}

/// A reply as other clients meet it: what differs from the plain one, and
/// whether it opens (S111, S112, and S27 to S32 for what does not).
type Unusual = (&'static str, fn(&str) -> String, Outcome);

/// What becomes of a connection after an unusual reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It opens.
    Opens,
    /// It fails.
    Fails,
}

use Outcome::{Fails, Opens};

const PLAIN: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: @key\r\n\r\n";

/// The plain reply with more lines in the middle.
fn with(lines: &str) -> String {
    PLAIN.replace("Connection:", &format!("{lines}\r\nConnection:"))
}

/// The table of `docs/replies.md`.
pub const UNUSUAL: &[Unusual] = &[
    (
        "all lines end in LF alone",
        |plain| plain.replace("\r\n", "\n"),
        Opens,
    ),
    (
        "the last line ends in LF alone",
        |plain| plain.replace("\r\n\r\n", "\r\n\n"),
        Opens,
    ),
    (
        "one empty line before the status line",
        |plain| format!("\r\n{plain}"),
        Opens,
    ),
    (
        "three empty lines before the status line",
        |plain| format!("\r\n\r\n\r\n{plain}"),
        Fails,
    ),
    (
        "four other bytes before the status line",
        |plain| format!("xyz\n{plain}"),
        Opens,
    ),
    (
        "five other bytes before the status line",
        |plain| format!("wxyz\n{plain}"),
        Fails,
    ),
    (
        "no reason phrase",
        |plain| plain.replace("Switching Protocols", ""),
        Opens,
    ),
    (
        "no reason phrase and no blank",
        |plain| plain.replace(" Switching Protocols", ""),
        Opens,
    ),
    (
        "two blanks before the status",
        |plain| plain.replace(" 101", "  101"),
        Opens,
    ),
    (
        "a status of four digits",
        |plain| plain.replace("101", "1010"),
        Fails,
    ),
    ("no status", |plain| plain.replace("101 ", ""), Fails),
    (
        "bytes beyond ASCII in the reason phrase",
        |plain| plain.replace("Protocols", "Pr\u{f6}tocols"),
        Opens,
    ),
    (
        "bytes beyond ASCII in a name",
        |_| with("X-\u{f6}: a"),
        Opens,
    ),
    (
        "bytes beyond ASCII in a value",
        |_| with("X: \u{f6}"),
        Opens,
    ),
    (
        "HTTP/1.0",
        |plain| plain.replace("HTTP/1.1", "HTTP/1.0"),
        Opens,
    ),
    (
        "HTTP/2.0",
        |plain| plain.replace("HTTP/1.1", "HTTP/2.0"),
        Opens,
    ),
    (
        "HTTP without a version",
        |plain| plain.replace("HTTP/1.1", "HTTP"),
        Opens,
    ),
    (
        "http in lower case",
        |plain| plain.replace("HTTP", "http"),
        Opens,
    ),
    (
        "another protocol",
        |plain| plain.replace("HTTP", "ICY"),
        Fails,
    ),
    ("a folded header", |_| with("X: a\r\n b"), Opens),
    (
        "a folded header that counts",
        |plain| plain.replace(": Upgrade", ": keep-alive,\r\n\tUpgrade"),
        Opens,
    ),
    (
        "a folded line after the status line",
        |plain| plain.replace("Upgrade: w", " x\r\nUpgrade: w"),
        Opens,
    ),
    (
        "a blank before a colon",
        |plain| plain.replace("Accept:", "Accept :"),
        Opens,
    ),
    ("a blank inside a name", |_| with("X Y: a"), Opens),
    ("a line without a colon", |_| with("no colon"), Opens),
    ("a header without a name", |_| with(": a"), Opens),
    (
        "no blank after the colons",
        |plain| plain.replace(": ", ":"),
        Opens,
    ),
    ("a CR alone in a value", |_| with("X: a\rb"), Opens),
    ("a NUL in a value", |_| with("X: a\0b"), Fails),
    ("a NUL in a name", |_| with("X\0: a"), Fails),
    (
        "a control character in a value",
        |_| with("X: a\u{1}b"),
        Opens,
    ),
    ("Content-Length: 0", |_| with("Content-Length: 0"), Opens),
    (
        "Transfer-Encoding: chunked",
        |_| with("Transfer-Encoding: chunked"),
        Opens,
    ),
    (
        "Sec-WebSocket-Version: 13",
        |_| with("Sec-WebSocket-Version: 13"),
        Opens,
    ),
    (
        "Set-Cookie twice",
        |_| with("Set-Cookie: a=b\r\nSet-Cookie: c=d"),
        Opens,
    ),
    (
        "Connection: Upgrade twice",
        |_| with("Connection: Upgrade"),
        Opens,
    ),
    (
        "Upgrade: websocket twice",
        |_| with("Upgrade: websocket"),
        Fails,
    ),
    (
        "Sec-WebSocket-Accept twice",
        |_| with("Sec-WebSocket-Accept: @key"),
        Fails,
    ),
    (
        "an empty Sec-WebSocket-Extensions",
        |_| with("Sec-WebSocket-Extensions:"),
        Fails,
    ),
    (
        "an empty Sec-WebSocket-Protocol",
        |_| with("Sec-WebSocket-Protocol:"),
        Fails,
    ),
    (
        "200 header lines",
        |_| with(&["X: a"; 200].join("\r\n")),
        Opens,
    ),
    (
        "1001 header lines",
        |_| with(&["X: a"; 1001].join("\r\n")),
        Fails,
    ),
];

/// Replies before the reply (S112).
pub const INTERIM: &[Unusual] = &[
    (
        "a 100 before it",
        |plain| format!("HTTP/1.1 100 Continue\r\n\r\n{plain}"),
        Opens,
    ),
    (
        "a 102 before it",
        |plain| format!("HTTP/1.1 102 Processing\r\n\r\n{plain}"),
        Opens,
    ),
    (
        "a 103 with headers before it",
        |plain| format!("HTTP/1.1 103 Early Hints\r\nLink: </>\r\n\r\n{plain}"),
        Opens,
    ),
    (
        "a 199 before it",
        |plain| format!("HTTP/1.1 199 x\r\n\r\n{plain}"),
        Opens,
    ),
    (
        "a 200 before it",
        |plain| format!("HTTP/1.1 200 OK\r\n\r\n{plain}"),
        Fails,
    ),
];

pub async fn an_unusual_reply((_, edit, outcome): Unusual) -> Seen {
    let reply: String = edit(PLAIN).bytes().map(percent).collect();
    after_an_unusual_reply(&format!("http:{reply}"), outcome).await
}

/// Heads that are larger than a URL may be: how many lines, of how many bytes.
pub const LARGE: &[(&str, (usize, usize), Outcome)] = &[
    ("80 kB in one line", (1, 80_000), Opens),
    ("80 kB in 80 lines", (80, 1_000), Opens),
    ("240 kB in 800 lines", (800, 300), Opens),
    ("300 kB in one line", (1, 300_000), Fails),
];

pub async fn a_large_reply((_, (lines, size), outcome): (&str, (usize, usize), Outcome)) -> Seen {
    let (good, _) = PLAIN.split_at(PLAIN.len() - 2);
    let good: String = good.bytes().map(percent).collect();
    // A step for each 100 bytes.
    let (hundred, count) = ("a".repeat(100), size / 100);
    let line = format!("raw:X%3A;repeat:{count};raw:{hundred};next;raw:%0D%0A");
    let reply = format!("cork;http:{good};repeat:{lines};{line};next;raw:%0D%0A;uncork");
    after_an_unusual_reply(&reply, outcome).await
}

/// What follows such a reply arrives, and a refusal does not wait for more.
async fn after_an_unusual_reply(reply: &str, outcome: Outcome) -> Seen {
    match outcome {
        Opens => check(&format!("{reply};text:a;close:1000"), OPENED).await,
        Fails => {
            let path = format!("/script?do=limit:2000;{reply};text:a;close:1000");
            let mut probe = Probe::with(Via::Stream, &path, |builder| builder)?;
            let seen = probe.ends("FAIL").await?;
            let record = probe.record().await?;
            ensure!(!record.timed_out(), "the client accepted, or waited on");
            Ok(seen)
        }
    }
}

const OPENED: &str = r#"open text("a") close(1000 "" clean)"#;

/// A byte as a script has it.
fn percent(byte: u8) -> String {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'@' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    }
}
