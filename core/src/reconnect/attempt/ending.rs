//! The end of a socket that connects again.

use std::mem;
use std::time::Duration;

use thiserror::Error;

use crate::contract::link::Receiver;
use crate::reconnect::policy::Loss;
use crate::reconnect::state::Phase;
use crate::reconnect::status::reporting::{report_statuses, report_statuses_of};
use crate::reconnect::{Outer, Reconnect, Status};
use crate::socket::turn::SocketTurn;
use crate::{CloseEvent, ErrorEvent, ErrorKind, Host, Report, Timeout, Transport};

impl<T: Transport> Reconnect<T> {
    /// The program closes a socket that has no connection, or none that core knows of. It ends
    /// at once.
    pub(crate) fn close_unconnected(&self) {
        let (before, socket) = {
            let mut state = self.state();
            let ended = match &mut state.phase {
                Phase::Deciding { closed } => {
                    *closed = true;
                    return;
                }
                Phase::Closing(_) | Phase::Ended(_) => return,
                Phase::Connecting(connection, _) | Phase::Open(connection, _) => {
                    Some(connection.clone())
                }
                Phase::Asking(_) | Phase::Waiting(_) => None,
            };
            self.next_serial();
            state.queue.discard();
            state.course.set(Status::Closed);
            let before = mem::replace(&mut state.phase, Phase::Ended(ended));
            (before, state.socket.clone())
        };
        if let Phase::Connecting(connection, _) | Phase::Open(connection, _) = &before {
            connection.abort();
        }
        // Timers and futures are dropped here, outside the lock.
        drop(before);
        self.stop_asking();
        if let Some(socket) = socket {
            self.host.soon(move || {
                let report = Report::Closed(CloseEvent::abnormal());
                socket.with_turn(|turn| end(turn, report));
            });
        }
    }
}

/// The open timeout has passed: gives up if there was no connection yet.
pub(crate) fn expire<T: Transport>(socket: &Outer<T>, timeout: Duration) {
    let reconnect = socket.transport();
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
        connection.abort();
    }
    // Timers and futures are dropped here, outside the lock.
    drop(before);
    reconnect.stop_asking();
    socket.with_turn(|turn| end(turn, Report::Failed(error)));
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

/// The socket fails, whatever its connection does: there will be no other.
pub(crate) fn give_up<T: Transport>(socket: &Outer<T>, error: &ErrorEvent) {
    let reconnect = socket.transport();
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
        Phase::Open(connection, _) => connection.close(None),
        Phase::Connecting(connection, _) => connection.abort(),
        _ => {}
    }
    // Timers and futures are dropped here, outside the lock.
    drop(before);
    reconnect.stop_asking();
    report_statuses_of(&socket.handle());
}

/// The end of the socket.
pub(crate) fn end<T: Transport>(turn: &mut SocketTurn<Reconnect<T>>, report: Report) {
    report_statuses(turn);
    turn.report(report);
    if let Some(socket) = turn.socket() {
        socket.shared.transport().release();
    }
}
