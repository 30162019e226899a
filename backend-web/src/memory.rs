//! Lets JavaScript write bytes directly to where they belong, and copy those that are sent.
//! Memory that is written at once need not be cleared, so this file has unsafe code; the only
//! other one here is `catch.rs`.
//!
//! Invariant: JavaScript writes only where there is room, and only bytes that were written
//! are counted. This file relies on the host's `TextEncoder` to write UTF-8, as wasm-bindgen
//! does for every string.

#![allow(
    unsafe_code,
    reason = "memory that JavaScript fills is not cleared before"
)]

use std::cell::Cell;

use isosocket_core::{Binary, memory_pages};
use wasm_bindgen::JsCast;

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
        self.with(|view| view.set(array, to as u32));
    }

    /// An array with a copy of these bytes. A view of wasm memory would spare the copy, but some
    /// stand-ins keep what they were given, and would send whatever is there later. A host and
    /// such a stand-in cannot be distinguished, and shared memory cannot be sent at all.
    ///
    /// A slice of the view that is kept is one object of JavaScript. `new Uint8Array(view)` of
    /// another view is two, and sending 32 bytes takes a tenth longer (Chromium 156, Node 20).
    #[inline]
    pub(crate) fn host_copy(&self, bytes: &[u8]) -> Uint8Array {
        let start = bytes.as_ptr() as u32;
        let end = start + bytes.len() as u32;
        // By the function for strings, so that a page has one.
        self.with(|view| {
            view.unchecked_ref::<Payload>()
                .slice(start, end)
                .unchecked_into()
        })
    }

    /// Calls `f` with all of the memory.
    #[inline]
    fn with<R>(&self, f: impl FnOnce(&Uint8Array) -> R) -> R {
        // Memory that grows detaches the views of before; what is shared outgrows them. To ask
        // for the number of pages is an instruction. To ask for the view's length is a call of
        // JavaScript, and takes 4 % of receiving 32 bytes (Node 20).
        let mut kept = self.view.take();
        // A loop, because memory may grow while a view is made.
        let view = loop {
            match kept.take() {
                Some(view) if self.pages.get() == memory_pages() => break view,
                _ => {
                    self.pages.set(memory_pages());
                    kept = Some(whole());
                }
            }
        };
        let result = f(&view);
        self.view.set(Some(view));
        result
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
