//! The sending half: one message in, one compressed payload out.
//!
//! Invariant: the compressor's history is exactly what was sent compressed; a
//! result that is not sent makes it forget.

use std::cell::Cell;

use flate2::{Compress, Compression, FlushCompress};
use isosocket_core::MessageRef;

use super::zlib_window;

/// What a sync flush ends with, which is not sent (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How many messages are not tried, at most, after one that did not shrink.
const MOST_SKIPPED: u8 = 31;

/// How much the output grows at a time beyond what is expected.
const STEP: usize = 4 << 10;

thread_local! {
    /// A compressor that no socket owns, for those without context takeover.
    static SPARE: Cell<Option<Zlib>> = const { Cell::new(None) };
}

/// A zlib stream, and what it was made for.
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
    /// How many binary messages are not to be tried after the next that does
    /// not shrink, and how many are not to be tried now.
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

    /// The size from which on messages are worth a try.
    pub(crate) fn min_size(&self) -> usize {
        self.min_size
    }

    /// Compresses a message's payload into `out`, which it clears; `false` if
    /// the message is better sent as it is.
    pub(crate) fn compress(&mut self, message: MessageRef<'_>, out: &mut Vec<u8>) -> bool {
        match message {
            MessageRef::Text(text) => self.try_payload(text.as_bytes(), out),
            // Images and the like come in rows, and trying costs much. A text
            // always has something to gain.
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
            false => SPARE.set(Some(zlib)),
        }
        smaller
    }

    /// The message that was compressed last was not sent, so that the peer does
    /// not know it.
    pub(crate) fn forget(&mut self) {
        if let Some(zlib) = &mut self.zlib {
            zlib.stream.reset();
        }
    }

    /// Nothing more will be sent.
    pub(crate) fn release(&mut self) {
        self.zlib = None;
    }

    fn allocate(&self) -> Zlib {
        let fits = |zlib: &Zlib| (zlib.level, zlib.window) == (self.level, self.window);
        if !self.takes_over {
            if let Some(spare) = SPARE.take().filter(fits) {
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
    // What it takes in most cases; it grows only while it is worth while.
    out.reserve((whole / 4).max(256));
    loop {
        let before = stream.total_in();
        // No input is wrong, and no room is made below.
        if stream
            .compress_vec(payload, out, FlushCompress::Sync)
            .is_err()
        {
            return false;
        }
        payload = &payload[(stream.total_in() - before) as usize..];
        if out.len() < out.capacity() {
            // Room was left, so that the flush is complete.
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
