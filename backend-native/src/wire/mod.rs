//! The bytes of an established connection (RFC 6455, RFC 7692).
//!
//! In one direction, this folder makes messages and control frames of received bytes. In the
//! other, it makes frames of what is sent. There is no I/O here, no clock, no thread, no lock
//! and no randomness, and nothing here knows about sockets or events.

pub(crate) mod decoder;
#[cfg_attr(not(feature = "deflate"), path = "no_deflate.rs")]
pub(crate) mod deflate;
pub(crate) mod frame;
pub(crate) mod utf8;
pub(crate) mod violation;
