//! Frames of RFC 6455, section 5.2, coded without judging them.
//!
//! Invariant: what can stand on the wire can be expressed here, legal or not;
//! a length is never trusted with memory.

use std::ops::Range;
use std::sync::LazyLock;

/// The opcodes that the peer itself gives a meaning to.
pub(crate) mod op {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// How the payload length is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    Seven,
    Sixteen,
    SixtyFour,
}

impl Width {
    pub(crate) fn shortest(len: u64) -> Width {
        match len {
            0..=125 => Width::Seven,
            126..=0xffff => Width::Sixteen,
            _ => Width::SixtyFour,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) fin: bool,
    /// RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub(crate) rsv: u8,
    pub(crate) op: u8,
    pub(crate) mask: Option<[u8; 4]>,
    pub(crate) len: u64,
    pub(crate) width: Width,
}

impl Head {
    /// An ordinary final frame of a server.
    pub(crate) fn new(op: u8, len: u64) -> Head {
        Head {
            fin: true,
            rsv: 0,
            op,
            mask: None,
            len,
            width: Width::shortest(len),
        }
    }

    /// Whether the length has its shortest form (S92).
    pub(crate) fn is_minimal(&self) -> bool {
        self.width == Width::shortest(self.len)
    }

    /// Text, binary or continuation.
    pub(crate) fn is_data(&self) -> bool {
        self.op <= op::BINARY
    }

    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        out.push(u8::from(self.fin) << 7 | self.rsv << 4 | self.op);
        let masked = u8::from(self.mask.is_some()) << 7;
        match self.width {
            Width::Seven => out.push(masked | (self.len & 0x7f) as u8),
            Width::Sixteen => {
                out.push(masked | 126);
                out.extend((self.len as u16).to_be_bytes());
            }
            Width::SixtyFour => {
                out.push(masked | 127);
                out.extend(self.len.to_be_bytes());
            }
        }
        out.extend(self.mask.into_iter().flatten());
    }

    /// The head at the start of `input` and its size, once it is complete.
    fn decode(input: &[u8]) -> Option<(Head, usize)> {
        let (&first, &second) = (input.first()?, input.get(1)?);
        let (width, len, mut size) = match second & 0x7f {
            126 => (
                Width::Sixteen,
                u64::from(u16::from_be_bytes(array(input, 2)?)),
                4,
            ),
            127 => (Width::SixtyFour, u64::from_be_bytes(array(input, 2)?), 10),
            len => (Width::Seven, u64::from(len), 2),
        };
        let mut mask = None;
        if second & 0x80 != 0 {
            mask = Some(array(input, size)?);
            size += 4;
        }
        let (fin, rsv, op) = (first & 0x80 != 0, first >> 4 & 7, first & 15);
        Some((
            Head {
                fin,
                rsv,
                op,
                mask,
                len,
                width,
            },
            size,
        ))
    }
}

fn array<const N: usize>(input: &[u8], at: usize) -> Option<[u8; N]> {
    input.get(at..at + N)?.try_into().ok()
}

/// Masks or unmasks a part of a payload that starts `offset` bytes into it.
pub(crate) fn mask(key: [u8; 4], offset: u64, bytes: &mut [u8]) {
    for (byte, at) in bytes.iter_mut().zip(offset..) {
        *byte ^= key[(at & 3) as usize];
    }
}

/// What the decoder found next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A frame begins.
    Head(Head),
    /// A part of its payload, unmasked.
    Data(Vec<u8>),
    /// It is complete.
    End(Head),
}

/// Takes a stream of bytes apart into pieces of frames.
#[derive(Default)]
pub(crate) struct Decoder {
    head: Option<Head>,
    done: u64,
}

impl Decoder {
    /// The next piece and how many bytes of `input` it took; no piece when
    /// `input` ends too early for one.
    pub(crate) fn next(&mut self, input: &[u8]) -> (usize, Option<Piece>) {
        let Some(head) = self.head else {
            let Some((head, size)) = Head::decode(input) else {
                return (0, None);
            };
            (self.head, self.done) = (Some(head), 0);
            return (size, Some(Piece::Head(head)));
        };
        let left = head.len - self.done;
        if left == 0 {
            self.head = None;
            return (0, Some(Piece::End(head)));
        }
        if input.is_empty() {
            return (0, None);
        }
        let take = usize::try_from(left).map_or(input.len(), |left| left.min(input.len()));
        let mut data = input[..take].to_vec();
        if let Some(key) = head.mask {
            mask(key, self.done, &mut data);
        }
        self.done += take as u64;
        (take, Some(Piece::Data(data)))
    }

    /// The head of the frame that has begun and is not complete.
    pub(crate) fn head(&self) -> Option<Head> {
        self.head
    }
}

/// Whether these bytes, read as frames, hold a Close.
pub(crate) fn holds_close(mut bytes: &[u8]) -> bool {
    let mut decoder = Decoder::default();
    loop {
        let (used, piece) = decoder.next(bytes);
        bytes = &bytes[used..];
        match piece {
            Some(Piece::End(head)) if head.op == op::CLOSE => return true,
            Some(_) => {}
            None => return false,
        }
    }
}

/// Patterns are asked for in pieces of at most this many bytes.
pub(crate) const PATTERN_PIECE: u64 = 64 * 1024;

/// A part of the pattern that stands for large payloads: the alphabet, over
/// and over.
pub(crate) fn pattern(range: Range<u64>) -> Vec<u8> {
    static ALPHABETS: LazyLock<Vec<u8>> = LazyLock::new(|| {
        (b'a'..=b'z')
            .cycle()
            .take(PATTERN_PIECE as usize + 26)
            .collect()
    });
    let start = (range.start % 26) as usize;
    ALPHABETS[start..start + (range.end - range.start) as usize].to_vec()
}
