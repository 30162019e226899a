//! The receiving half: compressed payload in parts, inflated parts out.
//!
//! Invariant: it holds no inflated data beyond a piece of fixed size; what a
//! message may come to is for its taker to limit.

use flate2::{Decompress, FlushDecompress, Status};

use super::zlib_window;
use crate::wire::violation::Violation;

/// What a sender has left out at a message's end (RFC 7692, 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How much is inflated at a time.
const PIECE: usize = 64 << 10;

/// Takes inflated data. The flag says whether it is the last of the message.
pub(crate) type Take<'a> = dyn FnMut(&[u8], bool) -> Result<(), Violation> + 'a;

/// What the sockets of an event loop share.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    /// Where data is inflated to.
    piece: Vec<u8>,
    /// An inflater that no socket owns, for those without context takeover.
    stream: Option<Decompress>,
}

/// The receiving half of a connection that has agreed on compression.
#[derive(Debug)]
pub(crate) struct Inflater {
    window: u8,
    takes_over: bool,
    /// Something was taken in since the message began, or since a block that
    /// calls itself its stream's last.
    inside: bool,
    stream: Option<Decompress>,
}

impl Inflater {
    pub(super) fn new(window: u8, takes_over: bool) -> Self {
        Inflater {
            // Those who share one need the largest.
            window: if takes_over { zlib_window(window) } else { 15 },
            takes_over,
            inside: false,
            stream: None,
        }
    }

    /// Inflates a part of a message and hands on what it comes to. What the
    /// last part comes to is handed on as the last, even if it is nothing.
    ///
    /// After an error nothing more can be inflated.
    pub(crate) fn inflate(
        &mut self,
        input: &[u8],
        last: bool,
        spare: &mut Spare,
        take: &mut Take<'_>,
    ) -> Result<(), Violation> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.allocate(spare),
        };
        spare.piece.resize(PIECE, 0);
        let mut output = Output {
            piece: &mut spare.piece,
            filled: 0,
            total: 0,
            take,
        };
        self.run(&mut stream, input, &mut output)?;
        if !last {
            output.hand_on()?;
            self.stream = Some(stream);
            return Ok(());
        }
        if self.inside {
            let before = output.total;
            self.run(&mut stream, &TAIL, &mut output)?;
            if output.total != before {
                // The tail is an empty block, unless it was taken for a part of
                // a block that should have ended before.
                return Err(corrupt());
            }
        }
        let filled = output.filled;
        self.inside = false;
        if self.takes_over {
            self.stream = Some(stream);
        } else {
            stream.reset(false);
            spare.stream = Some(stream);
        }
        take(&spare.piece[..filled], true)
    }

    fn allocate(&self, spare: &mut Spare) -> Decompress {
        let shared = match self.takes_over {
            true => None,
            false => spare.stream.take(),
        };
        shared.unwrap_or_else(|| Decompress::new_with_window_bits(false, self.window))
    }

    /// Inflates all of `input`.
    fn run(
        &mut self,
        stream: &mut Decompress,
        mut input: &[u8],
        output: &mut Output<'_, '_>,
    ) -> Result<(), Violation> {
        loop {
            let (before_in, before_out) = (stream.total_in(), stream.total_out());
            let status = stream
                .decompress(input, output.room(), FlushDecompress::Sync)
                .map_err(|_| corrupt())?;
            let taken = (stream.total_in() - before_in) as usize;
            output.came((stream.total_out() - before_out) as usize);
            input = &input[taken..];
            self.inside |= taken > 0;
            let full = output.is_full();
            if full {
                output.hand_on()?;
            }
            if status == Status::StreamEnd {
                // RFC 7692, 7.2.3.4: what follows is a stream of its own. It
                // does not refer to what was before, as its sender's zlib has
                // forgotten that.
                stream.reset(false);
                self.inside = false;
                if input.is_empty() {
                    return Ok(());
                }
            } else if !full {
                // Room was left, so all that can come has come.
                return match input {
                    [] => Ok(()),
                    _ => Err(corrupt()),
                };
            }
        }
    }
}

/// The place that data is inflated to, and where it goes from there.
struct Output<'a, 'b> {
    piece: &'a mut [u8],
    filled: usize,
    total: u64,
    take: &'a mut Take<'b>,
}

impl Output<'_, '_> {
    fn room(&mut self) -> &mut [u8] {
        &mut self.piece[self.filled..]
    }

    fn came(&mut self, count: usize) {
        self.filled += count;
        self.total += count as u64;
    }

    fn is_full(&self) -> bool {
        self.filled == self.piece.len()
    }

    /// Hands on what is there, and more is to come.
    fn hand_on(&mut self) -> Result<(), Violation> {
        match std::mem::take(&mut self.filled) {
            0 => Ok(()),
            filled => (self.take)(&self.piece[..filled], false),
        }
    }
}

fn corrupt() -> Violation {
    Violation::protocol("the peer sent compressed data that is corrupt")
}
