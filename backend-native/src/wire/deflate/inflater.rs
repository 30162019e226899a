//! The receiving half of permessage-deflate: it inflates a compressed payload part by part.
//!
//! Invariant: it holds at most one piece of inflated data, of a fixed size. Its caller limits
//! the size of the whole message.

use flate2::{Decompress, FlushDecompress, Status};

use super::zlib_window;
use crate::wire::violation::Violation;

/// The bytes that a sender leaves out at the end of a message (RFC 7692, 7.2.2).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How much is inflated at a time.
const PIECE: usize = 64 << 10;

/// Takes inflated data. The flag says whether it is the last of the message.
pub(crate) type Take<'a> = dyn FnMut(&[u8], bool) -> Result<(), Violation> + 'a;

/// What the sockets of an event loop share.
#[derive(Debug, Default)]
pub(crate) struct Spare {
    /// The buffer for inflated data.
    piece: Vec<u8>,
    /// An inflater for sockets without context takeover.
    stream: Option<Decompress>,
}

/// The receiving half of a connection that has agreed on compression.
#[derive(Debug)]
pub(crate) struct Inflater {
    window: u8,
    takes_over: bool,
    /// Whether it has read a byte since the message began, or since a block that was marked as
    /// the last of its stream.
    inside: bool,
    stream: Option<Decompress>,
}

impl Inflater {
    pub(super) fn new(window: u8, takes_over: bool) -> Self {
        Inflater {
            // An inflater that is shared needs the largest window.
            window: if takes_over { zlib_window(window) } else { 15 },
            takes_over,
            inside: false,
            stream: None,
        }
    }

    /// Inflates a part of a message, and passes the result on in pieces. For the last part, the
    /// last piece is passed on as the last of the message, even if it is empty.
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
                // The tail is an empty block. So it was read as a part of a block that should
                // have ended before.
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
                // RFC 7692, 7.2.3.4: another stream follows. It does not refer
                // to earlier data, because the sender's zlib has forgotten that.
                stream.reset(false);
                self.inside = false;
                if input.is_empty() {
                    return Ok(());
                }
            } else if !full {
                // There is room left, so all of the input is inflated.
                return match input {
                    [] => Ok(()),
                    _ => Err(corrupt()),
                };
            }
        }
    }
}

/// The buffer for inflated data, and the function that takes it.
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

    /// Passes on the piece that is there. It is not the last.
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
