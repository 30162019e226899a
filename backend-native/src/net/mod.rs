//! Reaching a peer over the network.
//!
//! In this folder: from a name to addresses (`resolve.rs`); addresses and the default TLS
//! configuration at the same time (`prepare.rs`); from addresses to a TCP connection
//! (`dial.rs`); a stream of bytes over it (`stream.rs`); and TLS (`tls/`).
//! Not in this folder: the WebSocket protocol, and anything that knows a socket of the
//! program, its events or its options.
//! Invariant: nothing here blocks the event loop.

pub(crate) mod dial;
pub(crate) mod prepare;
pub(crate) mod resolve;
pub(crate) mod stream;
pub(crate) mod tls;
