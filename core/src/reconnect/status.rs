//! What a reconnecting socket is about, for those who show it or log it.

use std::collections::VecDeque;
use std::fmt;
use std::future::{Future, poll_fn};
use std::mem;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use super::Loss;
use crate::maybe_send::Lock;
use crate::{Home, MaybeSend};

/// How many statuses a stream keeps that nobody reads.
const KEPT: usize = 64;

/// What a reconnecting socket is about.
///
/// The order is `Connecting`, then `Open` or not, then `Waiting` and so on, or
/// the end: `GaveUp` or `Closed`, once. Each is told before the event that goes
/// with it: `Open` before `Open`, the end before `Error` and `Close`.
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
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// An attempt is under way: asking for the URL, if that is asked for, and
    /// connecting.
    Connecting {
        /// Which attempt in a row it is, counted from 1: anew once a connection
        /// held for the [minimum uptime](crate::Builder::min_uptime).
        attempt: u32,
    },
    /// There is a connection.
    Open,
    /// There is none, and time passes until the next attempt.
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
pub struct Statuses(Arc<StatusQueue>);

impl Statuses {
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
        self.0.0.lock().statuses.pop_front()
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
        let mut inner = self.0.0.lock();
        match inner.statuses.pop_front() {
            None if !inner.ended => {
                inner.waker = Some(context.waker().clone());
                Poll::Pending
            }
            status => Poll::Ready(status),
        }
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
        let inner = self.0.0.lock();
        inner.ended && inner.statuses.is_empty()
    }
}

impl fmt::Debug for Statuses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Statuses")
    }
}

/// What stands between the socket and one stream.
#[derive(Debug, Default)]
struct StatusQueue(Lock<Inner>);

#[derive(Debug, Default)]
struct Inner {
    statuses: VecDeque<Status>,
    ended: bool,
    waker: Option<Waker>,
}

impl StatusQueue {
    fn push(&self, status: Status) {
        let waker = {
            let mut inner = self.0.lock();
            inner.ended = status.is_end();
            if inner.statuses.len() == KEPT {
                inner.statuses.pop_front();
            }
            inner.statuses.push_back(status);
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The present status, what is to be told of it, and the streams.
#[derive(Debug)]
pub(crate) struct Course {
    status: Status,
    untold: VecDeque<Status>,
    told: Status,
    streams: Vec<Arc<StatusQueue>>,
}

impl Default for Course {
    fn default() -> Self {
        let status = Status::Connecting { attempt: 1 };
        Course {
            untold: VecDeque::from([status.clone()]),
            told: status.clone(),
            status,
            streams: Vec::new(),
        }
    }
}

impl Course {
    pub(crate) fn status(&self) -> &Status {
        &self.status
    }

    pub(crate) fn set(&mut self, status: Status) {
        self.status = status.clone();
        self.untold.push_back(status);
    }

    pub(crate) fn stream(&mut self) -> Statuses {
        let queue = Arc::new(StatusQueue::default());
        // The first one, unless the next turn tells it anyway.
        if self.untold.front() != Some(&self.told) {
            queue.push(self.told.clone());
        }
        if !queue.0.lock().ended {
            self.streams.push(queue.clone());
        }
        Statuses(queue)
    }

    /// The next status that nobody was told, given to the streams.
    pub(crate) fn next(&mut self) -> Option<Status> {
        let status = self.untold.pop_front()?;
        self.told = status.clone();
        // Of a stream that was dropped this is the last that is left.
        self.streams.retain(|queue| Arc::strong_count(queue) > 1);
        for queue in &self.streams {
            queue.push(status.clone());
        }
        if status.is_end() {
            self.streams = Vec::new();
        }
        Some(status)
    }
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

struct Slot<S> {
    live: Arc<AtomicBool>,
    handler: Box<dyn StatusHandler<S>>,
}

/// The bound handlers. They are taken out while they run.
pub(crate) struct Listeners<S>(Home<Handlers<S>>);

struct Handlers<S> {
    bound: Vec<Slot<S>>,
    /// Bound while the others run.
    fresh: Vec<Slot<S>>,
    ended: bool,
}

impl<S: 'static> Default for Listeners<S> {
    fn default() -> Self {
        Listeners(Home::new(Handlers {
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
                let call = AssertUnwindSafe(|| slot.handler.call(socket, status));
                if catch_unwind(call).is_err() {
                    log::error!("a handler for statuses panicked");
                }
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

    /// Drops the handlers that were unbound.
    pub(crate) fn sweep(&self) {
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
