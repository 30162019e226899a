//! Writing: the write token, and what its holder does with it.

use std::io;
use std::sync::TryLockError;

use super::spares::recycle;
use super::{ENDED, Flushed, Follow, Handle, Writer};
use crate::engine::send::{Outgoing, Taken};
use crate::net::stream::Stream;
use crate::random;
use crate::sync::TryMutexGuard;
use crate::sync::atomic::{Ordering, fence};

impl Handle {
    /// Writes what is pending, about `budget` bytes at most. For the event loop.
    pub(crate) fn flush(&self, budget: usize) -> Flushed {
        let Some(mut writer) = self.try_writer() else {
            return Flushed::Busy;
        };
        let was_full = self.full.swap(false, Ordering::Relaxed);
        let (mut budget, before) = (budget, self.written());
        let flushed = self.write_pending(&mut writer, &mut budget);
        Handle::give_back(writer);
        if let Some(life) = self.life().filter(|_| was_full && self.written() != before) {
            life.note_progress();
        }
        let flushed = match flushed {
            Ok(flushed) => flushed,
            Err(error) => {
                self.stop_writing();
                return Flushed::Failed(error);
            }
        };
        match (self.take_wanted(), flushed) {
            (true, Flushed::Done) => Flushed::More,
            (_, flushed) => flushed,
        }
    }

    /// Writes what waits in the queue and what was taken out of it before.
    fn write_pending(&self, writer: &mut Writer, budget: &mut usize) -> io::Result<Flushed> {
        let Some(stream) = writer.stream.clone() else {
            return Ok(Flushed::Done);
        };
        let mut last = None;
        loop {
            {
                let mut queue = self.lock_queue();
                queue.asked = false;
                match &mut writer.outgoing {
                    Some(outgoing) => outgoing.take_urgent(&mut queue.frames, random::bytes()),
                    none => *none = Outgoing::take(&mut queue.frames),
                }
            }
            let Some(outgoing) = &mut writer.outgoing else {
                break;
            };
            if outgoing.front().is_empty() {
                if let (Some(outgoing), Some(chunk)) = (writer.outgoing.take(), last.take()) {
                    last = outgoing.give_back(&mut self.lock_queue().frames, chunk);
                }
                continue;
            }
            if *budget == 0 {
                return Ok(Flushed::More);
            }
            match self.write_front(&stream, outgoing)? {
                None => return Ok(Flushed::Full),
                Some((written, chunk)) => {
                    *budget = budget.saturating_sub(written);
                    if let Some(chunk) = chunk {
                        if let Some(before) = last.replace(chunk) {
                            recycle(before);
                        }
                    }
                }
            }
        }
        if let Some(chunk) = last {
            recycle(chunk);
        }
        match stream.flush_tls() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.full.store(true, Ordering::Relaxed);
                Ok(Flushed::Full)
            }
            Err(error) => Err(error),
            Ok(()) => Ok(Flushed::Done),
        }
    }

    /// Writes once. Returns how much was written, and a chunk that is not needed
    /// any more; `None` if the stream is full.
    pub(super) fn write_front(
        &self,
        stream: &Stream,
        outgoing: &mut Outgoing,
    ) -> io::Result<Option<(usize, Option<Vec<u8>>)>> {
        match stream.write(outgoing.front()) {
            Ok(written) => {
                let mut taken = Taken::default();
                let chunk = outgoing.advance(written, &mut taken);
                self.note_written(taken, written);
                Ok(Some((written, chunk)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                outgoing.stick();
                self.full.store(true, Ordering::Relaxed);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// The write token, unless another thread has it. That thread then sees that it was
    /// wanted.
    fn try_writer(&self) -> Option<TryMutexGuard<'_, Writer>> {
        self.try_token().or_else(|| {
            self.wanted.store(true, Ordering::SeqCst);
            // The holder may have checked just before, so this tries once more. A lock that
            // was tried in vain orders nothing, so the fence does: either this sees that the
            // token was given back, or the holder sees that it is wanted.
            fence(Ordering::SeqCst);
            self.try_token()
        })
    }

    pub(super) fn try_token(&self) -> Option<TryMutexGuard<'_, Writer>> {
        match self.writer.try_lock() {
            Ok(writer) => Some(writer),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Gives the token back. What others store before they try it in vain is seen after
    /// this.
    pub(super) fn give_back(writer: TryMutexGuard<'_, Writer>) {
        drop(writer);
        // See `try_writer`.
        fence(Ordering::SeqCst);
    }

    /// Whether another thread tried to get the token in vain. Called after it was given back.
    fn take_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst) && self.wanted.swap(false, Ordering::SeqCst)
    }

    /// Whether the stream was full, so that an event about room in it matters. Also true while
    /// another thread writes, because it is not known then.
    pub(crate) fn may_need_room(&self) -> bool {
        self.try_token()
            .is_none_or(|writer| writer.outgoing.is_some() || self.full.load(Ordering::Relaxed))
    }

    /// Whether anything waits to be written.
    pub(crate) fn has_pending(&self) -> bool {
        if self.lock_queue().frames.has_frames() {
            return true;
        }
        self.try_token()
            .is_none_or(|writer| writer.outgoing.is_some())
    }

    /// The network has accepted so much. Called by the holder of the write token.
    #[inline]
    pub(super) fn note_written(&self, taken: Taken, written: usize) {
        self.amounts.take(taken, written);
        if let Some(life) = self.life().filter(|_| written > 0) {
            life.note_write();
        }
    }

    /// Nothing can be written any more. What was queued stays in the amounts (S51).
    pub(super) fn stop_writing(&self) {
        let waiting = self.lock_queue().frames.shut();
        drop(waiting);
        // Another thread that holds the token drops the rest when it is done.
        fence(Ordering::SeqCst);
        if let Some(mut writer) = self.try_token() {
            let before = std::mem::take(&mut *writer);
            drop(writer);
            drop(before);
        }
    }

    /// Called by a program's thread after it gave the token back.
    pub(super) fn after_write(&self) -> Follow {
        if self.key.load(Ordering::SeqCst) == ENDED {
            self.stop_writing();
        }
        // Only the loop wakes those who wait until little is buffered.
        match self.take_wanted() || self.is_drained() {
            true => Follow::Flush,
            false => Follow::Nothing,
        }
    }
}
