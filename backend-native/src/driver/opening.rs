//! The second phase of a connection: TCP is connected. Now come the tunnel through a proxy
//! (if there is one), TLS (for `wss:`), and the opening handshake.

#![allow(
    clippy::boxed_local,
    reason = "phases are boxed, and become the next one by value"
)]

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use super::connection::{Connection, Next, Seat};
use super::dialling::not_in_time;
use super::open::{Established, Open};
use super::reactor::Context;
use crate::engine::opening::{self, Progress, Setup};
use crate::engine::refusal::BODY_TIME;
use crate::failure::Failure;
use crate::net::dial::Attempt;
use crate::net::stream::Stream;
use crate::net::tls::Tls;
use crate::options::steps::{ConnectStep, Steps};
use crate::random;
use crate::system;

/// How many reads one visit makes at most, because a peer may send any number of interim
/// replies.
const READS: usize = 16;

#[derive(Debug)]
pub(crate) struct Opening {
    pub(super) seat: Seat,
    wire: Wire,
    /// Each stage becomes the next one by value.
    stage: opening::Opening,
    steps: Steps,
    deadline: Option<Instant>,
    /// A write failed. It still reads what the peer has sent before (S109).
    write_error: Option<io::Error>,
}

/// A stream, and the token by which the loop knows it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) stream: Stream,
    pub(super) token: usize,
}

/// What follows after the engine has handled some bytes.
enum Step {
    /// Read on.
    ReadOn(Box<Opening>),
    /// The connection is established. These bytes came right after the reply.
    Begin(Established, Box<[u8]>),
    /// The phase is over.
    Next(Next),
}

impl Opening {
    /// Begins this phase: a TCP connection attempt succeeded.
    pub(super) fn start(
        context: &mut Context,
        seat: Seat,
        mut setup: Setup,
        steps: Steps,
        attempt: Attempt,
        deadline: Option<Instant>,
    ) -> Next {
        let Attempt { token, tcp, .. } = attempt;
        if let Err(error) = setup.native.set_up(&tcp) {
            context.release(token);
            return seat.fail(error);
        }
        let wire = Wire {
            stream: Stream::new(tcp, None),
            token,
        };
        let stage = match setup.native.proxy.take() {
            Some(proxy) => Ok((wire, opening::Opening::tunnel(proxy, setup))),
            None => greet_server(wire, setup),
        };
        match stage {
            Ok((wire, stage)) => Box::new(Opening {
                seat,
                wire,
                stage,
                steps,
                deadline,
                write_error: None,
            })
            .advance(context),
            Err(error) => {
                context.release(token);
                seat.fail(error)
            }
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// Writes and reads until either would block.
    pub(super) fn advance(mut self: Box<Self>, context: &mut Context) -> Next {
        for _ in 0..READS {
            self.write();
            let mut lent = mem::take(&mut context.buffer);
            let buffer = lent.as_mut_slice();
            let step = match self.wire.stream.read(buffer) {
                Ok(0) => {
                    let error = self.write_error.take();
                    Step::Next(self.fail(context, error))
                }
                Ok(read) => self.receive(context, &buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    Step::Next(match self.write_error.take() {
                        Some(error) => self.fail(context, Some(error)),
                        None => Next::Wait(Connection::Opening(self)),
                    })
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::ReadOn(self),
                Err(error) => {
                    let error = self.write_error.take().unwrap_or(error);
                    Step::Next(self.fail(context, Some(error)))
                }
            };
            context.buffer = lent;
            match step {
                Step::ReadOn(opening) => self = opening,
                // The next phase reads at once. The buffer is back in the loop for that.
                Step::Begin(established, rest) => {
                    return match established.begin(context, &rest) {
                        Next::GoOn(Connection::Open(open)) => open.go_on(context),
                        next => next,
                    };
                }
                Step::Next(next) => return next,
            }
        }
        Next::GoOn(Connection::Opening(self))
    }

    fn write(&mut self) {
        while self.write_error.is_none() && !self.stage.outgoing().is_empty() {
            match self.wire.stream.write(self.stage.outgoing()) {
                Ok(written) => {
                    // TLS accepts no byte of the request before it is established. So now
                    // it is.
                    if self.wire.stream.is_tls() && !self.stage.has_begun() {
                        self.steps.done(ConnectStep::Tls);
                    }
                    self.stage.advance(written);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => self.write_error = Some(error),
            }
        }
        match self.wire.stream.flush_tls() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => {
                self.write_error.get_or_insert(error);
            }
            _ => {}
        }
    }

    /// Fails the connection by this error. `None` means that the peer ended the stream.
    fn fail(self: Box<Self>, context: &mut Context, error: Option<io::Error>) -> Next {
        context.release(self.wire.token);
        let failure = self.stage.into_failure(error, system::wall_clock());
        self.seat.fail(failure)
    }

    fn receive(self: Box<Self>, context: &mut Context, bytes: &[u8]) -> Step {
        let Opening {
            seat,
            wire,
            stage,
            steps,
            deadline,
            write_error,
        } = *self;
        let token = wire.token;
        let was_refused = stage.is_refused();
        let progress = match stage.receive(bytes, system::wall_clock()) {
            Ok(Progress::TunnelIsOpen(setup)) => {
                steps.done(ConnectStep::Tunnel);
                greet_server(wire, *setup)
            }
            Ok(Progress::More(stage)) => Ok((wire, stage)),
            Ok(Progress::Established {
                reply,
                used,
                session,
            }) => {
                steps.done(ConnectStep::Handshake);
                drop(steps);
                let established = Open::establish(seat, wire, reply, &session);
                return Step::Begin(established, bytes[used..].into());
            }
            Err(error) => Err(error),
        };
        match progress {
            Ok((wire, stage)) => {
                let deadline = match stage.is_refused() && !was_refused {
                    false => deadline,
                    // The body of a refusal has only a short time of its own.
                    true => {
                        let body = system::now() + BODY_TIME;
                        Some(deadline.map_or(body, |deadline| deadline.min(body)))
                    }
                };
                Step::ReadOn(Box::new(Opening {
                    seat,
                    wire,
                    stage,
                    steps,
                    deadline,
                    write_error,
                }))
            }
            Err(error) => {
                context.release(token);
                Step::Next(seat.fail(error))
            }
        }
    }

    pub(super) fn expire(self: Box<Self>, context: &mut Context, now: Instant) -> Next {
        match self.deadline {
            Some(deadline) if deadline <= now && self.stage.is_refused() => {
                self.fail(context, None)
            }
            Some(deadline) if deadline <= now => self.into_seat(context).fail(not_in_time()),
            _ => Next::Wait(Connection::Opening(self)),
        }
    }

    pub(super) fn into_seat(self: Box<Self>, context: &mut Context) -> Seat {
        context.release(self.wire.token);
        self.seat
    }

    pub(super) fn leave(mut self: Box<Self>, context: &mut Context) -> Box<Self> {
        let token = self.wire.token;
        if let Err(error) = context.deregister(self.wire.stream.tcp_mut(), token) {
            self.write_error.get_or_insert(error);
        }
        self
    }

    pub(super) fn adopt(mut self: Box<Self>, context: &mut Context, key: usize) -> Next {
        self.seat.sit(key);
        match context.register(self.wire.stream.tcp_mut(), key) {
            Ok(token) => {
                self.wire.token = token;
                self.advance(context)
            }
            Err(error) => self.seat.fail(error),
        }
    }
}

/// Begins the opening handshake, through TLS if the URL says so.
fn greet_server(wire: Wire, setup: Setup) -> Result<(Wire, opening::Opening), Failure> {
    let Wire { stream, token } = wire;
    let stream = match setup.target.is_secure() {
        false => stream,
        true => {
            let tls = Tls::new(setup.native.tls.clone(), setup.target.host())?;
            Stream::new(stream.into_tcp(), Some(tls))
        }
    };
    let stage = opening::Opening::handshake(setup, random::bytes());
    Ok((Wire { stream, token }, stage))
}

/// Makes the stream usable by the threads that send, once the connection is established.
pub(super) fn share(wire: Wire) -> (Arc<Stream>, usize) {
    (Arc::new(wire.stream), wire.token)
}
