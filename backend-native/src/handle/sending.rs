//! Sending a message from any thread.
//!
//! There are two ways:
//! - If nothing is pending, the caller's thread frames the message and writes it. That is one
//!   system call, and no other thread is involved.
//! - In a burst the message is only appended to the queue, and the event loop writes many
//!   messages with one system call. A burst begins with the ninth message since the last
//!   received one. A large message is written by the caller in a burst, too.
//!
//! If the sender is far ahead of the network, it yields its time slice, so that the queue
//! stays short enough for the processor's cache. A sender on the thread that serves the
//! socket writes the queue itself instead.

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use isosocket_core::{MessageRef, Refusal};
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::spares::{recycle, spare};
use super::{Flushed, Follow, Handle, INLINE_BURST, Queue, Writer};
use crate::driver::current;
use crate::engine::send::{BuiltFrame, CHUNK, Outgoing, SendQueue, Taken, first_piece, padding};
use crate::engine::session::ControlFrame;
use crate::random;
use crate::sync::{MutexGuard, TryMutexGuard};
use crate::system;
use crate::wire::frame::{MAX_CLIENT_HEADER, Mask, encode_header, encode_payload};

/// In a burst a message of at least this many bytes is still written inline,
/// because appending it would cost more than a system call.
const INLINE_SIZE: usize = 64 << 10;
/// Of one message at most about this many bytes are written inline.
const INLINE_MOST: usize = 4 << 20;
/// After a pause of this length a burst is over.
const BURST_PAUSE: Duration = Duration::from_micros(50);
/// A sender yields its time slice once in so many queued bytes, while that many are pending.
const AHEAD: usize = 1 << 20;
/// The thread that serves the socket writes once in so many queued bytes, because no other
/// thread writes them.
const AHEAD_HERE: usize = 128 << 10;
/// A frame with more payload than this, in bytes, is built outside the queue's lock.
const BUILT_APART: usize = 16 << 10;
/// A frame of at most this many bytes is built in memory that the thread keeps.
const SCRATCH: usize = 64 << 10;

thread_local! {
    /// The buffer for small frames that are written at once.
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A message to be framed.
#[derive(Clone, Copy)]
struct Frame<'a> {
    opcode: OpCode,
    payload: &'a [u8],
    /// The size before compression of a message that is compressed.
    size_before: Option<usize>,
    mask: Mask,
}

impl Frame<'_> {
    /// How many bytes the message adds to the buffered amount (S48).
    fn size(&self) -> usize {
        self.size_before.unwrap_or(self.payload.len())
    }
}

impl Handle {
    /// Sends a message, compressed if that was agreed on and helps.
    pub(crate) fn send(self: &Arc<Self>, message: MessageRef<'_>) -> Result<Follow, Refusal> {
        if self.is_inherited() {
            return Err(Refusal::Closing);
        }
        match self.packer() {
            None => self.send_payload(message, None),
            Some(packer) => packer.send(message, |packed| match packed {
                Step::Check => self.check(message).map(|()| Follow::Nothing),
                Step::Send(packed) => self.send_payload(message, packed),
            }),
        }
    }

    /// Queues a Close frame; nothing can be sent after it (S52).
    pub(crate) fn close(&self, frame: Option<(u16, &str)>) {
        self.queue_control(ControlFrame::Close(frame));
    }

    /// Whether a message may be sent now.
    fn check(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        self.admit(&self.lock_queue().frames, message.as_bytes().len())
    }

    fn admit(&self, queue: &SendQueue, size: usize) -> Result<(), Refusal> {
        if queue.is_closed() {
            return Err(Refusal::Closing);
        }
        let weight = self.amounts.weight();
        // If nothing is buffered, one message of any size is accepted.
        if weight > 0 && weight.saturating_add(size + padding(size)) > self.send_limit {
            return Err(Refusal::Full);
        }
        Ok(())
    }

    /// Queues a message, and writes it if that can be done at once. `packed` is
    /// its payload after compression.
    fn send_payload(
        self: &Arc<Self>,
        message: MessageRef<'_>,
        packed: Option<&[u8]>,
    ) -> Result<Follow, Refusal> {
        let data = message.as_bytes();
        let frame = Frame {
            opcode: OpCode::Data(match message {
                MessageRef::Text(_) => Data::Text,
                MessageRef::Binary(_) => Data::Binary,
            }),
            payload: packed.unwrap_or(data),
            size_before: packed.map(|_| data.len()),
            mask: random::bytes(),
        };
        let mut queue = self.lock_queue();
        self.admit(&queue.frames, frame.size())?;
        // A pong that waits goes out before this message (RFC 6455, 5.5.3): the peer sent
        // the ping before the message that the program may be answering now.
        if !queue.frames.has_frames() && self.may_write_inline(&mut queue, frame.payload.len()) {
            if let Some(writer) = self.try_idle_writer() {
                self.amounts.add(frame.size());
                drop(queue);
                return Ok(self.write_inline(writer, frame));
            }
        }
        if frame.payload.len() > BUILT_APART {
            drop(queue);
            let Frame {
                opcode, payload, ..
            } = frame;
            let built = BuiltFrame::new(opcode, payload, frame.size_before, frame.mask, spare);
            queue = self.lock_queue();
            self.admit(&queue.frames, frame.size())?;
            queue.frames.append_built(built);
        } else {
            let Frame {
                opcode, payload, ..
            } = frame;
            queue
                .frames
                .append(opcode, payload, frame.size_before, frame.mask, spare);
        }
        self.amounts.add(frame.size());
        Ok(self.ask(queue, frame.payload.len() + MAX_CLIENT_HEADER))
    }

    /// What the loop has to do after so many bytes were appended.
    fn ask(&self, mut queue: MutexGuard<'_, Queue>, appended: usize) -> Follow {
        queue.ahead += appended;
        // If the stream is full, the thread that finds room again also looks into the queue.
        if !queue.asked && !self.full.load(Ordering::Relaxed) {
            queue.asked = true;
            return Follow::Flush;
        }
        let is_step = queue.ahead / AHEAD_HERE > (queue.ahead - appended) / AHEAD_HERE;
        let is_ahead = |bytes| queue.ahead >= bytes && queue.frames.len() >= bytes;
        let follow = if !is_step || !is_ahead(AHEAD_HERE) {
            return Follow::Nothing;
        } else if current::serves(&self.mailbox) && !self.full.load(Ordering::Relaxed) {
            Follow::Write
        } else if is_ahead(AHEAD) {
            Follow::Yield
        } else {
            return Follow::Nothing;
        };
        queue.ahead = 0;
        follow
    }

    /// Whether to write inline: while there is credit, or when a burst is over. Only without
    /// credit it reads the clock.
    fn may_write_inline(&self, queue: &mut Queue, size: usize) -> bool {
        if size >= INLINE_SIZE {
            return true;
        }
        let mut credit = self.credit.load(Ordering::Relaxed);
        if credit == 0 {
            let now = system::now();
            let last = queue.last_send.replace(now);
            if last.is_none_or(|last| now.duration_since(last) < BURST_PAUSE) {
                return false;
            }
            credit = INLINE_BURST;
        }
        self.credit.store(credit - 1, Ordering::Relaxed);
        true
    }

    /// The write token, if it is free and nothing is half written.
    fn try_idle_writer(&self) -> Option<TryMutexGuard<'_, Writer>> {
        self.try_token()
            .filter(|writer| writer.outgoing.is_none() && writer.stream.is_some())
    }

    /// Frames a message and writes it. Bytes that the network does not accept become pending.
    fn write_inline(
        self: &Arc<Self>,
        mut writer: TryMutexGuard<'_, Writer>,
        frame: Frame<'_>,
    ) -> Follow {
        let before = self.amounts.buffered();
        let result = match frame.payload.len() <= SCRATCH - MAX_CLIENT_HEADER {
            true => with_buffer(|buffer| self.write_small(&mut writer, frame, buffer)),
            false => self.write_large(&mut writer, frame),
        };
        Handle::give_back(writer);
        if let Err(error) = result {
            self.stop_writing();
            return Follow::Failed(error);
        }
        self.hold_taken(before);
        self.after_write()
    }

    /// Writes what is pending. Called on the thread that serves the socket. The loop was asked
    /// to flush, and writes the rest.
    pub(crate) fn write_here(self: &Arc<Self>) -> Follow {
        let before = self.amounts.buffered();
        let flushed = self.flush(AHEAD);
        self.hold_taken(before);
        match flushed {
            Flushed::Failed(error) => Follow::Failed(error),
            _ => Follow::Nothing,
        }
    }

    /// The network has accepted some of the `before` bytes that were buffered. Inside `run` the
    /// program sees that only after it has yielded (S49).
    fn hold_taken(self: &Arc<Self>, before: usize) {
        let taken = before.saturating_sub(self.amounts.buffered());
        if taken > 0 && current::is_driven_here(&self.mailbox) && self.amounts.hold(taken) {
            self.mailbox.release_later(self.clone());
        }
    }

    fn write_small(
        &self,
        writer: &mut Writer,
        frame: Frame<'_>,
        buffer: &mut Vec<u8>,
    ) -> io::Result<()> {
        let Some(stream) = &writer.stream else {
            return Ok(());
        };
        let compressed = frame.size_before.is_some();
        let length = frame.payload.len() as u64;
        encode_header(buffer, frame.opcode, compressed, length, frame.mask);
        encode_payload(buffer, frame.payload, frame.mask);
        let mut written = 0;
        let full = loop {
            match stream.write(&buffer[written..]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break true,
                Err(error) => return Err(error),
            }
            if written == buffer.len() {
                break false;
            }
        };
        let mut taken = Taken {
            payload: frame.size(),
            padding: padding(frame.size()),
        };
        if full {
            taken = Taken::default();
            let rest = buffer.clone();
            let mut outgoing = Outgoing::rest_of(rest, frame.size_before, written, &mut taken);
            outgoing.stick();
            writer.outgoing = Some(outgoing);
            self.full.store(true, Ordering::Relaxed);
        }
        self.note_written(taken, written);
        Ok(())
    }

    /// The same for a large message: in pieces, in memory that is given back.
    fn write_large(&self, writer: &mut Writer, frame: Frame<'_>) -> io::Result<()> {
        let Some(stream) = writer.stream.clone() else {
            return Ok(());
        };
        let mut buffer = spare();
        let (piece, mut rest) = first_piece(frame.payload);
        let compressed = frame.size_before.is_some();
        let length = frame.payload.len() as u64;
        buffer.reserve(piece.len() + MAX_CLIENT_HEADER);
        encode_header(&mut buffer, frame.opcode, compressed, length, frame.mask);
        encode_payload(&mut buffer, piece, frame.mask);
        let mut outgoing = Outgoing::rest_of(buffer, frame.size_before, 0, &mut Taken::default());
        let mut total = 0;
        loop {
            if outgoing.front().is_empty() {
                if rest.is_empty() {
                    return Ok(());
                }
                let (piece, after) = rest.split_at(rest.len().min(CHUNK));
                outgoing.push_payload(piece, frame.mask, spare);
                rest = after;
            }
            let full = match self.write_front(&stream, &mut outgoing)? {
                None => true,
                Some((written, chunk)) => {
                    total += written;
                    if let Some(chunk) = chunk {
                        recycle(chunk);
                    }
                    false
                }
            };
            if full || (total >= INLINE_MOST && !rest.is_empty()) {
                outgoing.push_payload(rest, frame.mask, spare);
                writer.outgoing = Some(outgoing);
                if !full {
                    // The system reports room only for a stream that was full.
                    self.wanted.store(true, Ordering::SeqCst);
                }
                return Ok(());
            }
        }
    }
}

/// A request of the packer to the handle.
pub(super) enum Step<'a> {
    /// Check whether the message may be sent.
    Check,
    /// Send it; compressed, if there is a compressed payload.
    Send(Option<&'a [u8]>),
}

/// Calls `f` with an empty buffer that the thread keeps.
fn with_buffer<R>(f: impl FnOnce(&mut Vec<u8>) -> R) -> R {
    // It is taken out for the call. While the thread ends, there may be none to take.
    let mut buffer = BUFFER.try_with(RefCell::take).unwrap_or_default();
    buffer.clear();
    let result = f(&mut buffer);
    let _ = BUFFER.try_with(|place| place.replace(buffer));
    result
}

#[cfg(test)]
#[path = "sending_tests.rs"]
mod tests;
