//! Bytes that wait to be written, in chunks: a long queue is never moved, and
//! what is written is freed at once.
//!
//! A frame's header stands in one chunk; only payload goes on in the next.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard};

/// How long a chunk gets before the next one begins. Large messages are masked
/// and written in pieces of this size: 1 MiB, and its header.
pub(crate) const CHUNK: usize = (1 << 20) + 16;
/// What an empty queue may keep of its memory.
const KEPT_CAPACITY: usize = 4 << 10;
/// A piece of this size, or one behind others, gets a chunk that was used before.
const LARGE: usize = 64 << 10;
/// How many chunks that were written are kept for the next.
const SPARES: usize = 4;

/// Chunks that were written, of all sockets: fresh memory would be cleared by
/// the kernel, page for page, and is in no cache.
static SPARE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn spares() -> MutexGuard<'static, Vec<Vec<u8>>> {
    SPARE
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

/// Frees what was kept: no socket is left.
pub(crate) fn free_spares() {
    *spares() = Vec::new();
}

fn recycle(mut chunk: Vec<u8>) {
    if chunk.capacity() >= CHUNK / 2 {
        let mut spares = spares();
        if spares.len() < SPARES {
            chunk.clear();
            spares.push(chunk);
        }
    }
}

/// Boxed: an idle socket has none.
#[derive(Debug, Default)]
pub(crate) struct Pending(Option<Box<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    chunks: VecDeque<Vec<u8>>,
    /// How much of the first chunk is gone.
    gone: usize,
    /// How much there is in all, without what is gone.
    len: usize,
}

impl Pending {
    /// An empty chunk, which may have room.
    pub(crate) fn spare() -> Vec<u8> {
        spares().pop().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |queue| queue.len)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What is to be written next: not empty unless all is written.
    pub(crate) fn front(&self) -> &[u8] {
        let Some(queue) = &self.0 else { return &[] };
        let first = queue.chunks.front();
        first.map_or(&[], |chunk| &chunk[queue.gone..])
    }

    /// Appends by `write`, which writes at most about `size` bytes, to a chunk
    /// that has room for them.
    pub(crate) fn append<R>(&mut self, size: usize, write: impl FnOnce(&mut Vec<u8>) -> R) -> R {
        let queue = self.0.get_or_insert_default();
        let chunks = &mut queue.chunks;
        let room = |chunk: &Vec<u8>| chunk.is_empty() || chunk.len() + size <= CHUNK;
        if !chunks.back().is_some_and(room) {
            // A socket that sends little has one, and keeps it.
            if chunks.is_empty() {
                chunks.reserve_exact(1);
            }
            let is_large = size >= LARGE || !chunks.is_empty();
            chunks.push_back(match is_large {
                true => Pending::spare(),
                false => Vec::new(),
            });
        }
        let chunk = chunks.back_mut().expect("there is one now");
        let before = chunk.len();
        if chunk.capacity() - before < size {
            // It doubles, but not beyond a chunk's length.
            let more = size.max(before.min(CHUNK - before));
            chunk.reserve_exact(more);
        }
        let result = write(chunk);
        queue.len += chunk.len() - before;
        result
    }

    /// Takes over a chunk of which `gone` bytes are written already. There is
    /// nothing else in the queue.
    pub(crate) fn adopt(&mut self, chunk: Vec<u8>, gone: usize) {
        let queue = self.0.get_or_insert_default();
        queue.len = chunk.len() - gone;
        queue.chunks.clear();
        queue.chunks.push_back(chunk);
        queue.gone = gone;
    }

    /// The next `written` bytes, at most all of the front, are gone.
    pub(crate) fn advance(&mut self, written: usize) {
        let Some(queue) = &mut self.0 else { return };
        queue.gone += written;
        queue.len -= written;
        let Some(chunk) = queue.chunks.front_mut() else {
            return;
        };
        if queue.gone < chunk.len() {
            return;
        }
        queue.gone = 0;
        if queue.len == 0 && chunk.capacity() <= KEPT_CAPACITY {
            chunk.clear();
        } else if let Some(chunk) = queue.chunks.pop_front() {
            recycle(chunk);
        }
        if queue.len == 0 && queue.chunks.is_empty() {
            self.0 = None;
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
            let queue = pending.0.as_ref().expect("something is pending");
            assert!(queue.chunks.iter().all(|chunk| chunk.len() <= CHUNK));
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
        let kept = pending.0.map_or(0, |queue| queue.chunks[0].capacity());
        assert!(kept <= KEPT_CAPACITY);
    }
}
