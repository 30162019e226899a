//! Tests of the send queue: the order, the amounts, and that a control frame waits only until
//! the current frame ends.

use std::cell::Cell;

use tungstenite::protocol::frame::coding::Data;

use super::*;
use crate::wire::frame::encode;

const BINARY: OpCode = OpCode::Data(Data::Binary);
/// What an empty message counts for.
const MIN_WEIGHT: usize = isosocket_core::weight(0);
const MASK: Mask = [0x12, 0x34, 0x56, 0x78];

fn frame(opcode: OpCode, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::new();
    encode(&mut frame, opcode, payload);
    frame
}

fn pong(payload: &'static [u8]) -> ControlFrame<'static> {
    ControlFrame::Pong(payload.into())
}

/// Writes everything, at most `step` bytes at a time, as a writer does.
fn drain(queue: &mut SendQueue, step: usize) -> (Vec<u8>, Taken) {
    let (mut wire, mut taken) = (Vec::new(), Taken::default());
    while let Some(mut outgoing) = Outgoing::take(queue) {
        let mut last = None;
        loop {
            outgoing.take_urgent(queue, MASK);
            let front = outgoing.front();
            if front.is_empty() {
                break;
            }
            let written = front.len().min(step);
            wire.extend_from_slice(&front[..written]);
            last = outgoing.advance(written, &mut taken);
        }
        if let Some(chunk) = last {
            drop(outgoing.give_back(queue, chunk));
        }
    }
    (wire, taken)
}

#[test]
fn frames_come_out_as_they_went_in_and_payload_is_counted() {
    for step in [1, 3, 1000, usize::MAX] {
        let mut queue = SendQueue::default();
        let (mut expected, mut payload) = (Vec::new(), 0);
        for size in [0, 5, 125, 126, 70_000, CHUNK - 20, CHUNK + 5, 7] {
            if step < 1000 && size > 70_000 {
                continue;
            }
            let data: Vec<u8> = (0..size).map(|n| n as u8).collect();
            queue.append(BINARY, &data, None, MASK, Vec::new);
            expected.extend(frame(BINARY, &data));
            payload += size;
        }
        // Of 0, 5 and 7 bytes.
        let padding = 3 * MIN_WEIGHT - 12;
        assert_eq!(queue.len(), expected.len());
        let (wire, taken) = drain(&mut queue, step);
        assert!(wire == expected, "in steps of {step}");
        assert_eq!(taken, Taken { payload, padding });
        assert!(!queue.has_frames());
    }
}

#[test]
fn a_frame_that_was_built_apart_is_the_same() {
    let data = vec![9; 2 * CHUNK];
    let mut queue = SendQueue::default();
    queue.append_built(BuiltFrame::new(BINARY, &data, None, MASK, Vec::new));
    let (wire, taken) = drain(&mut queue, usize::MAX);
    assert!(wire == frame(BINARY, &data));
    let (payload, padding) = (data.len(), 0);
    assert_eq!(taken, Taken { payload, padding });
}

#[test]
fn a_control_frame_goes_out_at_the_next_frame_boundary() {
    let mut queue = SendQueue::default();
    for _ in 0..100 {
        queue.append(BINARY, &[7; 1000], None, MASK, Vec::new);
    }
    let mut outgoing = Outgoing::take(&mut queue).expect("something waits");
    let mut taken = Taken::default();
    // The network took one frame and a half.
    outgoing.advance(1008 + 500, &mut taken);
    queue.control(pong(b"late"), MASK, Vec::new);
    outgoing.take_urgent(&mut queue, MASK);
    assert_eq!(outgoing.front().len(), 508, "the rest of this frame");
    outgoing.advance(508, &mut taken);
    let expected = frame(OpCode::Control(Control::Pong), b"late");
    assert_eq!(outgoing.front(), expected);
    outgoing.advance(4, &mut taken);
    assert_eq!(outgoing.front(), &expected[4..], "also in parts");
    outgoing.advance(expected.len() - 4, &mut taken);
    assert_eq!(outgoing.front().len(), 98 * 1008);
    assert_eq!(taken.payload, 2000);
}

#[test]
fn a_full_stream_is_given_the_same_bytes_again() {
    let mut queue = SendQueue::default();
    queue.append(BINARY, &[7; 1000], None, MASK, Vec::new);
    let mut outgoing = Outgoing::take(&mut queue).expect("something waits");
    outgoing.stick();
    queue.control(pong(b"x"), MASK, Vec::new);
    outgoing.take_urgent(&mut queue, MASK);
    // A TLS stream may have accepted a part of it.
    assert_eq!(outgoing.front(), frame(BINARY, &[7; 1000]));
    outgoing.advance(10, &mut Taken::default());
    assert_eq!(outgoing.front().len(), 998, "and then to the boundary");
}

#[test]
fn pongs_for_a_peer_that_does_not_read_cannot_fill_the_memory() {
    let mut queue = SendQueue::default();
    for _ in 0..10_000 {
        queue.control(ControlFrame::Pong(vec![1; 125].into()), MASK, Vec::new);
    }
    queue.control(pong(b"latest"), MASK, Vec::new);
    let waiting = queue.waiting.as_ref().expect("pongs wait");
    assert!(waiting.urgent.len() <= PONG_LIMIT + 200);
    // The answer to the latest ping is sent once there is room.
    let (wire, _) = drain(&mut queue, usize::MAX);
    assert!(wire.ends_with(&frame(OpCode::Control(Control::Pong), b"latest")));
}

#[test]
fn nothing_follows_a_close_frame_and_data_precedes_it() {
    let mut queue = SendQueue::default();
    queue.append(BINARY, b"last words", None, MASK, Vec::new);
    assert!(queue.control(ControlFrame::Close(Some((1000, "bye"))), MASK, Vec::new));
    assert!(queue.is_closed());
    for late in [ControlFrame::Close(None), ControlFrame::Ping, pong(b"x")] {
        assert!(!queue.control(late, MASK, Vec::new));
    }
    let (wire, taken) = drain(&mut queue, 5);
    let close = frame(OpCode::Control(Control::Close), b"\x03\xE8bye");
    assert_eq!(wire, [frame(BINARY, b"last words"), close].concat());
    assert_eq!(taken.payload, 10);
}

#[test]
fn frames_of_each_kind_wait_until_they_are_written() {
    let mut queue = SendQueue::default();
    assert!(!queue.has_frames() && !queue.is_closed());
    queue.control(ControlFrame::Ping, MASK, Vec::new);
    assert!(queue.has_frames());
    drain(&mut queue, usize::MAX);
    assert!(!queue.has_frames());
    queue.append(BINARY, b"data", None, MASK, Vec::new);
    assert!(queue.has_frames());
    drain(&mut queue, usize::MAX);
    assert!(!queue.has_frames(), "only memory is left");
    assert!(queue.waiting.is_some() && !queue.is_closed());
}

#[test]
fn a_compressed_message_counts_by_its_own_size_once_its_frame_is_gone() {
    for step in [1, 7, usize::MAX] {
        let mut queue = SendQueue::default();
        queue.append(BINARY, &[7; 10], Some(1000), MASK, Vec::new);
        queue.append(BINARY, &[7; 20], None, MASK, Vec::new);
        queue.append_built(BuiltFrame::new(BINARY, &[7], Some(3), MASK, Vec::new));
        let mut outgoing = Outgoing::take(&mut queue).expect("something waits");
        let mut taken = Taken::default();
        let mut written = 0;
        while !outgoing.front().is_empty() {
            let next = outgoing.front().len().min(step);
            outgoing.advance(next, &mut taken);
            written += next;
            if written < 16 {
                assert_eq!(taken.payload, 0, "not before the frame is gone");
            }
            if written == 16 + 26 {
                assert_eq!((taken.payload, taken.padding), (1020, MIN_WEIGHT - 20));
            }
        }
        // The last one is short as it came from the program, too.
        let (payload, padding) = (1020 + 3, MIN_WEIGHT - 20 + MIN_WEIGHT - 3);
        assert_eq!(taken, Taken { payload, padding }, "in steps of {step}");
    }
}

#[test]
fn what_is_left_of_a_frame_goes_on_where_it_stopped() {
    let mut taken = Taken::default();
    let (head, tail) = ([7; 800], vec![8; 2 * CHUNK]);
    let whole = frame(BINARY, &[&head[..], &tail].concat());
    let begun = whole[..whole.len() - tail.len()].to_vec();
    let mut outgoing = Outgoing::rest_of(begun, None, 100, &mut taken);
    outgoing.push_payload(&tail, MASK, Vec::new);
    let mut wire = whole[..100].to_vec();
    while !outgoing.front().is_empty() {
        wire.extend_from_slice(outgoing.front());
        outgoing.advance(outgoing.front().len(), &mut taken);
    }
    assert!(wire == whole);
    let (payload, padding) = (800 + tail.len(), 0);
    assert_eq!(taken, Taken { payload, padding });
}

#[test]
fn a_socket_that_sends_little_keeps_little_memory() {
    let mut queue = SendQueue::default();
    queue.append(BINARY, &[7; 100], None, MASK, Vec::new);
    drain(&mut queue, usize::MAX);
    let waiting = queue.waiting.as_ref().expect("a small chunk is kept");
    let capacity: usize = waiting.chunks.iter().map(Vec::capacity).sum();
    assert!((1..=KEPT_CAPACITY).contains(&capacity));
    queue.append(BINARY, &vec![7; 1 << 20], None, MASK, Vec::new);
    drain(&mut queue, usize::MAX);
    assert!(queue.waiting.is_none());
}

#[test]
fn only_a_small_chunk_stays_with_its_socket() {
    for (size, stays) in [(10, true), (100_000, false)] {
        let mut queue = SendQueue::default();
        queue.append(BINARY, &vec![7; size], None, MASK, Vec::new);
        let mut outgoing = Outgoing::take(&mut queue).expect("a frame waits");
        let length = outgoing.front().len();
        let chunk = outgoing.advance(length, &mut Taken::default());
        let chunk = chunk.expect("all of it is written");
        // What does not stay is handed back, for the next burst of any socket.
        let returned = outgoing.give_back(&mut queue, chunk);
        assert_eq!(returned.is_none(), stays, "{size} bytes");
    }
}

#[test]
fn a_burst_goes_on_in_memory_that_was_used_before() {
    fn used() -> Vec<u8> {
        Vec::with_capacity(CHUNK)
    }
    let mut queue = SendQueue::default();
    for _ in 0..100 {
        queue.append(BINARY, &[7; 100], None, MASK, used);
    }
    let mut outgoing = Outgoing::take(&mut queue).expect("frames wait");
    let length = outgoing.front().len();
    assert_eq!(length, 100 * frame(BINARY, &[7; 100]).len());
    let chunk = outgoing.advance(length, &mut Taken::default());
    assert!(chunk.expect("all of it is written").capacity() >= CHUNK);
}

thread_local! {
    /// How often this test asked for memory that was used before.
    static ASKED: Cell<usize> = const { Cell::new(0) };
}

fn counted() -> Vec<u8> {
    ASKED.set(ASKED.get() + 1);
    Vec::with_capacity(CHUNK)
}

fn capacities(queue: &SendQueue) -> Vec<usize> {
    let chunks = queue.waiting.iter().flat_map(|waiting| &waiting.chunks);
    chunks.map(Vec::capacity).collect()
}

#[test]
fn memory_for_small_frames_doubles_when_there_is_no_room() {
    let mut queue = SendQueue::default();
    // A frame has 6 bytes besides its payload, and gets room for 14.
    for (size, capacity) in [
        (100, 114),
        (100, 220),
        (100, 424),
        (92, 424), // just fits
        (1, 832),
        (1000, 1437),
        (1000, 2862),
        (1000, 4878),
        (1400, 4878),
    ] {
        queue.append(BINARY, &vec![7; size], None, MASK, Vec::new);
        assert_eq!(capacities(&queue), [capacity]);
    }
    let waiting = queue.waiting.as_ref().expect("frames wait");
    assert_eq!(waiting.chunks.capacity(), 1);
}

#[test]
fn memory_of_a_queue_does_not_grow_beyond_a_chunk() {
    let mut queue = SendQueue::default();
    for _ in 0..1040 {
        queue.append(BINARY, &[7; 1000], None, MASK, Vec::new);
    }
    assert_eq!(capacities(&queue), [CHUNK]);
    queue.append(BINARY, &[7; 1000], None, MASK, counted);
    assert_eq!(capacities(&queue), [CHUNK, CHUNK]);
    assert_eq!(ASKED.get(), 1);
}

#[test]
fn memory_that_was_used_before_is_asked_for_once_and_only_by_large_queues() {
    let room = KEPT_CAPACITY - MAX_CLIENT_HEADER;
    for (sizes, asked) in [
        (&[room][..], 0),
        (&[room + 1], 1),
        (&[LARGE; 10], 1),
        (&[100; 100], 1),
        // It would grow beyond what is kept, but has room.
        (&[2000, 1000, 900], 0),
    ] {
        ASKED.set(0);
        let mut queue = SendQueue::default();
        for size in sizes {
            queue.append(BINARY, &vec![7; *size], None, MASK, counted);
        }
        assert_eq!(ASKED.get(), asked, "{sizes:?}");
    }
}

#[test]
fn a_chunk_of_just_the_capacity_that_is_kept_stays() {
    let mut queue = SendQueue::default();
    let size = KEPT_CAPACITY - MAX_CLIENT_HEADER;
    queue.append(BINARY, &vec![7; size], None, MASK, Vec::new);
    drain(&mut queue, usize::MAX);
    assert_eq!(capacities(&queue), [KEPT_CAPACITY]);
}

#[test]
fn the_first_piece_of_a_payload_fills_a_chunk_with_its_header() {
    let room = CHUNK - MAX_CLIENT_HEADER;
    let payload = vec![7; 2 * CHUNK];
    for size in [0, 1, room - 1, room] {
        assert_eq!(first_piece(&payload[..size]).0.len(), size);
    }
    for size in [room + 1, CHUNK, 2 * CHUNK] {
        let (first, rest) = first_piece(&payload[..size]);
        assert_eq!(first.len() + rest.len(), size);
        assert_eq!(first.len() % 4, 0, "where the mask begins again");
        assert!((room - 8..=room).contains(&first.len()));
    }
}
