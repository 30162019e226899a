//! What a program does with a socket: make one, bind handlers, await events, send.
//!
//! Everything here is built from what [`socket`](crate::socket) offers.

pub(crate) mod builder;
pub(crate) mod closed;
pub(crate) mod events;
mod handlers;
pub(crate) mod interface;
pub(crate) mod into_url;
#[cfg(feature = "json")]
pub(crate) mod json;
pub(crate) mod open;
pub(crate) mod send_ready;
pub(crate) mod sender;
