//! Chunks that were written, of all sockets, for those that are written next:
//! fresh memory would be cleared by the kernel page by page, and is in no cache.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many chunks are kept.
const MOST: usize = 4;
/// A chunk with room for fewer bytes is not kept.
const LEAST_CAPACITY: usize = 64 << 10;

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn spares() -> MutexGuard<'static, Vec<Vec<u8>>> {
    SPARES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty chunk, which may have room.
pub(super) fn spare() -> Vec<u8> {
    spares().pop().unwrap_or_default()
}

/// Keeps a chunk for later, if it is large and few are kept.
pub(super) fn recycle(mut chunk: Vec<u8>) {
    if chunk.capacity() < LEAST_CAPACITY {
        return;
    }
    chunk.clear();
    let mut spares = spares();
    if spares.len() < MOST {
        spares.push(chunk);
    }
}

/// Frees what is kept: no socket is left.
pub(crate) fn free_spares() {
    let kept = std::mem::take(&mut *spares());
    drop(kept);
}
