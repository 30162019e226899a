//! Reconnecting sockets: [`Reconnect`] is a transport that wraps the connections of
//! another transport, one after the other.
//!
//! For the program it is a socket like any other, with the same code. There is one `Open`
//! for each connection, and one `Close` at the very end. [`Status`] reports what happens
//! between.
//!
//! Invariant: at any time there is exactly one of these: a connection, a timer, a request
//! for a URL, or the end. Each has a serial number, so that a late answer to an earlier
//! one is recognised and ignored.

mod attempt;
mod hooks;
#[cfg(all(test, feature = "mock"))]
mod leaks;
mod next;
mod options;
mod policy;
mod queue;
mod retry_after;
mod socket;
mod state;
mod status;
mod transport;

use std::sync::Arc;

use crate::socket::carrier::Carrier;
use crate::socket::shared::Shared;

pub use next::NextAttempt;
pub use options::ReconnectOptions;
pub use policy::{Loss, Retry};
pub use retry_after::retry_after;
pub use status::{Status, Statuses};
pub use transport::Reconnect;

/// A socket that connects again, as all parts of it hold it.
pub(crate) type Outer<T> = Arc<Shared<Reconnect<T>>>;

/// One connection of it.
pub(crate) type Connection<T> = Arc<Carrier<T>>;
