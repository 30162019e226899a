//! Frames of RFC 6455, section 5: headers in both directions, masking, and the
//! payload of a Close frame.
//!
//! Opcodes and headers are tungstenite's types. The mask is an argument, so there is no
//! randomness here.

use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::utf8::InvalidUtf8;
use super::violation::Violation;

/// How much payload is masked at a time, in bytes.
const MASKED_AT_ONCE: usize = 1024;

/// The longest header of a client's frame, in bytes: two, a length of eight, and the mask.
pub(crate) const MAX_CLIENT_HEADER: usize = 14;

/// The mask of one frame (RFC 6455, 5.3).
pub(crate) type Mask = [u8; 4];

/// A header, its payload's length, and its own size in bytes (RFC 6455, 5.2).
///
/// This is not tungstenite's function, because that one reads a few bytes at a time through a
/// cursor. For a small message, that takes longer than everything else together.
#[inline]
pub(crate) fn parse_header(bytes: &[u8]) -> Result<Option<(FrameHeader, u64, usize)>, Violation> {
    let [first, second, rest @ ..] = bytes else {
        return Ok(None);
    };
    let (length, size) = match (second & 0x7F, rest) {
        (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 10)
        }
        (126 | 127, _) => return Ok(None),
        (length, _) => (u64::from(length), 2),
    };
    let opcode = OpCode::from(first & 0x0F);
    if matches!(
        opcode,
        OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_))
    ) {
        return Err(Violation::protocol("the peer used a reserved opcode"));
    }
    if length >> 63 != 0 {
        let what = "the peer sent a frame whose length has its top bit set";
        return Err(Violation::protocol(what));
    }
    // S92
    if matches!((size, length), (4, ..126) | (10, ..0x1_0000)) {
        let what = "the peer sent a length that is not in its shortest form";
        return Err(Violation::protocol(what));
    }
    let header = FrameHeader {
        is_final: first & 0x80 != 0,
        rsv1: first & 0x40 != 0,
        rsv2: first & 0x20 != 0,
        rsv3: first & 0x10 != 0,
        opcode,
        // Its value does not matter: a masked frame is a violation (S93).
        mask: (second & 0x80 != 0).then_some([0; 4]),
    };
    Ok(Some((header, length, size)))
}

/// RFC 6455, sections 5.5.1 and 7.4 (S80–S86).
pub(crate) fn parse_close(payload: &[u8]) -> Result<Option<(u16, String)>, Violation> {
    let [high, low, reason @ ..] = payload else {
        return match payload {
            [] => Ok(None),
            _ => Err(Violation::protocol(
                "the peer sent a Close frame of one byte",
            )),
        };
    };
    let code = u16::from_be_bytes([*high, *low]);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        let what = "the peer sent a close code that must not be sent";
        return Err(Violation::protocol(what));
    }
    let reason = std::str::from_utf8(reason).map_err(|_| InvalidUtf8)?;
    Ok(Some((code, reason.to_owned())))
}

/// Appends a client's frame to `out`: header, mask and masked payload.
#[cfg(test)]
pub(crate) fn encode(out: &mut Vec<u8>, opcode: OpCode, payload: &[u8]) {
    let mask = [0x12, 0x34, 0x56, 0x78];
    encode_header(out, opcode, false, payload.len() as u64, mask);
    encode_payload(out, payload, mask);
}

/// Appends the header of a client's frame.
pub(crate) fn encode_header(
    out: &mut Vec<u8>,
    opcode: OpCode,
    compressed: bool,
    length: u64,
    mask: Mask,
) {
    let header = FrameHeader {
        opcode,
        rsv1: compressed,
        mask: Some(mask),
        ..FrameHeader::default()
    };
    header
        .format(length, out)
        .expect("writing to a vector does not fail");
}

/// Appends a piece of payload, masked. The length of each piece but the last must be a multiple
/// of four bytes, so that the mask of the next piece begins with its first byte.
pub(crate) fn encode_payload(out: &mut Vec<u8>, payload: &[u8], mask: Mask) {
    let word = u64::from_ne_bytes([
        mask[0], mask[1], mask[2], mask[3], mask[0], mask[1], mask[2], mask[3],
    ]);
    // The buffer grows by a small block at a time, so that clearing it costs almost nothing.
    // A large payload is not copied as a whole and then masked: if source and target are a
    // few bytes apart within their pages, such a copy takes eight times as long.
    for block in payload.chunks(MASKED_AT_ONCE) {
        let start = out.len();
        out.resize(start + block.len(), 0);
        let (words, rest) = out[start..].split_at_mut(block.len() / 8 * 8);
        let (of_payload, rest_of_payload) = block.split_at(words.len());
        for (masked, bytes) in words.chunks_exact_mut(8).zip(of_payload.chunks_exact(8)) {
            let bytes = u64::from_ne_bytes(bytes.try_into().expect("eight bytes"));
            masked.copy_from_slice(&(bytes ^ word).to_ne_bytes());
        }
        for ((masked, byte), key) in rest.iter_mut().zip(rest_of_payload).zip(word.to_ne_bytes()) {
            *masked = byte ^ key;
        }
    }
}

/// The payload of a Close frame.
pub(crate) fn close_payload(frame: Option<(u16, &str)>) -> Vec<u8> {
    match frame {
        None => Vec::new(),
        Some((code, reason)) => [&code.to_be_bytes(), reason.as_bytes()].concat(),
    }
}
