//! An established connection: it receives messages, answers control frames, and ends.
//!
//! Its inputs are the time and what happened. It reports facts. The closing machine
//! ([`closing`](super::closing)) decides what follows from each.

use std::io;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use isosocket_core::{Binary, ErrorEvent, ErrorKind, Message, Report, Timeout};

use super::closing::{Closing, Decision, Input, State};
use super::keep_alive::{KeepAlive, KeepAliveTimes, Verdict};
use crate::failure::Failure;
use crate::wire::decoder::{Arena, Decoder, Flow, Item, Output};
use crate::wire::deflate::Inflater;
use crate::wire::violation::Violation;

/// A control frame that the connection wants to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ControlFrame<'a> {
    /// The answer to a ping (S58).
    Pong(Bytes),
    /// A ping of keep-alive.
    Ping,
    /// A Close frame: the echo of the peer's, or the reason why the connection failed.
    Close(Option<(u16, &'a str)>),
}

/// Receives what a session reports.
pub(crate) trait Facts {
    /// A message arrived. Returns whether to go on with the rest of the input.
    fn message(&mut self, message: Message) -> Flow;

    /// The same for a binary message that `write` puts into its place.
    #[inline(always)]
    fn binary(&mut self, write: impl FnOnce(&mut Binary)) -> Flow {
        let mut binary = Binary::default();
        write(&mut binary);
        self.message(Message::Binary(binary))
    }

    /// Any other fact, for core.
    fn report(&mut self, report: Report);

    /// A control frame is to be queued.
    fn queue(&mut self, frame: ControlFrame<'_>);

    /// A ping was answered after so long.
    fn round_trip(&mut self, time: Duration);
}

/// Whether a session continues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum Life {
    /// It continues.
    Alive,
    /// It has ended, and everything was reported.
    Over,
}

/// The options of an established connection.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SessionOptions {
    pub(crate) max_message_size: usize,
    pub(crate) close_timeout: Option<Duration>,
    pub(crate) keep_alive: Option<KeepAliveTimes>,
    /// How many bytes may wait in a stream that nobody reads.
    pub(crate) receive_limit: usize,
}

/// An established connection.
#[derive(Debug)]
pub(crate) struct Session {
    decoder: Decoder,
    closing: Closing,
    /// Boxed, because few sockets have it.
    keep_alive: Option<Box<KeepAlive>>,
    /// Why nothing can be written any more.
    write_error: Option<io::Error>,
}

impl Session {
    pub(crate) fn new(options: &SessionOptions, inflater: Option<Inflater>, now: Instant) -> Self {
        let mut decoder = Decoder::new(options.max_message_size);
        if let Some(inflater) = inflater {
            decoder.set_inflater(inflater);
        }
        let keep_alive = options.keep_alive;
        Session {
            decoder,
            closing: Closing::new(options.close_timeout),
            keep_alive: keep_alive.map(|times| Box::new(KeepAlive::new(times, now))),
            write_error: None,
        }
    }

    /// The state of the closing machine.
    pub(crate) fn state(&self) -> State {
        self.closing.state()
    }

    /// Whether reading pauses if the program does not take its messages. It does not once
    /// closing has begun.
    pub(crate) fn may_pause(&self) -> bool {
        self.state() == State::Open
    }

    /// Whether everything was reported, so that nothing more will be.
    pub(crate) fn is_reported(&self) -> bool {
        self.state() == State::Failing
    }

    /// Whether keep-alive runs: until a Close frame is queued or received (S108).
    pub(crate) fn keeps_alive(&self) -> bool {
        self.keep_alive.is_some() && self.state() == State::Open
    }

    /// When [`expire`](Self::expire) is to be called, if nothing happens before.
    pub(crate) fn deadline(&self, paused: bool) -> Option<Instant> {
        match (self.state(), &self.keep_alive) {
            // While it does not read, it cannot hear the peer.
            (State::Open, Some(keep_alive)) if !paused => keep_alive.deadline(),
            // An open connection has none.
            _ => self.closing.deadline(),
        }
    }

    /// Handles bytes that arrived. Also returns how many of them it used.
    pub(crate) fn receive(
        &mut self,
        bytes: &[u8],
        now: Instant,
        arena: &mut Arena,
        facts: &mut impl Facts,
    ) -> (usize, Life) {
        self.heard(now);
        if !self.closing.decodes() || bytes.is_empty() {
            return (bytes.len(), Life::Alive);
        }
        let mut received = Received {
            facts,
            close: None,
            pong: false,
        };
        let decoded = self.decoder.decode(bytes, arena, &mut received);
        let Received { close, pong, .. } = received;
        if let (true, Some(keep_alive)) = (pong, &mut self.keep_alive) {
            if let Some(time) = keep_alive.on_pong(now) {
                facts.round_trip(time);
            }
        }
        if let Some(frame) = close {
            return (bytes.len(), self.on_peer_close(frame, now, facts));
        }
        match decoded {
            Ok(used) => (used, Life::Alive),
            Err(violation) => (bytes.len(), self.on_violation(violation, now, facts)),
        }
    }

    /// If a large part of one message comes next: the buffer to which it is to be appended, and
    /// at most how many bytes. Call [`appended`](Self::appended) afterwards.
    pub(crate) fn room(&mut self) -> Option<(&mut BytesMut, usize)> {
        match self.closing.decodes() {
            true => self.decoder.room(),
            false => None,
        }
    }

    /// So many bytes were appended to the buffer of [`room`](Self::room).
    pub(crate) fn appended(&mut self, read: usize, now: Instant, facts: &mut impl Facts) -> Life {
        self.heard(now);
        match self.decoder.appended(read) {
            Ok(Some(message)) => {
                facts.message(message);
                Life::Alive
            }
            Ok(None) => Life::Alive,
            Err(violation) => self.on_violation(violation, now, facts),
        }
    }

    /// The program closed the socket: its Close frame is queued.
    pub(crate) fn close(&mut self, now: Instant) {
        self.closing.step(Input::Close, now);
    }

    /// The last handle of the socket was dropped (S102).
    pub(crate) fn abandon(&mut self, now: Instant) {
        self.closing.abandon(now);
    }

    /// The peer ended TCP.
    pub(crate) fn on_end_of_stream(&mut self, now: Instant, facts: &mut impl Facts) -> Life {
        let decision = self.closing.step(Input::EndOfStream, now);
        self.carry_out(decision, None, facts)
    }

    /// A read failed.
    pub(crate) fn on_read_error(
        &mut self,
        error: io::Error,
        now: Instant,
        facts: &mut impl Facts,
    ) -> Life {
        let decision = self.closing.step(Input::ReadFailed, now);
        self.carry_out(decision, Some(error.into()), facts)
    }

    /// A write failed. What has arrived is still to be read (S109).
    pub(crate) fn on_write_error(
        &mut self,
        error: io::Error,
        now: Instant,
        facts: &mut impl Facts,
    ) -> Life {
        let decision = self.closing.step(Input::WriteFailed, now);
        if decision == Decision::ReadOut {
            self.write_error = Some(error);
        }
        self.carry_out(decision, None, facts)
    }

    /// The network accepted bytes, or had room for some, until `when` (S107).
    pub(crate) fn accepted(&mut self, when: Instant) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.alive(when);
        }
    }

    /// Tests the peer, if keep-alive runs (S116). `latency` is the last round trip.
    pub(crate) fn test(&mut self, latency: Option<Duration>, now: Instant, facts: &mut impl Facts) {
        if let (State::Open, Some(keep_alive)) = (self.state(), &mut self.keep_alive) {
            if keep_alive.test(now, latency) {
                facts.queue(ControlFrame::Ping);
            }
        }
    }

    /// Whether the peer is being tested.
    pub(crate) fn is_testing(&self) -> bool {
        let keep_alive = self.keep_alive.as_ref();
        keep_alive.is_some_and(|keep_alive| keep_alive.is_testing())
    }

    /// The [`deadline`](Self::deadline) has passed, and what had arrived before
    /// it was received (S106). `progress` says whether the network has accepted
    /// bytes since the deadline was set.
    pub(crate) fn expire(&mut self, progress: bool, now: Instant, facts: &mut impl Facts) -> Life {
        if self.state() == State::Open {
            let keep_alive = self.keep_alive.as_mut();
            return match keep_alive.map(|keep_alive| keep_alive.judge(now)) {
                None | Some(Verdict::Wait) => Life::Alive,
                Some(Verdict::Ping) => {
                    facts.queue(ControlFrame::Ping);
                    Life::Alive
                }
                Some(Verdict::Dead) => {
                    let message = "the peer did not answer a ping in time";
                    let kind = ErrorKind::TimedOut(Timeout::Heartbeat);
                    let failure = Failure::new(kind, message);
                    self.carry_out(Decision::Fail, Some(failure), facts)
                }
            };
        }
        if self
            .closing
            .deadline()
            .is_none_or(|deadline| deadline > now)
        {
            return Life::Alive;
        }
        let input = match progress {
            true => Input::ExpiredWithProgress,
            false => Input::Expired,
        };
        let decision = self.closing.step(input, now);
        self.carry_out(decision, None, facts)
    }

    fn heard(&mut self, now: Instant) {
        if let Some(keep_alive) = &mut self.keep_alive {
            keep_alive.heard(now);
        }
    }

    fn on_peer_close(
        &mut self,
        frame: Option<(u16, String)>,
        now: Instant,
        facts: &mut impl Facts,
    ) -> Life {
        let decision = self.closing.step(Input::PeerClose, now);
        if decision == Decision::Echo {
            let echo = frame.as_ref();
            let echo = echo.map(|(code, reason)| (*code, reason.as_str()));
            facts.queue(ControlFrame::Close(echo));
        }
        self.closing.set_peer_close(frame);
        if matches!(decision, Decision::Echo | Decision::AwaitEnd) {
            facts.report(Report::PeerClosing);
        }
        self.carry_out(decision, None, facts)
    }

    fn on_violation(&mut self, violation: Violation, now: Instant, facts: &mut impl Facts) -> Life {
        let code = violation.code;
        let decision = self.closing.step(Input::Violation, now);
        if decision == Decision::Refuse {
            facts.report(Report::Failed(Failure::from(violation).into_event()));
            facts.queue(ControlFrame::Close(Some((code, ""))));
            return Life::Alive;
        }
        self.carry_out(decision, Some(violation.into()), facts)
    }

    /// Does what a decision says, and reports the end if the decision is to end.
    fn carry_out(
        &mut self,
        decision: Decision,
        cause: Option<Failure>,
        facts: &mut impl Facts,
    ) -> Life {
        match decision {
            Decision::End => facts.report(Report::Closed(self.closing.end())),
            Decision::Fail => {
                // The first error is the cause.
                let cause = match self.write_error.take() {
                    Some(error) => Some(error.into()),
                    None => cause,
                };
                let error = cause.map_or_else(ErrorEvent::unknown, Failure::into_event);
                facts.report(Report::Failed(error));
            }
            Decision::Stop => {}
            _ => return Life::Alive,
        }
        Life::Over
    }
}

/// Handles the messages and control frames that were decoded.
struct Received<'a, F> {
    facts: &'a mut F,
    /// The peer's Close frame, which is the last item.
    close: Option<Option<(u16, String)>>,
    /// There was a pong.
    pong: bool,
}

impl<F: Facts> Output for Received<'_, F> {
    #[inline(always)]
    fn message(&mut self, message: Message) -> Flow {
        self.facts.message(message)
    }

    #[inline(always)]
    fn binary(&mut self, write: impl FnOnce(&mut Binary)) -> Flow {
        self.facts.binary(write)
    }

    #[inline(never)]
    fn item(&mut self, item: Item) -> Flow {
        match item {
            Item::Message(message) => return self.facts.message(message),
            Item::Ping(payload) => self.facts.queue(ControlFrame::Pong(payload)),
            Item::Pong => self.pong = true,
            Item::Close(frame) => self.close = Some(frame),
        }
        Flow::GoOn
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
