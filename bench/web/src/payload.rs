//! What is sent: a payload of a size, and requests to the server.

use bytes::Bytes;

/// One message, in the form from which each client takes what it wants.
#[derive(Clone)]
pub enum Payload {
    Text(String),
    Binary(Bytes),
}

impl Payload {
    pub fn new(size: u32, text: bool) -> Self {
        let size = size as usize;
        match text {
            true => Payload::Text("x".repeat(size)),
            false => Payload::Binary(vec![b'x'; size].into()),
        }
    }

    /// Has the server under `/swallow` swallow this many messages.
    pub fn swallow(count: u32) -> Self {
        Payload::Binary(Bytes::copy_from_slice(&u64::from(count).to_le_bytes()))
    }

    /// Has the server under `/blast` send this many messages of this size.
    pub fn blast(count: u32, size: u32) -> Self {
        let numbers = [u64::from(count), u64::from(size)].map(u64::to_le_bytes);
        Payload::Binary(numbers.concat().into())
    }
}
