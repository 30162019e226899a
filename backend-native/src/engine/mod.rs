//! One whole connection, without I/O: a tunnel through a proxy (`tunnel.rs`), the
//! opening handshake (`handshake.rs`; `head.rs` reads the head of an HTTP reply
//! for both), messages (`session.rs`, `send.rs`) and the closing handshake
//! (`closing.rs`).
//!
//! Its inputs are bytes, requests of the program, and the time. Its outputs are bytes, facts,
//! and the next deadline. This folder must never contain I/O, clocks, threads or locks, and
//! randomness is an argument. So a whole connection can run in simulated time.
//! Invariant: a peer cannot make it use unbounded memory, and cannot cause a panic.

pub(crate) mod closing;
pub(crate) mod handshake;
mod head;
pub(crate) mod keep_alive;
pub(crate) mod opening;
pub(crate) mod refusal;
pub(crate) mod send;
pub(crate) mod session;
pub(crate) mod tunnel;
