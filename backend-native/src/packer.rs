//! Compression on the way to the outbox, on the thread of whoever sends.
//!
//! Invariant: messages are queued in the order in which they were compressed,
//! and the event loop waits for no compression: it takes the outbox's lock
//! alone, which is not held meanwhile.

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, TryLockError};

use isosocket_core::{MessageRef, Refusal};

use crate::deflate::{Agreed, Compressor};
use crate::outbox::{Follow, Outbox};

/// What the buffer for compressed messages may keep of its memory.
const KEPT_CAPACITY: usize = 64 << 10;

thread_local! {
    /// Where messages are compressed to.
    static PACKED: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The sending side of a connection that has agreed on compression.
#[derive(Debug)]
pub(crate) struct Packer {
    min_size: usize,
    compressor: Mutex<Compressor>,
}

impl Packer {
    pub(crate) fn new(agreed: &Agreed) -> Self {
        let compressor = agreed.compressor();
        Packer {
            min_size: compressor.min_size(),
            compressor: Mutex::new(compressor),
        }
    }

    /// Queues a message, compressed if that makes it smaller.
    pub(crate) fn send<'a>(
        &self,
        outbox: impl Fn() -> MutexGuard<'a, Outbox>,
        message: MessageRef<'_>,
    ) -> Result<Follow, Refusal> {
        if message.as_bytes().len() < self.min_size {
            return outbox().send(message);
        }
        let mut compressor = self
            .compressor
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        // A message that is refused is not compressed first.
        outbox().admit(message)?;
        let mut packed = PACKED.take();
        let sent = match compressor.compress(message, &mut packed) {
            true => outbox().send_compressed(message, &packed),
            false => outbox().send(message),
        };
        if sent.is_err() {
            // Something came between the two looks into the outbox.
            compressor.forget();
        }
        if packed.capacity() <= KEPT_CAPACITY {
            PACKED.set(packed);
        }
        sent
    }

    /// Gives back the memory: the connection is over.
    pub(crate) fn release(&self) {
        match self.compressor.try_lock() {
            Ok(mut compressor) => compressor.release(),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().release(),
            // Somebody is sending; it goes with the socket's last handle.
            Err(TryLockError::WouldBlock) => {}
        }
    }
}
