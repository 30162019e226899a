//! permessage-deflate on the wire, against the scripted peer.
#![cfg(feature = "deflate")]

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use isosocket::native::{BuilderExt, Deflate};
use isosocket::{Builder, CloseEvent, Event, EventKind, Message, NewError, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// Connects and gives all events, as they come, on a channel; the handle too.
fn connect(builder: Builder) -> (WebSocket, Receiver<Event>) {
    let (sender, events) = channel();
    let bind = |builder: Builder, kind| {
        let sender = sender.clone();
        builder.bind(kind, move |_, event| drop(sender.send(event.clone())))
    };
    let builder = EventKind::ALL.into_iter().fold(builder, bind);
    (builder.connect().expect("the request is good"), events)
}

fn next(events: &Receiver<Event>) -> Event {
    events
        .recv_timeout(DEADLINE)
        .expect("an event comes in time")
}

fn script(steps: &str, id: &str) -> Builder {
    WebSocket::builder(peer().url(&format!("/script?do={steps}&id={id}")))
}

/// What the peer saw of one connection, as JSON.
fn record(id: &str) -> String {
    peer().record(id, 1, DEADLINE)
}

#[track_caller]
fn opens(builder: Builder) -> (WebSocket, Receiver<Event>) {
    let (socket, events) = connect(builder);
    assert_eq!(next(&events), Event::Open);
    (socket, events)
}

#[track_caller]
fn closes(socket: &WebSocket, events: &Receiver<Event>) {
    socket.close();
    assert_eq!(next(events), Event::Close(CloseEvent::new(1005, "", true)));
}

#[track_caller]
fn fails(events: &Receiver<Event>) {
    let event = next(events);
    assert!(matches!(event, Event::Error(_)), "{event:?}");
    assert_eq!(next(events), Event::Close(CloseEvent::abnormal()));
}

const HEADER: &str = "accept:Sec-WebSocket-Extensions=permessage-deflate";

#[test]
fn the_same_is_offered_as_by_browsers() {
    let (socket, events) = opens(script("accept", "offer"));
    assert_eq!(socket.extensions(), "");
    closes(&socket, &events);
    let offer = r#""permessage-deflate; client_max_window_bits""#;
    assert!(record("offer").contains(offer));

    let (socket, events) = opens(script("accept", "off").deflate(Deflate::off()));
    closes(&socket, &events);
    assert!(!record("off").contains("ermessage-deflate"));
}

#[test]
fn compressed_messages_come_back() {
    for (id, deflate) in [
        ("echo-kept", Deflate::default()),
        (
            "echo-alone",
            Deflate::default().client_no_context_takeover(true),
        ),
        ("echo-small", Deflate::default().client_max_window_bits(8)),
    ] {
        let url = peer().url(&format!("/echo-deflate?id={id}"));
        let (socket, events) = opens(WebSocket::builder(url).deflate(deflate));
        assert!(socket.extensions().starts_with("permessage-deflate"));
        let messages: [Message; 5] = [
            "to be compressed, ".repeat(20).into(),
            "short".into(),
            "to be compressed, ".repeat(20).into(),
            Message::from(&b""[..]),
            vec![7_u8; 1 << 20].into(),
        ];
        for message in messages {
            socket.send(&message).unwrap();
            assert_eq!(next(&events), Event::Message(message));
        }
        assert_eq!(socket.buffered_amount(), 0);
        closes(&socket, &events);
        // On the wire: RSV1 for those that are smaller so, and for no other.
        let record = record(id);
        let bits: Vec<&str> = record
            .match_indices("\"rsv\":")
            .map(|(at, found)| {
                let rest = record[at + found.len()..].trim_start();
                &rest[..1]
            })
            .collect();
        assert_eq!(bits, ["4", "0", "4", "0", "4", "0"], "{record}");
        if id == "echo-kept" {
            // The second refers to the first.
            assert!(record.contains("\"len\":"), "{record}");
        }
    }
}

#[test]
fn what_was_agreed_is_shown() {
    for (id, parameters, shown) in [
        ("shown-1", "", ""),
        (
            "shown-2",
            "%3Bclient_max_window_bits=%2212%22",
            "; client_max_window_bits=12",
        ),
        (
            "shown-3",
            "%3B%20server_no_context_takeover%3B%20client_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
    ] {
        let (socket, events) = opens(script(&format!("{HEADER}{parameters}"), id));
        assert_eq!(socket.extensions(), format!("permessage-deflate{shown}"));
        closes(&socket, &events);
    }
}

#[test]
fn a_reply_beyond_the_offer_fails_the_connection() {
    for (id, parameters) in [
        ("beyond-1", "%3B%20foo"),
        ("beyond-2", "%3B%20server_max_window_bits=7"),
        ("beyond-3", "%3B%20client_max_window_bits"),
        ("beyond-4", "%3B%20server_no_context_takeover=1"),
        ("beyond-5", ",%20permessage-deflate"),
        (
            "beyond-6",
            "%3B%20server_no_context_takeover%3B%20server_no_context_takeover",
        ),
    ] {
        let (_socket, events) = connect(script(&format!("{HEADER}{parameters}"), id));
        fails(&events);
    }
    // Nothing was offered.
    let (_socket, events) = connect(script(HEADER, "beyond-7").deflate(Deflate::off()));
    fails(&events);
    // More was demanded.
    let demanding = Deflate::default().server_no_context_takeover(true);
    let (_socket, events) = connect(script(HEADER, "beyond-8").deflate(demanding));
    fails(&events);
}

#[test]
fn frames_of_the_standards_examples_are_understood() {
    // RFC 7692, 7.2.3: in fragments with a ping between, the second referring
    // to the first, stored, BFINAL.
    let frames = "4103f248cd".to_owned()
        + "890170"
        + "8004c9c90700"
        + "c105f200110000"
        + "c10b000500faff48656c6c6f00"
        + "c108f348cdc9c9070000"
        + "c10100";
    let steps = format!("{HEADER};raw:0x{frames}");
    let (socket, events) = opens(script(&steps, "examples"));
    for expected in ["Hello", "Hello", "Hello", "Hello", ""] {
        assert_eq!(next(&events), Event::Message(expected.into()));
    }
    closes(&socket, &events);
}

#[test]
fn violations_fail_with_their_code_on_the_wire() {
    for (id, frame, code) in [
        ("bit-unagreed", "c10100", 1002),
        ("bit-on-a-ping", "c900", 1002),
        ("bit-on-a-continuation", "010161c00162", 1002),
        ("not-deflate", "c103ffffff", 1002),
        ("not-utf8", "c106000100feffff", 1007),
    ] {
        let accept = if id == "bit-unagreed" {
            "accept"
        } else {
            HEADER
        };
        let steps = format!("{accept};text:before;raw:0x{frame};wait:close");
        let (_socket, events) = opens(script(&steps, id));
        assert_eq!(next(&events), Event::Message("before".into()));
        fails(&events);
        let record = record(id);
        let close = format!("\"code\":{code}");
        assert!(record.replace(' ', "").contains(&close), "{id}: {record}");
    }
}

#[test]
fn a_bomb_fails_with_1009() {
    // Fixed codes: a literal zero, then distance 1 and length 258 again and
    // again, of 13 bits each: about 160 to one.
    let mut bits = String::from("0" /* not last */) + "10" /* fixed */ + "00110000";
    for _ in 0..4000 {
        bits += "11000101"; // 285
        bits += "00000"; // distance 1
    }
    bits += "0000000";
    let bytes: Vec<u8> = bits
        .as_bytes()
        .chunks(8)
        .map(|byte| {
            let bit = |(place, bit): (usize, &u8)| u8::from(*bit == b'1') << place;
            byte.iter().enumerate().map(bit).sum()
        })
        .collect();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    // The last byte has room for the empty block's head.
    let length = bytes.len() as u16;
    let steps = format!("{HEADER};raw:0xc27e{length:04x}{hex};wait:close");
    let good = script(&steps, "bomb-1").max_message_size(258 * 4000 + 1);
    let (_socket, events) = opens(good);
    let Event::Message(message) = next(&events) else {
        panic!("it is within the limit");
    };
    assert_eq!(message, Message::from(vec![0_u8; 258 * 4000 + 1]));
    let (_socket, events) = opens(script(&steps, "bomb-2").max_message_size(258 * 4000));
    fails(&events);
    assert!(record("bomb-2").replace(' ', "").contains("\"code\":1009"));
}

#[test]
fn the_buffered_amount_counts_what_the_program_sent() {
    let steps = format!("{HEADER};rcvbuf:65536;delay:1000");
    let (socket, events) = opens(script(&steps, "amount").tcp_send_buffer(64 << 10));
    let mut random = 1_u64;
    // Half of it shrinks, so that it is compressed and still fills the network.
    let mut message = vec![0_u8; 1 << 20];
    for byte in message.iter_mut().step_by(2) {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        *byte = (random >> 56) as u8;
    }
    socket.send(&message).unwrap();
    assert_eq!(socket.buffered_amount(), message.len());
    socket.send("short").unwrap();
    assert_eq!(socket.buffered_amount(), message.len() + 5);
    closes(&socket, &events);
    assert_eq!(socket.buffered_amount(), 0);
}

#[test]
fn options_that_do_not_exist_are_an_error_at_connect() {
    for deflate in [
        Deflate::default().client_max_window_bits(7),
        Deflate::default().server_max_window_bits(16),
        Deflate::default().level(0),
        Deflate::default().level(10),
    ] {
        let result = WebSocket::builder("ws://127.0.0.1/")
            .deflate(deflate)
            .connect();
        assert!(matches!(result, Err(NewError::Option(_))));
    }
}

#[test]
fn many_threads_may_send_at_once() {
    let url = peer().url("/echo-deflate?id=threads");
    let (socket, events) = opens(WebSocket::builder(url));
    let message = |thread: usize, n: usize| format!("thread {thread}, ").repeat(5 + n % 30);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let socket = socket.clone();
            scope.spawn(move || {
                for n in 0..100 {
                    socket.send(message(thread, n)).unwrap();
                }
            });
        }
    });
    let mut seen = [0; 4];
    for _ in 0..400 {
        let Event::Message(Message::Text(text)) = next(&events) else {
            panic!("a message");
        };
        let thread: usize = text["thread ".len()..][..1].parse().unwrap();
        assert_eq!(*text, *message(thread, seen[thread]));
        seen[thread] += 1;
    }
    closes(&socket, &events);
}
