//! Copies a JavaScript message into wasm memory, with as few calls and copies as possible.

use std::cell::OnceCell;

use wasm_bindgen::JsCast;

use isosocket_core::{Event, Message};

use crate::js::{self, MembersExt, Payload, Promise, TextEncoder, Uint8Array};
use crate::memory::{self, Memory};
use crate::threads::encode;

/// Up to this many UTF-16 units the glue's loop over characters is faster than
/// a call of the host's encoder: measured in Chromium, where most programs run;
/// elsewhere the encoder wins sooner.
const SHORT: usize = 128;

/// What a connection keeps for its messages.
#[derive(Default)]
pub(crate) struct Tools {
    /// The host's encoder, made for the first long text.
    encoder: OnceCell<TextEncoder>,
    pub(crate) memory: Memory,
}

/// What became of a message's data.
pub(crate) enum Received {
    /// It is in the event.
    Message,
    /// The bytes of a `Blob` come later.
    Later(Promise),
    /// There are more bytes than the limit allows (S62). They were not copied.
    TooLarge,
    /// It is nothing that a WebSocket can have as data.
    Unreadable,
}

/// Writes a message into an event.
#[inline]
pub(crate) fn message(data: &Payload, limit: usize, tools: &Tools, event: &mut Event) -> Received {
    let length = data.byte_length();
    // Of a string it is undefined, which is not a number.
    if length.is_nan() {
        return text(data, limit, tools, event);
    }
    if length > limit as f64 {
        return Received::TooLarge;
    }
    let mut array = Uint8Array::new(data);
    // Of views with larger elements, and of a `DataView`, that is not their bytes.
    if js::length(&array) != length {
        match part(data, length) {
            Some(bytes) => array = bytes,
            None => return Received::Unreadable,
        }
    }
    if let Event::Message(Message::Binary(binary)) = event {
        tools.memory.binary(&array, length as usize, binary);
    }
    Received::Message
}

/// The bytes of a view of any kind.
#[cold]
fn part(view: &Payload, length: f64) -> Option<Uint8Array> {
    let from = view.number("byteOffset");
    let whole = Uint8Array::new(&view.member("buffer"));
    let whole: &Payload = whole.unchecked_ref();
    let bytes: Uint8Array = whole
        .slice(from as u32, (from + length) as u32)
        .unchecked_into();
    (js::length(&bytes) == length).then_some(bytes)
}

fn text(data: &Payload, limit: usize, tools: &Tools, event: &mut Event) -> Received {
    // A string has at least as many bytes of UTF-8 as units of UTF-16.
    let units = data.length() as usize; // 0 of what is no string
    if units > limit {
        return Received::TooLarge;
    }
    let text = if units <= SHORT {
        match data.as_string() {
            Some(text) => text,
            None => {
                return data
                    .array_buffer()
                    .map_or(Received::Unreadable, Received::Later);
            }
        }
    } else {
        if tools.encoder.get().is_none() {
            if let Ok(encoder) = TextEncoder::new() {
                let _ = tools.encoder.set(encoder);
            }
        }
        let Some(encoder) = tools.encoder.get() else {
            return Received::Unreadable;
        };
        memory::text(encode(encoder, &tools.memory, data, units))
    };
    if text.len() > limit {
        return Received::TooLarge;
    }
    *event = Event::Message(Message::Text(text.into()));
    Received::Message
}
