//! Frames on their way out. Senders append to the queue. The thread that writes takes frames
//! out of it, and keeps those that are not written yet.
//!
//! Both parts are plain data. `handle` protects the queue by a short lock, and the frames
//! that were taken out by the write token.

use std::collections::VecDeque;
use std::mem;

use tungstenite::protocol::frame::coding::{Control, OpCode};

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

/// Which bytes a write began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Data,
    Urgent,
}

/// The frames that the writing thread has taken out of the queue. It exists until all of them
/// are written.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    waiting: Box<Waiting>,
    /// How many bytes of the first chunk are written.
    gone: usize,
    cursor: FrameCursor,
    /// How many bytes of the urgent frames are written.
    urgent_gone: usize,
    /// The stream was full during a write that began with these bytes. The next write must
    /// begin with the same bytes, because TLS demands that.
    stuck: Option<Source>,
}

impl Outgoing {
    /// Takes everything that waits out of the queue. `None` if nothing waits.
    pub(crate) fn take(queue: &mut SendQueue) -> Option<Box<Self>> {
        let waiting = queue.waiting.take()?;
        let mut outgoing = Box::new(Outgoing {
            waiting,
            ..Outgoing::default()
        });
        if outgoing.is_empty() {
            // It has no frame, only memory for the next ones.
            queue.waiting = Some(outgoing.waiting);
            return None;
        }
        outgoing
            .cursor
            .expect(mem::take(&mut outgoing.waiting.sizes));
        Some(outgoing)
    }

    /// The rest of a data frame of which `written` bytes are written.
    pub(crate) fn rest_of(
        frame: Vec<u8>,
        size_before: Option<usize>,
        written: usize,
        taken: &mut Taken,
    ) -> Box<Self> {
        let mut outgoing = Box::new(Outgoing::default());
        outgoing.cursor.sizes.extend(size_before);
        outgoing.waiting.len = frame.len();
        outgoing.waiting.chunks.push_back(frame);
        outgoing.advance(written, taken);
        outgoing
    }

    /// Adds payload to the last frame here.
    pub(crate) fn push_payload(&mut self, payload: &[u8], mask: Mask, spare: SpareChunk) {
        for piece in payload.chunks(CHUNK) {
            self.waiting.extend(piece.len(), spare, |chunk| {
                encode_payload(chunk, piece, mask)
            });
        }
    }

    /// Takes over the control frames that wait in the queue, so that they go out when the
    /// current frame ends.
    pub(crate) fn take_urgent(&mut self, queue: &mut SendQueue, mask: Mask) {
        if !self.waiting.urgent.is_empty() {
            return;
        }
        if let Some(payload) = self.waiting.late_pong.take() {
            self.waiting.pong(&payload, mask);
        } else if let Some(waiting) = &mut queue.waiting {
            mem::swap(&mut self.waiting.urgent, &mut waiting.urgent);
            self.waiting.late_pong = waiting.late_pong.take();
        }
    }

    fn is_empty(&self) -> bool {
        self.waiting.len == 0 && self.waiting.urgent.is_empty()
    }

    /// The bytes to write next. Empty if everything is written.
    pub(crate) fn front(&self) -> &[u8] {
        let data = match self.waiting.chunks.front() {
            Some(chunk) => &chunk[self.gone..],
            None => &[],
        };
        let urgent = &self.waiting.urgent[self.urgent_gone..];
        match self.source() {
            Source::Urgent => urgent,
            // Only to the end of the current frame, where the control frames go out.
            Source::Data if !urgent.is_empty() && self.stuck.is_none() => {
                &data[..data.len().min(self.cursor.left())]
            }
            Source::Data => data,
        }
    }

    fn source(&self) -> Source {
        match self.stuck {
            Some(source) => source,
            None if self.waiting.urgent.is_empty() => Source::Data,
            // They begin at the end of a frame, and meanwhile no other frame goes on.
            None if self.cursor.left() == 0 => Source::Urgent,
            None => Source::Data,
        }
    }

    /// The stream is full: the next write begins with the same bytes.
    pub(crate) fn stick(&mut self) {
        self.stuck = Some(self.source());
    }

    /// Notes that so many bytes of [`front`](Self::front) were written. Returns a chunk that is
    /// no longer needed.
    pub(crate) fn advance(&mut self, written: usize, taken: &mut Taken) -> Option<Vec<u8>> {
        let source = self.source();
        self.stuck = None;
        if source == Source::Urgent {
            self.urgent_gone += written;
            if self.urgent_gone >= self.waiting.urgent.len() {
                self.waiting.urgent.clear();
                self.urgent_gone = 0;
            }
            return None;
        }
        let chunk = self.waiting.chunks.front()?;
        self.cursor.advance(&chunk[self.gone..], written, taken);
        self.gone += written;
        self.waiting.len -= written;
        if self.gone < chunk.len() {
            return None;
        }
        self.gone = 0;
        self.waiting.chunks.pop_front()
    }

    /// Gives a small chunk back to the queue for the next frames. Returns a large one.
    #[must_use]
    pub(crate) fn give_back(self, queue: &mut SendQueue, mut chunk: Vec<u8>) -> Option<Vec<u8>> {
        let mut waiting = self.waiting;
        if queue.waiting.is_some() || chunk.capacity() > KEPT_CAPACITY {
            return Some(chunk);
        }
        chunk.clear();
        waiting.chunks.push_back(chunk);
        waiting.urgent = Vec::new();
        queue.waiting = Some(waiting);
        None
    }
}

/// How far the network is in a sequence of client frames, to distinguish payload from
/// framing (S48), and one frame from the next.
#[derive(Debug, Default)]
struct FrameCursor {
    payload_left: usize,
    header_left: u8,
    kind: FrameKind,
    /// The sizes, before compression, of the compressed messages to come.
    sizes: VecDeque<usize>,
}

/// Which bytes of a frame count for the buffered amount.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum FrameKind {
    /// Nothing.
    #[default]
    Control,
    /// Each byte of its payload, which has this size.
    Plain(usize),
    /// The size of the message before compression, when the whole frame is written.
    Compressed(usize),
}

impl FrameCursor {
    /// The next compressed frames hold messages of these sizes.
    fn expect(&mut self, sizes: VecDeque<usize>) {
        self.sizes.extend(sizes);
    }

    /// How many bytes are left of the current frame; 0 at a boundary.
    fn left(&self) -> usize {
        usize::from(self.header_left) + self.payload_left
    }

    /// Steps over `written` bytes of `frames`, and adds to what was taken.
    fn advance(&mut self, mut frames: &[u8], mut written: usize, taken: &mut Taken) {
        while written > 0 {
            if self.left() == 0 {
                self.begin(frames);
            }
            let header = usize::from(self.header_left).min(written);
            let payload = self.payload_left.min(written - header);
            self.header_left -= header as u8;
            self.payload_left -= payload;
            if let FrameKind::Plain(_) = self.kind {
                taken.payload += payload;
            }
            if self.left() == 0 {
                match self.kind {
                    FrameKind::Control => {}
                    FrameKind::Plain(size) => taken.padding += padding(size),
                    FrameKind::Compressed(size) => {
                        taken.padding += padding(size);
                        taken.payload += size;
                    }
                }
            }
            written -= header + payload;
            frames = &frames[(header + payload).min(frames.len())..];
        }
    }

    /// Reads the header of a frame of our own making, which is always whole.
    fn begin(&mut self, frame: &[u8]) {
        let short = usize::from(frame[1] & 0x7F);
        let (extra, length) = match short {
            126 => (2, usize::from(u16::from_be_bytes([frame[2], frame[3]]))),
            127 => {
                let bytes = frame[2..10].try_into().expect("eight bytes");
                (8, u64::from_be_bytes(bytes) as usize)
            }
            length => (0, length),
        };
        self.header_left = 2 + extra + 4;
        self.payload_left = length;
        let is_compressed = frame[0] & 0x40 != 0;
        self.kind = match frame[0] & 0x08 == 0 {
            false => FrameKind::Control,
            true if is_compressed => {
                let size = self.sizes.pop_front();
                FrameKind::Compressed(size.expect("the size of each compressed message is kept"))
            }
            true => FrameKind::Plain(length),
        };
    }
}

#[cfg(test)]
#[path = "send_tests.rs"]
mod tests;
