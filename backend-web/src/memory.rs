//! Lets JavaScript write bytes directly to where they belong. Memory that is written at once
//! need not be cleared, so this file has unsafe code; the only other one here is `catch.rs`.
//!
//! Invariant: JavaScript writes only where there is room, and only bytes that were written
//! are counted. This file relies on the host's `TextEncoder` to write UTF-8, as wasm-bindgen
//! does for every string.

#![allow(
    unsafe_code,
    reason = "memory that JavaScript fills is not cleared before"
)]

use std::arch::wasm32::memory_size;
use std::cell::Cell;

use isosocket_core::Binary;

use crate::js::{self, MembersExt, Payload, TextEncoder, Uint8Array};

/// All of the program's memory, as a view that is kept from message to message.
#[derive(Default)]
pub(crate) struct Memory {
    view: Cell<Option<Uint8Array>>,
    /// How many pages the memory had when the view was made.
    pages: Cell<usize>,
}

impl Memory {
    /// The bytes of an array of this length, copied once: few of them into the value itself.
    #[inline]
    pub(crate) fn binary(&self, array: &Uint8Array, length: usize, binary: &mut Binary) {
        match binary.short(length) {
            Some(room) => self.copy(array, room.as_mut_ptr()),
            None => *binary = self.vec(array, length).into(),
        }
    }

    /// The array's bytes.
    #[allow(dead_code, reason = "text comes by an array where memory is shared")]
    pub(crate) fn to_vec(&self, array: &Uint8Array) -> Vec<u8> {
        self.vec(array, js::length(array) as usize)
    }

    /// The bytes of an array of this length.
    fn vec(&self, array: &Uint8Array, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length);
        self.copy(array, bytes.as_mut_ptr());
        // SAFETY: the array has this many bytes, for which there is room.
        unsafe { bytes.set_len(length) };
        bytes
    }

    /// Writes an array to an address, where there is room for it.
    #[inline]
    fn copy(&self, array: &Uint8Array, to: *mut u8) {
        // Memory that grows detaches the views of before; what is shared outgrows them. To ask
        // for the number of pages is an instruction. To ask for the view's length is a call of
        // JavaScript, and takes 4 % of receiving 32 bytes (Node 20).
        let mut view = self.view.take();
        // A loop, because memory may grow while a view is made.
        while view.is_none() || self.pages.get() != memory_size::<0>() {
            self.pages.set(memory_size::<0>());
            view = Some(whole());
        }
        if let Some(view) = &view {
            view.set(array, to as u32);
        }
        self.view.set(view);
    }
}

#[cold]
fn whole() -> Uint8Array {
    Uint8Array::new(&wasm_bindgen::memory().member("buffer"))
}

/// Appends the UTF-8 of a text's first units, at most this many bytes; how many
/// units were read.
#[allow(dead_code, reason = "not all hosts encode into memory that is shared")]
pub(crate) fn encode_into(
    encoder: &TextEncoder,
    text: &Payload,
    bytes: &mut Vec<u8>,
    room: usize,
) -> usize {
    bytes.reserve(room);
    let free = bytes.spare_capacity_mut();
    let progress = js::encode_into(encoder, text, free);
    let read = progress.read() as usize;
    // Each unit takes at least one byte. So if as many were read as there are bytes of room, the
    // room is full. Then `written` is not read: by its name that takes longer than by a getter.
    let written = match read == room {
        true => room,
        false => room.min(progress.number("written") as usize),
    };
    // SAFETY: the host has written so many bytes to what is free.
    unsafe { bytes.set_len(bytes.len() + written) };
    read
}

/// What a host's encoder wrote, as a string.
pub(crate) fn text(utf8: Vec<u8>) -> String {
    // SAFETY: a `TextEncoder` writes whole characters of UTF-8. Checking costs a
    // tenth of encoding.
    unsafe { String::from_utf8_unchecked(utf8) }
}
