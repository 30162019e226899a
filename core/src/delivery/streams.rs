//! The streams among a socket's listeners, at the delivering thread.
//!
//! Invariant: only a [`Tap`] that joins makes a list of streams. So a program without
//! streams has none of their code.

use std::mem;
use std::sync::Arc;

use crate::base::maybe_send::Lock;
use crate::base::rare::Rare;
use crate::base::sync::atomic::{AtomicBool, Ordering};
use crate::wake::{StoredWaker, WakeHook};
use crate::{Event, MaybeSend};

/// What a letter does with the streams of a socket: one joins them, for instance.
pub(crate) trait Join: MaybeSend {
    fn join(self: Box<Self>, streams: &mut Rare<Box<dyn Streams>>);
}

crate::feature!(Box<dyn Join>, Box<dyn Streams>);

/// All streams of a socket: at least one.
pub(crate) trait Streams: MaybeSend {
    fn add(&mut self, stream: Tap);

    /// Takes the event for the last stream. The others get a clone.
    fn push(&mut self, event: &mut Event);

    /// The turn ends.
    fn flush(&mut self);

    /// `Close` was delivered.
    fn end(&mut self);

    /// Whether one of them holds more than `limit` bytes that nobody has read. If so, that
    /// one resumes the transport when somebody reads them.
    fn pause_above(&mut self, limit: usize) -> bool;

    /// Drops those that nobody can read any more. Returns whether some are left.
    fn sweep(&mut self) -> bool;
}

impl Streams for Vec<Tap> {
    fn add(&mut self, stream: Tap) {
        Vec::push(self, stream);
    }

    fn push(&mut self, event: &mut Event) {
        if let Some((last, others)) = self.split_last_mut() {
            for stream in others {
                stream.batch.take(&mut event.clone());
            }
            last.batch.take(event);
        }
    }

    fn flush(&mut self) {
        for stream in self {
            if !stream.batch.is_empty() {
                stream.queue.push(&mut stream.batch);
            }
        }
    }

    fn end(&mut self) {
        for stream in self {
            stream.queue.end();
        }
    }

    fn pause_above(&mut self, limit: usize) -> bool {
        let mut full = false;
        for stream in self {
            full |= stream.queue.pause_above(limit);
        }
        full
    }

    fn sweep(&mut self) -> bool {
        self.retain(|stream| stream.queue.live.load(Ordering::Acquire));
        !self.is_empty()
    }
}

/// The delivering thread's side of a stream. It collects the events of a turn.
pub(crate) struct Tap {
    queue: Arc<Queue>,
    batch: Batch,
}

impl Tap {
    pub(crate) fn new(queue: Arc<Queue>) -> Self {
        Tap {
            queue,
            batch: Batch::default(),
        }
    }
}

impl Join for Tap {
    fn join(self: Box<Self>, streams: &mut Rare<Box<dyn Streams>>) {
        let new = || Box::new(Vec::<Tap>::with_capacity(1)) as Box<dyn Streams>;
        streams.get_or_insert_with(new).add(*self);
    }
}

/// Calls a hook that was set late for what it missed.
pub(crate) struct Announce(pub(crate) Arc<Queue>);

impl Join for Announce {
    fn join(self: Box<Self>, _: &mut Rare<Box<dyn Streams>>) {
        self.0.hook.call();
    }
}

/// What a turn has for one stream.
#[derive(Default)]
struct Batch {
    events: Vec<Event>,
    /// What the messages among them count for.
    bytes: usize,
}

impl Batch {
    /// Takes an event out of its place, and moves it only once.
    #[inline]
    fn take(&mut self, event: &mut Event) {
        self.bytes += event.weight();
        // Most turns have one event, and a stream that waits keeps the memory for it.
        if self.events.capacity() == 0 {
            self.events = Vec::with_capacity(1);
        }
        self.events.push(mem::replace(event, Event::Open));
    }

    fn is_empty(&self) -> bool {
        self.events.is_empty()
    }
}

/// What stands between the turns of a socket and one stream. A turn fills it once, and the
/// stream empties it at one go: one lock and one wake-up for a batch.
pub(crate) struct Queue {
    pub(crate) inner: Lock<Inner>,
    pub(crate) hook: WakeHook,
    pub(crate) filled: AtomicBool,
    /// Whether there is still a stream.
    pub(crate) live: AtomicBool,
}

#[derive(Default)]
pub(crate) struct Inner {
    pub(crate) events: Vec<Event>,
    pub(crate) bytes: usize,
    pub(crate) paused: bool,
    pub(crate) ended: bool,
    pub(crate) waker: Option<StoredWaker>,
}

impl Inner {
    pub(crate) fn is_over(&self) -> bool {
        self.ended && self.events.is_empty()
    }
}

impl Queue {
    pub(crate) fn new() -> Self {
        Queue {
            inner: Lock::default(),
            hook: WakeHook::default(),
            filled: AtomicBool::new(false),
            live: AtomicBool::new(true),
        }
    }

    /// Moves a batch into the queue and wakes the stream.
    fn push(&self, batch: &mut Batch) {
        let (waker, is_live) = {
            let mut inner = self.inner.lock();
            if self.live.load(Ordering::Acquire) {
                inner.bytes += batch.bytes;
                if inner.events.is_empty() {
                    mem::swap(&mut inner.events, &mut batch.events);
                } else {
                    inner.events.append(&mut batch.events);
                }
                self.filled.store(true, Ordering::Release);
                (inner.waker.take(), true)
            } else {
                (None, false)
            }
        };
        batch.events.clear();
        batch.bytes = 0;
        if let Some(waker) = waker {
            waker.wake();
        }
        if is_live {
            self.hook.call();
        }
    }

    /// Nothing will come any more; also for a stream that begins after `Close`.
    fn end(&self) {
        let waker = {
            let mut inner = self.inner.lock();
            inner.ended = true;
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        self.hook.end();
    }

    /// Whether more than `limit` bytes wait here; notes that reading pauses.
    fn pause_above(&self, limit: usize) -> bool {
        let mut inner = self.inner.lock();
        inner.paused = inner.bytes > limit;
        inner.paused
    }
}
