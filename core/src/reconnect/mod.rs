//! A socket that connects again: [`Reconnect`] is a transport that wraps the
//! connections of another one, each in its turn.
//!
//! To the program it is a socket like any other, by the same code; its `Open`
//! comes once for each connection, and its `Close` once, at the very end. What
//! happens between is told by [`Status`].
//!
//! Invariant: at any time there is one connection, or one timer, or one URL
//! that is asked for, or the end; what belongs to an earlier one is told by
//! its serial number, and ignored.

mod attempt;
mod display;
#[cfg(all(test, feature = "mock"))]
mod leaks;
mod options;
mod policy;
mod queue;
mod status;
mod transport;

pub use options::ReconnectOptions;
pub use policy::{Loss, Retry};
pub use status::{Status, Statuses};
pub use transport::Reconnect;
