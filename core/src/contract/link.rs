//! The backend's end of a socket: the [`Link`], and the [`Turn`]s in which it reports.
//!
//! Who receives the reports is an [`Inlet`]: a socket, or one attempt of a socket that
//! connects again. A backend knows neither.

use std::any::Any;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::wake::Waiters;
use crate::{ErrorEvent, Event, Message, Report};

/// Receives the facts about one connection.
pub(crate) trait Inlet: Send + Sync {
    /// Lends what receives, for one turn. `None` if a turn is under way.
    fn begin(self: Arc<Self>) -> Option<Box<dyn Receiver>>;

    /// The tasks that wait for a change of the state, or for the buffered amount to fall.
    fn waiters(&self) -> &Waiters;

    /// See [`Link::end_without_events`].
    fn end_without_events(&self, error: ErrorEvent);
}

/// What an inlet lends to a turn. A socket lends the same box to all its turns.
pub(crate) trait Receiver {
    /// See [`Turn::message_in`].
    fn message(&mut self, event: &mut Event);

    /// See [`Turn::report`].
    fn report(&mut self, report: Report);

    /// See [`Turn::is_backlogged`].
    fn is_backlogged(&mut self, limit: usize) -> bool;

    /// Itself, for who calls it directly. `None` on a page.
    fn as_any(&mut self) -> Option<&mut dyn Any>;

    /// The turn ends: the inlet has it back.
    fn end(self: Box<Self>);
}

/// A backend's end of a socket. See [`Transport`](crate::Transport) for the contract.
#[derive(Clone)]
pub struct Link(Arc<dyn Inlet>);

impl Link {
    pub(crate) fn new(inlet: Arc<impl Inlet + 'static>) -> Self {
        Link(inlet)
    }

    /// Begins a turn. Handlers run while the backend reports, and streams are woken once,
    /// when the turn ends.
    ///
    /// `None` if a turn is under way already, which breaks the contract.
    #[inline(never)]
    pub fn turn(&self) -> Option<Turn> {
        self.clone().into_turn()
    }

    /// The same for a link that is not needed after the turn.
    #[inline]
    pub fn into_turn(self) -> Option<Turn> {
        self.0.begin().map(|receiver| Turn(Some(receiver)))
    }

    /// Ends a socket whose turn was under way when the thread of its turns ended. The listeners
    /// were in that turn and are lost, so no event can be delivered any more. Tasks that wait for
    /// a change of the state are woken, and the handles see the end.
    #[doc(hidden)]
    pub fn end_without_events(&self, error: ErrorEvent) {
        self.0.end_without_events(error);
    }

    /// The buffered amount fell to the mark that was asked for.
    pub fn drained(&self) {
        self.0.waiters().wake();
    }

    /// Whether a task still waits for the buffered amount to fall, or for a change of the state.
    /// If none does, the backend may forget the last call of
    /// [`Transport::watch_drain`](crate::Transport::watch_drain).
    pub fn is_awaited(&self) -> bool {
        self.0.waiters().are_there()
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Link")
    }
}

/// Whether a backend stops reading where streams are full. A page whose program links no
/// caller of [`Turn::is_backlogged`] never writes here. So the optimizer of a whole program
/// removes what stands behind [`pauses`].
static PAUSES: AtomicBool = AtomicBool::new(false);

#[inline(always)]
pub(crate) fn pauses() -> bool {
    PAUSES.load(Ordering::Relaxed)
}

pub(crate) fn use_pauses() {
    if !pauses() {
        PAUSES.store(true, Ordering::Relaxed);
    }
}

/// A backend's turn to report to one socket.
///
/// Handlers run inside [`report`](Turn::report), so the backend holds no lock
/// meanwhile.
pub struct Turn(pub(crate) Option<Box<dyn Receiver>>);

impl Turn {
    /// Reports that a complete message arrived.
    #[inline(always)]
    pub fn message(&mut self, message: Message) {
        let mut event = Event::Message(message);
        self.message_in(&mut event);
        // Dropped here and not by the event's own glue, which is a call.
        if let Event::Message(message) = event {
            drop(message);
        }
    }

    /// The same for a message inside an event, so that a large value is not moved. What
    /// the event is afterwards is not specified.
    #[inline(always)]
    pub fn message_in(&mut self, event: &mut Event) {
        if let Some(receiver) = &mut self.0 {
            receiver.message(event);
        }
    }

    /// Reports a fact.
    pub fn report(&mut self, report: Report) {
        match &mut self.0 {
            Some(receiver) => receiver.report(report),
            // It is there until the turn ends. So a page needs no code that drops a report.
            None => mem::forget(report),
        }
    }

    /// Whether a stream holds more than `limit` bytes that nobody has read. If so, the
    /// backend stops reading until [`Transport::resume`](crate::Transport::resume) is
    /// called.
    pub fn is_backlogged(&mut self, limit: usize) -> bool {
        use_pauses();
        let receiver = self.0.as_mut();
        receiver.is_some_and(|receiver| receiver.is_backlogged(limit))
    }
}

impl Drop for Turn {
    #[inline]
    fn drop(&mut self) {
        if let Some(receiver) = self.0.take() {
            receiver.end();
        }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turn")
    }
}
