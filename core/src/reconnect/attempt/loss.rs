//! What follows when a connection is lost, or an attempt to make one fails.

use std::mem;
use std::time::Duration;

use super::ending::end;
use super::retry;
use crate::contract::link::Receiver;
use crate::reconnect::hooks::BoxError;
use crate::reconnect::policy::{LONGEST_RETRY_AFTER, Loss, Retry};
use crate::reconnect::state::{Phase, Wait};
use crate::reconnect::status::reporting::report_statuses;
use crate::reconnect::{Outer, Reconnect, Status};
use crate::socket::turn::SocketTurn;
use crate::{CloseEvent, ErrorEvent, ErrorKind, Host, Report, Transport};

/// The program's function has ended the socket (R29).
pub(super) fn end_by<T: Transport>(socket: &Outer<T>, serial: u64, cause: BoxError) {
    let error = Some(ErrorEvent::with_kind(ErrorKind::Aborted, cause));
    let close = CloseEvent::abnormal();
    socket.with_turn(|turn| lose_as(turn, serial, error, close, true));
}

/// The peer of the connection with this number is considered dead.
pub(crate) fn lose_open<T: Transport>(socket: &Outer<T>, serial: u64, error: ErrorEvent) {
    let reconnect = socket.transport();
    let connection = match &reconnect.state().phase {
        Phase::Open(connection, _) if reconnect.is_current(serial) => connection.clone(),
        _ => return,
    };
    // Its number is no longer the current one, so its later reports are ignored.
    socket.with_turn(|turn| lose(turn, serial, Some(error), CloseEvent::abnormal()));
    connection.abort();
}

/// A connection ended, or an attempt to make one.
pub(crate) fn lose<T: Transport>(
    turn: &mut SocketTurn<Reconnect<T>>,
    serial: u64,
    error: Option<ErrorEvent>,
    close: CloseEvent,
) {
    lose_as(turn, serial, error, close, false);
}

/// The same; if it is final, nobody is asked, and there is no other attempt.
fn lose_as<T: Transport>(
    turn: &mut SocketTurn<Reconnect<T>>,
    serial: u64,
    error: Option<ErrorEvent>,
    close: CloseEvent,
    is_final: bool,
) {
    let Some(socket) = turn.shared() else { return };
    let reconnect = socket.transport();
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
            let later = socket.clone();
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
pub(crate) const fn reports_refusals<T: Transport>() -> bool {
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

#[cfg(all(test, feature = "mock"))]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::mock::Network;
    use crate::{EventKind, ReadyState, Unsupported, WebSocket};

    type Socket = WebSocket<Reconnect<Unsupported>>;

    /// An open socket, and the events that its handlers get.
    fn open(network: &Network) -> (Socket, Arc<Mutex<Vec<EventKind>>>) {
        network.peer("ws://peer/").accept();
        network.peer("ws://peer/").accept();
        let socket = Socket::new("ws://peer/").unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for kind in [EventKind::Open, EventKind::Error, EventKind::Close] {
            let seen = seen.clone();
            let _ = socket.bind(kind, move |_, _| seen.lock().unwrap().push(kind));
        }
        network.run();
        (socket, seen)
    }

    /// What a heartbeat calls, inside a turn.
    fn lose_soon(socket: &Socket) {
        let transport = socket.shared().transport();
        assert!(transport.lose(ErrorEvent::unknown()).is_none());
        assert_eq!(socket.ready_state(), ReadyState::Open);
    }

    /// S97.
    #[test]
    fn a_dead_connection_is_lost_once() {
        let network = Network::new();
        let (socket, seen) = open(&network);
        lose_soon(&socket);
        lose_soon(&socket);
        network.run();
        assert!(matches!(socket.status(), Status::Waiting { .. }));
        network.advance(Duration::from_secs(60));
        assert_eq!(socket.status(), Status::Open);
        assert_eq!(*seen.lock().unwrap(), [EventKind::Open; 2]);
    }

    /// S97: the closing handshake goes on.
    #[test]
    fn a_dead_connection_is_not_lost_after_close() {
        let network = Network::new();
        let (socket, seen) = open(&network);
        lose_soon(&socket);
        socket.close();
        network.run();
        assert_eq!(socket.status(), Status::Closed);
        assert_eq!(*seen.lock().unwrap(), [EventKind::Open, EventKind::Close]);
    }
}
