//! The end of a socket that connects again.

use std::mem;
use std::time::Duration;

use thiserror::Error;

use crate::reconnect::policy::Loss;
use crate::reconnect::state::Phase;
use crate::reconnect::status::reporting::{report_statuses, report_statuses_of};
use crate::reconnect::{Reconnect, Status};
use crate::{
    CloseEvent, ErrorEvent, ErrorKind, Host, Link, Report, Timeout, Transport, Turn, WebSocket,
};

impl<T: Transport> Reconnect<T> {
    /// The program closes a socket that has no connection, or none that core knows of. It ends
    /// at once.
    pub(crate) fn close_unconnected(&self) {
        let (before, link) = {
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
            (before, state.link.clone())
        };
        if let Phase::Connecting(connection, _) | Phase::Open(connection, _) = &before {
            connection.carrier().abort();
        }
        // Timers and futures are dropped here, outside the lock.
        drop(before);
        self.stop_asking();
        if let Some(link) = link {
            self.host.soon(move || {
                if let Some(mut turn) = link.turn() {
                    end(&mut turn, Report::Closed(CloseEvent::abnormal()));
                }
            });
        }
    }
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

/// The end of the socket.
pub(crate) fn end<T: Transport>(turn: &mut Turn<Reconnect<T>>, report: Report) {
    report_statuses(turn);
    turn.report(report);
    turn.link().transport().release();
}
