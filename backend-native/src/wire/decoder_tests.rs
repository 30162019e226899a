//! Tests of the decoder: a table of cases for the rules, and random and mutated streams of
//! frames, for which it must agree with tungstenite.

use tungstenite::protocol::frame::coding::{Data, OpCode};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error as TungsteniteError, Message as TungsteniteMessage};

use super::*;
use crate::wire::frame::encode;

/// What a stream of bytes came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    items: Vec<Item>,
    violation: Option<u16>,
}

/// Decodes `bytes` in pieces of `size`.
impl Output for Vec<Item> {
    fn message(&mut self, message: Message) -> Flow {
        self.item(Item::Message(message))
    }

    fn item(&mut self, item: Item) -> Flow {
        self.push(item);
        Flow::GoOn
    }
}

fn decode(bytes: &[u8], size: usize, limit: usize) -> Outcome {
    let (mut decoder, mut arena) = (Decoder::new(limit), Arena::default());
    let mut items = Vec::new();
    for piece in bytes.chunks(size.max(1)) {
        if let Err(violation) = decoder.decode(piece, &mut arena, &mut items) {
            let violation = Some(violation.code);
            return Outcome { items, violation };
        }
    }
    Outcome {
        items,
        violation: None,
    }
}

fn text(text: &str) -> Item {
    Item::Message(text.into())
}

fn binary(bytes: &[u8]) -> Item {
    Item::Message(bytes.into())
}

/// The bytes come to these items and this violation, however they are split.
#[track_caller]
fn check(bytes: &[u8], items: &[Item], violation: Option<u16>) {
    for size in 1..=bytes.len() {
        let outcome = decode(bytes, size, 1000);
        assert_eq!(outcome.items, items, "{bytes:02x?} by {size}");
        assert_eq!(outcome.violation, violation, "{bytes:02x?} by {size}");
    }
}

#[test]
fn good_frames_make_messages() {
    check(b"\x81\x02hi\x82\x00", &[text("hi"), binary(b"")], None);
    // S56, S57: fragments, a ping between them, a character split by them.
    let fragments = b"\x01\x02a\xc3\x89\x01p\x00\x00\x80\x01\xa9\x8a\x00";
    let ping = Item::Ping(Bytes::from_static(b"p"));
    check(fragments, &[ping, text("aé"), Item::Pong], None);
    // S80, S81, S88, S89: Close ends it all.
    let close = |code, reason: &str| Item::Close(Some((code, reason.to_owned())));
    check(b"\x88\x00\x81\x01x", &[Item::Close(None)], None);
    check(b"\x01\x01a\x88\x03\x0f\xa0!", &[close(4000, "!")], None);
    let mut long = vec![0x82, 126, 1, 0];
    long.extend([7; 256]);
    check(&long, &[binary(&[7; 256])], None);
}

#[test]
fn violations_have_their_code_and_spare_what_came_before() {
    // S94: the message before each is delivered.
    let table: &[(&[u8], u16)] = &[
        (b"\xc1\x01x", 1002), // S90: reserved bit 1
        (b"\xa1\x01x", 1002), // reserved bit 2
        (b"\x91\x01x", 1002), // reserved bit 3
        (b"\x83\x00", 1002),  // reserved opcodes
        (b"\x8b\x00", 1002),
        (b"\x09\x00", 1002),                   // a fragmented ping
        (b"\x89\x7e\x00\x7e", 1002),           // a ping of 126 bytes
        (b"\x80\x00", 1002),                   // a stray continuation
        (b"\x01\x01a\x01\x01b", 1002),         // a message inside another
        (b"\x82\x7f\x80\0\0\0\0\0\0\0", 1002), // the length's top bit
        (b"\x82\x7e\x00\x01x", 1002),          // S92: not the shortest form
        (b"\x82\x7f\0\0\0\0\0\0\x01\0", 1002),
        (b"\x81\x81\0\0\0\0x", 1002),    // S93: masked
        (b"\x88\x01x", 1002),            // S85: a Close of one byte
        (b"\x88\x02\x03\xed", 1002),     // S83: 1005
        (b"\x88\x02\x03\xe7", 1002),     // S84: 999
        (b"\x88\x02\x13\x88", 1002),     // 5000
        (b"\x88\x03\x03\xe8\xff", 1007), // S86
        (b"\x81\x01\xff", 1007),         // S91: a bad byte
        (b"\x81\x02\xc3\x28", 1007),
        (b"\x81\x01\xc3", 1007),              // truncated
        (b"\x81\x03\xed\xa0\x80", 1007),      // a surrogate
        (b"\x01\x01\xc3\x80\x01x", 1007),     // across fragments
        (b"\x82\x7e\x03\xe9", 1009),          // S62: 1001 of 1000 bytes
        (b"\x02\x01a\x80\x7e\x03\xe8", 1009), // in fragments
    ];
    for (bytes, code) in table {
        let after_a_message = [b"\x81\x02ok".as_slice(), bytes].concat();
        check(&after_a_message, &[text("ok")], Some(*code));
    }
}

#[test]
fn close_codes_that_may_be_sent_pass() {
    for code in [1000u16, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999] {
        let [high, low] = code.to_be_bytes();
        check(
            &[0x88, 2, high, low],
            &[Item::Close(Some((code, String::new())))],
            None,
        );
    }
}

#[test]
fn what_we_encode_tungstenite_decodes() {
    for size in [0, 1, 7, 125, 126, 65_535, 65_536, 100_003] {
        // Too much for an interpreter.
        if cfg!(miri) && size > 126 {
            break;
        }
        let payload: Vec<u8> = (0..size).map(|n| n as u8).collect();
        let mut wire = Vec::new();
        encode(&mut wire, OpCode::Data(Data::Binary), &payload);
        let mut server = WebSocketContext::new(Role::Server, None);
        let seen = server.read(&mut Wire::new(&wire)).unwrap();
        assert_eq!(seen, TungsteniteMessage::binary(payload), "{size} bytes");
    }
}

// Against tungstenite.

/// A stream that gives bytes, then its end, and swallows what is written.
struct Wire<'a>(&'a [u8]);

impl<'a> Wire<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Wire(bytes)
    }
}

impl std::io::Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0.read(buffer)
    }
}

impl std::io::Write for Wire<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What tungstenite makes of the stream, in our words.
fn oracle(bytes: &[u8], limit: usize) -> Outcome {
    let config = WebSocketConfig::default()
        .max_message_size(Some(limit))
        // Without a limit it would reserve whatever length a header claims.
        .max_frame_size(Some(limit));
    let mut context = WebSocketContext::new(Role::Client, Some(config));
    let mut wire = Wire::new(bytes);
    let mut items = Vec::new();
    loop {
        let violation = match context.read(&mut wire) {
            Ok(message) => {
                items.push(match message {
                    TungsteniteMessage::Text(text) => Item::Message(text.as_str().into()),
                    TungsteniteMessage::Binary(data) => Item::Message(data.into()),
                    TungsteniteMessage::Ping(data) => Item::Ping(data),
                    TungsteniteMessage::Pong(_) => Item::Pong,
                    TungsteniteMessage::Close(frame) => Item::Close(
                        frame.map(|frame| (frame.code.into(), frame.reason.as_str().to_owned())),
                    ),
                    TungsteniteMessage::Frame(_) => unreachable!("reading gives no raw frames"),
                });
                continue;
            }
            Err(TungsteniteError::Utf8(_)) => Some(1007),
            Err(TungsteniteError::Capacity(_)) => Some(1009),
            Err(TungsteniteError::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => None,
            Err(TungsteniteError::Protocol(_)) => Some(1002),
            // The end of the bytes, or what follows a Close.
            Err(_) => None,
        };
        return Outcome { items, violation };
    }
}

/// Why the two may differ: the rule that says so.
fn difference(ours: &Outcome, theirs: &Outcome, message: Option<&str>) -> Option<&'static str> {
    let prefix = theirs.items.starts_with(&ours.items);
    let rest = &theirs.items[ours.items.len().min(theirs.items.len())..];
    if matches!(ours.items.last(), Some(Item::Close(_))) && ours.items == theirs.items {
        return Some("S88");
    }
    match message? {
        "the peer sent a length that is not in its shortest form" if prefix => Some("S92"),
        "the peer sent a close code that must not be sent"
            if prefix && matches!(rest, [Item::Close(_)]) =>
        {
            Some("S84")
        }
        // Found at the bad byte, not at the frame's end, which may never come.
        "the peer sent text that is not UTF-8" if prefix && theirs.violation.is_none() => {
            Some("S91")
        }
        // tungstenite reads the mask, or the whole frame, before it objects.
        _ if prefix && rest.is_empty() && theirs.violation.is_none() => Some("S94"),
        // Two faults in one frame: which is named first is nobody's rule.
        _ if ours.items == theirs.items
            && ours.violation.is_some()
            && theirs.violation.is_some() =>
        {
            Some("S95")
        }
        _ => None,
    }
}

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    fn frame(&mut self, wire: &mut Vec<u8>, first: u8, payload: &[u8]) {
        wire.push(first);
        match payload.len() {
            short @ ..126 => wire.push(short as u8),
            long => {
                wire.push(126);
                wire.extend((long as u16).to_be_bytes());
            }
        }
        wire.extend_from_slice(payload);
    }

    fn payload(&mut self, text: bool) -> Vec<u8> {
        let letters = ["a", "é", "€", "😀", "\0"];
        let mut payload = Vec::new();
        for _ in 0..[0, 3, 40, 90][self.next(4)] {
            match text {
                true => payload.extend_from_slice(letters[self.next(5)].as_bytes()),
                false => payload.push(self.next(256) as u8),
            }
        }
        payload
    }

    /// A few messages, whole or in fragments cut anywhere, with control frames.
    fn stream(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        for _ in 0..1 + self.next(4) {
            let text = self.next(2) == 0;
            let payload = self.payload(text);
            let mut opcode = if text { 1 } else { 2 };
            let mut rest = payload.as_slice();
            for _ in 0..self.next(3) {
                let (piece, after) = rest.split_at(self.next(rest.len() + 1));
                self.frame(&mut wire, opcode, piece);
                (opcode, rest) = (0, after);
                let control = [0x89, 0x8A][self.next(2)];
                self.frame(&mut wire, control, b"control");
            }
            self.frame(&mut wire, 0x80 | opcode, rest);
        }
        if self.next(3) == 0 {
            let code = [1000u16, 1001, 1005, 1016, 2999, 3000, 4999, 5000][self.next(8)];
            let close = [&code.to_be_bytes()[..], "tschüß".as_bytes()].concat();
            let length = [0, 1, 2, close.len()][self.next(4)];
            self.frame(&mut wire, 0x88, &close[..length]);
        }
        wire
    }

    fn mutate(&mut self, wire: &mut Vec<u8>) {
        for _ in 0..self.next(3) {
            let at = self.next(wire.len());
            match self.next(4) {
                0 => wire[at] ^= 1 << self.next(8),
                1 => wire[at] = self.next(256) as u8,
                2 => drop(wire.remove(at)),
                _ => wire.truncate(at.max(1)),
            }
            if wire.is_empty() {
                wire.push(0x82);
            }
        }
    }
}

#[test]
#[cfg_attr(miri, ignore = "too much for an interpreter")]
fn it_differs_from_tungstenite_only_where_a_rule_says_so() {
    let mut reasons = std::collections::BTreeMap::<_, u32>::new();
    for seed in 1..=30_000 {
        let mut random = Random(u64::wrapping_mul(seed, 0x9E37_79B9_7F4A_7C15));
        let mut wire = random.stream();
        random.mutate(&mut wire);
        let limit = 300;
        let size = 1 + random.next(wire.len());
        let (mut decoder, mut arena) = (Decoder::new(limit), Arena::default());
        let mut items = Vec::new();
        let violation = wire
            .chunks(size)
            .find_map(|piece| decoder.decode(piece, &mut arena, &mut items).err());
        let ours = Outcome {
            items,
            violation: violation.as_ref().map(|violation| violation.code),
        };
        let theirs = oracle(&wire, limit);
        if ours != theirs {
            let message = violation.map(|violation| violation.to_string());
            match difference(&ours, &theirs, message.as_deref()) {
                Some(rule) => *reasons.entry(rule).or_default() += 1,
                None => panic!("seed {seed}: {wire:02x?}\nours {ours:?}\ntheirs {theirs:?}"),
            }
        }
    }
    // Every reason does occur, or it should not be in the list.
    assert!(reasons.values().all(|&count| count > 0));
    assert_eq!(
        reasons.keys().copied().collect::<Vec<_>>(),
        ["S84", "S88", "S91", "S92", "S94", "S95"]
    );
}

/// Feeds `bytes` in pieces of `size`, each to where the decoder wants it; also
/// says how often that was a message's own place.
fn decode_in_place(bytes: &[u8], size: usize) -> (Outcome, usize) {
    let (mut decoder, mut arena) = (Decoder::new(1 << 20), Arena::default());
    let (mut items, mut in_place) = (Vec::new(), 0);
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut fed = size.min(rest.len());
        let decoded = if let Some((data, most)) = decoder.room() {
            fed = fed.min(most);
            data.extend_from_slice(&rest[..fed]);
            in_place += 1;
            let found = decoder.appended(fed);
            found.map(|found| items.extend(found.map(Item::Message)))
        } else {
            let decoded = decoder.decode(&rest[..fed], &mut arena, &mut items);
            decoded.map(drop)
        };
        if let Err(violation) = decoded {
            let violation = Some(violation.code);
            return (Outcome { items, violation }, in_place);
        }
        rest = &rest[fed..];
    }
    let violation = None;
    (Outcome { items, violation }, in_place)
}

#[test]
#[cfg_attr(miri, ignore = "too much for an interpreter")]
fn large_messages_read_in_place_are_the_same() {
    fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u64).to_be_bytes();
        [&[first, 127], length.as_slice(), payload].concat()
    }
    let long = "grüße".repeat(50_000);
    let (head, tail) = long.as_bytes().split_at(200_003);
    let mut bad = long.clone().into_bytes();
    bad[250_000] = 0xFF;
    let streams = [
        frame(0x81, long.as_bytes()),
        frame(0x82, long.as_bytes()),
        [frame(0x01, head), b"\x89\x01p".to_vec(), frame(0x80, tail)].concat(),
        [frame(0x02, head), frame(0x00, tail), b"\x80\x01x".to_vec()].concat(),
        [frame(0x82, head), b"\x81\x02ok".to_vec()].concat(),
        frame(0x81, &bad),
        [
            frame(0x01, &long.as_bytes()[..200_001]),
            b"\x80\x00".to_vec(),
        ]
        .concat(),
    ];
    for (number, stream) in streams.iter().enumerate() {
        for size in [1 << 10, 65_537, 100_000, 128 << 10] {
            let expected = decode(stream, size, 1 << 20);
            let (outcome, in_place) = decode_in_place(stream, size);
            assert!(in_place > 0, "stream {number} by {size}");
            assert!(outcome == expected, "stream {number} by {size}");
        }
    }
}
