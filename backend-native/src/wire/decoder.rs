//! The message layer of RFC 6455, without I/O: bytes in, messages and control
//! frames out. Compressed messages (RFC 7692) are inflated on the way.
//!
//! tungstenite parses opcodes and frame headers. This file assembles messages, and checks
//! UTF-8, limits and close codes by the rules (S56–S62, S80–S95). Every violation has the
//! close code that is then sent to the peer.

mod assembly;
mod header;
mod memory;

use bytes::{Bytes, BytesMut};
use isosocket_core::{Binary, Message};
use tungstenite::protocol::frame::coding::Control;

use self::assembly::Assembly;
use self::header::{Frame, MAX_HEADER};
pub(crate) use self::memory::Arena;
use self::memory::Chunks;
use super::deflate::Inflater;
use super::frame::parse_close;
use super::utf8::{self, InvalidUtf8};
use super::violation::Violation;

/// If at least so many bytes of a frame are still to come, the payload is read directly into
/// the message, and not copied.
const DIRECT: u64 = 64 << 10;

/// How many bytes of a compressed frame are inflated at a time. They inflate to at most a
/// thousand times as many.
const COMPRESSED_STEP: usize = 2 << 10;

/// After so many inflated bytes decoding stops, and continues in the next visit.
const INFLATE_BUDGET: usize = 1 << 20;

/// A message or a control frame that was decoded.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Item {
    /// A complete message.
    Message(Message),
    /// A ping, to be answered with a pong of the same payload (S58).
    Ping(Bytes),
    /// A pong: proof that the peer is alive.
    Pong,
    /// A valid Close frame; nothing after it counts (S88).
    Close(Option<(u16, String)>),
}

/// Receives what was decoded, and decides whether to continue.
pub(crate) trait Output {
    /// A small message that arrived as a whole. It has a method of its own, so that its code is
    /// inlined into the decoder's loop and the message is not moved in memory.
    fn message(&mut self, message: Message) -> Flow;

    /// The same for a binary message that `write` puts into its place.
    #[inline(always)]
    fn binary(&mut self, write: impl FnOnce(&mut Binary)) -> Flow {
        let mut binary = Binary::default();
        write(&mut binary);
        self.message(Message::Binary(binary))
    }

    /// Any other item, or any other message.
    fn item(&mut self, item: Item) -> Flow;
}

/// Whether the decoder continues after an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flow {
    /// Decode the next one.
    GoOn,
    /// Stop here: the rest of the input is decoded later.
    Stop,
}

/// The receiving half of one connection.
#[derive(Debug)]
pub(crate) struct Decoder {
    max_message_size: usize,
    /// `None` between messages. Boxed, because that is the state of idle sockets.
    partial: Option<Box<Partial>>,
    closed: bool,
    /// `None` unless both sides agreed on compression.
    inflater: Option<Box<Inflater>>,
}

/// The part that has arrived of a message, a frame or a header.
#[derive(Debug, Default)]
struct Partial {
    /// The beginning of a header.
    header: [u8; MAX_HEADER],
    header_len: u8,
    /// The frame whose payload is arriving, and how much of it is to come.
    frame: Option<(Frame, u64)>,
    message: Option<Assembly>,
    /// The payload of a control frame that came in pieces.
    control: Vec<u8>,
}

impl Partial {
    fn is_empty(&self) -> bool {
        self.frame.is_none() && self.header_len == 0 && self.message.is_none()
    }
}

/// Makes a message that has arrived as a whole.
#[inline]
fn message(
    is_text: bool,
    payload: &[u8],
    share: impl FnOnce(&[u8]) -> Bytes,
) -> Result<Message, InvalidUtf8> {
    Ok(match is_text {
        true => Message::Text(utf8::text(payload, share)?),
        false => Message::Binary(Binary::prefix(payload, payload.len(), share)),
    })
}

impl Decoder {
    pub(crate) fn new(max_message_size: usize) -> Self {
        Decoder {
            max_message_size,
            partial: None,
            closed: false,
            inflater: None,
        }
    }

    /// From now on messages may be compressed.
    pub(crate) fn set_inflater(&mut self, inflater: Inflater) {
        self.inflater = Some(Box::new(inflater));
    }

    /// Decodes bytes that arrived, and passes each complete item to `output`. Items that were
    /// complete before a violation are passed on first (S94).
    ///
    /// Returns how many bytes of `input` were used. That is all of them, unless `output`
    /// returned [`Flow::Stop`], or they inflate to very much (S110).
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        arena: &mut Arena,
        output: &mut impl Output,
    ) -> Result<usize, Violation> {
        let whole = input.len();
        let before = arena.inflated;
        let mut chunks = Chunks::new(input);
        let mut input = input;
        while !self.closed {
            self.free_partial();
            if self.partial.is_none() {
                let (rest, flow) = self.small_messages(input, &mut chunks, output)?;
                input = rest;
                if flow == Flow::Stop {
                    return Ok(whole - input.len());
                }
            }
            let carried = self.partial.as_mut();
            let (frame, remaining) = match carried.and_then(|partial| partial.frame.take()) {
                Some(frame) => frame,
                None => match self.next_header(&mut input)? {
                    Some(frame) => frame,
                    None => return Ok(whole),
                },
            };
            let most = match frame.compressed {
                true => input.len().min(COMPRESSED_STEP),
                false => input.len(),
            };
            let here = usize::try_from(remaining).map_or(most, |n| n.min(most));
            let (payload, rest) = input.split_at(here);
            input = rest;
            let remaining = remaining - here as u64;
            let is_plain = frame.control.is_none() && !frame.compressed;
            if is_plain && frame.is_final && remaining == 0 && self.message().is_none() {
                // The whole message is here: no assembly.
                let share = |payload: &[u8]| chunks.copy(rest.len(), payload.len());
                let message = message(frame.text, payload, share)?;
                if output.item(Item::Message(message)) == Flow::Stop {
                    return Ok(whole - input.len());
                }
                continue;
            }
            let mut flow = Flow::GoOn;
            if here > 0 || remaining == 0 {
                if let Some(found) = self.piece(frame, payload, remaining, arena)? {
                    flow = output.item(found);
                }
            }
            if remaining > 0 {
                self.partial().frame = Some((frame, remaining));
                if input.is_empty() {
                    return Ok(whole);
                }
            }
            if flow == Flow::Stop || arena.inflated - before >= INFLATE_BUDGET {
                return Ok(whole - input.len());
            }
        }
        // S88: what follows the peer's Close frame is ignored.
        Ok(whole)
    }

    fn partial(&mut self) -> &mut Partial {
        self.partial.get_or_insert_default()
    }

    /// Frees the memory for a message that is complete now.
    fn free_partial(&mut self) {
        self.partial.take_if(|partial| partial.is_empty());
    }

    /// The message that has begun.
    fn message(&self) -> Option<&Assembly> {
        self.partial.as_ref()?.message.as_ref()
    }

    /// Decodes small messages that have arrived as a whole, one after the other: text or binary,
    /// only the bit FIN, no mask, at most 125 bytes. Returns the bytes that follow them.
    #[inline(never)]
    fn small_messages<'a>(
        &self,
        mut input: &'a [u8],
        chunks: &mut Chunks<'a>,
        output: &mut impl Output,
    ) -> Result<(&'a [u8], Flow), Violation> {
        while let [first @ (0x81 | 0x82), length @ ..=125, rest @ ..] = input {
            let length = usize::from(*length);
            if length > rest.len() || length > self.max_message_size {
                break;
            }
            let after = &rest[length..];
            let share = |payload: &[u8]| chunks.copy(after.len(), payload.len());
            let flow = if *first == 0x82 {
                output.binary(|binary| binary.copy_prefix(rest, length, share))
            } else {
                output.message(Message::Text(utf8::text(&rest[..length], share)?))
            };
            input = after;
            if flow == Flow::Stop {
                return Ok((input, flow));
            }
        }
        Ok((input, Flow::GoOn))
    }

    /// A piece of a frame that is not a whole message.
    #[inline(never)]
    fn piece(
        &mut self,
        frame: Frame,
        payload: &[u8],
        remaining: u64,
        arena: &mut Arena,
    ) -> Result<Option<Item>, Violation> {
        if let Some(control) = frame.control {
            return self.control_piece(control, payload, remaining == 0);
        }
        let found = match frame.compressed {
            true => self.compressed_piece(frame, payload, remaining, arena)?,
            false => self.data_piece(frame, payload, remaining)?,
        };
        Ok(found.map(Item::Message))
    }

    /// If a large part of one message comes next: the buffer to which it is to be appended, and
    /// at most how many bytes. Those bytes are not decoded: call [`appended`](Self::appended)
    /// with their number.
    pub(crate) fn room(&mut self) -> Option<(&mut BytesMut, usize)> {
        let partial = self.partial.as_mut()?;
        match (partial.frame, &mut partial.message) {
            (Some((frame, remaining)), Some(message))
                if remaining >= DIRECT && frame.control.is_none() && !frame.compressed =>
            {
                Some(message.room(remaining))
            }
            _ => None,
        }
    }

    /// So many bytes were appended to the buffer of [`room`](Self::room).
    pub(crate) fn appended(&mut self, read: usize) -> Result<Option<Message>, Violation> {
        let Some(partial) = &mut self.partial else {
            return Ok(None);
        };
        let (Some((frame, remaining)), Some(message)) =
            (partial.frame.take(), &mut partial.message)
        else {
            return Ok(None);
        };
        message.grew(read)?;
        let remaining = remaining - read as u64;
        if remaining > 0 {
            partial.frame = Some((frame, remaining));
            return Ok(None);
        }
        let message = self.finish(frame);
        self.free_partial();
        message
    }

    /// The message, if this was its last frame.
    fn finish(&mut self, frame: Frame) -> Result<Option<Message>, Violation> {
        if !frame.is_final {
            return Ok(None);
        }
        let partial = self.partial.as_mut();
        let message = partial.and_then(|partial| partial.message.take());
        let message = message.map(Assembly::finish).transpose();
        message.map_err(Violation::from)
    }

    /// Inflates a piece of a compressed message.
    fn compressed_piece(
        &mut self,
        frame: Frame,
        payload: &[u8],
        remaining: u64,
        arena: &mut Arena,
    ) -> Result<Option<Message>, Violation> {
        let complete = frame.is_final && remaining == 0;
        if !complete {
            // The message has begun, even if this piece inflates to no bytes.
            let message = &mut self.partial().message;
            message.get_or_insert_with(|| Assembly::new(frame));
            if payload.is_empty() {
                return Ok(None);
            }
        }
        let mut inflater = self
            .inflater
            .take()
            .expect("only with an inflater is a message taken for compressed");
        let mut spare = std::mem::take(&mut arena.spare);
        let mut found = None;
        let inflated = inflater.inflate(payload, complete, &mut spare, &mut |part, last| {
            let before = self.message().map_or(0, |message| message.data.len());
            if part.len() > self.max_message_size - before {
                return Err(Violation::too_big());
            }
            arena.inflated += part.len();
            found = match last && self.message().is_none() {
                true => Some(message(frame.text, part, |part| arena.copy(part))?),
                false => self.data_piece(frame, part, u64::from(!last))?,
            };
            Ok(())
        });
        arena.spare = spare;
        self.inflater = Some(inflater);
        inflated.map(|()| found)
    }

    fn data_piece(
        &mut self,
        frame: Frame,
        payload: &[u8],
        remaining: u64,
    ) -> Result<Option<Message>, Violation> {
        let message = &mut self.partial().message;
        let message = message.get_or_insert_with(|| Assembly::new(frame));
        message.push(payload, remaining)?;
        match remaining {
            0 => self.finish(frame),
            _ => Ok(None),
        }
    }

    fn control_piece(
        &mut self,
        control: Control,
        payload: &[u8],
        complete: bool,
    ) -> Result<Option<Item>, Violation> {
        if !complete {
            self.partial().control.extend_from_slice(payload);
            return Ok(None);
        }
        let gathered;
        let payload = match &mut self.partial {
            Some(partial) if !partial.control.is_empty() => {
                partial.control.extend_from_slice(payload);
                gathered = std::mem::take(&mut partial.control);
                &gathered
            }
            _ => payload,
        };
        Ok(Some(match control {
            Control::Ping => Item::Ping(Bytes::copy_from_slice(payload)),
            Control::Close => {
                let close = parse_close(payload)?;
                self.closed = true;
                Item::Close(close)
            }
            _ => Item::Pong,
        }))
    }
}

#[cfg(test)]
#[path = "decoder_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "decoder_memory_tests.rs"]
mod memory_tests;
