//! Bytes that wait to be written, in chunks: a long queue is never moved, and
//! what is written is freed at once.
//!
//! A frame's header stands in one chunk; only payload goes on in the next.

use std::collections::VecDeque;

/// How long a chunk gets before the next one begins. Large messages are masked
/// and written in pieces of this size.
pub(crate) const CHUNK: usize = 512 << 10;
/// What an empty queue may keep of its memory.
const KEPT_CAPACITY: usize = 4 << 10;

#[derive(Debug, Default)]
pub(crate) struct Pending {
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first chunk is gone.
    gone: usize,
    /// How much there is in all, without what is gone.
    len: usize,
}

impl Pending {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is to be written next: not empty unless all is written.
    pub(crate) fn front(&self) -> &[u8] {
        self.chunks.front().map_or(&[], |chunk| &chunk[self.gone..])
    }

    /// Appends by `write`, which writes at most about `size` bytes, to a chunk
    /// that has room for them.
    pub(crate) fn append<R>(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let room = |chunk: &Vec<u8>| chunk.is_empty() || chunk.len() + size <= CHUNK;
        if !self.chunks.back().is_some_and(room) {
            // A socket that sends little has one, and keeps it.
            if self.chunks.is_empty() {
                self.chunks.reserve_exact(1);
            }
            self.chunks.push_back(Vec::new());
        }
        let chunk = self.chunks.back_mut().expect("there is one now");
        let before = chunk.len();
        if size > KEPT_CAPACITY {
            // A large piece knows its size; small ones double the chunk.
            chunk.reserve(size);
        }
        let result = write(chunk);
        self.len += chunk.len() - before;
        result
    }

    /// Takes over a chunk of which `gone` bytes are written already. There is
    /// nothing else in the queue.
    pub(crate) fn adopt(&mut self, chunk: Vec<u8>, gone: usize) {
        self.len = chunk.len() - gone;
        self.chunks.clear();
        self.chunks.push_back(chunk);
        self.gone = gone;
    }

    /// The next `written` bytes, at most all of the front, are gone.
    pub(crate) fn advance(&mut self, written: usize) {
        self.gone += written;
        self.len -= written;
        let Some(chunk) = self.chunks.front_mut() else {
            return;
        };
        if self.gone < chunk.len() {
            return;
        }
        self.gone = 0;
        if self.len == 0 && chunk.capacity() <= KEPT_CAPACITY {
            chunk.clear();
        } else {
            self.chunks.pop_front();
        }
        if self.len == 0 && self.chunks.is_empty() {
            self.chunks = VecDeque::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut pending = Pending::default();
        pending.adopt(vec![0, 0, 1, 2], 2);
        let mut next = 3u8;
        for size in [1, 5, 3000, CHUNK - 10, 100, CHUNK, 7] {
            pending.append(size, |chunk| {
                for _ in 0..size {
                    chunk.push(next);
                    next = next.wrapping_add(1);
                }
            });
            assert!(pending.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
        }
        let (mut expected, mut left, mut step) = (1u8, pending.len(), 1);
        while !pending.is_empty() {
            let front = pending.front();
            let written = front.len().min(step);
            for byte in &front[..written] {
                assert_eq!(*byte, expected);
                expected = expected.wrapping_add(1);
            }
            pending.advance(written);
            left -= written;
            step += 997;
        }
        assert_eq!((left, expected, pending.front()), (0, next, &[][..]));
        assert!(pending.chunks.iter().map(Vec::capacity).sum::<usize>() <= KEPT_CAPACITY);
    }
}
