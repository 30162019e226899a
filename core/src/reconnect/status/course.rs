//! The statuses of a socket that connects again: those that are still to be reported, and the
//! streams that get them.
//!
//! A lock and a queue for each stream, and not async-channel. That takes 3.0 times as long for a
//! status that is awaited. A stream has 7.1 kB with it, and 0.4 kB here, and a page becomes 2.8 kB
//! larger. It also wakes under its lock, so a waker that asks for the status would wait for
//! ever, and one that panics would abort the process (S105). `cargo xtask bench queues`.
//!
//! Invariant: only [`Course::stream`] makes a list of streams. So a program without
//! streams of statuses has none of their code.

use std::collections::VecDeque;
use std::fmt;
use std::mem;
use std::sync::{Arc, Weak};

use super::Status;
use crate::base::maybe_send::Lock;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::wake::{StoredWaker, WakeHook};

/// How many statuses a stream keeps that nobody reads.
const KEPT: usize = 64;

/// The statuses that were reported and that are to be, and the streams.
pub(crate) struct Course {
    /// The last one that was reported.
    reported: Status,
    /// The oldest first.
    unreported: VecDeque<Status>,
    streams: Option<Box<dyn StatusStreams>>,
}

/// The streams of a socket's statuses.
trait StatusStreams: Send + Sync {
    fn add(&mut self, queue: &Arc<StatusQueue>);

    /// Hands a status to the streams.
    fn push(&mut self, status: &Status) -> Box<dyn Announcement>;

    /// Whether anybody reads the streams.
    fn are_read(&self) -> bool;
}

/// The second step after a status was given to the streams.
pub(crate) trait Announcement {
    /// Wakes the streams. Called outside every lock.
    fn announce(self: Box<Self>);
}

/// A status that is to be reported.
pub(crate) struct Due {
    pub(crate) status: Status,
    pub(crate) streams: Option<Box<dyn Announcement>>,
    /// The status that this one replaces. It may own an error of the program, so it is dropped
    /// outside the lock that protects the course.
    _before: Status,
}

impl fmt::Debug for Course {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Course").field(self.status()).finish()
    }
}

impl Default for Course {
    fn default() -> Self {
        let first = Status::Connecting { attempt: 1 };
        Course {
            reported: first.clone(),
            unreported: VecDeque::from([first]),
            streams: None,
        }
    }
}

impl Course {
    /// The present status.
    pub(crate) fn status(&self) -> &Status {
        self.unreported.back().unwrap_or(&self.reported)
    }

    pub(crate) fn set(&mut self, status: Status) {
        self.unreported.push_back(status);
    }

    /// Whether the last status was reported.
    pub(crate) fn has_ended(&self) -> bool {
        self.reported.is_end()
    }

    pub(crate) fn stream(&mut self) -> Arc<StatusQueue> {
        let queue = Arc::new(StatusQueue::default());
        // The first one, unless the next turn reports one anyway.
        if self.unreported.is_empty() {
            queue.push(self.reported.clone());
        }
        if !self.has_ended() {
            let new = || Box::new(Vec::<Weak<StatusQueue>>::new()) as Box<dyn StatusStreams>;
            self.streams.get_or_insert_with(new).add(&queue);
        }
        queue
    }

    /// Whether there is a stream that is read.
    pub(crate) fn is_watched(&self) -> bool {
        self.streams
            .as_ref()
            .is_some_and(|streams| streams.are_read())
    }

    /// The next status that was not reported. Gives it to the streams.
    pub(crate) fn next(&mut self) -> Option<Due> {
        let status = self.unreported.pop_front()?;
        let streams = self.streams.as_mut();
        let streams = streams.map(|streams| streams.push(&status));
        if status.is_end() {
            self.streams = None;
        }
        let before = mem::replace(&mut self.reported, status.clone());
        Some(Due {
            status,
            streams,
            _before: before,
        })
    }
}

impl StatusStreams for Vec<Weak<StatusQueue>> {
    fn add(&mut self, queue: &Arc<StatusQueue>) {
        // So a stream that is made and dropped in each frame leaves nothing.
        if self.len() == self.capacity() {
            self.retain(is_read);
            self.reserve(self.len() + 1);
        }
        self.push(Arc::downgrade(queue));
    }

    fn push(&mut self, status: &Status) -> Box<dyn Announcement> {
        self.retain(is_read);
        let queues: Vec<_> = self.iter().filter_map(Weak::upgrade).collect();
        let old = queues.iter().filter_map(|queue| queue.push(status.clone()));
        Box::new(Handed {
            _old: old.collect(),
            queues,
        })
    }

    fn are_read(&self) -> bool {
        self.iter().any(is_read)
    }
}

fn is_read(queue: &Weak<StatusQueue>) -> bool {
    let is_there = |queue: Arc<StatusQueue>| !queue.left.load(Ordering::SeqCst);
    queue.upgrade().is_some_and(is_there)
}

/// The streams that have a status, and are to be announced.
struct Handed {
    queues: Vec<Arc<StatusQueue>>,
    /// Old statuses for which the streams had no room. They are dropped outside the lock.
    _old: Vec<Status>,
}

impl Announcement for Handed {
    fn announce(self: Box<Self>) {
        for queue in &self.queues {
            queue.announce();
        }
    }
}

/// The queue of statuses between the socket and one stream.
#[derive(Debug, Default)]
pub(crate) struct StatusQueue {
    pub(super) inner: Lock<Inner>,
    pub(super) hook: WakeHook,
    /// The stream was dropped.
    pub(super) left: AtomicBool,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    pub(super) statuses: VecDeque<Status>,
    pub(super) ended: bool,
    pub(super) waker: Option<StoredWaker>,
}

impl StatusQueue {
    /// Takes a status. Call [`announce`](StatusQueue::announce) afterwards. Returns the oldest
    /// status if there was no room for it any more.
    fn push(&self, status: Status) -> Option<Status> {
        let mut inner = self.inner.lock();
        inner.ended = status.is_end();
        let full = inner.statuses.len() == KEPT;
        let before = full.then(|| inner.statuses.pop_front()).flatten();
        inner.statuses.push_back(status);
        before
    }

    /// Wakes the stream, and calls its hook. Called outside every lock.
    pub(crate) fn announce(&self) {
        let (waker, ended) = {
            let mut inner = self.inner.lock();
            (inner.waker.take(), inner.ended)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.hook.call();
        if ended {
            self.hook.end();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_is_made_and_dropped_in_each_frame_leaves_nothing() {
        let mut streams = Vec::new();
        let read = Arc::new(StatusQueue::default());
        StatusStreams::add(&mut streams, &read);
        // Miri takes a minute for more.
        let frames = if cfg!(miri) { 200 } else { 10_000 };
        for _ in 0..frames {
            StatusStreams::add(&mut streams, &Arc::default());
        }
        assert!(streams.capacity() < 100, "{}", streams.capacity());
        assert!(streams.are_read());
        drop(read);
        assert!(!streams.are_read());
    }
}
