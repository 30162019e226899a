//! A connection as its event loop sees it: one of three phases.
//!
//! A phase owns everything that it needs, and the next phase takes that over by value. So
//! no field exists in a phase that does not use it.

use std::sync::Arc;
use std::time::Instant;

use isosocket_core::{ErrorKind, Link, Report, Turn, guard};

use super::dialling::Dialling;
use super::fork;
use super::mailbox::Action;
use super::open::Open;
use super::opening::Opening;
use super::reactor::Context;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::system::Event;

/// What the loop has to do for a connection after a visit.
pub(super) enum Next {
    /// Nothing, until something happens.
    Wait(Connection),
    /// Another visit soon: there is more to do.
    GoOn(Connection),
    /// Forget it: it has ended.
    End,
}

/// A connection, owned by its event loop.
pub(crate) enum Connection {
    /// Resolving the name, and connecting.
    Dialling(Box<Dialling>),
    /// Connected: a proxy's tunnel, TLS and the opening handshake.
    Opening(Box<Opening>),
    /// Established, until TCP has ended.
    Open(Box<Open>),
}

impl Connection {
    /// Begins to connect, in slot `key`.
    pub(super) fn start(self, context: &mut Context, key: usize) -> Next {
        match self {
            Connection::Dialling(dialling) => dialling.start(context, key),
            started => Next::Wait(started),
        }
    }

    /// When [`expire`](Self::expire) is due.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self {
            Connection::Dialling(dialling) => dialling.deadline(),
            Connection::Opening(opening) => opening.deadline(),
            Connection::Open(open) => open.deadline(),
        }
    }

    pub(super) fn act(self, context: &mut Context, action: Action) -> Next {
        match (self, action) {
            (Connection::Open(open), action) => open.act(context, action),
            (unestablished, Action::Abort) => unestablished.into_seat(context).fail(aborted()),
            // No handle and no listener is left.
            (unestablished, Action::Detach) => {
                unestablished.into_seat(context).drop_link();
                Next::End
            }
            (Connection::Dialling(dialling), Action::Resolved(answer)) => {
                dialling.on_resolved(context, answer)
            }
            (unestablished, _) => Next::Wait(unestablished),
        }
    }

    pub(super) fn on_event(self, context: &mut Context, token: usize, event: &Event) -> Next {
        match self {
            Connection::Dialling(dialling) => dialling.on_event(context, token),
            Connection::Opening(opening) => opening.advance(context),
            Connection::Open(open) => open.on_event(context, event),
        }
    }

    /// The buffered amount that the program sees may have fallen.
    pub(super) fn notify_drained(self) -> Next {
        if let Connection::Open(open) = &self {
            open.seat.notify_drained();
        }
        Next::Wait(self)
    }

    /// Another visit, for what was left to do.
    pub(super) fn go_on(self, context: &mut Context) -> Next {
        match self {
            Connection::Open(open) => open.go_on(context),
            Connection::Opening(opening) => opening.advance(context),
            dialling => Next::Wait(dialling),
        }
    }

    /// The machine or the program woke up.
    pub(super) fn wake_up(self, context: &mut Context) -> Next {
        match self {
            Connection::Open(open) => open.test(context),
            // The connect timeout limits it.
            unestablished => Next::Wait(unestablished),
        }
    }

    /// The deadline has passed at `now`.
    pub(super) fn expire(self, context: &mut Context, now: Instant) -> Next {
        match self {
            Connection::Dialling(dialling) => dialling.expire(context, now),
            Connection::Opening(opening) => opening.expire(context, now),
            Connection::Open(open) => open.expire(context, now),
        }
    }

    /// For a connection that has more to do: whether it has read everything that had arrived
    /// when its deadline passed (S106). A peer that never pauses gains no time by this.
    pub(super) fn is_out_of_time(&mut self) -> bool {
        match self {
            Connection::Open(open) => open.is_out_of_time(),
            // The size of the reply is bounded, and interim replies must not prolong the time.
            Connection::Dialling(_) | Connection::Opening(_) => true,
        }
    }

    /// Leaves its loop. Another loop is to serve it.
    pub(super) fn leave(self, context: &mut Context) -> Self {
        match self {
            Connection::Dialling(dialling) => Connection::Dialling(dialling.leave(context)),
            Connection::Opening(opening) => Connection::Opening(opening.leave(context)),
            Connection::Open(open) => Connection::Open(open.leave(context)),
        }
    }

    /// Continues in slot `key` of another loop.
    pub(super) fn adopt(self, context: &mut Context, key: usize) -> Next {
        match self {
            Connection::Dialling(dialling) => dialling.adopt(context, key),
            Connection::Opening(opening) => opening.adopt(context, key),
            Connection::Open(open) => open.adopt(context, key),
        }
    }

    pub(super) fn handle(&self) -> &Handle {
        match self {
            Connection::Dialling(dialling) => &dialling.seat.handle,
            Connection::Opening(opening) => &opening.seat.handle,
            Connection::Open(open) => &open.seat.handle,
        }
    }

    /// In a forked child: gives up the connection, which belongs to the parent.
    pub(super) fn disown(self) {
        let seat = match self {
            Connection::Dialling(dialling) => dialling.seat,
            Connection::Opening(opening) => opening.seat,
            Connection::Open(open) => open.seat,
        };
        seat.fail(fork::inherited());
    }

    fn into_seat(self, context: &mut Context) -> Seat {
        match self {
            Connection::Dialling(dialling) => dialling.into_seat(context),
            Connection::Opening(opening) => opening.into_seat(context),
            Connection::Open(open) => open.into_seat(context),
        }
    }
}

/// The program closed the socket while it was connecting (S68).
pub(super) fn aborted() -> Failure {
    let message = "the socket was closed before the connection was established";
    Failure::new(ErrorKind::Aborted, message)
}

/// The program's side of a connection, which every phase has: the handle, and the link by
/// which events are reported.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) handle: Arc<Handle>,
    /// `None` once the end was reported, or when nobody listens any more.
    link: Option<Link>,
    /// The slot in the event loop.
    pub(super) key: usize,
    registration: fork::Registration,
}

impl Seat {
    pub(super) fn new(handle: Arc<Handle>, link: Link) -> Self {
        Seat {
            registration: fork::Registration::new(handle.generation(), &link),
            handle,
            link: Some(link),
            key: usize::MAX,
        }
    }

    /// Puts the connection into this slot.
    pub(super) fn sit(&mut self, key: usize) {
        self.key = key;
        self.handle.set_key(key);
    }

    pub(super) fn turn(&self) -> Option<Turn> {
        self.link.as_ref().and_then(Link::turn)
    }

    /// From now on nothing is reported.
    pub(super) fn drop_link(&mut self) {
        self.registration.remove();
        let link = self.link.take();
        guard("what a socket owned", || drop(link));
    }

    /// If the buffered amount has fallen, wakes the tasks that wait for that.
    pub(super) fn notify_drained(&self) {
        if let (Some(link), true) = (&self.link, self.handle.take_drained()) {
            guard("a waker", || link.drained());
        }
    }

    /// Reports that the connection failed, and ends it.
    pub(super) fn fail(mut self, failure: impl Into<Failure>) -> Next {
        self.report_failure(failure.into());
        Next::End
    }

    fn report_failure(&mut self, failure: Failure) {
        if let Some(mut turn) = self.turn() {
            turn.report(Report::Failed(failure.into_event()));
        }
        self.drop_link();
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.handle.detach();
        if self.link.is_some() {
            // Its loop has ended by a panic (S105): nobody may wait for ever.
            let message = "the event loop that served this socket has ended";
            guard("a handler", || {
                self.report_failure(Failure::new(ErrorKind::Unknown, message));
            });
        }
    }
}
