//! Where an attempt's connection reports: what concerns the socket is passed on to it.

use std::any::Any;
use std::sync::Arc;

use super::{establish, lose};
use crate::contract::link::{Inlet, Receiver};
use crate::reconnect::state::Phase;
use crate::reconnect::{Connection, Outer, Reconnect};
use crate::socket::turn::{Lent, SocketTurn};
use crate::wake::Waiters;
use crate::{CloseEvent, ErrorEvent, Event, Report, Transport};

/// Receives the facts about an attempt's connection, and passes on those that concern the
/// socket.
pub(crate) struct Attempt<T: Transport> {
    socket: Outer<T>,
    serial: u64,
}

impl<T: Transport> Attempt<T> {
    /// Starts connecting.
    pub(crate) fn start(socket: &Outer<T>, serial: u64, connection: &Connection<T>) {
        let socket = socket.clone();
        connection.start_for(&Arc::new(Attempt { socket, serial }));
    }
}

impl<T: Transport> Inlet for Attempt<T> {
    fn begin(self: Arc<Self>) -> Option<Box<dyn Receiver>> {
        Some(Box::new(AttemptTurn {
            turn: Lent::of(&self.socket)?,
            serial: self.serial,
        }))
    }

    fn waiters(&self) -> &Waiters {
        &self.socket.waiters
    }

    fn end_without_events(&self, error: ErrorEvent) {
        self.socket.end_without_events(error);
    }
}

/// A turn of an attempt's connection is one of its socket.
struct AttemptTurn<T: Transport> {
    turn: Lent<Reconnect<T>>,
    serial: u64,
}

impl<T: Transport> AttemptTurn<T> {
    /// The socket's turn, unless another attempt is under way.
    fn current(&mut self) -> Option<&mut SocketTurn<Reconnect<T>>> {
        let turn = self.turn.get()?;
        let socket = turn.socket()?;
        let is_current = socket.shared.transport().is_current(self.serial);
        is_current.then_some(turn)
    }
}

impl<T: Transport> Receiver for AttemptTurn<T> {
    fn message(&mut self, event: &mut Event) {
        if let Some(turn) = self.current() {
            turn.message(event);
        }
    }

    fn report(&mut self, report: Report) {
        let serial = self.serial;
        let Some(turn) = self.current() else { return };
        match report {
            Report::Established {
                protocol,
                extensions,
            } => establish(turn, serial, protocol, extensions),
            Report::Message(message) => turn.message(&mut Event::Message(message)),
            // The program gets an event only at the end, if this was the last connection.
            Report::PeerClosing => {}
            Report::Failed(error) => lose(turn, serial, Some(error), CloseEvent::abnormal()),
            Report::Closed(close) => lose(turn, serial, None, close),
            Report::Lost => {
                // The inner transport connects again by itself.
                if let Some(socket) = turn.socket() {
                    let mut state = socket.shared.transport().state();
                    if let Phase::Open(connection, _) = &state.phase {
                        state.phase = Phase::Connecting(connection.clone(), None);
                    }
                }
                turn.report(Report::Lost);
            }
        }
    }

    fn is_backlogged(&mut self, limit: usize) -> bool {
        let turn = self.turn.get();
        turn.is_some_and(|turn| turn.is_backlogged(limit))
    }

    fn as_any(&mut self) -> Option<&mut dyn Any> {
        None
    }

    /// Dropping it ends the socket's turn.
    fn end(self: Box<Self>) {}
}
