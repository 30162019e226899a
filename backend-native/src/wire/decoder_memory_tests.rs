//! Tests of which memory messages lie in, of how much is reserved, and of where decoding
//! stops.

use super::assembly::DIRECT_READ;
use super::header::MAX_CONTROL;
use super::memory::SMALL;
use super::*;

/// A frame of a server.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = header(first, payload.len() as u64);
    frame.extend_from_slice(payload);
    frame
}

fn header(first: u8, length: u64) -> Vec<u8> {
    match length {
        ..126 => vec![first, length as u8],
        126..0x10000 => [&[first, 126][..], &(length as u16).to_be_bytes()].concat(),
        _ => [&[first, 127][..], &length.to_be_bytes()].concat(),
    }
}

/// Keeps messages, and counts those that arrived as a whole and are small.
#[derive(Default)]
struct Seen {
    small: usize,
    messages: Vec<Message>,
}

impl Output for Seen {
    fn message(&mut self, message: Message) -> Flow {
        self.small += 1;
        self.item(Item::Message(message))
    }

    fn item(&mut self, item: Item) -> Flow {
        if let Item::Message(message) = item {
            self.messages.push(message);
        }
        Flow::GoOn
    }
}

fn decode(decoder: &mut Decoder, bytes: &[u8]) -> Seen {
    let mut seen = Seen::default();
    let used = decoder.decode(bytes, &mut Arena::default(), &mut seen);
    assert!(matches!(used, Ok(used) if used == bytes.len()));
    seen
}

/// The numbers of the values that do not lie `distance` bytes behind the one before.
fn apart<T: AsRef<[u8]>>(values: &[T], distance: usize) -> Vec<usize> {
    let address = |value: &T| value.as_ref().as_ptr() as usize;
    let pairs = (1..).zip(values.windows(2));
    let apart = pairs.filter(|(_, pair)| address(&pair[1]) != address(&pair[0]) + distance);
    apart.map(|(number, _)| number).collect()
}

fn apart_of(size: usize, count: usize) -> Vec<usize> {
    let one = frame(0x82, &vec![7; size]);
    let seen = decode(&mut Decoder::new(10_000), &one.repeat(count));
    assert_eq!(seen.messages.len(), count);
    let messages: Vec<&[u8]> = seen.messages.iter().map(Message::as_bytes).collect();
    apart(&messages, one.len())
}

#[test]
fn small_messages_that_came_together_share_memory() {
    // A chunk begins with a payload and ends after 4096 bytes.
    assert_eq!(apart_of(100, 100), [40, 80]);
    assert_eq!(apart_of(SMALL, 12), [7]);
    assert_eq!(apart_of(SMALL + 1, 4), [1, 2, 3]);
    // Only a last one is by itself.
    assert_eq!(apart_of(100, 41), [40]);
}

#[test]
fn small_messages_that_were_inflated_share_memory() {
    let apart_of = |size: usize, count: usize| {
        let mut arena = Arena::default();
        let copies: Vec<Bytes> = (0..count).map(|_| arena.copy(&vec![7; size])).collect();
        apart(&copies, size)
    };
    assert_eq!(apart_of(SMALL, 16), [8]);
    assert_eq!(apart_of(100, 60), [40]);
    assert_eq!(apart_of(SMALL + 1, 4), [1, 2, 3]);
}

#[test]
fn small_messages_go_the_short_way() {
    let most = 125;
    for (size, small) in [(0, 3), (1, 3), (most - 1, 3), (most, 3), (most + 1, 0)] {
        let one = frame(0x82, &vec![7; size]);
        for limit in [size.max(1), 1000] {
            let seen = decode(&mut Decoder::new(limit), &one.repeat(3));
            assert_eq!(seen.small, small, "{size} of {limit} bytes");
            assert_eq!(seen.messages.len(), 3);
        }
    }
}

#[test]
fn between_messages_there_is_no_memory_of_them() {
    let mut decoder = Decoder::new(1 << 20);
    let bytes = [frame(0x02, &[7; 300]), frame(0x80, &[7; 300])].concat();
    for at in [1, 3, 200, 302, 400] {
        let (head, tail) = bytes.split_at(at);
        assert!(decode(&mut decoder, head).messages.is_empty());
        assert!(decoder.partial.is_some());
        assert_eq!(decode(&mut decoder, tail).messages.len(), 1);
        assert!(decoder.partial.is_none(), "in two pieces, at {at}");
    }
    let large = frame(0x82, &[7; 100_000]);
    decode(&mut decoder, &large[..1000]);
    let (room, _) = decoder.room().expect("a large message has begun");
    room.extend_from_slice(&large[1000..]);
    let message = decoder.appended(large.len() - 1000);
    assert!(matches!(message, Ok(Some(_))));
    assert!(decoder.partial.is_none(), "read in place");
}

#[test]
fn a_header_alone_takes_no_memory_for_its_message() {
    let mut decoder = Decoder::new(1 << 20);
    decode(&mut decoder, &frame(0x82, &[7; 300])[..4]);
    assert!(decoder.message().is_none());
}

#[test]
fn only_a_large_part_of_a_message_is_read_in_place() {
    let begun = |bytes: &[&[u8]]| {
        let mut decoder = Decoder::new(1 << 30);
        decode(&mut decoder, &bytes.concat());
        decoder.room().map(|(_, most)| most)
    };
    let large = DIRECT + 1;
    assert_eq!(begun(&[&header(0x82, large), b"x"]), Some(DIRECT as usize));
    assert_eq!(begun(&[&header(0x82, large), b"xx"]), None);
    assert_eq!(begun(&[&header(0x82, 1 << 29), b"x"]), Some(DIRECT_READ));
    // A ping inside a message that has begun.
    assert_eq!(begun(&[b"\x02\x01x\x89\x05pi"]), None);
}

/// The capacity after each time that a message of this many bytes has room for no more.
fn capacities(size: usize) -> Vec<usize> {
    let mut decoder = Decoder::new(1 << 30);
    let bytes = frame(0x82, &vec![7; size]);
    decode(&mut decoder, &bytes[..110]);
    let mut capacities = Vec::new();
    while let Some((room, most)) = decoder.room() {
        let free = most.min(room.capacity() - room.len());
        assert!(free > 0);
        if capacities.last() != Some(&room.capacity()) {
            capacities.push(room.capacity());
        }
        room.resize(room.len() + free, 7);
        assert!(decoder.appended(free).is_ok());
    }
    capacities
}

#[test]
fn memory_is_reserved_for_what_was_announced_and_for_a_mebibyte_at_most() {
    const MIB: usize = 1 << 20;
    assert_eq!(capacities(MIB / 2), [MIB / 2]);
    // What has arrived counts as well: it doubles.
    let begun = MIB + 100;
    let whole = begun + MIB + 100_000;
    assert_eq!(capacities(whole), [begun, whole]);
    let large = capacities(16 * MIB);
    assert_eq!(large[0], begun);
    assert!(
        large
            .windows(2)
            .all(|pair| pair[1] <= 2 * pair[0] + DIRECT_READ)
    );
    assert!(large.len() < 7, "{large:?}");
}

/// Stops after each item.
impl Output for Option<Item> {
    fn message(&mut self, message: Message) -> Flow {
        self.item(Item::Message(message))
    }

    fn item(&mut self, item: Item) -> Flow {
        assert!(self.replace(item).is_none(), "it was to stop");
        Flow::Stop
    }
}

#[test]
fn decoding_stops_behind_the_item_after_which_it_is_to_stop() {
    let frames = [
        frame(0x82, &[7; 10]),
        frame(0x81, &[b'x'; 300]),
        [frame(0x02, &[7; 20]), frame(0x80, &[7; 30])].concat(),
        frame(0x89, &[7; MAX_CONTROL]),
        frame(0x82, &[]),
        frame(0x82, &[7; 70_000]),
        frame(0x8A, &[]),
    ];
    let bytes = frames.concat();
    let (mut decoder, mut arena) = (Decoder::new(1 << 20), Arena::default());
    let mut rest = bytes.as_slice();
    for frame in frames {
        let mut item = None;
        let used = decoder.decode(rest, &mut arena, &mut item);
        assert!(matches!(used, Ok(used) if used == frame.len()), "{item:?}");
        assert!(item.is_some());
        rest = &rest[frame.len()..];
    }
    assert!(rest.is_empty());
}

/// S110: what inflates to very much is decoded in several visits.
#[cfg(feature = "deflate")]
#[test]
#[cfg_attr(miri, ignore = "too much for an interpreter")]
fn each_visit_inflates_a_mebibyte_and_little_more() {
    use crate::wire::deflate::Deflate;
    use isosocket_core::MessageRef;

    let reply = [&b"permessage-deflate"[..]];
    let agreed = Deflate::default().agree(reply.into_iter());
    let agreed = agreed.expect("a good reply").expect("the server chose it");
    // About a tenth as long when compressed.
    let words = (0..400_000u32).map(|n| format!("{:010}", n.wrapping_mul(n) % 10_000));
    let text: String = words.collect();
    let mut packed = Vec::new();
    let compressor = &mut agreed.compressor();
    assert!(compressor.compress(MessageRef::Text(&text), &mut packed));

    let mut decoder = Decoder::new(1 << 30);
    decoder.set_inflater(agreed.inflater());
    let bytes = frame(0xC1, &packed);
    let (mut arena, mut seen) = (Arena::default(), Seen::default());
    let (mut rest, mut before, mut visits) = (bytes.as_slice(), 0, 0);
    while !rest.is_empty() {
        let used = decoder.decode(rest, &mut arena, &mut seen);
        rest = &rest[used.unwrap_or_else(|violation| panic!("{violation}"))..];
        let inflated = arena.inflated - before;
        before = arena.inflated;
        let is_last = rest.is_empty();
        assert!(is_last || inflated >= INFLATE_BUDGET, "{inflated}");
        assert!(inflated < INFLATE_BUDGET + 1000 * COMPRESSED_STEP);
        visits += 1;
    }
    assert_eq!(seen.messages, [Message::from(text.as_str())]);
    assert!(visits > 2);
    assert_eq!(arena.take_inflated(), text.len());
    assert_eq!(arena.take_inflated(), 0);
}
