//! What a reconnecting socket is doing, for programs that show or log it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use super::Loss;
use crate::base::guard::{drop_guarded, guard};
use crate::base::maybe_send::Lock;
use crate::delivery::bind::ListenerOwner;
use crate::wake::{StoredWaker, WakeHook};
use crate::{MaybeSend, SharedCell};

/// How many statuses a stream keeps that nobody reads.
const KEPT: usize = 64;

/// What a reconnecting socket is doing.
///
/// First it is `Connecting`, and then `Open` if the attempt succeeds. After a loss or a
/// failed attempt it is `Waiting`, and then `Connecting` again. The last status is
/// `GaveUp` or `Closed`. Each status is reported before its event: the status `Open`
/// before the event `Open`, and the last one before `Error` and `Close`.
///
/// ```
/// use isosocket::{Reconnecting, Status};
///
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/");
/// let socket = Reconnecting::new("ws://peer/")?;
/// # network.run();
/// let light = match socket.status() {
///     Status::Open => "green",
///     Status::Connecting { .. } | Status::Waiting { .. } => "yellow",
///     _ => "red",
/// };
/// # assert_eq!(light, "green");
/// # Ok::<(), isosocket::NewError>(())
/// ```
///
#[doc = concat!(
    "Guide: [sockets that connect again](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/reconnecting/)."
)]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// An attempt is under way: first the URL provider runs, if there is one, and then
    /// the socket connects.
    Connecting {
        /// The number of the attempt in a row, counted from 1. Counting starts again
        /// after a connection that was open for the
        /// [minimum uptime](crate::Builder::min_uptime).
        attempt: u32,
    },
    /// There is a connection.
    Open,
    /// There is no connection, and the next attempt starts later.
    Waiting {
        /// Which attempt in a row the next one is.
        attempt: u32,
        /// How long the wait is in all.
        delay: Duration,
        /// How the connection or attempt before ended.
        loss: Loss,
    },
    /// There is none, and there will be none.
    GaveUp(Loss),
    /// The program closed the socket.
    Closed,
}

impl Status {
    /// Whether it is the last one.
    ///
    /// ```
    /// use isosocket::Status;
    ///
    /// assert!(Status::Closed.is_end());
    /// assert!(!Status::Open.is_end());
    /// ```
    pub fn is_end(&self) -> bool {
        matches!(self, Status::GaveUp(_) | Status::Closed)
    }
}

/// A reconnecting socket's statuses as a [`Stream`]: first the present one, then
/// each that follows; it ends with the socket.
///
/// It does not keep the socket open. A stream that nobody reads keeps the last
/// 64.
///
/// ```
/// # use isosocket::{Reconnecting, mock::Network};
/// use isosocket::Status;
/// # let network = Network::new();
/// # network.peer("ws://peer/").drop_connection();
/// # network.peer("ws://peer/").accept();
/// # network.block_on(async {
/// let socket = Reconnecting::new("ws://peer/")?;
/// let mut statuses = socket.statuses();
/// while let Some(status) = statuses.next().await {
///     println!("{status:?}");
///     if status == Status::Open {
///         socket.close();
///     }
/// }
/// # Ok::<(), isosocket::NewError>(())
/// # }).unwrap();
/// # network.finish();
/// ```
pub struct Statuses {
    queue: Arc<StatusQueue>,
    /// Hears when the stream is dropped.
    socket: Weak<dyn ListenerOwner>,
    /// Has a hook that was set late called, on the thread that calls handlers.
    soon: Box<dyn Fn(Arc<StatusQueue>) + Send + Sync>,
}

impl Statuses {
    pub(crate) fn new(
        queue: Arc<StatusQueue>,
        socket: Weak<dyn ListenerOwner>,
        soon: Box<dyn Fn(Arc<StatusQueue>) + Send + Sync>,
    ) -> Self {
        Statuses {
            queue,
            socket,
            soon,
        }
    }

    /// The next status, if there is one now: for frame loops.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept();
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// let mut statuses = socket.statuses();
    /// # network.run();
    /// // Once a frame:
    /// while let Some(status) = statuses.try_next() {
    ///     println!("{status:?}");
    /// }
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn try_next(&mut self) -> Option<Status> {
        self.queue.inner.lock().statuses.pop_front()
    }

    /// Has `hook` called each time a status has come that
    /// [`try_next`](Statuses::try_next) can read now: for frame loops that sleep
    /// while nothing happens. It is as
    /// [`Events::set_wake_hook`](crate::Events::set_wake_hook): what waits already is
    /// announced too, the hook is not called inside this call, and a hook that was
    /// set before is replaced.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("down");
    /// use std::sync::mpsc;
    /// use isosocket::Reconnecting;
    ///
    /// let (sender, frames) = mpsc::channel();
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// let mut statuses = socket.statuses();
    /// statuses.set_wake_hook(move || drop(sender.send("repaint")));
    /// # network.run();
    /// // .. once the server has refused:
    /// while frames.try_recv().is_ok() {
    ///     while let Some(status) = statuses.try_next() {
    ///         println!("{status:#}");
    ///     }
    /// }
    /// # assert!(matches!(socket.status(), isosocket::Status::Waiting { .. }));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// ## Platform-specific
    /// - **Native:** called on the event-loop thread.
    pub fn set_wake_hook(&mut self, hook: impl FnMut() + MaybeSend + 'static) {
        self.queue.hook.set(hook);
        if !self.queue.inner.lock().statuses.is_empty() {
            (self.soon)(self.queue.clone());
        }
    }

    /// Waits for the next status; `None` after the last one.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").refuse("down");
    /// # network.peer("ws://peer/").accept();
    /// # network.block_on(async {
    /// # let socket = isosocket::Reconnecting::new("ws://peer/").unwrap();
    /// use isosocket::Status;
    ///
    /// // Until there is a connection, or never will be.
    /// let mut statuses = socket.statuses();
    /// while let Some(status) = statuses.next().await {
    ///     if status == Status::Open || status.is_end() {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(socket.status(), Status::Open);
    /// # });
    /// ```
    #[allow(
        clippy::should_implement_trait,
        reason = "it is StreamExt::next, for programs without that trait"
    )]
    pub fn next(&mut self) -> impl Future<Output = Option<Status>> + '_ {
        poll_fn(|context| self.poll(context))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Status>> {
        // Cloned before the lock is taken; the one before is dropped after it is released.
        let waker = StoredWaker::clone_of(context.waker());
        let (polled, _before) = {
            let mut inner = self.queue.inner.lock();
            match inner.statuses.pop_front() {
                None if !inner.ended => (Poll::Pending, inner.waker.replace(waker)),
                status => (Poll::Ready(status), Some(waker)),
            }
        };
        polled
    }
}

impl Stream for Statuses {
    type Item = Status;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Status>> {
        self.get_mut().poll(context)
    }
}

impl FusedStream for Statuses {
    /// Whether the last status was yielded.
    fn is_terminated(&self) -> bool {
        let inner = self.queue.inner.lock();
        inner.ended && inner.statuses.is_empty()
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statuses")
    }
}

impl Drop for Statuses {
    fn drop(&mut self) {
        self.queue.left.store(true, Ordering::SeqCst);
        // The waker may own the task that owned this stream, so it is dropped here.
        let waker = self.queue.inner.lock().waker.take();
        drop(waker);
        self.queue.hook.end();
        if let Some(socket) = self.socket.upgrade() {
            socket.listener_left();
        }
    }
}

/// What stands between the socket and one stream.
#[derive(Debug, Default)]
pub(crate) struct StatusQueue {
    inner: Lock<Inner>,
    hook: WakeHook,
    /// The stream was dropped.
    left: AtomicBool,
}

#[derive(Debug, Default)]
struct Inner {
    statuses: VecDeque<Status>,
    ended: bool,
    waker: Option<StoredWaker>,
}

impl StatusQueue {
    /// Takes a status, which is to be [announced](StatusQueue::announce) then. Gives
    /// back the one that has no room any more.
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

/// The present status, the statuses to report, and the streams.
#[derive(Debug)]
pub(crate) struct Course {
    status: Status,
    untold: VecDeque<Status>,
    told: Status,
    streams: Vec<Weak<StatusQueue>>,
    /// Statuses that nobody needs any more. A status may own an error of the program,
    /// so it is dropped outside the lock that protects this.
    old: Vec<Status>,
}

/// A status that is to be reported.
pub(crate) struct Told {
    pub(crate) status: Status,
    /// The streams that have it, and are to be announced.
    pub(crate) streams: Vec<Arc<StatusQueue>>,
    /// To be dropped.
    _old: Vec<Status>,
}

impl Default for Course {
    fn default() -> Self {
        let status = Status::Connecting { attempt: 1 };
        Course {
            untold: VecDeque::from([status.clone()]),
            told: status.clone(),
            status,
            streams: Vec::new(),
            old: Vec::new(),
        }
    }
}

impl Course {
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn set(&mut self, status: Status) {
        let before = mem::replace(&mut self.status, status.clone());
        self.old.push(before);
        self.untold.push_back(status);
    }

    pub(crate) fn stream(&mut self) -> Arc<StatusQueue> {
        let queue = Arc::new(StatusQueue::default());
        // The first one, unless the next turn tells it anyway.
        if self.untold.front() != Some(&self.told) {
            queue.push(self.told.clone());
        }
        if !queue.inner.lock().ended {
            // So a stream that is made and dropped in each frame leaves nothing.
            if self.streams.len() == self.streams.capacity() {
                self.streams.retain(is_read);
                self.streams.reserve(self.streams.len() + 1);
            }
            self.streams.push(Arc::downgrade(&queue));
        }
        queue
    }

    /// Whether a stream waits for what comes.
    pub(crate) fn is_watched(&self) -> bool {
        self.streams.iter().any(is_read)
    }

    /// The next status that was not reported. It is handed to the streams.
    pub(crate) fn next(&mut self) -> Option<Told> {
        let status = self.untold.pop_front()?;
        let before = mem::replace(&mut self.told, status.clone());
        self.old.push(before);
        self.streams.retain(is_read);
        let streams: Vec<_> = self.streams.iter().filter_map(Weak::upgrade).collect();
        for queue in &streams {
            self.old.extend(queue.push(status.clone()));
        }
        if status.is_end() {
            self.streams = Vec::new();
        }
        Some(Told {
            status,
            streams,
            _old: mem::take(&mut self.old),
        })
    }
}

fn is_read(queue: &Weak<StatusQueue>) -> bool {
    let is_there = |queue: Arc<StatusQueue>| !queue.left.load(Ordering::SeqCst);
    queue.upgrade().is_some_and(is_there)
}

/// A function bound to the statuses of sockets of type `S`.
pub(crate) trait StatusHandler<S>: MaybeSend {
    fn call(&mut self, socket: &S, status: &Status);
}

impl<S, F: FnMut(&S, &Status) + MaybeSend> StatusHandler<S> for F {
    fn call(&mut self, socket: &S, status: &Status) {
        self(socket, status);
    }
}

/// What a log says panicked.
const HANDLER: &str = "a handler for statuses";

struct Slot<S> {
    live: Arc<AtomicBool>,
    handler: Box<dyn StatusHandler<S>>,
}

/// A handler may own anything of the program, whose destructor may panic.
impl<S> Drop for Slot<S> {
    fn drop(&mut self) {
        let handler = mem::replace(&mut self.handler, Box::new(Nobody));
        drop_guarded(HANDLER, handler);
    }
}

/// Takes the place of a handler that is dropped. It takes no memory.
struct Nobody;

impl<S> StatusHandler<S> for Nobody {
    fn call(&mut self, _: &S, _: &Status) {}
}

/// The bound handlers. They are taken out while they run.
pub(crate) struct Listeners<S>(SharedCell<Handlers<S>>);

struct Handlers<S> {
    bound: Vec<Slot<S>>,
    /// Bound while the others run.
    fresh: Vec<Slot<S>>,
    ended: bool,
}

impl<S: 'static> Default for Listeners<S> {
    fn default() -> Self {
        Listeners(SharedCell::new(Handlers {
            bound: Vec::new(),
            fresh: Vec::new(),
            ended: false,
        }))
    }
}

impl<S: 'static> Listeners<S> {
    pub(crate) fn bind(&self, handler: Box<dyn StatusHandler<S>>) -> Arc<AtomicBool> {
        let live = Arc::new(AtomicBool::new(true));
        let slot = Slot {
            live: live.clone(),
            handler,
        };
        let refused = self.0.with(|handlers| {
            if handlers.ended {
                return Some(slot);
            }
            handlers.fresh.push(slot);
            None
        });
        // Dropped outside the lock, as it may own a socket.
        drop(refused);
        live
    }

    pub(crate) fn call(&self, socket: &S, status: &Status) {
        let mut bound = self.0.with(|handlers| {
            let mut bound = mem::take(&mut handlers.bound);
            bound.append(&mut handlers.fresh);
            bound
        });
        for slot in &mut bound {
            if slot.live.load(Ordering::Acquire) {
                guard(HANDLER, || slot.handler.call(socket, status));
            }
        }
        if status.is_end() {
            let late = self.0.with(|handlers| {
                handlers.ended = true;
                mem::take(&mut handlers.fresh)
            });
            drop((bound, late));
        } else {
            bound.retain(|slot| slot.live.load(Ordering::Acquire));
            self.0.with(|handlers| handlers.bound = bound);
        }
    }

    /// Whether a handler is bound.
    pub(crate) fn are_there(&self) -> bool {
        let is_live = |slot: &Slot<S>| slot.live.load(Ordering::Acquire);
        self.0.with(|handlers| {
            let mut slots = handlers.bound.iter().chain(&handlers.fresh);
            slots.any(is_live)
        })
    }

    /// Drops the handlers that were unbound.
    pub(crate) fn drop_unbound(&self) {
        let unbound = self.0.with(|handlers| {
            let mut unbound = Vec::new();
            for list in [&mut handlers.bound, &mut handlers.fresh] {
                let (live, dead): (Vec<_>, Vec<_>) = mem::take(list)
                    .into_iter()
                    .partition(|slot| slot.live.load(Ordering::Acquire));
                *list = live;
                unbound.extend(dead);
            }
            unbound
        });
        drop(unbound);
    }
}

impl<S> fmt::Debug for Listeners<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Listeners")
    }
}

#[cfg(test)]
mod tests {
    use super::Course;

    #[test]
    fn a_stream_that_is_made_and_dropped_in_each_frame_leaves_nothing() {
        let mut course = Course::default();
        let read = course.stream();
        for _ in 0..10_000 {
            drop(course.stream());
        }
        assert!(
            course.streams.capacity() < 100,
            "{}",
            course.streams.capacity()
        );
        assert!(course.is_watched());
        drop(read);
        assert!(!course.is_watched());
    }
}
