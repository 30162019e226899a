//! Tests of permessage-deflate: tables for the negotiation, and random, damaged and hostile
//! streams, for which both halves must agree with flate2.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress};
use isosocket_core::{Message, MessageRef};

use super::negotiation::NegotiationError::*;
use super::*;
use crate::wire::decoder::{Arena, Decoder, Item};

// Negotiation.

fn agree(options: &Deflate, lines: &[&str]) -> Result<Option<Agreed>, NegotiationError> {
    options.agree(lines.iter().map(|line| line.trim().as_bytes()))
}

#[test]
fn the_offer_is_that_of_browsers_and_says_what_was_asked_for() {
    let offer = |options: Deflate| options.offer();
    assert_eq!(
        offer(Deflate::default()).as_deref(),
        Some("permessage-deflate; client_max_window_bits")
    );
    assert_eq!(offer(Deflate::off()), None);
    let all = Deflate::default()
        .client_no_context_takeover(true)
        .server_no_context_takeover(true)
        .client_max_window_bits(9)
        .server_max_window_bits(10);
    let expected = "permessage-deflate; server_no_context_takeover; \
         client_no_context_takeover; server_max_window_bits=10; client_max_window_bits=9";
    assert_eq!(offer(all).as_deref(), Some(expected));
}

#[test]
fn replies_within_the_offer_are_agreed_on_and_shown() {
    let table = [
        ("permessage-deflate", "permessage-deflate"),
        (
            "permessage-deflate ;server_no_context_takeover;client_no_context_takeover",
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover",
        ),
        (
            "permessage-deflate; client_max_window_bits=\"8\"; server_max_window_bits = 15",
            "permessage-deflate; client_max_window_bits=8; server_max_window_bits=15",
        ),
        (", permessage-deflate,", "permessage-deflate"),
    ];
    for (line, shown) in table {
        let agreed = agree(&Deflate::default(), &[line]).unwrap().unwrap();
        assert_eq!(agreed.to_string(), shown);
    }
    for nothing in [&[] as &[&str], &[""], &[" , "]] {
        assert_eq!(agree(&Deflate::default(), nothing), Ok(None));
        assert_eq!(agree(&Deflate::off(), nothing), Ok(None));
    }
}

#[test]
fn replies_beyond_the_offer_are_refused() {
    let server = "server_max_window_bits";
    let client = "client_max_window_bits";
    let table: &[(&[&str], NegotiationError)] = &[
        (&["foo"], NotOffered),
        (&["permessage-deflate, foo"], NotOffered),
        (&["Permessage-Deflate"], NotOffered),
        (&["permessage-deflate2"], NotOffered),
        (&["; server_no_context_takeover"], NotOffered),
        (&["permessage-deflate, permessage-deflate"], Repeated),
        (&["permessage-deflate", "permessage-deflate"], Repeated),
        (&["permessage-deflate; foo"], Unknown("foo".into())),
        (&["permessage-deflate; foo=1"], Unknown("foo".into())),
        // A backslash escapes only inside quotes.
        (&["permessage-deflate; foo\\; bar"], Unknown("foo\\".into())),
        (
            &["permessage-deflate; server_max_window_bits=\"1\\\"0\""],
            Value(server),
        ),
        (
            &["permessage-deflate; foo=\"a;b,c\"; bar"],
            Unknown("foo".into()),
        ),
        (&["permessage-deflate;"], Malformed),
        (&["permessage-deflate; =8"], Malformed),
        (
            &["permessage-deflate; server_max_window_bits=\"8"],
            Malformed,
        ),
        (
            &["permessage-deflate; server_no_context_takeover; server_no_context_takeover"],
            RepeatedParameter("server_no_context_takeover"),
        ),
        (
            &["permessage-deflate; client_max_window_bits=8; client_max_window_bits=8"],
            RepeatedParameter(client),
        ),
        (
            &["permessage-deflate; server_no_context_takeover=1"],
            Value("server_no_context_takeover"),
        ),
        (
            &["permessage-deflate; client_no_context_takeover="],
            Value("client_no_context_takeover"),
        ),
        (
            &["permessage-deflate; server_max_window_bits"],
            Value(server),
        ),
        (
            &["permessage-deflate; client_max_window_bits"],
            Value(client),
        ),
        (
            &["permessage-deflate; client_max_window_bits="],
            Value(client),
        ),
        (
            &["permessage-deflate; server_max_window_bits=7"],
            Value(server),
        ),
        (
            &["permessage-deflate; server_max_window_bits=16"],
            Value(server),
        ),
        (
            &["permessage-deflate; server_max_window_bits=08"],
            Value(server),
        ),
        (
            &["permessage-deflate; server_max_window_bits=+9"],
            Value(server),
        ),
        (
            &["permessage-deflate; server_max_window_bits=265"],
            Value(server),
        ),
        (
            &["permessage-deflate; client_max_window_bits=10.0"],
            Value(client),
        ),
    ];
    for (lines, error) in table {
        assert_eq!(
            agree(&Deflate::default(), lines).as_ref(),
            Err(error),
            "{lines:?}"
        );
    }
    let off = agree(&Deflate::off(), &["permessage-deflate"]);
    assert_eq!(off, Err(NotOffered));

    let demanding = Deflate::default()
        .server_no_context_takeover(true)
        .server_max_window_bits(10)
        .client_max_window_bits(11);
    let with = |parameters: &str| {
        let line = format!("permessage-deflate; {parameters}");
        agree(&demanding, &[&line]).map(|agreed| agreed.is_some())
    };
    let takeover = NotGranted("server_no_context_takeover");
    assert_eq!(with("server_max_window_bits=10"), Err(takeover));
    let window = NotGranted(server);
    assert_eq!(with("server_no_context_takeover"), Err(window));
    for (bits, result) in [(9, Ok(true)), (10, Ok(true)), (11, Err(Beyond(server)))] {
        let parameters = format!("server_no_context_takeover; server_max_window_bits={bits}");
        assert_eq!(with(&parameters), result);
    }
    for (bits, result) in [(8, Ok(true)), (11, Ok(true)), (12, Err(Beyond(client)))] {
        let parameters = format!(
            "server_no_context_takeover; server_max_window_bits=8; client_max_window_bits={bits}"
        );
        assert_eq!(with(&parameters), result);
    }
    // To go without is the server's right.
    assert_eq!(agree(&demanding, &[]), Ok(None));
}

#[test]
fn options_that_do_not_exist_are_refused() {
    let good = Deflate::default();
    assert_eq!(good.check(), Ok(()));
    for bits in [0, 7, 16] {
        assert!(good.clone().client_max_window_bits(bits).check().is_err());
        assert!(good.clone().server_max_window_bits(bits).check().is_err());
    }
    for level in [0, 10] {
        assert!(good.clone().level(level).check().is_err());
    }
}

// The halves.

/// A small generator, so that a failure can be repeated by its seed.
struct Random(u64);

impl Random {
    fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15).max(1))
    }

    fn next(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }

    /// Text that repeats itself, near and far, or noise.
    fn payload(&mut self) -> Vec<u8> {
        let size = [0, 1, 20, 300, 5000, 70_000][self.next(6)];
        let words = ["price", "é", "\":", "€", "{\"id\":", "😀", "42", " "];
        let noise = self.next(4) == 0;
        let mut payload = Vec::new();
        while payload.len() < size {
            match noise {
                true => payload.push(self.next(256) as u8),
                false => payload.extend_from_slice(words[self.next(8)].as_bytes()),
            }
        }
        payload
    }
}

/// What a server does, by flate2 alone.
struct Server {
    stream: Compress,
    takes_over: bool,
}

impl Server {
    fn new(window: u8, takes_over: bool) -> Self {
        Server {
            stream: Compress::new_with_window_bits(Compression::new(6), false, window.max(9)),
            takes_over,
        }
    }

    fn compress(&mut self, payload: &[u8]) -> Vec<u8> {
        if payload.is_empty() {
            return vec![0];
        }
        let mut out = Vec::with_capacity(payload.len() + 1000);
        self.stream
            .compress_vec(payload, &mut out, FlushCompress::Sync)
            .unwrap();
        assert!(out.len() < out.capacity());
        if !self.takes_over {
            self.stream.reset();
        }
        out.truncate(out.len() - 4);
        out
    }
}

fn frame(wire: &mut Vec<u8>, first: u8, payload: &[u8]) {
    wire.push(first);
    match payload.len() {
        short @ ..126 => wire.push(short as u8),
        middle @ ..65_536 => {
            wire.push(126);
            wire.extend((middle as u16).to_be_bytes());
        }
        long => {
            wire.push(127);
            wire.extend((long as u64).to_be_bytes());
        }
    }
    wire.extend_from_slice(payload);
}

fn agreed(window: u8, takes_over: bool) -> Agreed {
    let takeover = [
        "; server_no_context_takeover; client_no_context_takeover",
        "",
    ];
    let line = format!(
        "permessage-deflate; server_max_window_bits={window}; client_max_window_bits={window}{}",
        takeover[usize::from(takes_over)]
    );
    agree(&Deflate::default().min_size(1), &[&line])
        .unwrap()
        .unwrap()
}

/// Decodes in pieces of a size: the messages, and the violation's code.
fn decode(
    wire: &[u8],
    size: usize,
    agreed: &Agreed,
    limit: usize,
    arena: &mut Arena,
) -> (Vec<Item>, Option<u16>) {
    let mut decoder = Decoder::new(limit);
    decoder.set_inflater(agreed.inflater());
    let mut items = Vec::new();
    for mut piece in wire.chunks(size.max(1)) {
        while !piece.is_empty() {
            match decoder.decode(piece, arena, &mut items) {
                Ok(used) => piece = &piece[used..],
                Err(violation) => return (items, Some(violation.code)),
            }
        }
    }
    (items, None)
}

fn item(payload: &[u8]) -> Item {
    Item::Message(match std::str::from_utf8(payload) {
        Ok(text) => text.into(),
        Err(_) => payload.into(),
    })
}

fn opcode(payload: &[u8]) -> u8 {
    match std::str::from_utf8(payload) {
        Ok(_) => 0x01,
        Err(_) => 0x02,
    }
}

/// A conversation's server side: messages plain, compressed and in fragments,
/// with pings between.
fn stream(random: &mut Random, server: &mut Server, expected: &mut Vec<Item>) -> Vec<u8> {
    let mut wire = Vec::new();
    for _ in 0..1 + random.next(6) {
        let payload = random.payload();
        expected.push(item(&payload));
        if random.next(4) == 0 {
            frame(&mut wire, 0x80 | opcode(&payload), &payload);
            continue;
        }
        let compressed = server.compress(&payload);
        let (mut rest, mut first) = (compressed.as_slice(), 0x40 | opcode(&payload));
        for _ in 0..random.next(4) {
            let (piece, after) = rest.split_at(random.next(rest.len() + 1));
            frame(&mut wire, first, piece);
            frame(&mut wire, 0x8A, b"pong");
            expected.insert(expected.len() - 1, Item::Pong);
            (first, rest) = (0, after);
        }
        frame(&mut wire, 0x80 | first, rest);
    }
    wire
}

#[test]
fn what_flate2_compresses_is_decoded_however_it_is_split() {
    let mut arena = Arena::default();
    for seed in 1..=200 {
        let mut random = Random::new(seed);
        let (window, takes_over) = (8 + random.next(8) as u8, random.next(2) == 0);
        let mut server = Server::new(window, takes_over);
        let mut expected = Vec::new();
        let wire = stream(&mut random, &mut server, &mut expected);
        let agreed = agreed(window, takes_over);
        for size in [wire.len(), 1 + random.next(wire.len()), 1 + random.next(20)] {
            let decoded = decode(&wire, size, &agreed, 1 << 20, &mut arena);
            assert!(
                decoded == (expected.clone_items(), None),
                "seed {seed} by {size}"
            );
        }
    }
    // Every size for a short stream.
    let mut server = Server::new(15, true);
    let mut wire = Vec::new();
    for text in ["Hello", "", "Hello", "grüße, Hello"] {
        let compressed = server.compress(text.as_bytes());
        let (one, two) = compressed.split_at(compressed.len() / 2);
        frame(&mut wire, 0x41, one);
        frame(&mut wire, 0x80, two);
    }
    for size in 1..=wire.len() {
        let (items, violation) = decode(&wire, size, &agreed(15, true), 100, &mut arena);
        let expected = ["Hello", "", "Hello", "grüße, Hello"].map(|text| item(text.as_bytes()));
        assert_eq!(
            (items.as_slice(), violation),
            (expected.as_slice(), None),
            "by {size}"
        );
    }
}

trait CloneItems {
    fn clone_items(&self) -> Vec<Item>;
}

impl CloneItems for Vec<Item> {
    fn clone_items(&self) -> Vec<Item> {
        let clone = |item: &Item| match item {
            Item::Message(message) => Item::Message(message.clone()),
            _ => Item::Pong,
        };
        self.iter().map(clone).collect()
    }
}

#[test]
fn the_examples_of_the_standard_are_decoded() {
    // RFC 7692, 7.2.3: one block, two fragments, a stored block, BFINAL, two
    // blocks in one message.
    let cases: &[&[u8]] = &[
        &[0xC1, 0x07, 0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
        &[
            0x41, 0x03, 0xF2, 0x48, 0xCD, 0x80, 0x04, 0xC9, 0xC9, 0x07, 0x00,
        ],
        &[
            0xC1, 0x0B, 0x00, 0x05, 0x00, 0xFA, 0xFF, 0x48, 0x65, 0x6C, 0x6C, 0x6F, 0x00,
        ],
        &[0xC1, 0x08, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00, 0x00],
        &[
            0xC1, 0x0D, 0xF2, 0x48, 0x05, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xCA, 0xC9, 0xC9, 0x07,
            0x00,
        ],
        // The same with a sender that forgot the octet after BFINAL.
        &[0xC1, 0x07, 0xF3, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00],
    ];
    let mut arena = Arena::default();
    for case in cases {
        // Each must leave the stream fit for the next.
        let twice = [*case, cases[0]].concat();
        for size in 1..=twice.len() {
            let (items, violation) = decode(&twice, size, &agreed(15, true), 100, &mut arena);
            assert_eq!(
                items,
                [item(b"Hello"), item(b"Hello")],
                "{case:02x?} by {size}"
            );
            assert_eq!(violation, None);
        }
    }
    // 7.2.3.2: the second refers to the first.
    let shared = [cases[0], &[0xC1, 0x05, 0xF2, 0x00, 0x11, 0x00, 0x00]].concat();
    let (items, _) = decode(&shared, 100, &agreed(15, true), 100, &mut arena);
    assert_eq!(items, [item(b"Hello"), item(b"Hello")]);
    // Without context takeover it has nothing to refer to.
    let (items, violation) = decode(&shared, 100, &agreed(15, false), 100, &mut arena);
    assert_eq!((items.len(), violation), (1, Some(1002)));
}

#[test]
fn the_bit_is_for_first_frames_of_messages_only() {
    let mut arena = Arena::default();
    let bad: &[&[u8]] = &[
        b"\xC9\x00",                 // on a ping
        b"\xC8\x00",                 // on a Close
        b"\x01\x01a\xC0\x01b",       // on a continuation
        b"\x41\x01\x00\xC0\x01\x00", // on one of a compressed message
        b"\xA1\x00",                 // RSV2
        b"\xD1\x00",                 // RSV3 with it
    ];
    for wire in bad {
        for size in 1..=wire.len() {
            let decoded = decode(wire, size, &agreed(15, true), 100, &mut arena);
            assert_eq!(decoded, (vec![], Some(1002)), "{wire:02x?}");
        }
    }
}

#[test]
fn text_is_checked_after_it_was_inflated() {
    let mut arena = Arena::default();
    for bad in [
        &b"ab\xFFcd"[..],
        b"\xED\xA0\x80",
        b"truncated \xE2\x82",
        &[0x80; 100_000],
    ] {
        let mut wire = Vec::new();
        frame(&mut wire, 0xC1, &Server::new(15, true).compress(bad));
        for size in [1, 3, wire.len()] {
            let decoded = decode(&wire, size, &agreed(15, true), 1 << 20, &mut arena);
            assert_eq!(decoded, (vec![], Some(1007)));
        }
    }
}

#[test]
fn the_limit_holds_for_what_a_message_inflates_to() {
    let mut arena = Arena::default();
    let limit = 100_000;
    for (size, good) in [(limit, true), (limit + 1, false), (50 << 20, false)] {
        for data in [vec![b'a'; size], Random::new(7).noise(size.min(200_000))] {
            let good = good || data.len() <= limit;
            let mut wire = Vec::new();
            frame(&mut wire, 0xC2, &Server::new(15, true).compress(&data));
            for piece in [500, wire.len()] {
                let (items, violation) = decode(&wire, piece, &agreed(15, true), limit, &mut arena);
                assert_eq!(violation, (!good).then_some(1009), "{size} by {piece}");
                assert_eq!(items.len(), usize::from(good));
            }
        }
    }
}

#[test]
fn a_bomb_is_inflated_no_further_than_the_limit() {
    let bomb = Server::new(15, true).compress(&vec![0; 100 << 20]);
    assert!(bomb.len() < 110_000);
    let limit = 1 << 20;
    let mut taken = 0;
    let mut inflater = agreed(15, true).inflater();
    let result = inflater.inflate(&bomb, true, &mut Spare::default(), &mut |part, _| {
        taken += part.len();
        match taken <= limit {
            true => Ok(()),
            false => Err(crate::wire::violation::Violation::protocol("enough")),
        }
    });
    assert!(result.is_err() && taken <= limit + (64 << 10), "{taken}");
}

/// What is read straight to where a message belongs is not compressed.
#[test]
fn a_compressed_message_is_not_read_in_place() {
    let content = Random::new(3).noise(300_000);
    for (first, compressed) in [(0xC2, true), (0x82, false)] {
        let payload = match compressed {
            true => Server::new(15, true).compress(&content),
            false => content.clone(),
        };
        assert!(payload.len() > 100_000, "much of it is to come");
        let mut wire = Vec::new();
        frame(&mut wire, first, &payload);
        let mut decoder = Decoder::new(usize::MAX);
        decoder.set_inflater(agreed(15, true).inflater());
        let mut items = Vec::new();
        let start = &wire[..1000];
        let used = decoder.decode(start, &mut Arena::default(), &mut items);
        assert_eq!(used.ok(), Some(start.len()));
        assert_eq!(decoder.room().is_none(), compressed);
    }
}

/// Nor does one call inflate all of a bomb that the limit allows: other sockets have
/// their turn in between (S110).
#[test]
fn a_bomb_is_inflated_in_bounded_steps() {
    let size = 64 << 20;
    let mut wire = Vec::new();
    frame(
        &mut wire,
        0xC2,
        &Server::new(15, true).compress(&vec![7; size]),
    );
    let mut decoder = Decoder::new(usize::MAX);
    decoder.set_inflater(agreed(15, true).inflater());
    let mut arena = Arena::default();
    let mut items = Vec::new();
    let mut rest = &wire[..];
    let mut calls = 0;
    while !rest.is_empty() {
        let used = decoder.decode(rest, &mut arena, &mut items).unwrap();
        assert!(used > 0, "it goes on");
        rest = &rest[used..];
        calls += 1;
        let inflated = arena.take_inflated();
        assert!(inflated <= 4 << 20, "{inflated} bytes in one call");
    }
    assert!(calls >= 16, "{calls}");
    let whole = Item::Message(vec![7; size].into());
    assert!(items == [whole], "it arrives whole");
}

#[test]
fn damaged_streams_fail_with_a_code_and_never_panic() {
    let mut arena = Arena::default();
    let mut codes = std::collections::BTreeMap::<_, u32>::new();
    for seed in 1..=3000 {
        let mut random = Random::new(seed);
        let (window, takes_over) = (8 + random.next(8) as u8, random.next(2) == 0);
        let mut server = Server::new(window, takes_over);
        let mut compressed = server.compress(&random.payload());
        for _ in 0..1 + random.next(3) {
            let at = random.next(compressed.len());
            match random.next(4) {
                0 => compressed[at] ^= 1 << random.next(8),
                1 => compressed[at] = random.next(256) as u8,
                2 => drop(compressed.remove(at)),
                _ => compressed.truncate(at),
            }
            if compressed.is_empty() {
                compressed.push(0);
            }
        }
        let mut wire = Vec::new();
        frame(&mut wire, 0xC1 + random.next(2) as u8, &compressed);
        // The stream goes on, whatever it was left in.
        frame(&mut wire, 0xC2, &server.compress(b"more, more and more"));
        let size = 1 + random.next(wire.len());
        let (_, violation) = decode(&wire, size, &agreed(window, takes_over), 50_000, &mut arena);
        *codes.entry(violation).or_default() += 1;
    }
    let seen: Vec<_> = codes.keys().copied().collect();
    assert_eq!(
        seen,
        [None, Some(1002), Some(1007), Some(1009)],
        "{codes:?}"
    );
}

#[test]
fn a_message_that_stops_inside_a_block_is_a_violation() {
    let mut arena = Arena::default();
    // A stored block of 9 bytes, of which 5 come: the tail would be the rest.
    let wire = [0xC2, 0x0A, 0x00, 0x09, 0x00, 0xF6, 0xFF, 1, 2, 3, 4, 5];
    let decoded = decode(&wire, 100, &agreed(15, true), 100, &mut arena);
    assert_eq!(decoded, (vec![], Some(1002)));
}

impl Random {
    fn noise(&mut self, size: usize) -> Vec<u8> {
        (0..size).map(|_| self.next(256) as u8).collect()
    }
}

/// What a server makes of what we send.
struct Receiver(Decompress);

impl Receiver {
    fn inflate(&mut self, packed: &[u8], expected: usize, takes_over: bool) -> Vec<u8> {
        let mut out = Vec::with_capacity(expected + 64);
        for part in [packed, &[0, 0, 0xFF, 0xFF]] {
            self.0
                .decompress_vec(part, &mut out, FlushDecompress::Sync)
                .unwrap();
        }
        if !takes_over {
            self.0.reset(false);
        }
        out
    }
}

#[test]
fn flate2_inflates_what_we_compress() {
    for seed in 1..=100 {
        let mut random = Random::new(seed);
        let (window, takes_over) = (8 + random.next(8) as u8, random.next(2) == 0);
        let mut compressor = agreed(window, takes_over).compressor();
        let mut receiver = Receiver(Decompress::new_with_window_bits(false, window.max(9)));
        let mut packed = Vec::new();
        for _ in 0..20 {
            let payload = random.payload();
            if !compressor.compress(MessageRef::Binary(&payload), &mut packed) {
                // Sent as it is: the receiver learns nothing of it.
                continue;
            }
            assert!(packed.len() < payload.len());
            if random.next(5) == 0 {
                // Not sent after all.
                compressor.forget();
                continue;
            }
            let inflated = receiver.inflate(&packed, payload.len(), takes_over);
            assert!(inflated == payload, "seed {seed}");
        }
    }
}

#[test]
fn every_level_and_size_fits_its_window() {
    // Inflaters of the exact window, and a history checker for 8 bits, which
    // zlib has none for.
    let mut random = Random::new(99);
    let payload: Vec<u8> = (0..20_000).map(|_| b"abcdefgh"[random.next(8)]).collect();
    for level in 1..=9 {
        for window in 8..=15 {
            let options = Deflate::default().level(level).min_size(1);
            let line = format!("permessage-deflate; client_max_window_bits={window}");
            let agreed = agree(&options, &[&line]).unwrap().unwrap();
            let mut compressor = agreed.compressor();
            let (mut packed, mut history) = (Vec::new(), Vec::new());
            for message in payload.chunks(6_001) {
                assert!(
                    compressor.compress(MessageRef::Binary(message), &mut packed),
                    "{level} {window}"
                );
                packed.extend([0, 0, 0xFF, 0xFF]);
                let farthest = reference::inflate(&packed, &mut history);
                assert!(
                    farthest <= 1 << window,
                    "level {level}, window {window}: {farthest}"
                );
            }
            assert!(history == payload);
        }
    }
}

#[test]
fn noise_is_sent_plain_and_the_compressor_goes_on() {
    let mut random = Random::new(3);
    let mut compressor = agreed(15, true).compressor();
    let mut receiver = Receiver(Decompress::new(false));
    let mut packed = Vec::new();
    for size in [1, 2, 3, 100, 70_000, 1 << 20] {
        assert!(
            !compressor.compress(MessageRef::Binary(&random.noise(size)), &mut packed),
            "{size}"
        );
        let text = "text that can be compressed, text that can be compressed";
        assert!(compressor.compress(MessageRef::Text(text), &mut packed));
        assert_eq!(receiver.inflate(&packed, 100, true), text.as_bytes());
    }
    assert!(!compressor.compress(MessageRef::Text(""), &mut packed));
}

#[test]
fn binary_noise_is_tried_ever_less_often() {
    let mut random = Random::new(3);
    let mut compressor = agreed(15, true).compressor();
    let mut packed = Vec::new();
    let mut tries = 0;
    for _ in 0..100 {
        packed.clear();
        let noise = random.noise(500);
        assert!(!compressor.compress(MessageRef::Binary(&noise), &mut packed));
        tries += usize::from(!packed.is_empty());
    }
    assert_eq!(tries, 7);
    // Until something shrinks again.
    let shrinks = |compressor: &mut Compressor, packed: &mut Vec<u8>| {
        (0..40).find(|_| compressor.compress(MessageRef::Binary(&[7; 500]), packed))
    };
    assert!(shrinks(&mut compressor, &mut packed).is_some());
    assert_eq!(shrinks(&mut compressor, &mut packed), Some(0));
}

#[test]
fn nothing_is_kept_without_context_takeover() {
    let mut arena = Arena::default();
    let agreed = agreed(15, false);
    let mut compressor = agreed.compressor();
    let mut packed = Vec::new();
    assert!(compressor.compress(MessageRef::Binary(&[7; 1000]), &mut packed));
    let debug = format!("{compressor:?}");
    assert!(debug.contains("zlib: None"), "{debug}");
    let mut inflater = agreed.inflater();
    let mut spare = Spare::default();
    inflater
        .inflate(&packed, true, &mut spare, &mut |_, _| Ok(()))
        .unwrap();
    assert!(format!("{inflater:?}").contains("stream: None"));
    assert!(format!("{spare:?}").contains("stream: Some"));
    let message = Message::from(vec![7; 1000]);
    let mut wire = Vec::new();
    frame(&mut wire, 0xC2, &packed);
    let (items, _) = decode(&wire, 10, &agreed, 2000, &mut arena);
    assert_eq!(items, [Item::Message(message)]);
}

/// An inflater that is slow and obvious, and knows how far back it was sent.
mod reference {
    struct Bits<'a> {
        bytes: &'a [u8],
        at: usize,
    }

    impl Bits<'_> {
        fn ended(&self) -> bool {
            self.at / 8 >= self.bytes.len()
        }

        fn take(&mut self, count: usize) -> usize {
            (0..count).fold(0, |value, place| {
                let bit = self.bytes[self.at / 8] >> (self.at % 8) & 1;
                self.at += 1;
                value | usize::from(bit) << place
            })
        }

        fn symbol(&mut self, lengths: &[usize]) -> usize {
            let (mut code, mut first) = (0, 0);
            for length in 1..=15 {
                code = code << 1 | self.take(1);
                let count = lengths.iter().filter(|found| **found == length).count();
                first <<= 1;
                if code < first + count {
                    let mut symbols = lengths.iter().enumerate();
                    let same = |(_, found): &(usize, &usize)| **found == length;
                    return symbols.by_ref().filter(same).nth(code - first).unwrap().0;
                }
                first += count;
            }
            panic!("no such code");
        }
    }

    /// Appends to the history; gives the farthest distance back.
    pub(super) fn inflate(bytes: &[u8], history: &mut Vec<u8>) -> usize {
        let mut bits = Bits { bytes, at: 0 };
        let mut farthest = 0;
        while !bits.ended() {
            assert_eq!(bits.take(1), 0, "no block is the last");
            match bits.take(2) {
                0 => {
                    bits.at = bits.at.next_multiple_of(8);
                    let length = bits.take(16);
                    assert_eq!(bits.take(16), !length & 0xFFFF);
                    let start = bits.at / 8;
                    history.extend_from_slice(&bytes[start..start + length]);
                    bits.at += length * 8;
                }
                1 => {
                    let mut literals = [8; 288];
                    literals[144..256].fill(9);
                    literals[256..280].fill(7);
                    farthest = farthest.max(block(&mut bits, history, &literals, &[5; 30]));
                }
                2 => {
                    let (literals, distances) = tables(&mut bits);
                    farthest = farthest.max(block(&mut bits, history, &literals, &distances));
                }
                _ => panic!("no such block"),
            }
        }
        farthest
    }

    fn tables(bits: &mut Bits<'_>) -> (Vec<usize>, Vec<usize>) {
        const ORDER: [usize; 19] = [
            16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
        ];
        let (literals, distances, codes) = (bits.take(5) + 257, bits.take(5) + 1, bits.take(4) + 4);
        let mut meta = [0; 19];
        for place in &ORDER[..codes] {
            meta[*place] = bits.take(3);
        }
        let mut lengths: Vec<usize> = Vec::new();
        while lengths.len() < literals + distances {
            let (value, count) = match bits.symbol(&meta) {
                16 => (*lengths.last().unwrap(), 3 + bits.take(2)),
                17 => (0, 3 + bits.take(3)),
                18 => (0, 11 + bits.take(7)),
                length => (length, 1),
            };
            lengths.extend(std::iter::repeat_n(value, count));
        }
        let distances = lengths.split_off(literals);
        (lengths, distances)
    }

    fn block(
        bits: &mut Bits<'_>,
        history: &mut Vec<u8>,
        literals: &[usize],
        distances: &[usize],
    ) -> usize {
        let mut farthest = 0;
        loop {
            let length = match bits.symbol(literals) {
                literal @ ..256 => {
                    history.push(literal as u8);
                    continue;
                }
                256 => return farthest,
                285 => 258,
                code @ ..265 => code - 254,
                code => {
                    let extra = (code - 261) / 4;
                    ((4 + (code - 265) % 4) << extra) + 3 + bits.take(extra)
                }
            };
            let distance = match bits.symbol(distances) {
                code @ ..4 => code + 1,
                code => {
                    let extra = code / 2 - 1;
                    ((2 + code % 2) << extra) + 1 + bits.take(extra)
                }
            };
            farthest = farthest.max(distance);
            for _ in 0..length {
                history.push(history[history.len() - distance]);
            }
        }
    }
}
