//! A connection as its event loop sees it: a phase that owns what it needs, and
//! becomes the next phase by value.

use std::sync::Arc;
use std::time::Instant;

use isosocket_core::{ErrorKind, Link, Report, Turn, guard};

use super::dialling::Dialling;
use super::fork;
use super::mailbox::Action;
use super::open::Open;
use super::opening::Opening;
use super::reactor::Context;
use crate::Native;
use crate::failure::Failure;
use crate::handle::Handle;
use crate::system::Event;

/// What a connection needs of the loop next.
pub(super) enum Next {
    /// Nothing, until something happens.
    Wait(Connection),
    /// Another visit soon: there is more to do.
    GoOn(Connection),
    /// Nothing ever.
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
            // Nobody is left who would hear of it.
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
            // It has a timeout.
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

    /// Whether everything was read that had arrived when the deadline passed, for
    /// one that has more to do. A peer that never pauses gains no time by that.
    pub(super) fn is_out_of_time(&mut self) -> bool {
        match self {
            Connection::Open(open) => open.is_out_of_time(),
            // The reply is bounded, and interim replies earn no time.
            Connection::Dialling(_) | Connection::Opening(_) => true,
        }
    }

    /// Leaves its loop, to be served by another one.
    pub(super) fn leave(self, context: &mut Context) -> Self {
        match self {
            Connection::Dialling(dialling) => Connection::Dialling(dialling.leave(context)),
            Connection::Opening(opening) => Connection::Opening(opening.leave(context)),
            Connection::Open(open) => Connection::Open(open.leave(context)),
        }
    }

    /// Goes on in slot `key` of another loop.
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

    /// In a forked child: the connection is the parent's.
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

/// What every phase has: the program's side of the connection.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) handle: Arc<Handle>,
    /// There until the end was reported to the program, or nobody listens.
    link: Option<Link<Native>>,
    /// The slot in the event loop.
    pub(super) key: usize,
    registration: fork::Registration,
}

impl Seat {
    pub(super) fn new(handle: Arc<Handle>, link: Link<Native>) -> Self {
        Seat {
            handle,
            registration: fork::Registration::new(&link),
            link: Some(link),
            key: usize::MAX,
        }
    }

    /// The connection has this slot now.
    pub(super) fn sit(&mut self, key: usize) {
        self.key = key;
        self.handle.set_key(key);
    }

    pub(super) fn turn(&self) -> Option<Turn<Native>> {
        self.link.as_ref().and_then(Link::turn)
    }

    /// Nobody hears of the connection any more.
    pub(super) fn drop_link(&mut self) {
        self.registration.remove();
        let link = self.link.take();
        guard("what a socket owned", || drop(link));
    }

    /// Wakes those who wait for the buffered amount to fall, if it has.
    pub(super) fn notify_drained(&self) {
        if let (Some(link), true) = (&self.link, self.handle.take_drained()) {
            guard("a waker", || link.drained());
        }
    }

    /// Ends: the connection failed.
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
            // Its loop is gone without a word (S105): nobody may wait for ever.
            let message = "the event loop that served this socket has ended";
            guard("a handler", || {
                self.report_failure(Failure::new(ErrorKind::Unknown, message));
            });
        }
    }
}
