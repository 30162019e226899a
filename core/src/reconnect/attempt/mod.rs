//! One attempt after another: connecting, and what follows from the result. All of it runs on
//! the thread that takes turns.
//!
//! In this folder: an attempt and its connection (`mod.rs`), asking the program what it uses
//! (`asking.rs`), where its connection reports (`inlet.rs`), what follows when it is lost
//! (`loss.rs`), the end of the socket (`ending.rs`), and attempts after waking up
//! (`waking.rs`).

mod asking;
mod ending;
mod inlet;
mod loss;
mod waking;

use std::error::Error as StdError;
use std::fmt;
use std::mem;

use super::hooks::BoxError;
use super::state::{Phase, Wait};
use super::status::reporting::report_statuses;
use super::{Connection, Outer, Reconnect, Status};
use crate::socket::turn::SocketTurn;
use crate::{CloseEvent, ErrorEvent, Event, Host, NewError, ReadyState, Transport};

pub(super) use asking::{Asking, ask};
pub(super) use ending::{expire, give_up};
pub(super) use inlet::Attempt;
pub(super) use loss::{lose, lose_open, reports_refusals};
pub(super) use waking::listen;

/// Begins an attempt: reports it, and asks for the URL unless it is known. (If the URL is known,
/// `start` has begun the first attempt already.)
pub(crate) fn begin<T: Transport>(socket: &Outer<T>, serial: u64) {
    let reconnect = socket.transport();
    if socket.with_turn(|turn| report_statuses(turn)).is_none() {
        return;
    }
    // A handler may have closed the socket.
    if !reconnect.is_current(serial) || !matches!(reconnect.state().phase, Phase::Asking(_)) {
        return;
    }
    match &reconnect.url {
        Some(url) => connect(socket, serial, reconnect.connection_to(url)),
        None => match reconnect.hooks.ask.with(|ask| *ask) {
            Some(ask) => ask(socket, serial),
            // Without a URL there is always such a function.
            None => fail_as(socket, serial, ErrorEvent::unknown()),
        },
    }
}

/// Makes a connection.
pub(super) fn connect<T: Transport>(
    socket: &Outer<T>,
    serial: u64,
    connection: Result<Connection<T>, NewError>,
) {
    let reconnect = socket.transport();
    let connection = match connection {
        Ok(connection) => connection,
        Err(error) => return fail(socket, serial, NotMade(error)),
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
    Attempt::start(socket, serial, &connection);
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
pub(super) fn fail<T: Transport>(socket: &Outer<T>, serial: u64, cause: impl Into<BoxError>) {
    fail_as(socket, serial, ErrorEvent::new(cause));
}

pub(super) fn fail_as<T: Transport>(socket: &Outer<T>, serial: u64, error: ErrorEvent) {
    socket.transport().stop_asking_for(serial);
    socket.with_turn(|turn| lose(turn, serial, Some(error), CloseEvent::abnormal()));
}

/// There is a connection.
pub(super) fn establish<T: Transport>(
    turn: &mut SocketTurn<Reconnect<T>>,
    serial: u64,
    protocol: String,
    extensions: String,
) {
    let Some(socket) = turn.shared() else { return };
    let reconnect = socket.transport();
    let uptime = reconnect.policy.min_uptime;
    let later = socket.clone();
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
        state.queue.flush(&connection);
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
    if delivers && socket.state() == ReadyState::Open {
        turn.check_mail();
        turn.deliver_rare(Event::Open);
    }
}

/// A connection has held for the minimum uptime.
fn hold<T: Transport>(socket: &Outer<T>, serial: u64) {
    let reconnect = socket.transport();
    let mut state = reconnect.state();
    if let Phase::Open(_, timer) = &mut state.phase {
        if reconnect.is_current(serial) {
            *timer = None;
            (state.attempt, state.retries) = (0, 0);
        }
    }
}

/// The wait is over.
pub(crate) fn retry<T: Transport>(socket: &Outer<T>, serial: u64) {
    let reconnect = socket.transport();
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
    begin(socket, serial);
}
