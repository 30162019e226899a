//! What a transport's host can do without a socket: call something later, supply random
//! numbers, and report what happens to the machine.
//!
//! Core has no clock and no source of randomness. Code of core that needs them asks the host.

use std::fmt;
use std::sync::Arc;
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
    /// [`NewError`] if the host has no timer left.
    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<Self::Timer, NewError>;

    /// How long it takes until the call of this timer is due: zero once it is due, and
    /// `None` if the host does not know. It may be asked on any thread.
    fn time_left(_timer: &Self::Timer) -> Option<Duration> {
        None
    }

    /// As [`Transport::attend`](crate::Transport::attend), for the thread of this host.
    #[doc(hidden)]
    #[inline]
    fn attend(&self) {}

    /// Random bits. They need not be good enough for secrets.
    fn random(&self) -> u64;

    /// The time since some moment in the past. It never goes back.
    fn now(&self) -> Duration;

    /// Calls `listener` for each [`HostEvent`], until the subscription is dropped. It is called
    /// soon, on the thread that takes turns, and outside every turn. The default is for a host
    /// that notices no such event: it never calls the listener.
    fn listen(&self, _listener: HostListener) -> Subscription {
        Subscription::default()
    }

    /// The program says that it woke up. Calls the listeners of all hosts of this type that this
    /// thread can reach.
    fn wake_up() {}
}

/// What happens to the machine, or to the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HostEvent {
    /// The program runs again after a time in which it may have missed something: the machine
    /// slept, the process was stopped, the page was frozen, or there was no network.
    WokeUp,
    /// There is no network any more.
    Offline,
}

impl HostEvent {
    /// A host that runs so much later than it wanted could not run before: the machine
    /// slept, the process was stopped, or the page was hidden.
    pub const LATE: Duration = Duration::from_secs(2);
}

/// A function that is called for each [`HostEvent`].
pub type HostListener = Arc<dyn Fn(HostEvent) + Send + Sync>;

/// A listener's place at its [`Host`]. Dropping it, on whatever thread, removes the
/// listener.
#[derive(Default)]
pub struct Subscription(
    #[allow(dead_code, reason = "dropping it is its use")] Option<Box<dyn Send + Sync>>,
);

impl Subscription {
    /// A subscription that drops `place` when it is dropped.
    pub fn new(place: impl Send + Sync + 'static) -> Self {
        Subscription(Some(Box::new(place)))
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Subscription")
    }
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
