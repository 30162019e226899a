//! Reports statuses to the program, in a turn, and to the log.

use crate::base::guard::logging;
use crate::contract::request::without_secrets;
use crate::reconnect::{Reconnect, Status};
use crate::socket::turn::SocketTurn;
use crate::{Transport, WebSocket};

/// Reports the statuses that were not reported yet.
pub(crate) fn report_statuses<T: Transport>(turn: &mut SocketTurn<Reconnect<T>>) {
    if let Some(socket) = turn.socket() {
        report_statuses_of(socket);
    }
}

/// The same for a socket.
pub(crate) fn report_statuses_of<T: Transport>(socket: &WebSocket<Reconnect<T>>) {
    let reconnect = socket.shared.transport();
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
