//! Threads that share memory. Only this file checks whether the program has any.
//!
//! A JavaScript object cannot leave its thread. A [`Local`] can: it is a ticket to a value
//! that stays on the thread that made it. To use the value, another thread gives a job to the
//! value's [`Thread`]. The value is dropped there, too.
//!
//! Invariant: in a program without threads none of this costs anything. The ticket then
//! always gives the value, so the code for other threads is never reached, and the compiler
//! removes it.

#[cfg(not(target_feature = "atomics"))]
mod alone;
#[cfg(target_feature = "atomics")]
mod shared;

#[cfg(not(target_feature = "atomics"))]
pub(crate) use alone::{Due, Elsewhere, Local, Outbox, Thread, encode};
#[cfg(target_feature = "atomics")]
pub(crate) use shared::{Due, Elsewhere, Local, Outbox, Thread, encode};
