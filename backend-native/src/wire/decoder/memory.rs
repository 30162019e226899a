//! Memory for the messages that were decoded.

use bytes::{Bytes, BytesMut};

use crate::wire::deflate::Spare;

/// Messages up to this size share a chunk of memory with their neighbours.
pub(super) const SMALL: usize = 512;

/// The size of such a chunk: the most that a small message can pin.
const CHUNK: usize = 4096;

/// Memory that all sockets of an event loop share: a chunk for small messages that were
/// inflated, and the buffers for inflating.
#[derive(Debug, Default)]
pub(crate) struct Arena {
    chunk: BytesMut,
    pub(super) spare: Spare,
    /// See [`take_inflated`](Arena::take_inflated).
    pub(super) inflated: usize,
}

impl Arena {
    /// How many bytes messages were inflated to since the last call. This work is not
    /// visible in the size of what was read.
    pub(crate) fn take_inflated(&mut self) -> usize {
        std::mem::take(&mut self.inflated)
    }

    /// A copy of the bytes. It keeps at most one chunk of memory alive.
    pub(super) fn copy(&mut self, bytes: &[u8]) -> Bytes {
        if bytes.len() > SMALL {
            return Bytes::copy_from_slice(bytes);
        }
        if self.chunk.capacity() < bytes.len() {
            // Reuses the chunk if no message in it is alive any more.
            self.chunk.reserve(CHUNK);
        }
        self.chunk.extend_from_slice(bytes);
        self.chunk.split().freeze()
    }
}

/// Memory for small messages. Those that came together share a chunk, into which they are
/// copied at once, so that not each of them needs an allocation.
pub(super) struct Chunks<'a> {
    input: &'a [u8],
    chunk: Bytes,
    /// The index in `input` at which the chunk begins.
    start: usize,
}

impl<'a> Chunks<'a> {
    pub(super) fn new(input: &'a [u8]) -> Self {
        Chunks {
            input,
            chunk: Bytes::new(),
            start: 0,
        }
    }

    /// A copy of the `length` bytes that end where `rest` of the input begins.
    pub(super) fn copy(&mut self, rest: usize, length: usize) -> Bytes {
        let start = self.input.len() - rest - length;
        if start >= self.start && start + length <= self.start + self.chunk.len() {
            let start = start - self.start;
            return self.chunk.slice(start..start + length);
        }
        let after = start + length;
        if length > SMALL || after == self.input.len() {
            return Bytes::copy_from_slice(&self.input[start..after]);
        }
        let end = self.input.len().min(start + CHUNK);
        self.chunk = Bytes::copy_from_slice(&self.input[start..end]);
        self.start = start;
        self.chunk.slice(..length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(miri, ignore = "too much for an interpreter")]
    fn a_small_message_pins_no_more_than_a_chunk() {
        let mut arena = Arena::default();
        let kept: Vec<_> = (0..1000u32)
            .map(|n| {
                let message = arena.copy(&n.to_be_bytes());
                // Neighbours that were dropped make room.
                for _ in 0..100 {
                    arena.copy(&[0; 40]);
                }
                assert!(arena.chunk.capacity() <= CHUNK);
                message
            })
            .collect();
        let mut numbers = kept.iter().zip(0u32..);
        assert!(numbers.all(|(message, n)| message == &n.to_be_bytes()[..]));
    }
}
