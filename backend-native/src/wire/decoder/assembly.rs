//! A message that arrives in several frames or pieces.

use bytes::BytesMut;
use isosocket_core::Message;

use super::header::Frame;
use crate::wire::utf8::{self, InvalidUtf8, Utf8};

/// How many bytes are read at a time directly into a message.
pub(super) const DIRECT_READ: usize = 256 << 10;

/// A message in several frames or pieces.
#[derive(Debug)]
pub(super) struct Assembly {
    /// What has arrived.
    pub(super) data: BytesMut,
    /// The check of a text; `None` for binary.
    pub(super) utf8: Option<Utf8>,
    pub(super) compressed: bool,
}

impl Assembly {
    pub(super) fn new(frame: Frame) -> Self {
        Assembly {
            data: BytesMut::new(),
            utf8: frame.text.then(Utf8::default),
            compressed: frame.compressed,
        }
    }

    /// Appends the next piece. `remaining` bytes of its frame are still to come.
    pub(super) fn push(&mut self, piece: &[u8], remaining: u64) -> Result<(), InvalidUtf8> {
        if let Some(utf8) = &mut self.utf8 {
            utf8.push(piece)?;
        }
        reserve(&mut self.data, piece.len(), remaining);
        self.data.extend_from_slice(piece);
        Ok(())
    }

    /// The buffer for the next piece, which is to be appended, and how large it may be.
    pub(super) fn room(&mut self, remaining: u64) -> (&mut BytesMut, usize) {
        let most = usize::try_from(remaining).map_or(DIRECT_READ, |n| n.min(DIRECT_READ));
        reserve(&mut self.data, most, remaining - most as u64);
        (&mut self.data, most)
    }

    /// So many bytes were added.
    pub(super) fn grew(&mut self, read: usize) -> Result<(), InvalidUtf8> {
        let before = self.data.len() - read;
        match &mut self.utf8 {
            Some(utf8) => utf8.push(&self.data[before..]),
            None => Ok(()),
        }
    }

    /// The message, which is complete.
    pub(super) fn finish(self) -> Result<Message, InvalidUtf8> {
        let data = self.data.freeze();
        Ok(match self.utf8 {
            Some(utf8) => Message::Text(utf8::assembled(data, utf8)?),
            None => Message::Binary(data.into()),
        })
    }
}

/// Reserves memory for the bytes that are here, and for some of those that were announced. Not
/// for all, because a peer may announce much and send nothing.
fn reserve(data: &mut BytesMut, here: usize, remaining: u64) {
    const BELIEVED: usize = 1 << 20;
    let announced = usize::try_from(remaining).unwrap_or(usize::MAX);
    let wanted = here + announced.min(BELIEVED.max(data.len()));
    if data.capacity() - data.len() < here {
        data.reserve(wanted);
    }
}
