//! What is on the wire once a connection is established (RFC 6455, RFC 7692).
//!
//! Bytes in, messages and control frames out; and frames for what is sent.
//! There is no I/O here, no clock, no thread, no lock and no randomness, and
//! nothing here knows about sockets or events.

pub(crate) mod decoder;
#[cfg_attr(not(feature = "deflate"), path = "no_deflate.rs")]
pub(crate) mod deflate;
pub(crate) mod frame;
pub(crate) mod utf8;
pub(crate) mod violation;
