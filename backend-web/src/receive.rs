//! From a JavaScript message to bytes in wasm memory, in as few crossings and
//! copies as can be.

use isosocket_core::Message;

use crate::js::{Payload, TextEncoder, Uint8Array};

/// Up to this many UTF-16 units the glue's loop over characters is faster than
/// a call of the host's encoder.
const SHORT: usize = 64;

thread_local! {
    static ENCODER: TextEncoder = TextEncoder::new();
}

/// The message, or `None` if it has more than `limit` bytes (S62). What is too
/// large is not copied.
pub(crate) fn message(data: &Payload, limit: usize) -> Option<Message> {
    match data.byte_length() {
        Some(length) if length as usize > limit => None,
        Some(_) => Some(Message::Binary(Uint8Array::new(data).to_vec().into())),
        None => text(data, limit),
    }
}

fn text(data: &Payload, limit: usize) -> Option<Message> {
    // A string has at least as many bytes of UTF-8 as units of UTF-16.
    let units = data.length() as usize;
    if units > limit {
        return None;
    }
    let text = if units <= SHORT {
        data.as_string()?
    } else {
        // The host writes U+FFFD for a lone surrogate, so it is UTF-8.
        String::from_utf8(ENCODER.with(|encoder| encoder.encode(data))).ok()?
    };
    (text.len() <= limit).then(|| Message::Text(text.into()))
}
