//! One whole connection, without I/O: a tunnel through a proxy (`tunnel.rs`), the
//! opening handshake (`handshake.rs`; `head.rs` reads the head of an HTTP reply
//! for both), messages (`session.rs`, `send.rs`) and the closing handshake
//! (`closing.rs`).
//!
//! In go bytes, requests of the program and the time. Out come bytes, facts, and
//! the next deadline. Not in this folder, now or later: I/O, clocks, threads and
//! locks; randomness is passed in. So a whole connection can run in simulated time.
//! Invariant: what a peer sends is bounded, and cannot cause a panic.

pub(crate) mod closing;
pub(crate) mod handshake;
mod head;
pub(crate) mod keep_alive;
pub(crate) mod opening;
pub(crate) mod refusal;
pub(crate) mod send;
pub(crate) mod session;
pub(crate) mod tunnel;
