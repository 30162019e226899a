//! The transport that a program gets where its tests may have a mock network:
//! the mock on a thread that has one, the real one elsewhere.

use std::time::Duration;

use super::transport::Mock;
use super::world::{MockHost, MockTimer, World};
use crate::line::{Line, OuterTurn, Relay};
use crate::{
    Host, Link, MaybeSend, Message, MessageRef, NewError, Refusal, Report, Request, Transport,
};

/// `T`, or [`Mock`] on a thread that has a [`Network`](super::Network) when the
/// socket is made. It is what the facade uses with the feature `mock`.
#[derive(Debug)]
pub struct Mockable<T: Transport>(Side<T>);

#[derive(Debug)]
enum Side<T: Transport> {
    Real(Line<T>, T::Host),
    Mock(Line<Mock>, MockHost),
}

/// Does the same with whichever line there is.
macro_rules! on_line {
    ($self:ident, $line:ident => $do:expr) => {
        match &$self.0 {
            Side::Real($line, _) => $do,
            Side::Mock($line, _) => $do,
        }
    };
}

impl<T: Transport> Transport for Mockable<T> {
    type Options = T::Options;
    type Host = MockableHost<T::Host>;

    const QUEUES: bool = T::QUEUES;

    fn host() -> Self::Host {
        match World::current() {
            Some(_) => MockableHost::Mock(Mock::host()),
            None => MockableHost::Real(T::host()),
        }
    }

    fn supported() -> bool {
        Mock::supported() || T::supported()
    }

    fn new(request: Request<T::Options>) -> Result<(Self, String), NewError> {
        if !Mock::supported() {
            let (line, url) = Line::new(request)?;
            return Ok((Mockable(Side::Real(line, T::host())), url));
        }
        let request = Request {
            url: request.url,
            subprotocols: request.subprotocols,
            options: request.options,
            native: (),
        };
        let (line, url) = Line::new(request)?;
        Ok((Mockable(Side::Mock(line, Mock::host())), url))
    }

    fn start(&self, link: Link<Self>) {
        let relay = Through(OuterTurn::new(link));
        on_line!(self, line => line.start(relay));
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        on_line!(self, line => line.transport().send(message))
    }

    fn abort(&self) {
        on_line!(self, line => line.transport().abort());
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        on_line!(self, line => line.transport().close(frame));
    }

    fn buffered_amount(&self) -> usize {
        on_line!(self, line => line.transport().buffered_amount())
    }

    fn schedule(&self, link: Link<Self>) {
        let turn = move || drop(link.turn());
        match &self.0 {
            Side::Real(_, host) => host.soon(turn),
            Side::Mock(_, host) => host.soon(turn),
        }
    }

    fn watch_drain(&self, link: Link<Self>, mark: usize) {
        on_line!(self, line => line.watch_drain(link, mark));
    }

    fn resume(&self) {
        on_line!(self, line => line.transport().resume());
    }

    fn detach(&self) {
        on_line!(self, line => line.detach());
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

/// The host of a [`Mockable`] socket.
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

    fn random(&self) -> u64 {
        match self {
            MockableHost::Real(host) => host.random(),
            MockableHost::Mock(host) => host.random(),
        }
    }
}
