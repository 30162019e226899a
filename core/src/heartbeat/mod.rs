//! Heartbeats: how a socket notices that its peer is dead.
//!
//! A heartbeat with messages and the idle timeout are here, for every target, over the
//! host's timers. Pings are a transport's own. A program that uses neither links nothing
//! of this folder.
//!
//! Invariant: a socket that is not open has no timer that does anything.

mod beat;
mod builder;
mod listener;
mod options;

pub use beat::test_timeout;
pub use options::Heartbeat;
