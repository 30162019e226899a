//! What a reconnecting socket is doing, for programs that show or log it.
//!
//! In this folder: the status and its stream (`mod.rs`), those that are still to be reported
//! (`course.rs`), their handlers (`listeners.rs`), reporting (`reporting.rs`), and texts
//! (`display.rs`).

pub(super) mod course;
mod display;
pub(super) mod listeners;
pub(super) mod reporting;

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::{FusedStream, Stream};

use self::course::StatusQueue;
use super::Loss;
use crate::MaybeSend;
use crate::delivery::bind::ListenerOwner;
use crate::wake::StoredWaker;

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
