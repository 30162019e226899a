//! permessage-deflate (RFC 7692) as far as the server needs it: what it agrees
//! to, and messages that were compressed before.
//!
//! Invariant: nothing is compressed while a client is measured.

use flate2::{Compress, Compression, FlushCompress};

use crate::content::Content;
use crate::frames::{COMPRESSED, push_header};

/// What was agreed on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Agreed {
    Nothing,
    /// Each side keeps its context from message to message.
    Kept,
    /// Each message is compressed by itself.
    Alone,
}

/// About what is written at once.
const WRITE: usize = 256 << 10;

const NAME: &str = "permessage-deflate";

impl Agreed {
    /// What the server makes of a client's offer.
    pub fn to(offer: &str) -> Self {
        match offer.contains(NAME) {
            false => Agreed::Nothing,
            true if offer.contains("no_context_takeover") => Agreed::Alone,
            true => Agreed::Kept,
        }
    }

    /// The line of the reply.
    pub fn line(self) -> String {
        match self {
            Agreed::Nothing => String::new(),
            Agreed::Kept => format!("Sec-WebSocket-Extensions: {NAME}\r\n"),
            Agreed::Alone => format!(
                "Sec-WebSocket-Extensions: {NAME}; client_no_context_takeover; \
                 server_no_context_takeover\r\n"
            ),
        }
    }
}

/// Whole frames in a row, and where each ends.
#[derive(Debug, Default)]
pub struct Block {
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Block {
    /// The messages of this content, first byte and size, at least as many as are written
    /// at once. None refers back beyond the first, so that the whole may be sent
    /// again and again.
    pub fn new(content: Content, first: u8, size: usize, agreed: Agreed) -> Self {
        let mut block = Block::default();
        let packs = agreed != Agreed::Nothing && content != Content::Small;
        let mut stream = Compress::new(Compression::new(6), false);
        let mut packed = Vec::new();
        let messages = content.messages(size);
        let least = match messages.len() {
            // One fills what it can of a write.
            1 => (WRITE / (size + 4)).max(1),
            many => many,
        };
        for message in messages.iter().cycle().take(least) {
            let smaller = packs && {
                packed.clear();
                packed.reserve(message.len() + message.len() / 100 + 64);
                let done = stream.compress_vec(message, &mut packed, FlushCompress::Sync);
                // What a sync flush ends with is not sent.
                packed.truncate(packed.len().saturating_sub(4));
                let smaller = done.is_ok() && packed.len() < message.len();
                if !smaller || agreed == Agreed::Alone {
                    stream.reset();
                }
                smaller
            };
            let (first, payload) = match smaller {
                true => (first | COMPRESSED, &packed[..]),
                false => (first, &message[..]),
            };
            push_header(&mut block.bytes, first, payload.len());
            block.bytes.extend_from_slice(payload);
            block.ends.push(block.bytes.len());
        }
        block
    }

    /// How many frames there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// How many frames one write has, from frame `from` on.
    pub fn fitting(&self, from: usize) -> usize {
        let start = self.start(from);
        let fit = self.ends[from..].partition_point(|end| end - start <= WRITE);
        fit.max(1)
    }

    pub fn frames(&self, from: usize, count: usize) -> &[u8] {
        &self.bytes[self.start(from)..self.ends[from + count - 1]]
    }

    fn start(&self, frame: usize) -> usize {
        frame.checked_sub(1).map_or(0, |before| self.ends[before])
    }
}
