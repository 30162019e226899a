//! Event loops: they read, write and wait for the connections.
//!
//! A [`reactor`] serves connections in turns. In a turn it does one batch of commands from
//! its [`mailbox`], then the events of the system, then the deadlines ([`timers`]). It visits
//! each connection that has something to do, and a visit reads and writes a bounded amount.
//!
//! There are two kinds of loops: [`shared`] is the thread of all sockets that belong to no
//! other loop, and [`local`] is a loop on the caller's own thread. The program sees that one as
//! an [`event_loop`] (`tokio.rs` runs one as a task). [`current`] knows which loop a thread
//! drives, and [`blocking`] blocks a thread until an event comes.
//!
//! A [`connection`] has three phases: [`dialling`] (name and TCP), [`opening`] (TLS and the
//! opening handshake) and [`open`] (established).
//!
//! In a forked child ([`fork`]) and after sleep ([`waking`]) there is more to do. No rule of
//! the WebSocket protocol is here: those are in `engine`.

pub(crate) mod blocking;
mod connection;
pub(crate) mod current;
mod dialling;
pub(crate) mod event_loop;
pub(crate) mod fork;
pub(crate) mod host;
pub(crate) mod local;
pub(crate) mod mailbox;
mod open;
mod opening;
mod reactor;
pub(crate) mod shared;
mod timers;
#[cfg(all(unix, feature = "tokio"))]
mod tokio;
mod waking;

pub(crate) use self::dialling::Dialling;
