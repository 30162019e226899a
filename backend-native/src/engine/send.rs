//! Frames on their way out. Senders append to the queue. The thread that writes takes frames
//! out of it, and keeps those that are not written yet.
//!
//! Both parts are plain data. `handle` protects the queue by a short lock, and the frames
//! that were taken out by the write token.

mod outgoing;

use std::collections::VecDeque;
use std::mem;

use tungstenite::protocol::frame::coding::{Control, OpCode};

pub(crate) use self::outgoing::Outgoing;
use super::session::ControlFrame;
use crate::wire::frame::{MAX_CLIENT_HEADER, Mask, close_payload, encode_header, encode_payload};

/// The size of a full chunk, in bytes: 1 MiB, and the header of a frame. Large messages are
/// masked and written in pieces of this size.
pub(crate) const CHUNK: usize = (1 << 20) + 16;
/// A chunk of this capacity, in bytes, is kept for the next frames of its socket.
const KEPT_CAPACITY: usize = 4 << 10;
/// A piece of this many bytes, or one that follows others, gets a chunk of memory that was used
/// before.
const LARGE: usize = 64 << 10;
/// How many bytes of pongs may wait. Beyond that, only the answer to the latest ping is kept
/// (RFC 6455, 5.5.3), so that a peer that does not read cannot fill our memory.
const PONG_LIMIT: usize = 4 << 10;

/// The function that supplies memory for large chunks.
pub(crate) type SpareChunk = fn() -> Vec<u8>;

/// How much the network has accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Taken {
    /// Payload of data frames, in bytes. Of compressed messages it is the size
    /// before compression (S48).
    pub(crate) payload: usize,
    /// The padding of the messages that were accepted as a whole.
    pub(crate) padding: usize,
}

/// How many bytes a message of this size counts for in addition to its payload, while it is
/// queued. So the send limit also bounds the number of empty messages (S54).
pub(crate) fn padding(size: usize) -> usize {
    isosocket_core::weight(size) - size
}

/// Frames that wait until a thread writes them.
#[derive(Debug, Default)]
pub(crate) struct SendQueue {
    /// Boxed, because an idle socket has none.
    waiting: Option<Box<Waiting>>,
    /// A Close frame was queued, or the connection is over: nothing follows (S52).
    closed: bool,
}

/// The frames that wait.
#[derive(Debug, Default)]
struct Waiting {
    /// Whole frames. A header is never split between two chunks.
    chunks: VecDeque<Vec<u8>>,
    /// The length of all chunks, in bytes.
    len: usize,
    /// Whole control frames. They go out when the current data frame ends.
    urgent: Vec<u8>,
    /// The payload of a pong for which there was no room.
    late_pong: Option<Box<[u8]>>,
    /// The sizes of the compressed messages in `chunks`, before compression.
    sizes: VecDeque<usize>,
}

impl SendQueue {
    /// How many bytes of data frames wait, including their headers.
    pub(crate) fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len)
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// From now on accepts nothing. Returns what waits, which the caller drops.
    #[must_use]
    pub(crate) fn shut(&mut self) -> impl Sized + use<> {
        self.closed = true;
        self.waiting.take()
    }

    /// Whether anything waits, control frames included.
    pub(crate) fn has_frames(&self) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|waiting| waiting.len > 0 || !waiting.urgent.is_empty())
    }

    /// Appends a data frame with this payload. Of a compressed message,
    /// `size_before` is the size before compression.
    pub(crate) fn append(
        &mut self,
        opcode: OpCode,
        payload: &[u8],
        size_before: Option<usize>,
        mask: Mask,
        spare: SpareChunk,
    ) {
        let waiting = self.waiting.get_or_insert_default();
        waiting.append(opcode, size_before.is_some(), payload, mask, spare);
        waiting.sizes.extend(size_before);
    }

    /// Appends a frame that was built outside the lock.
    pub(crate) fn append_built(&mut self, frame: BuiltFrame) {
        let waiting = self.waiting.get_or_insert_default();
        // An empty chunk that was kept for small frames must not be in the middle: it would
        // look like the end.
        if waiting.chunks.back().is_some_and(Vec::is_empty) {
            waiting.chunks.pop_back();
        }
        waiting.len += frame.chunks.iter().map(Vec::len).sum::<usize>();
        waiting.chunks.extend(frame.chunks);
        waiting.sizes.extend(frame.size_before);
    }

    /// Queues a control frame, unless a Close frame was queued before. Returns
    /// whether it was.
    pub(crate) fn control(
        &mut self,
        frame: ControlFrame<'_>,
        mask: Mask,
        spare: SpareChunk,
    ) -> bool {
        if self.closed {
            return false;
        }
        let waiting = self.waiting.get_or_insert_default();
        match frame {
            ControlFrame::Pong(payload) => waiting.pong(&payload, mask),
            ControlFrame::Ping => append_control(&mut waiting.urgent, Control::Ping, &[], mask),
            // S52: data that was queued before precedes the Close frame.
            ControlFrame::Close(frame) => {
                self.closed = true;
                let opcode = OpCode::Control(Control::Close);
                waiting.append(opcode, false, &close_payload(frame), mask, spare);
            }
        }
        true
    }
}

impl Waiting {
    fn append(
        &mut self,
        opcode: OpCode,
        compressed: bool,
        payload: &[u8],
        mask: Mask,
        spare: SpareChunk,
    ) {
        let (piece, rest) = first_piece(payload);
        self.extend(MAX_CLIENT_HEADER + piece.len(), spare, |chunk| {
            encode_header(chunk, opcode, compressed, payload.len() as u64, mask);
            encode_payload(chunk, piece, mask);
        });
        for piece in rest.chunks(CHUNK) {
            self.extend(piece.len(), spare, |chunk| {
                encode_payload(chunk, piece, mask)
            });
        }
    }

    /// Has `write` append about `size` bytes to a chunk that has room for them.
    fn extend(&mut self, size: usize, spare: SpareChunk, write: impl FnOnce(&mut Vec<u8>)) {
        let chunks = &mut self.chunks;
        let has_room = |chunk: &Vec<u8>| chunk.is_empty() || chunk.len() + size <= CHUNK;
        if !chunks.back().is_some_and(has_room) {
            // A socket that sends little has one chunk, and keeps it.
            if chunks.is_empty() {
                chunks.reserve_exact(1);
            }
            let is_large = size >= LARGE || !chunks.is_empty();
            chunks.push_back(match is_large {
                true => spare(),
                false => Vec::new(),
            });
        }
        let chunk = chunks.back_mut().expect("there is one now");
        let before = chunk.len();
        // It doubles, but not beyond a chunk's length.
        let more = size.max(before.min(CHUNK - before));
        let lacks_room = |chunk: &Vec<u8>| chunk.capacity() - before < size;
        if lacks_room(chunk) && chunk.capacity() <= KEPT_CAPACITY && before + more > KEPT_CAPACITY {
            // In a burst it gets memory that was used before, if there is some.
            let small = mem::replace(chunk, spare());
            chunk.extend_from_slice(&small);
        }
        if lacks_room(chunk) {
            chunk.reserve_exact(more);
        }
        write(chunk);
        self.len += chunk.len() - before;
    }

    fn pong(&mut self, payload: &[u8], mask: Mask) {
        if self.urgent.len() >= PONG_LIMIT {
            self.late_pong = Some(payload.into());
        } else {
            append_control(&mut self.urgent, Control::Pong, payload, mask);
        }
    }
}

/// Splits a payload into the part that goes into one chunk with the frame's header, and the
/// rest. The length of the first part is a multiple of four bytes, so that the mask of the
/// rest begins with its first byte.
pub(crate) fn first_piece(payload: &[u8]) -> (&[u8], &[u8]) {
    match payload.len() <= CHUNK - MAX_CLIENT_HEADER {
        true => (payload, &[]),
        false => payload.split_at((CHUNK - MAX_CLIENT_HEADER) / 8 * 8),
    }
}

fn append_control(out: &mut Vec<u8>, control: Control, payload: &[u8], mask: Mask) {
    encode_header(
        out,
        OpCode::Control(control),
        false,
        payload.len() as u64,
        mask,
    );
    encode_payload(out, payload, mask);
}

/// A large frame, built without the lock of the queue.
#[derive(Debug)]
pub(crate) struct BuiltFrame {
    chunks: VecDeque<Vec<u8>>,
    size_before: Option<usize>,
}

impl BuiltFrame {
    pub(crate) fn new(
        opcode: OpCode,
        payload: &[u8],
        size_before: Option<usize>,
        mask: Mask,
        spare: SpareChunk,
    ) -> Self {
        let mut waiting = Waiting::default();
        let compressed = size_before.is_some();
        waiting.append(opcode, compressed, payload, mask, spare);
        BuiltFrame {
            chunks: waiting.chunks,
            size_before,
        }
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
