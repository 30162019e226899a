//! Keeps chunks of memory that were written to the network, and gives them to whichever
//! socket needs a chunk next. The kernel would have to clear each page of fresh memory, and
//! fresh memory is not in the processor's cache.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// How many chunks are kept.
const MOST: usize = 4;
/// A chunk with room for fewer bytes is not kept.
const LEAST_CAPACITY: usize = 64 << 10;

static SPARES: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

fn spares() -> MutexGuard<'static, Vec<Vec<u8>>> {
    SPARES.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An empty chunk. It may have capacity already.
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

/// Frees the chunks that are kept. Called when no socket is left.
pub(crate) fn free_spares() {
    let kept = std::mem::take(&mut *spares());
    drop(kept);
}
