//! What a transport's host can do without a socket: calls later, and chance.
//!
//! Core has no clock and no source of randomness; whoever needs them asks here.

use std::fmt;
use std::time::Duration;

use crate::{MaybeSend, NewError};

/// Where sockets of one transport live: the thread that takes their turns.
///
/// A value is a handle that may go to any thread. A program does not use it;
/// a backend implements it, and [`Transport::host`](crate::Transport::host)
/// gives it out.
pub trait Host: Clone + fmt::Debug + Send + Sync + 'static {
    /// A call that is due later. Dropping it, on whatever thread, cancels the
    /// call and leaves nothing behind.
    type Timer: Send + Sync + 'static;

    /// Calls `task` soon, on the thread that takes turns, outside every turn
    /// and not inside this call. Tasks are called in the order given.
    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static);

    /// Calls `task` in the same way, but once `delay` is over.
    ///
    /// # Errors
    /// [`NewError`] where the host has no timer to give.
    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<Self::Timer, NewError>;

    /// Random bits. They need not be good enough for secrets.
    fn random(&self) -> u64;

    /// The time since some moment in the past. It never goes back.
    fn now(&self) -> Duration;
}

/// The host of a target without a transport: nothing ever happens on it.
impl Host for () {
    type Timer = ();

    fn soon(&self, _: impl FnOnce() + MaybeSend + 'static) {}

    fn after(&self, _: Duration, _: impl FnOnce() + MaybeSend + 'static) -> Result<(), NewError> {
        Err(NewError::NotSupported)
    }

    fn random(&self) -> u64 {
        0
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}
