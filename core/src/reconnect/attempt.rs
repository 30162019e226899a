//! One attempt after another: connecting, and what follows from the result. All of it runs on
//! the thread that takes turns.

use std::error::Error as StdError;
use std::fmt;
use std::mem;
use std::time::Duration;

use thiserror::Error;

use super::Status;
use super::options::BoxError;
use super::policy::{LONGEST_RETRY_AFTER, Loss, Retry};
use super::transport::{Phase, Reconnect, State, Wait};
use crate::base::guard::logging;
use crate::delivery::relay::Relay;
use crate::socket::inner::{InnerConnection, OuterTurn};
use crate::socket::request::without_secrets;
use crate::{
    CloseEvent, ErrorEvent, ErrorKind, Event, Host, Link, Message, NewError, ReadyState, Report,
    Timeout, Transport, Turn, WebSocket,
};

/// Begins an attempt: reports it, and asks for the URL unless it is known. (If the URL is known,
/// `start` has begun the first attempt already.)
pub(crate) fn begin<T: Transport>(link: &Link<Reconnect<T>>, serial: u64) {
    let reconnect = link.transport();
    match link.turn() {
        Some(mut turn) => report_statuses(&mut turn),
        None => return,
    }
    // A handler may have closed the socket.
    if !reconnect.is_current(serial) || !matches!(reconnect.state().phase, Phase::Asking(_)) {
        return;
    }
    match &reconnect.url {
        Some(url) => connect(link, serial, reconnect.connection_to(url)),
        None => match reconnect.hooks.ask.with(|ask| *ask) {
            Some(ask) => ask(link, serial),
            // Without a URL there is always such a function.
            None => fail_as(link, serial, ErrorEvent::unknown()),
        },
    }
}

/// Makes a connection.
pub(super) fn connect<T: Transport>(
    link: &Link<Reconnect<T>>,
    serial: u64,
    connection: Result<InnerConnection<T>, NewError>,
) {
    let reconnect = link.transport();
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return fail(link, serial, NotMade(error)),
    };
    let before = {
        let mut state = reconnect.state();
        if !reconnect.is_current(serial) {
            return;
        }
        mem::replace(
            &mut state.phase,
            Phase::Connecting(connection.clone(), None),
        )
    };
    drop(before);
    connection.start(Attempt::new(link.clone(), serial));
}

/// Why an attempt has no connection. `Debug` shows the same text as `Display`, because the code
/// that shows a string with quotes would make a page larger.
struct NotMade(NewError);

impl fmt::Display for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for NotMade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl StdError for NotMade {}

/// An attempt failed before there was a connection.
pub(super) fn fail<T: Transport>(
    link: &Link<Reconnect<T>>,
    serial: u64,
    cause: impl Into<BoxError>,
) {
    fail_as(link, serial, ErrorEvent::new(cause));
}

pub(super) fn fail_as<T: Transport>(link: &Link<Reconnect<T>>, serial: u64, error: ErrorEvent) {
    link.transport().stop_asking_for(serial);
    if let Some(mut turn) = link.turn() {
        lose(&mut turn, serial, Some(error), CloseEvent::abnormal());
    }
}

/// The program's function has ended the socket (R29).
pub(super) fn end_by<T: Transport>(link: &Link<Reconnect<T>>, serial: u64, cause: BoxError) {
    if let Some(mut turn) = link.turn() {
        let error = Some(ErrorEvent::with_kind(ErrorKind::Aborted, cause));
        let close = CloseEvent::abnormal();
        lose_as(&mut turn, serial, error, close, true);
    }
}

/// Receives the reports of an attempt's connection.
pub(crate) struct Attempt<T: Transport> {
    outer: OuterTurn<Reconnect<T>>,
    serial: u64,
}

impl<T: Transport> Attempt<T> {
    pub(crate) fn new(link: Link<Reconnect<T>>, serial: u64) -> Self {
        Attempt {
            outer: OuterTurn::new(link),
            serial,
        }
    }
}

impl<T: Transport> Relay for Attempt<T> {
    fn report(&mut self, report: Report) {
        let serial = self.serial;
        let Some(turn) = self.outer.get() else { return };
        if !turn.transport().is_current(serial) {
            return;
        }
        match report {
            Report::Established {
                protocol,
                extensions,
            } => establish(turn, serial, protocol, extensions),
            Report::Message(message) => turn.message(message),
            // The program gets an event only at the end, if this was the last connection.
            Report::PeerClosing => {}
            Report::Failed(error) => lose(turn, serial, Some(error), CloseEvent::abnormal()),
            Report::Closed(close) => lose(turn, serial, None, close),
            Report::Lost => {
                // The inner transport connects again by itself.
                let mut state = turn.transport().state();
                if let Phase::Open(connection, _) = &state.phase {
                    state.phase = Phase::Connecting(connection.clone(), None);
                }
                drop(state);
                turn.report(Report::Lost);
            }
        }
    }

    fn message(&mut self, message: Message) {
        let serial = self.serial;
        if let Some(turn) = self.outer.get() {
            if turn.transport().is_current(serial) {
                turn.message(message);
            }
        }
    }

    fn is_backlogged(&mut self, limit: usize) -> bool {
        self.outer.is_backlogged(limit)
    }

    fn end_turn(&mut self) {
        self.outer.end();
    }
}

/// There is a connection.
fn establish<T: Transport>(
    turn: &mut Turn<Reconnect<T>>,
    serial: u64,
    protocol: String,
    extensions: String,
) {
    let link = turn.link();
    let reconnect = link.transport();
    let uptime = reconnect.policy.min_uptime;
    let later = link.clone();
    let held = move || hold(&later, serial);
    let timer = match uptime.is_zero() {
        true => None,
        // Without a timer it never counts as good. That makes the waits longer, not shorter.
        false => reconnect.host.after(uptime, held).ok().map(Wait::new),
    };
    let opening = {
        let mut state = reconnect.state();
        let connection = match &state.phase {
            Phase::Connecting(connection, _) if reconnect.is_current(serial) => connection.clone(),
            _ => return,
        };
        // Kept messages come before all that is sent from now on.
        state.queue.flush(connection.carrier());
        if uptime.is_zero() {
            (state.attempt, state.retries) = (0, 0);
        }
        state.phase = Phase::Open(connection, timer);
        state.course.set(Status::Open);
        state.opening.take()
    };
    drop(opening);
    // Whoever learns of the status Open, on any thread, also sees the state Open.
    let delivers = turn.establish(protocol, extensions);
    report_statuses(turn);
    // A handler for the status may have closed the socket.
    if delivers && turn.socket().ready_state() == ReadyState::Open {
        turn.check_mail();
        turn.deliver_rare(Event::Open);
    }
}

/// A connection has held for the minimum uptime.
fn hold<T: Transport>(link: &Link<Reconnect<T>>, serial: u64) {
    let reconnect = link.transport();
    let mut state = reconnect.state();
    if let Phase::Open(_, timer) = &mut state.phase {
        if reconnect.is_current(serial) {
            *timer = None;
            (state.attempt, state.retries) = (0, 0);
        }
    }
}

/// The peer is considered dead.
pub(crate) fn lose_open<T: Transport>(turn: &mut Turn<Reconnect<T>>, error: ErrorEvent) {
    let link = turn.link();
    let reconnect = link.transport();
    let (serial, connection) = match &*reconnect.state() {
        State {
            phase: Phase::Open(connection, _),
            ..
        } => (reconnect.serial(), connection.clone()),
        _ => return,
    };
    // Its number is no longer the current one, so its later reports are ignored.
    lose(turn, serial, Some(error), CloseEvent::abnormal());
    connection.carrier().abort();
}

/// A connection ended, or an attempt to make one.
fn lose<T: Transport>(
    turn: &mut Turn<Reconnect<T>>,
    serial: u64,
    error: Option<ErrorEvent>,
    close: CloseEvent,
) {
    lose_as(turn, serial, error, close, false);
}

/// The same; if it is final, nobody is asked, and there is no other attempt.
fn lose_as<T: Transport>(
    turn: &mut Turn<Reconnect<T>>,
    serial: u64,
    error: Option<ErrorEvent>,
    close: CloseEvent,
    is_final: bool,
) {
    let link = turn.link();
    let reconnect = link.transport();
    let report = match &error {
        Some(error) => Report::Failed(error.clone()),
        None => Report::Closed(close.clone()),
    };
    let (loss, connection, before) = {
        let mut state = reconnect.state();
        if !reconnect.is_current(serial) {
            return;
        }
        reconnect.next_serial();
        let (was_open, connection) = match &state.phase {
            Phase::Closing(connection) => {
                state.phase = Phase::Ended(Some(connection.clone()));
                state.course.set(Status::Closed);
                drop(state);
                return end(turn, report);
            }
            Phase::Open(connection, _) => (true, Some(connection.clone())),
            Phase::Connecting(connection, _) => (false, Some(connection.clone())),
            _ => (false, None),
        };
        let loss = Loss {
            close,
            error,
            attempt: state.attempt,
            was_open,
        };
        let deciding = Phase::Deciding { closed: false };
        let before = mem::replace(&mut state.phase, deciding);
        (loss, connection, before)
    };
    drop(before);
    let answer = match is_final {
        true => Retry::GiveUp,
        false => decide(reconnect, &loss),
    };
    let again = {
        let mut state = reconnect.state();
        let closed = matches!(state.phase, Phase::Deciding { closed: true });
        let delay = match answer {
            _ if closed => None,
            Retry::GiveUp => None,
            Retry::After(delay) => Some(delay),
            Retry::Backoff => {
                let random = reconnect.host.random();
                let delay = reconnect.policy.delay(state.retries, random);
                // R28: the random time is added, so that not all clients connect at once.
                let first = match reports_refusals::<T>() {
                    true => loss.retry_after().unwrap_or_default(),
                    false => Duration::ZERO,
                };
                Some(delay.saturating_add(first.min(LONGEST_RETRY_AFTER)))
            }
        };
        let timer = delay.map(|delay| {
            let serial = reconnect.serial();
            let later = link.clone();
            let timer = reconnect.host.after(delay, move || retry(&later, serial));
            (delay, timer)
        });
        match timer {
            Some((delay, Ok(timer))) => {
                state.attempt = state.attempt.saturating_add(1);
                state.retries = state.retries.saturating_add(1);
                let attempt = state.attempt;
                state.phase = Phase::Waiting(Wait::new(timer));
                state.course.set(Status::Waiting {
                    attempt,
                    delay,
                    loss,
                });
                true
            }
            // Without a timer there is no other way.
            Some((_, Err(_))) | None => {
                state.phase = Phase::Ended(connection);
                state.queue.discard();
                state.course.set(match closed {
                    true => Status::Closed,
                    false => Status::GaveUp(loss),
                });
                false
            }
        }
    };
    if again {
        turn.report(Report::Lost);
        report_statuses(turn);
    } else {
        end(turn, report);
    }
}

/// Whether the transport may know a refusal's status and `Retry-After`. A mock may, too.
pub(super) const fn reports_refusals<T: Transport>() -> bool {
    T::REPORTS_REFUSALS || cfg!(feature = "mock")
}

fn decide<T: Transport>(reconnect: &Reconnect<T>, loss: &Loss) -> Retry {
    let most = reconnect.policy.max_attempts;
    // A connection that was open for the minimum uptime has the number 0, and does not count.
    if most.is_some_and(|most| loss.attempt >= most.max(1)) {
        return Retry::GiveUp;
    }
    let Some(mut hook) = reconnect.hooks.decide.with(Option::take) else {
        return match reports_refusals::<T>() {
            true => loss.default_retry(),
            false => Retry::Backoff,
        };
    };
    let answer = hook.call(|hook| hook.call(loss));
    reconnect.hooks.decide.with(|slot| *slot = Some(hook));
    // R11: a panic counts as `Backoff`.
    answer.unwrap_or(Retry::Backoff)
}

/// The open timeout has passed: gives up if there was no connection yet.
pub(crate) fn expire<T: Transport>(link: &Link<Reconnect<T>>, timeout: Duration) {
    let reconnect = link.transport();
    let Some(mut turn) = link.turn() else { return };
    let (error, before) = {
        let mut state = reconnect.state();
        // There was a connection meanwhile, or the socket has ended.
        if state.opening.take().is_none() {
            return;
        }
        let connection = match &state.phase {
            Phase::Open(..) | Phase::Closing(_) | Phase::Ended(_) => return,
            // The hook runs inside a turn, and this is another turn. So this cannot happen.
            Phase::Deciding { .. } => return,
            Phase::Connecting(connection, _) => Some(connection.clone()),
            Phase::Asking(_) | Phase::Waiting(_) => None,
        };
        let last = match state.course.status() {
            Status::Waiting { loss, .. } => loss.error.clone(),
            _ => None,
        };
        let error = ErrorEvent::with_kind(
            ErrorKind::TimedOut(Timeout::Connect),
            NotInTime { timeout, last },
        );
        let mut loss = Loss::new(CloseEvent::abnormal());
        loss.error = Some(error.clone());
        loss.attempt = state.attempt;
        reconnect.next_serial();
        state.queue.discard();
        state.course.set(Status::GaveUp(loss));
        (
            error,
            mem::replace(&mut state.phase, Phase::Ended(connection)),
        )
    };
    if let Phase::Connecting(connection, _) = &before {
        connection.carrier().abort();
    }
    // Timers and futures are dropped here, outside the lock.
    drop(before);
    reconnect.stop_asking();
    end(&mut turn, Report::Failed(error));
}

/// Why a socket that was never open gave up.
#[derive(Debug, Error)]
#[error("no connection within {timeout:?}")]
struct NotInTime {
    timeout: Duration,
    /// How the last attempt failed.
    #[source]
    last: Option<ErrorEvent>,
}

/// The wait is over.
pub(crate) fn retry<T: Transport>(link: &Link<Reconnect<T>>, serial: u64) {
    let reconnect = link.transport();
    let (serial, before) = {
        let mut state = reconnect.state();
        if !reconnect.is_current(serial) {
            return;
        }
        let attempt = state.attempt;
        state.queue.tally.add_retry();
        if reconnect.url.is_none() {
            if let Status::Waiting { loss, .. } = state.course.status() {
                state.loss = Some(loss.clone());
            }
        }
        state.course.set(Status::Connecting { attempt });
        let before = mem::replace(&mut state.phase, Phase::Asking(None));
        (reconnect.next_serial(), before)
    };
    drop(before);
    begin(link, serial);
}

/// The socket fails, whatever its connection does: there will be no other.
pub(crate) fn give_up<T: Transport>(socket: &WebSocket<Reconnect<T>>, error: &ErrorEvent) {
    let link = Link(socket.shared.clone());
    let reconnect = link.transport();
    let before = {
        let mut state = reconnect.state();
        if matches!(state.phase, Phase::Ended(_)) {
            return;
        }
        let mut loss = Loss::new(CloseEvent::abnormal());
        loss.error = Some(error.clone());
        loss.attempt = state.attempt;
        loss.was_open = matches!(state.phase, Phase::Open(..));
        reconnect.next_serial();
        state.queue.discard();
        state.course.set(Status::GaveUp(loss));
        let connection = state.phase.connection().cloned();
        mem::replace(&mut state.phase, Phase::Ended(connection))
    };
    match &before {
        Phase::Open(connection, _) => connection.carrier().close(None),
        Phase::Connecting(connection, _) => connection.carrier().abort(),
        _ => {}
    }
    // Timers and futures are dropped here, outside the lock.
    drop(before);
    reconnect.stop_asking();
    report_statuses_of(socket);
}

/// Reports the statuses that were not reported yet.
pub(crate) fn report_statuses<T: Transport>(turn: &mut Turn<Reconnect<T>>) {
    report_statuses_of(turn.socket());
}

fn report_statuses_of<T: Transport>(socket: &WebSocket<Reconnect<T>>) {
    let link = Link(socket.shared.clone());
    let reconnect = link.transport();
    loop {
        let next = reconnect.state().course.next();
        let Some(due) = next else { return };
        log(socket.url(), &due.status);
        if let Some(streams) = due.streams {
            streams.announce();
        }
        if let Some(listeners) = reconnect.hooks.listeners.get() {
            listeners.call(socket, &due.status);
        }
    }
}

/// Logs how a connection or an attempt ended: the first in a row at `info`, and the others, which
/// may be many, at `debug`.
fn log(url: &str, status: &Status) {
    let level = match status {
        Status::Waiting { loss, .. } if loss.attempt > 1 => log::Level::Debug,
        Status::Waiting { .. } | Status::GaveUp(_) => log::Level::Info,
        _ => return,
    };
    logging(|| log::log!(level, "{}: {status:#}", without_secrets(url)));
}

/// The end of the socket.
pub(crate) fn end<T: Transport>(turn: &mut Turn<Reconnect<T>>, report: Report) {
    report_statuses(turn);
    turn.report(report);
    turn.link().transport().release();
}
