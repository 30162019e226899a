//! The decoder without compression, in any pieces, against the second decoder.

use isosocket_native::fuzzing::{Decoder, Item};

use crate::frames;
use crate::input::{Input, Splits};
use crate::reference::{self, End};

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let max = input.choose(&[1 << 20, 1 << 20, 1 << 20, 70_000, 1000, 125, 4, 0]);
    let stops = input.flag();
    let splits = Splits::new(&mut input);
    let stream = frames::stream(&mut input);
    let found = decode(&stream, max, stops, splits);
    let expected = reference::decode(&stream, max, None);
    assert_eq!(found, expected);
}

fn decode(stream: &[u8], max: usize, stops: bool, splits: Splits<'_>) -> (Vec<Item>, End) {
    let mut decoder = Decoder::new(max, None);
    let mut items = Vec::new();
    for piece in splits.pieces(stream) {
        if let Err(code) = decoder.feed(piece, stops, &mut items) {
            return (items, End::Violation(code));
        }
    }
    let end = match items.last() {
        Some(Item::Close(_)) => End::Closed,
        _ => End::Open,
    };
    (items, end)
}
