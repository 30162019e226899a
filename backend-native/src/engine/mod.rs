//! The protocols as state machines: bytes in, bytes and facts out.
//!
//! In this folder: the opening handshake (`handshake.rs`), a tunnel through a
//! proxy (`tunnel.rs`), and the head of an HTTP reply for both (`head.rs`).
//! Not in this folder, now or later: I/O, clocks, threads and locks. So a test
//! can give a machine any bytes in any pieces.
//! Invariant: what a peer sends is bounded, and cannot cause a panic.

pub(crate) mod handshake;
mod head;
pub(crate) mod tunnel;
