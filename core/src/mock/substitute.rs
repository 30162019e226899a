//! Replaces a transport on a thread that has a mock network: by a simulated connection, and
//! simulated time.

use std::time::Duration;

use super::transport::Mock;
use super::world::{MockHost, MockTimer, World};
use crate::delivery::relay::Relay;
use crate::socket::inner::{InnerConnection, OuterTurn};
use crate::{
    Host, HostListener, Link, MaybeSend, Message, NewError, Report, Request, Subscription,
    Transport,
};

/// A simulated connection in place of another transport's.
#[derive(Debug)]
pub(crate) struct Stand {
    line: InnerConnection<Mock>,
    host: MockHost,
}

impl Stand {
    /// Prepares a connection. The options of the other transport are ignored.
    pub(crate) fn new<O>(request: Request<O>) -> Result<(Self, String), NewError> {
        let request = Request {
            url: request.url,
            subprotocols: request.subprotocols,
            options: request.options,
            native: (),
        };
        let (line, url) = InnerConnection::new(request)?;
        let host = Mock::host();
        Ok((Stand { line, host }, url))
    }

    pub(crate) fn transport(&self) -> &Mock {
        self.line.carrier().transport()
    }

    pub(crate) fn start<T: Transport>(&self, link: Link<T>) {
        self.line.start(Through(OuterTurn::new(link)));
    }

    pub(crate) fn schedule<T: Transport>(&self, link: Link<T>) {
        self.host.soon(move || drop(link.turn()));
    }

    pub(crate) fn watch_drain<T: Transport>(&self, link: Link<T>, mark: usize) {
        self.line.watch_drain(link, mark);
    }

    pub(crate) fn detach(&self) {
        self.line.detach();
    }
}

/// Hands every report on.
struct Through<O: Transport>(OuterTurn<O>);

impl<O: Transport> Relay for Through<O> {
    fn report(&mut self, report: Report) {
        if let Some(turn) = self.0.get() {
            turn.report(report);
        }
    }

    fn message(&mut self, message: Message) {
        if let Some(turn) = self.0.get() {
            turn.message(message);
        }
    }

    fn is_backlogged(&mut self, limit: usize) -> bool {
        self.0.is_backlogged(limit)
    }

    fn end_turn(&mut self) {
        self.0.end();
    }
}

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
