//! From a JavaScript message to bytes in wasm memory, in as few crossings and
//! copies as can be.

use std::cell::OnceCell;

use isosocket_core::Message;

use crate::js::{Payload, TextEncoder, Uint8Array};
use crate::memory;
use crate::threads::encode;

/// Up to this many UTF-16 units the glue's loop over characters is faster than
/// a call of the host's encoder: measured in Chromium, where most programs run;
/// elsewhere the encoder wins sooner.
const SHORT: usize = 128;

/// The host's encoder, made for the first long text of a connection.
pub(crate) type Encoder = OnceCell<TextEncoder>;

/// The message, or `None` if it has more than `limit` bytes (S62). What is too
/// large is not copied.
pub(crate) fn message(data: &Payload, limit: usize, encoder: &Encoder) -> Option<Message> {
    match data.byte_length() {
        Some(length) if length as usize > limit => None,
        Some(_) => Some(Message::Binary(memory::binary(&Uint8Array::new(data)))),
        None => text(data, limit, encoder),
    }
}

fn text(data: &Payload, limit: usize, encoder: &Encoder) -> Option<Message> {
    // A string has at least as many bytes of UTF-8 as units of UTF-16.
    let units = data.length() as usize;
    if units > limit {
        return None;
    }
    let text = if units <= SHORT {
        data.as_string()?
    } else {
        let encoder = match encoder.get() {
            Some(encoder) => encoder,
            None => {
                let _ = encoder.set(TextEncoder::new());
                encoder.get()?
            }
        };
        memory::text(encode(encoder, data, units))
    };
    (text.len() <= limit).then(|| Message::Text(text.into()))
}
