//! Compression: streams with compressed messages against the second decoder, which
//! inflates by another library; and what the sending half makes of messages.

use isosocket_core::Message;
use isosocket_native::fuzzing::{Compression, Decoder, Item, Packer};

use crate::frames;
use crate::input::{Input, Splits};
use crate::reference::{self, End};

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    match input.byte() % 4 {
        0 => round_trip(input),
        kind => receive(input, kind == 1),
    }
}

fn receive(mut input: Input<'_>, builds: bool) {
    let compression = Compression {
        // A smaller one only bounds how far back the peer refers, which zlib does not check.
        window: 15,
        takes_over: input.flag(),
    };
    let max = input.choose(&[1 << 20, 1 << 20, 70_000, 1000]);
    let stops = input.flag();
    let splits = Splits::new(&mut input);
    let stream = match builds {
        true => blocks(&mut input),
        false => frames::stream(&mut input),
    };
    let mut decoder = Decoder::new(max, Some(compression));
    let mut items = Vec::new();
    let mut failed = None;
    for piece in splits.pieces(&stream) {
        if let Err(code) = decoder.feed(piece, stops, &mut items) {
            failed = Some(code);
            break;
        }
    }
    let (expected, end) = reference::decode(&stream, max, Some(compression));
    assert_eq!(items, expected, "{failed:?} {end:?}");
    // Which fault of several comes first depends on the pieces.
    match (failed, end) {
        (None, End::Violation(_)) => panic!("it was accepted: {items:?}, {end:?}"),
        (Some(code), End::Closed | End::Open) => panic!("{code}, and {items:?}"),
        _ => {}
    }
}

/// Compressed messages by a real compressor, of which some are damaged.
fn blocks(input: &mut Input<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    while !input.is_empty() && out.len() < 1 << 18 {
        let how = input.byte();
        let payload = frames::payload(input);
        let mut packed = miniz_oxide::deflate::compress_to_vec(&payload, how % 10);
        if how & 0x20 != 0 {
            let at = usize::from(input.short()) % packed.len();
            packed[at] ^= input.byte();
        }
        if how & 0x40 != 0 {
            packed.truncate(usize::from(input.short()) % packed.len());
        }
        let first = if how & 0x80 != 0 { 0xC1 } else { 0xC2 };
        match packed.len() {
            length @ ..126 => out.extend([first, length as u8]),
            length @ ..0x1_0000 => {
                out.extend([first, 126]);
                out.extend((length as u16).to_be_bytes());
            }
            length => {
                out.extend([first, 127]);
                out.extend((length as u64).to_be_bytes());
            }
        }
        out.extend(packed);
    }
    out
}

/// What the sending half compresses a receiving half inflates to the same, also where a
/// message was not sent after all.
fn round_trip(mut input: Input<'_>) {
    let compression = Compression {
        window: 8 + input.byte() % 8,
        takes_over: input.flag(),
    };
    let mut packer = Packer::new(compression);
    let mut decoder = Decoder::new(1 << 20, Some(compression));
    while !input.is_empty() {
        let how = input.byte();
        let payload = frames::payload(&mut input);
        let message = match how & 1 == 0 {
            true => Message::from(String::from_utf8_lossy(&payload).into_owned()),
            false => Message::from(payload),
        };
        let Some(packed) = packer.compress(&message) else {
            continue;
        };
        assert!(packed.len() < message.as_bytes().len());
        if how & 6 == 6 {
            packer.forget();
            continue;
        }
        let first = if message.as_text().is_some() {
            0xC1
        } else {
            0xC2
        };
        let mut frame = vec![first, 127];
        frame.extend((packed.len() as u64).to_be_bytes());
        if packed.len() < 126 {
            frame = vec![first, packed.len() as u8];
        } else if packed.len() < 0x1_0000 {
            frame = vec![first, 126];
            frame.extend((packed.len() as u16).to_be_bytes());
        }
        frame.extend(packed);
        let mut items = Vec::new();
        let fed = decoder.feed(&frame, false, &mut items);
        assert_eq!((fed, items), (Ok(()), vec![Item::from(message)]));
    }
}
