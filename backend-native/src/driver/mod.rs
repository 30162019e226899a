//! Event loops: who reads, writes and waits for the connections.
//!
//! A [`reactor`] serves connections in turns. Each turn does one batch of
//! commands, then events, then deadlines, and each visit of a connection reads
//! and writes a bounded amount. There are two kinds of loops: [`shared`] is the
//! thread that serves all sockets which belong to no other loop, and [`local`]
//! is a loop on the caller's own thread. Protocol rules are not here: they are
//! in `engine`.

pub(crate) mod blocking;
mod connection;
pub(crate) mod current;
mod dialling;
pub(crate) mod fork;
pub(crate) mod host;
pub(crate) mod local;
pub(crate) mod mailbox;
mod open;
mod opening;
mod reactor;
mod shared;
mod timers;
#[cfg(all(unix, feature = "tokio"))]
mod tokio;
mod waking;

pub(crate) use self::dialling::Dialling;
