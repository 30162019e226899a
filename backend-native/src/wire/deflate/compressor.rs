//! The sending half of permessage-deflate: it makes a compressed payload of one message.
//!
//! Invariant: the compressor's history is exactly the data that was sent compressed. If a
//! result is not sent, the compressor clears its history.

use std::cell::Cell;

use flate2::{Compress, Compression, FlushCompress};
use isosocket_core::MessageRef;

use super::zlib_window;

/// The bytes at the end of a sync flush. They are not sent (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How many messages are sent without trying, at most, after one that did not get smaller.
const MOST_SKIPPED: u8 = 31;

/// By how many bytes the output grows at a time, if the first estimate was too small.
const STEP: usize = 4 << 10;

thread_local! {
    /// A compressor of this thread, for sockets without context takeover.
    static SPARE: Cell<Option<Zlib>> = const { Cell::new(None) };
}

/// A zlib stream, and the settings it was made with.
#[derive(Debug)]
struct Zlib {
    stream: Compress,
    level: u8,
    window: u8,
}

/// The sending half of a connection that has agreed on compression.
#[derive(Debug)]
pub(crate) struct Compressor {
    level: u8,
    window: u8,
    takes_over: bool,
    min_size: usize,
    zlib: Option<Zlib>,
    /// `patience`: how many binary messages to send without trying after the next one that
    /// does not get smaller. `skip`: how many to send without trying now.
    patience: u8,
    skip: u8,
}

impl Compressor {
    pub(super) fn new(level: u8, window: u8, takes_over: bool, min_size: usize) -> Self {
        Compressor {
            level,
            window: zlib_window(window),
            takes_over,
            min_size,
            zlib: None,
            patience: 0,
            skip: 0,
        }
    }

    /// The smallest message that it tries to compress, in bytes.
    pub(crate) fn min_size(&self) -> usize {
        self.min_size
    }

    /// Clears `out`, and compresses a message's payload into it. Returns `false` if the message
    /// should be sent as it is.
    pub(crate) fn compress(&mut self, message: MessageRef<'_>, out: &mut Vec<u8>) -> bool {
        match message {
            MessageRef::Text(text) => self.try_payload(text.as_bytes(), out),
            // Images and the like often follow each other, and trying is expensive. A text
            // can always gain something.
            MessageRef::Binary(_) if self.skip > 0 => {
                self.skip -= 1;
                false
            }
            MessageRef::Binary(data) => {
                let smaller = self.try_payload(data, out);
                self.patience = match smaller {
                    true => 0,
                    false => (self.patience * 2 + 1).min(MOST_SKIPPED),
                };
                self.skip = self.patience;
                smaller
            }
        }
    }

    fn try_payload(&mut self, payload: &[u8], out: &mut Vec<u8>) -> bool {
        out.clear();
        if payload.is_empty() {
            return false;
        }
        let mut zlib = self.zlib.take().unwrap_or_else(|| self.allocate());
        let smaller = compress(&mut zlib.stream, payload, out);
        if !smaller || !self.takes_over {
            zlib.stream.reset();
        }
        match self.takes_over {
            true => self.zlib = Some(zlib),
            // While its thread ends there may be no place for it any more (S114).
            false => drop(SPARE.try_with(|spare| spare.set(Some(zlib)))),
        }
        smaller
    }

    /// The message that was compressed last was not sent, so the history must not contain it.
    pub(crate) fn forget(&mut self) {
        if let Some(zlib) = &mut self.zlib {
            zlib.stream.reset();
        }
    }

    /// Nothing more will be sent: frees the memory.
    pub(crate) fn release(&mut self) {
        self.zlib = None;
    }

    fn allocate(&self) -> Zlib {
        let fits = |zlib: &Zlib| (zlib.level, zlib.window) == (self.level, self.window);
        if !self.takes_over {
            let spare = SPARE.try_with(Cell::take).unwrap_or_default();
            if let Some(spare) = spare.filter(fits) {
                return spare;
            }
        }
        let level = Compression::new(self.level.into());
        Zlib {
            stream: Compress::new_with_window_bits(level, false, self.window),
            level: self.level,
            window: self.window,
        }
    }
}

/// Whether the compressed payload is smaller than the payload.
fn compress(stream: &mut Compress, mut payload: &[u8], out: &mut Vec<u8>) -> bool {
    let whole = payload.len();
    // This is enough in most cases. It grows only while it stays smaller than the payload.
    out.reserve((whole / 4).max(256));
    loop {
        let before = stream.total_in();
        // Any input is valid, and there is always room.
        if stream
            .compress_vec(payload, out, FlushCompress::Sync)
            .is_err()
        {
            return false;
        }
        payload = &payload[(stream.total_in() - before) as usize..];
        if out.len() < out.capacity() {
            // There is room left, so the flush is complete.
            break;
        }
        if out.len() >= whole + TAIL.len() {
            return false;
        }
        out.reserve(STEP.max(out.len() / 2));
    }
    let complete = payload.is_empty() && out.ends_with(&TAIL);
    debug_assert!(complete, "a sync flush ends with an empty block");
    out.truncate(out.len().saturating_sub(TAIL.len()));
    complete && out.len() < whole
}

#[cfg(test)]
#[path = "compressor_tests.rs"]
mod tests;
