//! From a JavaScript message to bytes in wasm memory, in as few crossings and
//! copies as can be.

use std::cell::OnceCell;

use isosocket_core::{Event, Message};

use crate::js::{Payload, TextEncoder, Uint8Array};
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
    memory: Memory,
}

/// Writes a message into an event; whether it has no more than `limit` bytes
/// (S62). What is too large is not copied.
#[inline]
pub(crate) fn message(data: &Payload, limit: usize, tools: &Tools, event: &mut Event) -> bool {
    let length = data.byte_length();
    // Of a string it is undefined, which is not a number.
    if length.is_nan() {
        let text = text(data, limit, tools);
        return text.map(|text| *event = Event::Message(text)).is_some();
    }
    let fits = length <= limit as f64;
    if let (true, Event::Message(Message::Binary(binary))) = (fits, event) {
        tools.memory.binary(&Uint8Array::new(data), binary);
    }
    fits
}

fn text(data: &Payload, limit: usize, tools: &Tools) -> Option<Message> {
    // A string has at least as many bytes of UTF-8 as units of UTF-16.
    let units = data.length() as usize;
    if units > limit {
        return None;
    }
    let text = if units <= SHORT {
        data.as_string()?
    } else {
        let encoder = match tools.encoder.get() {
            Some(encoder) => encoder,
            None => {
                let _ = tools.encoder.set(TextEncoder::new());
                tools.encoder.get()?
            }
        };
        memory::text(encode(encoder, &tools.memory, data, units))
    };
    (text.len() <= limit).then(|| Message::Text(text.into()))
}
