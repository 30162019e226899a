//! Where an attempt's connection reports: what concerns the socket is passed on to it.

use super::{establish, lose};
use crate::delivery::relay::Relay;
use crate::reconnect::Reconnect;
use crate::reconnect::state::Phase;
use crate::socket::inner::OuterTurn;
use crate::{CloseEvent, Link, Message, Report, Transport};

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
