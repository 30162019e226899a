//! The third phase of a connection: it is established, until TCP has ended.
//!
//! This file writes, `reader.rs` reads, and the engine's [`Session`] decides. What it decides
//! goes to the program by `facts.rs`. No lock is held meanwhile. Each visit is bounded in bytes
//! and in time, so that other sockets get their turn (S110).

#![allow(
    clippy::boxed_local,
    reason = "phases are boxed, and become the next one by value"
)]

mod facts;
mod reader;

use std::io;
use std::mem;
use std::sync::Arc;
use std::time::Instant;

use isosocket_core::{Report, logging};

use super::connection::{Connection, Next, Seat, aborted};
use super::mailbox::Action;
use super::opening::{Wire, share};
use super::reactor::{BUDGET, Context};
use crate::engine::closing::State;
use crate::engine::handshake::Reply;
use crate::engine::session::{Facts, Life, Session, SessionOptions};
use crate::handle::{Agreement, Flushed, Packer};
use crate::net::stream::Stream;
use crate::system::{self, Event, TcpStream};
use facts::TurnFacts;
use reader::{Found, Reader, Reading};

/// The most that may be read and not yet decoded, in bytes.
const READ_AHEAD: usize = 128 << 10;

#[derive(Debug)]
pub(crate) struct Open {
    pub(super) seat: Seat,
    stream: Arc<Stream>,
    token: usize,
    session: Session,
    receive_limit: usize,
    reading: Reading,
    /// Bytes that were read, but not decoded when the budget was used up.
    leftover: Box<[u8]>,
    /// How many bytes the network had accepted when the deadline was set.
    written: usize,
    /// How many bytes were read in all. It may wrap.
    received: usize,
    /// A deadline that has passed, and the value that `received` must reach before the deadline
    /// counts (S106).
    overdue: Option<Box<(Instant, usize)>>,
}

/// Idle sockets must be small, so fields that few of them need are boxed. Apple's locks are
/// larger than those of other systems, and so are loom's.
#[cfg(all(target_pointer_width = "64", not(isosocket_loom)))]
const _: () = assert!(
    size_of::<Open>() <= 208
        && (size_of::<crate::handle::Handle>() <= 192 || size_of::<std::sync::Mutex<()>>() > 8)
);

impl Open {
    /// Makes the phase of a connection that was just established, and what it reports first.
    pub(super) fn establish(
        seat: Seat,
        wire: Wire,
        reply: Reply,
        options: &SessionOptions,
    ) -> Established {
        let Reply {
            established,
            agreed,
            response,
        } = reply;
        let inflater = agreed.as_ref().map(|agreed| agreed.inflater());
        let agreement = Agreement {
            packer: agreed.as_ref().map(Packer::new),
            response,
        };
        let (stream, token) = share(wire);
        let session = Session::new(options, inflater, system::now());
        let notes_life = session.keeps_alive() || isosocket_core::watches_life();
        seat.handle.attach(stream.clone(), agreement, notes_life);
        let open = Box::new(Open {
            seat,
            stream,
            token,
            session,
            receive_limit: options.receive_limit,
            reading: Reading::ToTheEnd,
            leftover: Box::default(),
            written: 0,
            received: 0,
            overdue: None,
        });
        Established { open, established }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.session.deadline(self.reading == Reading::Paused)
    }

    pub(super) fn on_event(mut self: Box<Self>, context: &mut Context, event: &Event) -> Next {
        let ended = event.is_read_closed() || event.is_error();
        if ended && self.reading == Reading::On {
            self.reading = Reading::ToTheEnd;
        }
        let reads = event.is_readable() || ended;
        // The system reports room with nearly every event.
        match event.is_writable() {
            true if self.seat.handle.may_need_room() => self.flush_and(context, reads),
            true if !reads => Next::Wait(Connection::Open(self)),
            _ => self.read(context),
        }
    }

    /// Another visit, for what was left to do.
    pub(super) fn go_on(self: Box<Self>, context: &mut Context) -> Next {
        match self.seat.handle.has_pending() {
            true => self.flush_and(context, true),
            false => self.read(context),
        }
    }

    pub(super) fn act(mut self: Box<Self>, context: &mut Context, action: Action) -> Next {
        match action {
            // A late answer of the resolver. The name is not needed any more.
            Action::Resolved(_) => Next::Wait(Connection::Open(self)),
            Action::Flush => self.flush_and(context, false),
            Action::Close => {
                self.session.close(system::now());
                self.resume();
                let mut next = self.flush_and(context, true);
                if let Next::Wait(Connection::Open(open)) | Next::GoOn(Connection::Open(open)) =
                    &mut next
                {
                    // The system's buffer accepts bytes at once, so those are no sign of life.
                    open.written = open.seat.handle.written();
                }
                next
            }
            Action::Abort => self.into_seat(context).fail(aborted()),
            Action::WriteFailed(error) => self.on_write_error(context, error),
            Action::Resume => {
                self.resume();
                self.session.accepted(system::now());
                self.read(context)
            }
            Action::Detach => {
                self.seat.drop_link();
                self.session.abandon(system::now());
                Next::Wait(Connection::Open(self))
            }
        }
    }

    /// The machine or the program woke up: tests whether the peer is still there.
    pub(super) fn test(mut self: Box<Self>, context: &mut Context) -> Next {
        // While it does not read, it would not see an answer.
        if !self.session.keeps_alive() || self.reading == Reading::Paused {
            return Next::Wait(Connection::Open(self));
        }
        let (latency, now) = (self.seat.handle.latency(), system::now());
        let ((), queued) = self.with_facts(|session, facts| session.test(latency, now, facts));
        self.after(context, Life::Alive, queued)
    }

    pub(super) fn expire(mut self: Box<Self>, context: &mut Context, now: Instant) -> Next {
        if let Some(when) = self.seat.handle.last_write(self.session.is_testing()) {
            self.session.accepted(when);
        }
        let written = self.seat.handle.written();
        let progress = mem::replace(&mut self.written, written) != written;
        let (life, queued) = self.with_facts(|session, facts| session.expire(progress, now, facts));
        self.after(context, life, queued)
    }

    /// Whether it has read everything that had arrived when the deadline passed (S106).
    pub(super) fn is_out_of_time(&mut self) -> bool {
        let Some(deadline) = self.deadline() else {
            return false;
        };
        match self.overdue.as_deref() {
            Some(&(known, left)) if known == deadline => {
                // `received` may wrap: what counts is the sign of the difference.
                self.received.wrapping_sub(left) <= usize::MAX / 2
            }
            _ => {
                // What has arrived is at most the system's buffer and ours.
                let arrived = self.stream.receive_buffer() + READ_AHEAD;
                self.overdue = Some(Box::new((deadline, self.received.wrapping_add(arrived))));
                false
            }
        }
    }

    fn resume(&mut self) {
        if self.reading == Reading::Paused {
            self.seat.handle.note_read(system::now());
            // The end may have come meanwhile. It is found by reading on.
            self.reading = Reading::ToTheEnd;
        }
    }

    /// Calls `f` with the session and with a turn in which it can report. This is for all
    /// calls but those while reading. Also returns whether the session queued a frame.
    fn with_facts<R>(
        &mut self,
        f: impl FnOnce(&mut Session, &mut TurnFacts<'_>) -> R,
    ) -> (R, bool) {
        let mut turn = self.seat.turn();
        let mut facts = TurnFacts::new(&self.seat.handle, turn.as_mut());
        let result = f(&mut self.session, &mut facts);
        let queued = facts.queued;
        drop(turn);
        (result, queued)
    }

    /// Writes what the session has queued; or ends, if the session is over.
    fn after(mut self: Box<Self>, context: &mut Context, life: Life, queued: bool) -> Next {
        match life {
            Life::Over => self.finish(context),
            Life::Alive => {
                if self.session.is_reported() {
                    self.seat.drop_link();
                }
                match queued {
                    true => self.flush_and(context, false),
                    false => Next::Wait(Connection::Open(self)),
                }
            }
        }
    }

    /// Ends the connection. The end was reported already.
    fn finish(self: Box<Self>, context: &mut Context) -> Next {
        self.into_seat(context).drop_link();
        Next::End
    }

    // Reading.

    /// Reads what has arrived, up to the budget, and writes the answers.
    fn read(mut self: Box<Self>, context: &mut Context) -> Next {
        if self.reading == Reading::Paused {
            return Next::Wait(Connection::Open(self));
        }
        // The buffer is taken out of the loop meanwhile. No handler can call this function
        // again.
        let mut lent = mem::take(&mut context.buffer);
        let mut turn = self.seat.turn();
        let (found, queued) = {
            let mut facts = TurnFacts::new(&self.seat.handle, turn.as_mut());
            let found = Reader {
                stream: &self.stream,
                session: &mut self.session,
                reading: &mut self.reading,
                leftover: &mut self.leftover,
                received: &mut self.received,
                receive_limit: self.receive_limit,
                is_local: context.is_local,
                arena: &mut context.arena,
            }
            .read(lent.as_mut_slice(), &mut facts);
            facts.report_slow();
            (found, facts.queued)
        };
        drop(turn);
        context.buffer = lent;
        let next = match found {
            Found::Nothing => self.after(context, Life::Alive, queued),
            Found::End => return self.finish(context),
            Found::More => self.after(context, Life::Alive, queued),
        };
        match (next, found) {
            (Next::Wait(connection), Found::More) => Next::GoOn(connection),
            (next, _) => next,
        }
    }

    // Writing.

    /// Writes what is pending, up to the budget. Then reads, if `read` is set.
    fn flush_and(self: Box<Self>, context: &mut Context, read: bool) -> Next {
        let flushed = self.seat.handle.flush(BUDGET);
        self.seat.notify_drained();
        let more = match flushed {
            Flushed::More => true,
            Flushed::Failed(error) => return self.on_write_error(context, error),
            Flushed::Done => {
                if self.session.state() == State::Failing {
                    // Everything is written. Now it waits for the peer to end its side, because a
                    // reset could destroy what is still on its way.
                    self.stream.shutdown_write();
                }
                false
            }
            Flushed::Full | Flushed::Busy => false,
        };
        let next = match read {
            true => self.read(context),
            false => Next::Wait(Connection::Open(self)),
        };
        match next {
            Next::Wait(connection) if more => Next::GoOn(connection),
            next => next,
        }
    }

    /// Writing failed. Data that the peer sent before may still be read (S109).
    fn on_write_error(mut self: Box<Self>, context: &mut Context, error: io::Error) -> Next {
        let now = system::now();
        let (life, _) = self.with_facts(|session, facts| session.on_write_error(error, now, facts));
        match life {
            Life::Over => self.finish(context),
            Life::Alive => {
                // The system reports the end only once.
                self.reading = Reading::ToTheEnd;
                self.read(context)
            }
        }
    }

    // Between loops.

    pub(super) fn into_seat(self: Box<Self>, context: &mut Context) -> Seat {
        context.release(self.token);
        self.seat
    }

    pub(super) fn leave(self: Box<Self>, context: &mut Context) -> Box<Self> {
        let token = self.token;
        self.move_stream(|tcp| {
            context.deregister(tcp, token)?;
            Ok(token)
        })
    }

    pub(super) fn adopt(mut self: Box<Self>, context: &mut Context, key: usize) -> Next {
        context.keeps_alive |= self.session.keeps_alive();
        self.seat.sit(key);
        self = self.move_stream(|tcp| context.register(tcp, key));
        self.resume_after_move(context)
    }

    fn resume_after_move(mut self: Box<Self>, context: &mut Context) -> Next {
        if self.reading == Reading::On {
            self.reading = Reading::ToTheEnd;
        }
        self.flush_and(context, true)
    }

    /// Calls `f` with the stream while no other thread uses it.
    fn move_stream(
        mut self: Box<Self>,
        f: impl FnOnce(&mut TcpStream) -> io::Result<usize>,
    ) -> Box<Self> {
        let Open {
            seat,
            stream,
            token,
            ..
        } = &mut *self;
        seat.handle.with_stream(|shared| {
            *shared = None;
            let moved = match Arc::get_mut(stream) {
                Some(stream) => f(stream.tcp_mut()),
                None => Err(io::Error::other("another thread uses the stream")),
            };
            match moved {
                Ok(new) => *token = new,
                // There will be no events. The next write or deadline ends the connection.
                Err(error) => {
                    logging(|| log::error!("a socket cannot move to another loop: {error}"));
                }
            }
            *shared = Some(stream.clone());
        });
        self
    }
}

/// A connection that was just established.
pub(super) struct Established {
    open: Box<Open>,
    established: Report,
}

impl Established {
    /// Reports it, and handles the bytes that came right after the reply (S36).
    pub(super) fn begin(self, context: &mut Context, rest: &[u8]) -> Next {
        let Established {
            mut open,
            established,
        } = self;
        let mut unused = 0;
        context.keeps_alive |= open.session.keeps_alive();
        let arena = &mut context.arena;
        let (life, queued) = open.with_facts(|session, facts| {
            facts.report(established);
            let (used, life) = session.receive(rest, system::now(), arena, facts);
            unused = rest.len() - used;
            life
        });
        open.leftover = rest[rest.len() - unused..].into();
        match open.after(context, life, queued) {
            Next::Wait(connection) => Next::GoOn(connection),
            next => next,
        }
    }
}
