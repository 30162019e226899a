//! The cases, by the chapters of the rules. What is listed is decided in the
//! crate's root.

pub mod alive;
pub mod always;
pub mod backpressure;
pub mod closing;
pub mod day;
pub mod dropping;
pub mod faults;
pub mod handshake;
pub mod interfaces;
pub mod kinds;
pub mod peer_closing;
pub mod receiving;
pub mod reconnecting;
pub mod replies;
pub mod sending;
pub mod subprotocol;
pub mod support;
pub mod url;
pub mod waking;
