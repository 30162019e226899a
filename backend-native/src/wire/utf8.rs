//! Checks UTF-8 as it arrives, so that a bad byte fails the connection at once and not at the
//! end of the message (S91).

#![allow(unsafe_code, reason = "text is checked here, once, and never again")]

use bytes::Bytes;
use bytestring::ByteString;
use isosocket_core::Text;
use simdutf8::compat::from_utf8;

/// The bytes are not UTF-8, whatever follows them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidUtf8;

/// The check of one message, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct Utf8 {
    /// The beginning of a character that the next piece continues.
    carry: [u8; 4],
    carried: u8,
}

impl Utf8 {
    /// Checks the next piece.
    pub(crate) fn push(&mut self, mut piece: &[u8]) -> Result<(), InvalidUtf8> {
        while self.carried > 0 {
            let [next, rest @ ..] = piece else {
                return Ok(());
            };
            self.carry[usize::from(self.carried)] = *next;
            self.carried += 1;
            piece = rest;
            match std::str::from_utf8(&self.carry[..usize::from(self.carried)]) {
                Ok(_) => self.carried = 0,
                // Still incomplete. A character has at most four bytes.
                Err(error) if error.error_len().is_none() => {}
                Err(_) => return Err(InvalidUtf8),
            }
        }
        if let Err(error) = from_utf8(piece) {
            if error.error_len().is_some() {
                return Err(InvalidUtf8);
            }
            let tail = &piece[error.valid_up_to()..];
            self.carry[..tail.len()].copy_from_slice(tail);
            self.carried = tail.len() as u8;
        }
        Ok(())
    }

    /// Fails if the message would end inside a character.
    pub(crate) fn finish(&mut self) -> Result<(), InvalidUtf8> {
        match std::mem::take(&mut self.carried) {
            0 => Ok(()),
            _ => Err(InvalidUtf8),
        }
    }
}

/// A whole text in one piece. `share` copies it if it is long.
#[inline]
pub(crate) fn text(bytes: &[u8], share: impl FnOnce(&[u8]) -> Bytes) -> Result<Text, InvalidUtf8> {
    let text = simdutf8::basic::from_utf8(bytes).map_err(|_| InvalidUtf8)?;
    Ok(Text::copied(text, |text| {
        let shared = share(text.as_bytes());
        debug_assert_eq!(shared, text);
        // SAFETY: `shared` is a copy of bytes that are valid.
        unsafe { ByteString::from_bytes_unchecked(shared) }
    }))
}

/// A text gathered in pieces, each of which `checked` has passed.
pub(crate) fn assembled(bytes: Bytes, mut checked: Utf8) -> Result<Text, InvalidUtf8> {
    checked.finish()?;
    debug_assert!(std::str::from_utf8(&bytes).is_ok());
    // SAFETY: every piece went through `Utf8::push` in order, and `finish`
    // found that the last one ends with a whole character.
    Ok(unsafe { ByteString::from_bytes_unchecked(bytes) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_pieces(bytes: &[u8], size: usize) -> Result<(), InvalidUtf8> {
        let mut utf8 = Utf8::default();
        for piece in bytes.chunks(size) {
            utf8.push(piece)?;
        }
        utf8.finish()
    }

    #[test]
    fn pieces_and_whole_agree() {
        let samples: &[&[u8]] = &[
            b"",
            b"plain",
            "κόσμε, grüße, \u{10FFFF}\u{0}".as_bytes(),
            b"\xC0\x80",               // overlong
            b"\xED\xA0\x80",           // surrogate
            b"\xF4\x90\x80\x80",       // beyond U+10FFFF
            b"ab\xFFcd",               // no such byte
            b"truncated \xE2\x82",     // incomplete
            b"truncated \xF0\x9F\x98", // incomplete
            b"\x80",                   // lone continuation
            b"\xE2\x28\xA1",           // bad second byte
        ];
        for sample in samples {
            let expected = std::str::from_utf8(sample).is_ok();
            for size in 1..=sample.len().max(1) {
                assert_eq!(
                    in_pieces(sample, size).is_ok(),
                    expected,
                    "{sample:?} by {size}"
                );
            }
            let whole = text(sample, Bytes::copy_from_slice);
            assert_eq!(whole.is_ok(), expected, "{sample:?}");
        }
    }

    #[test]
    fn a_bad_byte_is_found_before_the_message_ends() {
        let mut utf8 = Utf8::default();
        assert_eq!(utf8.push(b"\xF4"), Ok(()));
        assert_eq!(utf8.push(b"\x90"), Err(InvalidUtf8));
    }
}
