//! Reads what has arrived, and gives it to the session. Each visit is bounded in bytes and in
//! time (S110).

use std::io;
use std::mem;
use std::time::Instant;

use super::READ_AHEAD;
use super::facts::TurnFacts;
use crate::driver::reactor::{BUDGET, LOCAL_BUDGET};
use crate::engine::session::{Life, Session};
use crate::net::stream::Stream;
use crate::wire::decoder::Arena;

/// Whether the connection reads what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    On,
    /// A stream of the program is full.
    Paused,
    /// Read until the end of the stream or until reading would block. The system may have
    /// reported the end already, and reports it only once. So a short read does not mean that
    /// there is nothing left.
    ToTheEnd,
}

/// How the reading of one visit ended.
pub(super) enum Found {
    /// Nothing more for now.
    Nothing,
    /// The budget is used up.
    More,
    /// The connection has ended.
    End,
}

/// What one visit needs to read.
pub(super) struct Reader<'a> {
    pub(super) stream: &'a Stream,
    pub(super) session: &'a mut Session,
    pub(super) reading: &'a mut Reading,
    pub(super) leftover: &'a mut Box<[u8]>,
    pub(super) received: &'a mut usize,
    pub(super) receive_limit: usize,
    pub(super) is_local: bool,
    pub(super) arena: &'a mut Arena,
}

impl Reader<'_> {
    /// Reads what has arrived, up to the budget.
    pub(super) fn read(mut self, buffer: &mut [u8], facts: &mut TurnFacts<'_>) -> Found {
        let mut budget = BUDGET;
        // Bytes that are read directly into a large message do not count here.
        let mut local_budget = match self.is_local {
            true => LOCAL_BUDGET,
            false => BUDGET,
        };
        if !self.leftover.is_empty() {
            let bytes = mem::take(self.leftover);
            let now = facts.pacer.now();
            if let Some(found) = self.receive(&bytes, now, facts) {
                return found;
            }
            budget = budget.saturating_sub(bytes.len());
        }
        loop {
            let room = match self.stream.can_append() {
                true => self.session.room(),
                false => None,
            };
            let in_place = room.is_some();
            let (read, wanted) = match room {
                Some((data, most)) => (self.stream.append(data, most), most),
                None => (self.stream.read(buffer), buffer.len()),
            };
            let now = facts.pacer.now();
            let read = match read {
                Ok(0) => return found(self.session.on_end_of_stream(now, facts)),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    // If the stream had ended, this read would have found the end.
                    *self.reading = Reading::On;
                    return Found::Nothing;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    // An interrupted read counts like a full one, so that many of them cannot
                    // delay a deadline for ever (S106).
                    *self.received = self.received.wrapping_add(READ_AHEAD);
                    return Found::More;
                }
                Err(error) => return found(self.session.on_read_error(error, now, facts)),
            };
            facts.handle.restore_credit();
            facts.handle.note_read(now);
            *self.received = self.received.wrapping_add(read);
            let stopped = match in_place {
                true => match self.session.appended(read, now, facts) {
                    Life::Over => Some(Found::End),
                    Life::Alive => None,
                },
                false => self.receive(&buffer[..read], now, facts),
            };
            if let Some(found) = stopped {
                return found;
            }
            if self.session.may_pause() && facts.is_backlogged(self.receive_limit) {
                *self.reading = Reading::Paused;
                facts.handle.note_pause();
                return Found::Nothing;
            }
            let short = read < wanted && *self.reading == Reading::On;
            if short && self.stream.short_read_means_empty() {
                return Found::Nothing;
            }
            let used = read.max(self.arena.take_inflated());
            budget = budget.saturating_sub(used);
            if !in_place {
                local_budget = local_budget.saturating_sub(used);
            } else if self.is_local && self.session.room().is_none() {
                // A large message is complete. The program shall take it before the next one
                // needs memory.
                return Found::More;
            }
            if budget == 0 || local_budget == 0 || facts.pacer.is_over() {
                return Found::More;
            }
        }
    }

    /// Gives bytes to the session. Returns `None` if this visit may go on reading.
    fn receive(&mut self, bytes: &[u8], now: Instant, facts: &mut TurnFacts<'_>) -> Option<Found> {
        let (used, life) = self.session.receive(bytes, now, self.arena, facts);
        if life == Life::Over {
            return Some(Found::End);
        }
        if used == bytes.len() {
            return None;
        }
        *self.leftover = bytes[used..].into();
        if self.session.may_pause() && facts.is_backlogged(self.receive_limit) {
            *self.reading = Reading::Paused;
            facts.handle.note_pause();
            return Some(Found::Nothing);
        }
        Some(Found::More)
    }
}

fn found(life: Life) -> Found {
    match life {
        Life::Alive => Found::Nothing,
        Life::Over => Found::End,
    }
}
