//! What a reconnecting socket does after its host woke up.
//!
//! An open connection is not looked at here: its heartbeat tests it. All of this runs on
//! the thread that takes turns.

use std::mem;
use std::sync::Arc;
use std::time::Duration;

use super::{begin, reports_refusals, retry};
use crate::reconnect::state::{Phase, State, Wait};
use crate::reconnect::{Loss, Outer, Status};
use crate::{Host, HostEvent, Subscription, Transport};

/// How long an attempt may still take that was under way when the host woke up. It may
/// wait for answers to packets that are lost.
const PATIENCE: Duration = Duration::from_secs(1);

/// Listens to the socket's host.
pub(crate) fn listen<T: Transport>(socket: &Outer<T>) -> Subscription {
    // Weak, so that a socket that is gone leaves nothing.
    let weak = Arc::downgrade(socket);
    socket.transport().host.listen(Arc::new(move |event| {
        if let (HostEvent::WokeUp, Some(socket)) = (event, weak.upgrade()) {
            wake_up(&socket);
        }
    }))
}

/// R47, R48.
fn wake_up<T: Transport>(socket: &Outer<T>) {
    let reconnect = socket.transport();
    let serial = reconnect.serial();
    let is_waiting = {
        let mut state = reconnect.state();
        state.retries = 0;
        match &state.phase {
            Phase::Waiting(_) if is_left_alone(&state) => return,
            Phase::Waiting(_) => true,
            Phase::Connecting(_, None) => false,
            _ => return,
        }
    };
    if is_waiting {
        return retry(socket, serial);
    }
    let later = socket.clone();
    let timer = reconnect
        .host
        .after(PATIENCE, move || begin_again(&later, serial));
    let before = match &mut reconnect.state().phase {
        Phase::Connecting(_, patience) if reconnect.is_current(serial) => {
            mem::replace(patience, timer.ok().map(Wait::new))
        }
        _ => timer.ok().map(Wait::new),
    };
    drop(before);
}

/// Whether the server has said how long it wants to be left alone (R28).
fn is_left_alone<T: Transport>(state: &State<T>) -> bool {
    let loss = match state.course.status() {
        Status::Waiting { loss, .. } if reports_refusals::<T>() => Some(loss),
        _ => None,
    };
    loss.and_then(Loss::retry_after).is_some()
}

/// Begins the attempt again: the same one for the program, which sees nothing of it.
fn begin_again<T: Transport>(socket: &Outer<T>, serial: u64) {
    let reconnect = socket.transport();
    let (serial, before) = {
        let mut state = reconnect.state();
        if !reconnect.is_current(serial) || !matches!(state.phase, Phase::Connecting(..)) {
            return;
        }
        let before = mem::replace(&mut state.phase, Phase::Asking(None));
        (reconnect.next_serial(), before)
    };
    if let Phase::Connecting(connection, _) = &before {
        connection.abort();
    }
    drop(before);
    begin(socket, serial);
}
