//! The first phase of a connection: it resolves the name, and connects to one of its
//! addresses by TCP.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use isosocket_core::{ErrorKind, Link, Timeout};

use super::connection::{Connection, Next, Seat};
use super::mailbox::Action;
use super::opening::Opening;
use super::reactor::Context;
use crate::engine::opening::Setup;
use crate::failure::{Failure, kind_of};
use crate::handle::Handle;
use crate::net::dial::{ATTEMPT_DELAY, Attempt, Dial};
use crate::net::prepare::{Preparation, prepare};
use crate::options::steps::{ConnectStep, Steps};
use crate::system;
use crate::url::Host;

#[derive(Debug)]
pub(crate) struct Dialling {
    pub(super) seat: Seat,
    setup: Setup,
    steps: Steps,
    /// Dropping it cancels its lookups.
    preparation: Option<Preparation>,
    dial: Dial,
    /// The connect timeout as a deadline.
    deadline: Option<Instant>,
    /// When the next address is tried, in addition to those under way.
    next_attempt: Option<Instant>,
}

impl Dialling {
    pub(crate) fn new(
        handle: Arc<Handle>,
        link: Link,
        mut setup: Setup,
        timeout: Option<Duration>,
    ) -> Self {
        Dialling {
            seat: Seat::new(handle, link),
            steps: Steps::start(setup.native.on_step.take()),
            setup,
            preparation: None,
            dial: Dial::default(),
            // If it is beyond the clock's range, there is no deadline.
            deadline: timeout.and_then(|timeout| system::now().checked_add(timeout)),
            next_attempt: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        [self.deadline, self.next_attempt]
            .into_iter()
            .flatten()
            .min()
    }

    pub(super) fn start(mut self: Box<Self>, context: &mut Context, key: usize) -> Next {
        self.seat.sit(key);
        let Setup { target, native, .. } = &self.setup;
        if target.is_blocked() && !native.allow_blocked_ports {
            let message = format!("port {} is blocked", target.port());
            let failure = Failure::new(ErrorKind::BlockedPort, message);
            return self.into_seat(context).fail(failure);
        }
        let secure = target.is_secure();
        let (host, port) = self.endpoint();
        match host.address().map(|address| (address, port).into()) {
            Some(address) if !secure => {
                self.steps.done(ConnectStep::Name);
                self.dial.set_addresses(vec![address]);
                self.attempt(context)
            }
            _ => {
                let tls = secure.then_some(&native.tls);
                let handle = self.seat.handle.clone();
                let answer = move |answer| handle.act(Action::Resolved(answer));
                self.preparation = Some(prepare(host, port, tls, answer));
                Next::Wait(Connection::Dialling(self))
            }
        }
    }

    pub(super) fn on_resolved(
        mut self: Box<Self>,
        context: &mut Context,
        answer: io::Result<Vec<SocketAddr>>,
    ) -> Next {
        match answer {
            Ok(addresses) => {
                self.steps.done(ConnectStep::Name);
                self.dial.set_addresses(addresses);
                self.attempt(context)
            }
            Err(error) => self.fail(context, error),
        }
    }

    pub(super) fn on_event(mut self: Box<Self>, context: &mut Context, token: usize) -> Next {
        match self.dial.check(token) {
            Some(attempt) => self.connected(context, attempt),
            None if self.dial.knows(token) => Next::Wait(Connection::Dialling(self)),
            None => {
                // It failed, so the next address is tried at once.
                context.release(token);
                self.attempt(context)
            }
        }
    }

    pub(super) fn expire(mut self: Box<Self>, context: &mut Context, now: Instant) -> Next {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            return self.into_seat(context).fail(not_in_time());
        }
        if self.next_attempt.take_if(|next| *next <= now).is_some() {
            return self.attempt(context);
        }
        Next::Wait(Connection::Dialling(self))
    }

    fn attempt(mut self: Box<Self>, context: &mut Context) -> Next {
        let key = self.seat.key;
        self.dial.start_next(|tcp| context.register(tcp, key));
        if self.dial.is_idle() {
            let error = std::mem::take(&mut self.dial).into_error();
            return self.fail(context, error);
        }
        self.next_attempt = match self.dial.has_addresses() {
            true => Some(system::now() + ATTEMPT_DELAY),
            false => None,
        };
        Next::Wait(Connection::Dialling(self))
    }

    /// The host and port to connect to by TCP: those of the proxy, or of the server.
    fn endpoint(&self) -> (&Host, u16) {
        let Setup { target, native, .. } = &self.setup;
        match &native.proxy {
            Some(proxy) => (proxy.host(), proxy.port()),
            None => (target.host(), target.port()),
        }
    }

    /// Fails the connection. If the proxy cannot be reached, the error says so.
    fn fail(mut self: Box<Self>, context: &mut Context, error: io::Error) -> Next {
        let proxy = self.setup.native.proxy.take();
        let seat = self.into_seat(context);
        match (proxy, kind_of(&error)) {
            (_, ErrorKind::Tls(_) | ErrorKind::OutOfResources) | (None, _) => seat.fail(error),
            (Some(proxy), _) => seat.fail(Failure::new(ErrorKind::Proxy, proxy.unreachable(error))),
        }
    }

    /// An attempt succeeded. Drops the others.
    fn connected(self: Box<Self>, context: &mut Context, attempt: Attempt) -> Next {
        let Dialling {
            seat,
            setup,
            steps,
            dial,
            deadline,
            ..
        } = *self;
        dial.tokens().for_each(|token| context.release(token));
        steps.done(ConnectStep::Tcp(attempt.address));
        Opening::start(context, seat, setup, steps, attempt, deadline)
    }

    pub(super) fn into_seat(self: Box<Self>, context: &mut Context) -> Seat {
        self.dial.tokens().for_each(|token| context.release(token));
        self.seat
    }

    pub(super) fn leave(mut self: Box<Self>, context: &mut Context) -> Box<Self> {
        self.dial
            .each_attempt(|attempt| context.deregister(&mut attempt.tcp, attempt.token));
        self
    }

    pub(super) fn adopt(mut self: Box<Self>, context: &mut Context, key: usize) -> Next {
        self.seat.sit(key);
        self.dial.each_attempt(|attempt| {
            attempt.token = context.register(&mut attempt.tcp, key)?;
            Ok(())
        });
        Next::Wait(Connection::Dialling(self))
    }
}

/// The connection was not established in time (S37).
pub(super) fn not_in_time() -> Failure {
    let message = "the connection was not established in time";
    Failure::new(ErrorKind::TimedOut(Timeout::Connect), message)
}
