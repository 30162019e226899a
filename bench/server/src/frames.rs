//! Frames of clients, read in large pieces.
//!
//! Invariant: frames are masked data, whole messages or parts of one, compressed
//! or not; whatever else comes ends the connection.

use std::io;
use std::net::TcpStream;

use crate::buffer::Buffer;
use crate::read_some;

/// The bit of a compressed message's first frame (RFC 7692, 6).
pub const COMPRESSED: u8 = 0x40;

/// The first byte of a text message and of a binary one, each in one frame.
pub const TEXT: u8 = 0x81;
pub const BINARY: u8 = 0x82;

/// The bit that the last frame of a message has.
const FIN: u8 = 0x80;

const ROOM: usize = 256 << 10;

/// What a connection's peer sends.
pub struct Frames<'a> {
    stream: &'a TcpStream,
    buffer: Buffer,
    start: usize,
    end: usize,
}

/// A frame's header, read.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// FIN, the bit that says whether it is compressed, and the opcode.
    pub first: u8,
    /// How long it is, with the mask.
    pub header: usize,
    pub payload: usize,
    pub mask: [u8; 4],
}

impl<'a> Frames<'a> {
    pub fn new(stream: &'a TcpStream) -> Self {
        Frames {
            stream,
            buffer: Buffer::new(ROOM),
            start: 0,
            end: 0,
        }
    }

    /// The next message's payload.
    pub fn next_payload(&mut self) -> io::Result<&[u8]> {
        let header = self.next_whole()?;
        if header.first & COMPRESSED != 0 {
            return Err(io::Error::other("a request is compressed"));
        }
        let payload = self.start - header.payload..self.start;
        unmask(&mut self.buffer[payload.clone()], header.mask);
        Ok(&self.buffer[payload])
    }

    /// The next message as the frame that a server sends for the same: the
    /// payload stays where it is, and a shorter header goes before it.
    pub fn next_as_answer(&mut self) -> io::Result<&[u8]> {
        let header = self.next_whole()?;
        let (payload, end) = (self.start - header.payload, self.start);
        unmask(&mut self.buffer[payload..end], header.mask);
        Ok(answer(&mut self.buffer[..end], header))
    }

    /// Reads this many messages, and looks at their headers only; the bytes.
    pub fn skip(&mut self, mut count: u64) -> io::Result<u64> {
        let mut bytes = 0;
        while count > 0 {
            let header = loop {
                match parse(&self.buffer[self.start..self.end])? {
                    Some(header) => break header,
                    None => self.fill()?,
                }
            };
            // Browsers send what is large in several frames.
            count -= u64::from(header.first & FIN != 0);
            let mut left = header.header + header.payload;
            bytes += left as u64;
            while left > self.end - self.start {
                left -= self.end - self.start;
                self.start = 0;
                self.end = read_some(self.stream, &mut self.buffer)?;
            }
            self.start += left;
        }
        Ok(bytes)
    }

    /// Reads until the next frame is there as a whole, and takes it: its
    /// payload ends at `start`.
    fn next_whole(&mut self) -> io::Result<Header> {
        loop {
            if let Some(header) = parse(&self.buffer[self.start..self.end])? {
                let length = header.header + header.payload;
                if self.end - self.start >= length {
                    self.start += length;
                    return Ok(header);
                }
                if self.buffer.len() - self.start < length {
                    self.move_to_front();
                    if self.buffer.len() < length {
                        self.buffer.grow(length);
                    }
                }
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        } else if self.buffer.len() - self.end < ROOM / 8 && self.start > 0 {
            self.move_to_front();
        }
        self.end += read_some(self.stream, &mut self.buffer[self.end..])?;
        Ok(())
    }

    fn move_to_front(&mut self) {
        self.buffer.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
    }
}

/// Turns a client's frame, unmasked, into a server's. `frame` ends with it. What
/// is compressed stays so: it refers to what was answered before.
pub fn answer(frame: &mut [u8], header: Header) -> &[u8] {
    let mut short = Vec::new();
    push_header(&mut short, header.first, header.payload);
    let from = frame.len() - header.payload - short.len();
    frame[from..from + short.len()].copy_from_slice(&short);
    &frame[from..]
}

/// A frame's header at the front of `bytes`, if it is all there.
pub fn parse(bytes: &[u8]) -> io::Result<Option<Header>> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    match first & !(FIN | COMPRESSED) {
        0..=2 => {}
        // Clients that say goodbye do it when all is measured.
        8 => return Err(io::ErrorKind::UnexpectedEof.into()),
        _ => return Err(io::Error::other(format!("a frame begins with {first:#x}"))),
    }
    let (extended, payload) = match (second & 0x7f, rest) {
        (126, [a, b, ..]) => (2, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (8, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (0, u64::from(length)),
    };
    let Some(mask) = rest.get(extended..extended + 4) else {
        return Ok(None);
    };
    Ok(Some(Header {
        first: *first,
        header: 2 + extended + 4,
        payload: payload as usize,
        mask: [mask[0], mask[1], mask[2], mask[3]],
    }))
}

/// The header of a server's frame.
pub fn push_header(frame: &mut Vec<u8>, first: u8, payload: usize) {
    frame.push(first);
    match payload {
        0..=125 => frame.push(payload as u8),
        126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            frame.push(127);
            frame.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
}

/// Eight bytes at a time, which the compiler widens further.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let wide = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    let (words, rest) = payload.as_chunks_mut::<8>();
    for word in words {
        *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(wide.to_ne_bytes()) {
        *byte ^= mask;
    }
}
