//! A buffer that begins at a page's beginning.
//!
//! Where a large buffer begins is luck otherwise, and matters: to 16 bytes
//! behind a page's beginning, where the allocator likes to put what is large,
//! some processors copy from the kernel at two thirds of the speed.

use std::ops::{Deref, DerefMut};

const PAGE: usize = 4096;

/// Zeroed bytes.
pub struct Buffer {
    bytes: Vec<u8>,
    from: usize,
}

impl Buffer {
    pub fn new(length: usize) -> Self {
        let bytes = vec![0; length + PAGE];
        let from = bytes.as_ptr().align_offset(PAGE).min(PAGE);
        Buffer { bytes, from }
    }

    /// A longer one with the same bytes at its beginning.
    pub fn grow(&mut self, length: usize) {
        let mut longer = Buffer::new(length);
        longer[..self.len()].copy_from_slice(self);
        *self = longer;
    }
}

impl Deref for Buffer {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[self.from..self.from + self.bytes.len() - PAGE]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [u8] {
        let length = self.len();
        &mut self.bytes[self.from..self.from + length]
    }
}
