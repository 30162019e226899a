//! Threads that share memory, where a program has any: the only file that asks.
//!
//! A JavaScript object cannot leave its thread. What may go anywhere is a
//! [`Local`], a ticket to a value that stays where it was made; the value is
//! visited there, by handing a job to its [`Thread`], and dropped there.
//!
//! Invariant: without threads none of this costs anything. A ticket then always
//! opens, so that what is for other threads is never reached, nor compiled in.

#[cfg(not(target_feature = "atomics"))]
mod alone;
#[cfg(target_feature = "atomics")]
mod shared;

#[cfg(not(target_feature = "atomics"))]
pub(crate) use alone::{Local, Outbox, Thread, encode};
#[cfg(target_feature = "atomics")]
pub(crate) use shared::{Local, Outbox, Thread, encode};
