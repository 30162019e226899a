//! One attempt after another: connecting, and what follows from the result. All of it runs on
//! the thread that takes turns.
//!
//! In this folder: an attempt and its connection (`mod.rs`), asking the program what it uses
//! (`asking.rs`), where its connection reports (`reports.rs`), what follows when it is lost
//! (`loss.rs`), the end of the socket (`ending.rs`), and attempts after waking up
//! (`waking.rs`).

mod asking;
mod ending;
mod loss;
mod reports;
mod waking;

use std::error::Error as StdError;
use std::fmt;
use std::mem;

use super::hooks::BoxError;
use super::state::{Phase, Wait};
use super::status::reporting::report_statuses;
use super::{Reconnect, Status};
use crate::socket::inner::InnerConnection;
use crate::{CloseEvent, ErrorEvent, Event, Host, Link, NewError, ReadyState, Transport, Turn};

pub(super) use asking::{Asking, ask};
pub(super) use ending::{end, expire, give_up};
pub(super) use loss::{lose, lose_open, reports_refusals};
pub(super) use reports::Attempt;
pub(super) use waking::listen;

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
