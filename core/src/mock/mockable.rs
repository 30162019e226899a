//! The host of a socket on a thread that may have a mock network: simulated time in place of
//! real time.

use std::time::Duration;

use super::transport::Mock;
use super::world::{MockHost, MockTimer, World};
use crate::{Host, HostListener, MaybeSend, NewError, Subscription, Transport};

/// The host of a socket whose transport may be a mock.
#[derive(Clone, Debug)]
pub enum MockableHost<H: Host> {
    /// Real time.
    Real(H),
    /// The time of a network.
    Mock(MockHost),
}

/// A timer of a [`MockableHost`]; dropping it cancels the call.
#[derive(Debug)]
pub enum MockableTimer<H: Host> {
    /// In real time.
    Real(H::Timer),
    /// In the time of a network.
    Mock(MockTimer),
}

impl<H: Host> MockableHost<H> {
    /// The host of a socket that is made here and now.
    pub(crate) fn new(real: impl FnOnce() -> H) -> Self {
        match World::current() {
            Some(_) => MockableHost::Mock(Mock::host()),
            None => MockableHost::Real(real()),
        }
    }
}

impl<H: Host> Host for MockableHost<H> {
    type Timer = MockableTimer<H>;

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        match self {
            MockableHost::Real(host) => host.soon(task),
            MockableHost::Mock(host) => host.soon(task),
        }
    }

    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<Self::Timer, NewError> {
        Ok(match self {
            MockableHost::Real(host) => MockableTimer::Real(host.after(delay, task)?),
            MockableHost::Mock(host) => MockableTimer::Mock(host.after(delay, task)?),
        })
    }

    fn time_left(timer: &Self::Timer) -> Option<Duration> {
        match timer {
            MockableTimer::Real(timer) => H::time_left(timer),
            MockableTimer::Mock(timer) => MockHost::time_left(timer),
        }
    }

    fn attend(&self) {
        if let MockableHost::Real(host) = self {
            host.attend();
        }
    }

    fn random(&self) -> u64 {
        match self {
            MockableHost::Real(host) => host.random(),
            MockableHost::Mock(host) => host.random(),
        }
    }

    fn now(&self) -> Duration {
        match self {
            MockableHost::Real(host) => host.now(),
            MockableHost::Mock(host) => host.now(),
        }
    }

    fn listen(&self, listener: HostListener) -> Subscription {
        match self {
            MockableHost::Real(host) => host.listen(listener),
            MockableHost::Mock(host) => host.listen(listener),
        }
    }

    fn wake_up() {
        match World::current() {
            Some(_) => MockHost::wake_up(),
            None => H::wake_up(),
        }
    }
}
