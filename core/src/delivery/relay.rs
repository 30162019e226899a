//! Receives the facts about a connection that is part of another transport.

use crate::{MaybeSend, Message, Report};

/// Where the reports of a connection go instead of to a program.
///
/// It is dropped after [`Report::Failed`] or [`Report::Closed`], or once the
/// line is detached.
pub(crate) trait Relay: MaybeSend {
    /// A fact about the connection.
    fn report(&mut self, report: Report);

    /// The same for a message, which is the usual fact.
    fn message(&mut self, message: Message);

    /// See [`Turn::is_backlogged`].
    fn is_backlogged(&mut self, limit: usize) -> bool;

    /// The connection's turn ends.
    fn end_turn(&mut self);
}
