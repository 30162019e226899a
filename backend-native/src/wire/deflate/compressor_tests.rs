//! Tests of what a compressor keeps, and of the memory that it takes.

use super::super::Deflate;
use super::*;

/// A text that gets little more than half as long.
fn digits(count: usize) -> String {
    let numbers = (1..=count as u64 / 8).map(|n| n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32);
    numbers.map(|number| format!("{number:08x}")).collect()
}

fn compressed(compressor: &mut Compressor, text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    let message = MessageRef::Text(text);
    compressor.compress(message, &mut out).then_some(out)
}

fn spare() -> Option<(u8, u8)> {
    let spare = SPARE.take();
    let seen = spare.as_ref().map(|spare| (spare.level, spare.window));
    SPARE.set(spare);
    seen
}

#[test]
fn memory_grows_from_a_quarter_of_the_message() {
    let mut compressor = Compressor::new(6, 15, true, 64);
    let text = digits(80_000);
    for (text, capacity) in [
        (&"a".repeat(8000), 2000),
        (&text, 80_000),
        (&"a".repeat(1024), 256),
        (&"a".repeat(100), 256),
    ] {
        let out = compressed(&mut compressor, text).expect("it gets smaller");
        assert!(out.len() < text.len());
        assert_eq!(out.capacity(), capacity, "{} bytes", text.len());
    }
}

#[test]
fn a_spare_is_used_only_by_who_has_the_same_options() {
    SPARE.set(None);
    let text = digits(800);
    let mut one = Compressor::new(6, 15, false, 64);
    assert!(compressed(&mut one, &text).is_some());
    assert_eq!(spare(), Some((6, 15)));
    // With a history of its own it takes no spare.
    let own = Compressor::new(6, 15, true, 64).allocate();
    assert_eq!((own.level, own.window), (6, 15));
    assert_eq!(spare(), Some((6, 15)));
    assert!(compressed(&mut one, &text).is_some());
    let same = Compressor::new(6, 15, false, 64).allocate();
    assert_eq!((same.level, same.window, spare()), (6, 15, None));

    for (level, window) in [(9, 15), (6, 10)] {
        SPARE.set(Some(one.allocate()));
        let other = Compressor::new(level, window, false, 64).allocate();
        assert_eq!((other.level, other.window), (level, window));
    }
}

#[test]
fn memory_is_freed_when_nothing_more_is_sent() {
    let mut compressor = Compressor::new(6, 15, true, 64);
    assert!(compressed(&mut compressor, &digits(800)).is_some());
    assert!(compressor.zlib.is_some());
    compressor.release();
    assert!(compressor.zlib.is_none());
}

#[test]
fn the_least_size_and_the_history_are_those_of_the_options() {
    let reply = || [&b"permessage-deflate"[..]].into_iter();
    for takes_over in [true, false] {
        let options = Deflate::default().min_size(77);
        let options = options.client_no_context_takeover(!takes_over);
        let agreed = options.agree(reply()).expect("a good reply");
        let mut compressor = agreed.expect("the server chose it").compressor();
        assert_eq!(compressor.min_size(), 77);
        let text = digits(800);
        let first = compressed(&mut compressor, &text).expect("it gets smaller");
        let second = compressed(&mut compressor, &text).expect("it gets smaller");
        assert_eq!(second.len() < first.len() / 2, takes_over);
    }
}
