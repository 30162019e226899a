//! Streams of frames from the bytes of a fuzzer: mostly valid, so that what lies behind the
//! first check is reached as well.

use crate::input::Input;

/// The longest stream, in bytes.
const MOST: usize = 1 << 20;

/// The stream of a server. Half of all inputs are taken as they are.
pub fn stream(input: &mut Input<'_>) -> Vec<u8> {
    if input.flag() {
        return input.take(usize::MAX).to_vec();
    }
    let mut out = Vec::new();
    while !input.is_empty() && out.len() < MOST {
        append(input, &mut out);
    }
    out
}

/// Appends one frame, or a few bytes that are none.
pub fn append(input: &mut Input<'_>, out: &mut Vec<u8>) {
    let how = input.byte();
    if how >= 0xF8 {
        out.extend(input.chunk());
        return;
    }
    // Final and fragments, text, binary, control, and what is reserved.
    let first = match how % 16 {
        0..=2 => 0x81,
        3..=5 => 0x82,
        6 => 0x01,
        7 => 0x02,
        8 => 0x00,
        9 => 0x80,
        10 => 0x88,
        11 => 0x89,
        12 => 0x8A,
        13 => 0xC1,
        14 => 0xC2,
        _ => input.byte(),
    };
    let payload = payload(input);
    // The length in its shortest form, or in another.
    let form = match (payload.len(), how >> 4) {
        (_, 15) => 127,
        (_, 14) => 126,
        (..126, _) => payload.len() as u8,
        (..0x1_0000, _) => 126,
        _ => 127,
    };
    out.extend([first, form | if how >> 4 == 13 { 0x80 } else { 0 }]);
    match form {
        126 => out.extend((payload.len() as u16).to_be_bytes()),
        127 => out.extend((payload.len() as u64).to_be_bytes()),
        _ => {}
    }
    out.extend(payload);
}

/// A payload: given literally, or a short pattern that repeats up to some size.
pub fn payload(input: &mut Input<'_>) -> Vec<u8> {
    match input.byte() {
        size @ ..=0xBF => input.take(size.into()).to_vec(),
        kind => {
            let size = match kind % 4 {
                0 => usize::from(input.byte()),
                1 => usize::from(input.short()),
                2 => usize::from(input.short()) * 4,
                _ => 120 + usize::from(input.byte() % 16),
            };
            let pattern = input.take(usize::from(kind >> 2) % 8 + 1);
            match pattern {
                [] => vec![b'x'; size],
                pattern => pattern.iter().copied().cycle().take(size).collect(),
            }
        }
    }
}
