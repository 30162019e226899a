//! Each step of the script language does what the reference says, seen as
//! bytes on the wire.

mod common;

use std::io::{ErrorKind, Read};
use std::time::{Duration, Instant};

use common::{ACCEPT, Raw, close, frame, head, hex, start};

const ECHOED: &str = "88 02 03e8";

/// What follows the 101 if the client sends these bytes, and the peer's FIN.
fn check(script: &str, input: &[u8], expected: &str) {
    let peer = start();
    let mut raw = Raw::open(&peer, &format!("/script?do={script}"));
    raw.send(input);
    assert_eq!(raw.rest(), hex(expected), "{script}");
    assert_eq!(peer.errors(), [""; 0]);
}

#[test]
fn frames_are_sent_as_written() {
    for (script, expected) in [
        ("text:hi", "8102 6869"),
        ("text:%3B%3A%00%c3%a4", "8105 3b3a00c3a4"),
        ("text:a+b", "8103 612b62"),
        ("text:", "8100"),
        ("binary:0x00ff", "8202 00ff"),
        ("ping:p;pong:q", "8901 70 8a01 71"),
        (
            "text:he:nofin;ping:;continuation:llo",
            "0102 6865 8900 8003 6c6c6f",
        ),
        ("fragments:text:hello:2", "0102 6865 0002 6c6c 8001 6f"),
        ("text:hi:mask", "8182 37fa213d 5f93"),
        ("frame:b:x:rsv1,rsv2,rsv3", "fb01 78"),
        ("text:hi:rsv1,nofin", "4102 6869"),
        ("text:hi:len16", "817e 0002 6869"),
        ("text:hi:len64", "817f 0000000000000002 6869"),
        ("text:hi:claim=5", "8105 6869"),
        ("text::claim=0x8000000000000000", "817f 8000000000000000"),
        ("raw:0x8101;raw:a", "8101 61"),
        (
            "repeat:3;text:@n;next;text:e",
            "8101 30 8101 31 8101 32 8101 65",
        ),
        (
            "repeat:2;repeat:2;text:@n;next;text:@n;next",
            "810130 810131 810130 810130 810131 810131",
        ),
        (
            "binary:*28",
            "821c 6162636465666768696a6b6c6d6e6f707172737475767778797a 6162",
        ),
        ("cork;text:a;uncork;text:b", "810161 810162"),
        ("split:1;text:hi;split:0;text:ho", "81026869 8102686f"),
    ] {
        check(script, &close(), &format!("{expected} {ECHOED}"));
    }
}

#[test]
fn close_steps_and_reactions() {
    let input = [frame(0x81, b"m"), close()].concat();
    for (script, expected) in [
        ("close", "8800"),
        ("close:4000", "8802 0fa0"),
        ("close:4000:bye", "8805 0fa0 627965"),
        ("close:1005", "8802 03ed"),
        ("frame:close:0x03", "8801 03"),
        // A Close inside raw bytes counts: it is not answered twice.
        ("raw:0x88020fa0", "8802 0fa0"),
        ("wait:close;close:4001:other", "8807 0fa1 6f74686572"),
        ("wait:close;text:late;answer", "8104 6c617465 880203e8"),
        ("wait:close;raw:0xffff;fin", "ffff"),
        ("wait:close;fin", ""),
        ("echo", "8101 6d 880203e8"),
        ("echo;close", "8101 6d 8800"),
        ("wait:message;text:got", "8103 676f74 880203e8"),
        ("wait:frame:2;text:got", "8103 676f74 880203e8"),
        // A Close ends the wait for anything else, and the script.
        ("wait:message:2;text:never", "880203e8"),
        ("echo:2;text:never", "8101 6d 880203e8"),
    ] {
        check(script, &input, expected);
    }
}

#[test]
fn names_are_scripts() {
    let peer = start();
    let input = [frame(0x82, &[7]), close()].concat();
    for (path, expected) in [
        ("/", "8201 07 880203e8"),
        ("/echo", "8201 07 880203e8"),
        ("/echo/%zz/%C3%A4?x=y", "8201 07 880203e8"),
        ("/text/a%3Bb:c;d", "8107 613b623a633b64 880203e8"),
        ("/send/2/3", "8203 616263 8203 616263 880203e8"),
        ("/raw/8100", "8100 880203e8"),
        ("/raw-with-101/8100", "8100 880203e8"),
        ("/close", "8800"),
        ("/close/4000", "8802 0fa0"),
        ("/close/4000/a:b%20", "8806 0fa0 613a6220"),
        ("/fin", ""),
        ("/on-close/empty", "8201 07 8800"),
        ("/on-close/reply/4001/x", "8201 07 8803 0fa1 78"),
        ("/on-close/garbage", "8201 07 ffffffffffff"),
        ("/on-close/fin", "8201 07"),
        ("/on-close/late/50", "8201 07 880203e8"),
        ("/on-close/data", "8201 07 8104 6c617465 8202 00ff 880203e8"),
        ("/slow-reader", "880203e8"),
        ("/slow-reader/3/1", "880203e8"),
        ("/stalled/20", "880203e8"),
        ("/protocol", "8201 07 880203e8"),
    ] {
        let mut raw = Raw::open(&peer, path);
        raw.send(&input);
        assert_eq!(raw.rest(), hex(expected), "{path}");
    }
    assert_eq!(peer.errors(), [""; 0]);
}

#[test]
fn silence_ends_with_the_client() {
    let peer = start();
    for path in ["/silent", "/on-close/never", "/no-reply"] {
        let mut raw = Raw::request(&peer, path, "");
        raw.send(&[frame(0x89, b"p"), close()].concat());
        raw.0
            .shutdown(std::net::Shutdown::Write)
            .expect("an open socket");
        let all = String::from_utf8_lossy(&raw.rest()).into_owned();
        let after = all
            .split_once("\r\n\r\n")
            .map_or(all.as_str(), |(_, after)| after);
        let pong = if path == "/on-close/never" {
            "\u{fffd}\u{1}p"
        } else {
            ""
        };
        assert_eq!(after, pong, "{path}");
    }
}

#[test]
fn replies_are_edited() {
    let peer = start();
    let reply = |edits: &str| {
        let offer =
            "Sec-WebSocket-Protocol: a, b\r\nSec-WebSocket-Extensions: permessage-deflate\r\n";
        let mut raw = Raw::request(&peer, &format!("/script?do={edits};fin"), offer);
        raw.reply()
    };
    let usual = [
        "HTTP/1.1 101 Switching Protocols",
        "Upgrade: websocket",
        "Connection: Upgrade",
        &format!("Sec-WebSocket-Accept: {ACCEPT}"),
        "Sec-WebSocket-Protocol: a",
    ];
    let swapped = "S3PplmbItXAq9KygZZHzrBk+XoO=";
    for (edits, at, lines) in [
        ("accept", 0, vec![usual[0]]),
        ("accept:first", 4, vec![usual[4], ""]),
        ("accept:last", 4, vec!["Sec-WebSocket-Protocol: b", ""]),
        ("accept:none", 4, vec!["", ""]),
        (
            "accept:protocol=A,%20b",
            4,
            vec!["Sec-WebSocket-Protocol: A, b", ""],
        ),
        ("accept:protocol=", 4, vec!["Sec-WebSocket-Protocol: ", ""]),
        ("accept:+Sec-WebSocket-Accept=@key", 5, vec![usual[3], ""]),
        (
            "accept:Sec-WebSocket-Accept=@swapped",
            3,
            vec![&format!("Sec-WebSocket-Accept: {swapped}")],
        ),
        ("accept:-Sec-WebSocket-Accept", 3, vec![usual[4], ""]),
        (
            "accept:-UPGRADE:Connection=keep-alive,%20Upgrade",
            1,
            vec!["Connection: keep-alive, Upgrade"],
        ),
        ("accept:status=200", 0, vec!["HTTP/1.1 200 OK"]),
        (
            "accept:status=101%20Hi:version=HTTP/1.0",
            0,
            vec!["HTTP/1.0 101 Hi"],
        ),
        (
            "accept:deflate",
            5,
            vec!["Sec-WebSocket-Extensions: permessage-deflate"],
        ),
        (
            "accept:lower",
            1,
            vec!["upgrade: websocket", "connection: Upgrade"],
        ),
        (
            "accept:upper",
            1,
            vec!["UPGRADE: websocket", "CONNECTION: Upgrade"],
        ),
        ("accept:x=%3A%3B", 5, vec!["x: :;", ""]),
        (
            "reply:403",
            0,
            vec![
                "HTTP/1.1 403 Forbidden",
                "Content-Length: 0",
                "Connection: close",
                "",
            ],
        ),
        (
            "reply:301:Location=/x:body=abc",
            1,
            vec!["Content-Length: 3", "Connection: close", "Location: /x", ""],
        ),
        (
            "http:HTTP/1.1%20101%20x%0D%0AY%3A@key%0D%0A%0D%0A",
            1,
            vec![&format!("Y:{ACCEPT}"), ""],
        ),
    ] {
        let reply = reply(edits);
        let all: Vec<_> = reply.split("\r\n").collect();
        assert_eq!(all[at..at + lines.len()], lines, "{edits}");
    }
    assert_eq!(peer.errors(), [""; 0]);
}

#[test]
fn connections_end_before_the_handshake() {
    let peer = start();
    assert_eq!(Raw::request(&peer, "/drop", "").rest(), b"");
    let reset = Raw::request(&peer, "/drop/rst", "").try_rest();
    assert_eq!(
        reset.expect_err("a reset").kind(),
        ErrorKind::ConnectionReset
    );
    assert_eq!(
        Raw::request(&peer, "/garbage", "").rest(),
        b"\0\x01\x02\xff\xfe\r\n\r\n"
    );
    let partial = Raw::request(&peer, "/script?do=http:HTTP/1.1%20101%20Sw;fin", "").rest();
    assert_eq!(partial, b"HTTP/1.1 101 Sw");
    let refused = Raw::request(&peer, "/refuse/401", "").rest();
    assert!(refused.starts_with(b"HTTP/1.1 401 Unauthorized\r\n"));
    let redirected = Raw::request(&peer, "/redirect/302/echo/x", "").reply();
    assert!(
        redirected.contains("\r\nLocation: /echo/x\r\n"),
        "{redirected}"
    );
}

#[test]
fn resets_are_resets() {
    let peer = start();
    for path in ["/on-close/rst", "/script?do=wait:close;rst"] {
        let mut raw = Raw::open(&peer, path);
        raw.send(&close());
        let error = raw.try_rest().expect_err("a reset");
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    }
}

#[test]
fn frames_come_in_the_packet_of_the_101() {
    let peer = start();
    for path in ["/raw-with-101/810161", "/script?do=with101;text:a;wait:end"] {
        let mut raw = Raw::request(&peer, path, "");
        let mut buffer = [0; 4096];
        let count = raw.0.read(&mut buffer).expect("the packet");
        assert!(buffer[..count].ends_with(b"\r\n\r\n\x81\x01a"), "{path}");
    }
}

#[test]
fn pieces_are_paced() {
    let peer = start();
    let start = Instant::now();
    let mut raw = Raw::open(
        &peer,
        "/script?do=split:1:20;text:abc;split:0;cut:1:60;text:d;delay:50;close",
    );
    assert_eq!(raw.take(1), [0x81]);
    assert_eq!(raw.take(7), b"\x03abc\x81\x01d");
    // Five pauses of 20, and the cut.
    assert!(start.elapsed() >= Duration::from_millis(160));
    assert_eq!(raw.take(2), [0x88, 0]);
    assert!(start.elapsed() >= Duration::from_millis(210));
}

#[test]
fn tcp_is_held_open_after_the_answer() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/on-close/hold/300");
    raw.send(&close());
    assert_eq!(raw.take(4), hex(ECHOED));
    let start = Instant::now();
    assert_eq!(raw.rest(), b"");
    assert!(start.elapsed() >= Duration::from_millis(250));
}

#[test]
fn echo_keeps_fragments_and_reserved_bits() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/echo");
    raw.send(&frame(0x41, b"ab"));
    raw.send(&frame(0x89, b"p"));
    raw.send(&frame(0x00, b""));
    raw.send(&frame(0x80, b"c"));
    raw.send(&close());
    assert_eq!(raw.rest(), hex("4102 6162 8a01 70 0000 8001 63 880203e8"));
}

#[test]
fn echo_passes_large_messages_on() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/echo");
    let payload: Vec<u8> = (0..3_000_000u32).map(|at| at as u8).collect();
    let mut writer = raw.0.try_clone().map(Raw).expect("a clone");
    let bytes = [frame(0x82, &payload), close()].concat();
    let writing = std::thread::spawn(move || writer.send(&bytes));
    let echoed = raw.rest();
    writing.join().expect("all is written");
    assert_eq!(echoed[..10], hex("827f 00000000002dc6c0"));
    assert!(echoed[10..].starts_with(&payload));
    assert_eq!(echoed[10 + payload.len()..], hex(ECHOED));
}

#[test]
fn hundreds_of_mebibytes_are_sent_from_a_pattern() {
    let peer = start();
    let mut raw = Raw::open(
        &peer,
        "/script?do=binary:*100M;fragments:text:*200k:100k;fin",
    );
    assert_eq!(raw.take(10), hex("827f 0000000006400000"));
    let mut left = 100 << 20;
    while left > 0 {
        left -= raw.take(left.min(1 << 20)).len();
    }
    assert_eq!(raw.take(10), hex("017f 0000000000019000"));
    assert_eq!(raw.take(102_400)[..4], *b"abcd");
    let last = raw.rest();
    assert_eq!(last[..10], hex("807f 0000000000019000"));
    // The pattern goes on over the fragments.
    assert_eq!(last[10], b'a' + (102_400 % 26) as u8);
}

#[test]
fn a_slow_reader_gets_everything() {
    // S53, with a peer whose window is soon full.
    let peer = start();
    let mut raw = Raw::open(&peer, "/slow-reader?id=slow");
    let start = Instant::now();
    for _ in 0..50 {
        raw.send(&frame(0x82, &[7; 65536]));
    }
    raw.send(&close());
    // At most 16 KiB in 5 ms; what no buffer takes has to wait.
    assert_eq!(raw.rest(), hex(ECHOED));
    assert!(start.elapsed() >= Duration::from_millis(900));
    drop(raw);
    let record = peer.record("slow", 1, Duration::from_secs(10));
    assert!(record.contains("\"frame_count\":51,"), "{record}");
}

#[test]
fn scripts_survive_the_url_parser() {
    for path in [
        "/script?do=accept:+Sec-WebSocket-Accept=@key:-Upgrade:Connection=keep-alive,%20Upgrade;text:@n;binary:*300M",
        "/script?do=repeat:3;frame:b:0x00ff:rsv1,claim=5;next;wait:close;text:%00%ff%3B%3a%26%23;answer&id=a-1.b_2",
        "/close/4000/%E2%82%AC%2F",
    ] {
        let url = format!("ws://127.0.0.1:1234{path}");
        assert_eq!(url::Url::parse(&url).expect("a URL").as_str(), url);
    }
}

#[test]
fn repeated_messages_are_written_together() {
    let peer = start();
    let mut raw = Raw::open(
        &peer,
        "/script?do=cork;repeat:100000;text:@n;next;close:1000",
    );
    for at in 0..1000 {
        let text = at.to_string();
        assert_eq!(raw.take(2 + text.len())[2..], *text.as_bytes());
    }
    raw.send(&close());
    let rest = raw.rest();
    assert!(rest.ends_with(b"\x81\x0599999\x88\x02\x03\xe8"));
}

#[test]
fn idle_limits_end_a_wait() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/script?do=limit:100;wait:message;text:never&id=t");
    assert_eq!(raw.rest(), b"");
    drop(raw);
    assert!(
        peer.record("t", 1, Duration::from_secs(10))
            .contains("\"timeout\":true")
    );
}

#[test]
fn a_hold_may_be_longer_than_the_idle_limit() {
    let peer = start();
    let mut raw = Raw::open(&peer, "/script?do=limit:50;hold:200;text:a;fin");
    assert_eq!(raw.rest(), hex("8101 61"));
}

#[test]
fn the_examples_of_the_reference_are_scripts() {
    let peer = start();
    let readme = include_str!("../README.md");
    let mut count = 0;
    for line in readme.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<_> = line.split(" | ").collect();
        let example = cells[1].split('`').nth(1).filter(|_| cells.len() == 3);
        if let Some(example) = example.filter(|example| !example.starts_with('/')) {
            count += 1;
            let mut raw = Raw::request(&peer, &format!("/script?do={example}"), "");
            let _ = raw.0.read(&mut [0]);
        }
    }
    assert_eq!(peer.errors(), [""; 0]);
    assert!(count > 20, "{count} examples");
}

#[test]
fn wrong_scripts_are_refused_and_reported() {
    let peer = start();
    let scripts = [
        "texxt:a",
        "text:0x1",
        "text:0xzz",
        "text:a:flag",
        "close:70000",
        "close:x",
        "repeat:2;text:a",
        "next",
        "wait:rain",
        "accept:huh",
        "frame:16:a",
        "delay:",
        "binary:*99999999999999999999M",
        "fin:1",
    ];
    for script in scripts {
        let mut raw = Raw::request(&peer, &format!("/script?do={script}"), "");
        assert!(raw.reply().starts_with("HTTP/1.1 404 "), "{script}");
    }
    let deep = format!(
        "/script?do={}{}",
        "repeat:1;".repeat(5000),
        "next;".repeat(5000)
    );
    assert!(
        Raw::request(&peer, &deep, "")
            .reply()
            .starts_with("HTTP/1.1 404 ")
    );
    assert!(
        Raw::request(&peer, "/nowhere", "")
            .reply()
            .starts_with("HTTP/1.1 404 ")
    );
    assert_eq!(peer.errors().len(), scripts.len() + 2);
}

#[test]
fn an_empty_script_accepts_and_closes_politely() {
    let peer = start();
    let mut raw = Raw::connect(&peer);
    // Request and frames at once.
    raw.send(&[head("/script?do=", "").into_bytes(), close()].concat());
    assert!(raw.rest().ends_with(&hex(ECHOED)));
}
