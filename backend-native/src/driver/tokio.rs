//! An event loop as a task of tokio.
//!
//! Invariant: the task sleeps only if its last look found nothing to do for the loop. Every
//! thread that gives the loop something to do after that makes the loop's descriptor
//! readable, and so wakes the task.

use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::Sleep;

use super::current::{self, Driving};
use super::event_loop::EventLoop;
use super::local::Entered;

/// How many turns the task takes before other tasks have theirs.
const TURNS: usize = 16;

impl EventLoop {
    /// Runs a future inside a task of tokio until it is done, and the loop
    /// meanwhile. The feature `tokio` has it, on Unix.
    ///
    /// Sockets that the future makes belong to the loop. Nothing runs on another
    /// thread, so a message costs no hop between threads. It works on both kinds
    /// of runtimes and in a `LocalSet`. The runtime needs `enable_io` and
    /// `enable_time`, which are in `enable_all` and in `#[tokio::main]`.
    ///
    /// Sockets of other tasks belong to the loop as well if these tasks run in
    /// [`LoopHandle::scope`](crate::LoopHandle::scope). When the future is done, or
    /// this one is dropped, the shared thread takes over the sockets that are left.
    ///
    /// ```
    /// # #[cfg(unix)]
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventLoop;
    ///
    /// # let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    /// # runtime.block_on(async {
    /// let opened = EventLoop::new()?
    ///     .on_tokio(async {
    ///         WebSocket::open("ws://127.0.0.1:9/").await // a port that is blocked
    ///     })
    ///     .await?;
    /// assert!(opened.is_err());
    /// # Ok(())
    /// # })
    /// # }
    /// # #[cfg(not(unix))]
    /// # fn main() {}
    /// ```
    ///
    /// # Errors
    /// If the system has no file descriptors left.
    ///
    /// # Panics
    /// Outside a runtime of tokio, and if the runtime lacks `enable_io` or `enable_time`.
    pub async fn on_tokio<F: Future>(self, future: F) -> io::Result<F::Output> {
        let mut serving = Serving::new(self)?;
        let mut future = pin!(future);
        poll_fn(|context| serving.poll(future.as_mut(), context)).await
    }
}

struct Serving {
    /// Dropped first, as it is registered with the runtime.
    descriptor: AsyncFd<OwnedFd>,
    event_loop: EventLoop,
    timer: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl Serving {
    #[allow(
        deprecated,
        reason = "its successor is unsafe, and an `OwnedFd` stays the same and open"
    )]
    fn new(event_loop: EventLoop) -> io::Result<Self> {
        let descriptor = event_loop.as_fd().try_clone_to_owned()?;
        event_loop.local().set_served();
        Ok(Serving {
            descriptor: AsyncFd::with_interest(descriptor, Interest::READABLE)?,
            event_loop,
            timer: None,
        })
    }

    fn poll<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<F::Output>> {
        let local = self.event_loop.local().clone();
        local.mailbox().set_owner();
        current::note(&local);
        let _entered = Entered::new(local.clone());
        // Meanwhile this thread looks at the mailbox itself, so its own commands need not wake
        // the loop.
        let _driving = Driving::new(local.mailbox());
        for _ in 0..TURNS {
            // It is cleared before the turn. So what comes during the turn makes it ready
            // again.
            let readable = match self.descriptor.poll_read_ready(context) {
                Poll::Ready(Ok(mut guard)) => {
                    guard.clear_ready();
                    true
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => false,
            };
            if readable || is_due(local.next_deadline()) {
                local.serve();
            }
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(Ok(output));
            }
            let deadline = local.next_deadline();
            if !readable && !is_due(deadline) && self.poll_timer(deadline, context).is_pending() {
                return Poll::Pending;
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for the loop's deadline.
    fn poll_timer(&mut self, deadline: Option<Instant>, context: &mut Context<'_>) -> Poll<()> {
        let Some(deadline) = deadline else {
            self.timer = None;
            return Poll::Pending;
        };
        let timer = match &mut self.timer {
            Some((when, timer)) => {
                if *when != deadline {
                    *when = deadline;
                    timer.as_mut().reset(deadline.into());
                }
                timer
            }
            none => {
                let sleep = Box::pin(tokio::time::sleep_until(deadline.into()));
                &mut none.insert((deadline, sleep)).1
            }
        };
        timer.as_mut().poll(context)
    }
}

fn is_due(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| deadline <= Instant::now())
}
