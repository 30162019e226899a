//! The frames that the writing thread has taken out of the queue, and how far it is in them.

use std::collections::VecDeque;
use std::mem;

use super::{CHUNK, KEPT_CAPACITY, SendQueue, SpareChunk, Taken, Waiting, padding};
use crate::wire::frame::{Mask, encode_payload};

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
