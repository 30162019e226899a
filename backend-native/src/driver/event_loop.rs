//! The event loops that a program drives itself, as it sees them: [`EventLoop`], its guard and
//! its handle, and the loop inside [`block_on`].

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::marker::PhantomData;
#[cfg(all(unix, not(isosocket_simulation)))]
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

#[cfg(all(unix, not(isosocket_simulation)))]
use isosocket_core::logging;
#[cfg(all(unix, not(isosocket_simulation)))]
use mio::Registry;

#[cfg(all(unix, not(isosocket_simulation)))]
use super::fork;
use super::local::{Entered, IN_HANDLER, Local, Owner};
use super::{blocking, current};

/// An event loop on the program's own thread. The program drives it.
///
/// While a thread has [entered](Self::enter) a loop, the sockets that it makes belong
/// to this loop. They are served only in [`turn`](Self::turn) and
/// [`block_on`](Self::block_on). Between these calls nothing happens to them: as on a page,
/// the ready state changes, and the buffered amount falls, only while the program yields.
/// Handles may be used on every thread.
///
/// A call that blocks, such as `recv` or `send_ready_blocking`, drives the loop that its
/// thread has entered, or otherwise has used last. A thread with several loops must enter the
/// right one. If another thread drives the loop meanwhile, that thread serves the sockets of
/// both.
///
/// Sockets that are made elsewhere belong to a thread that all of them share. If a loop is
/// dropped, that thread takes over its sockets.
///
/// ```
/// use std::time::Duration;
///
/// use isosocket::native::EventLoop;
/// use isosocket::{ReadyState, WebSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut event_loop = EventLoop::new()?;
/// let socket = {
///     let _entered = event_loop.enter();
///     WebSocket::new("ws://127.0.0.1:9/")? // a port that is blocked
/// };
/// let mut frames = 0;
/// while socket.ready_state() != ReadyState::Closed {
///     frames += 1; // draw one here
///     event_loop.turn(Some(Duration::from_millis(16)));
/// }
/// assert!(frames > 0);
/// # Ok(())
/// # }
/// ```
///
#[doc = concat!(
    "Guide: [event loops](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/native/#event-loops)."
)]
pub struct EventLoop {
    owner: Owner,
    /// A second descriptor of the loop's poll, which can be borrowed without a lock.
    #[cfg(all(unix, not(isosocket_simulation)))]
    descriptor: Registry,
    /// The process that `descriptor` belongs to.
    #[cfg(all(unix, not(isosocket_simulation)))]
    generation: u32,
}

impl EventLoop {
    /// Makes a loop. It starts no thread.
    ///
    /// ```
    /// let event_loop = isosocket::native::EventLoop::new()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// If the system has no file descriptors left.
    pub fn new() -> io::Result<Self> {
        let owner = Owner::new()?;
        Ok(EventLoop {
            #[cfg(all(unix, not(isosocket_simulation)))]
            descriptor: owner.0.descriptor()?,
            #[cfg(all(unix, not(isosocket_simulation)))]
            generation: fork::generation(),
            owner,
        })
    }

    /// Until the guard is dropped, sockets that this thread makes belong to the loop.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventLoop;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let event_loop = EventLoop::new()?;
    /// let entered = event_loop.enter();
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?;
    /// drop(entered);
    /// # Ok(())
    /// # }
    /// ```
    pub fn enter(&self) -> EnterGuard<'_> {
        self.owner.0.mailbox().set_owner();
        current::note(&self.owner.0);
        EnterGuard {
            _entered: Entered::new(self.owner.0.clone()),
            _loop: PhantomData,
        }
    }

    /// Waits until there is something to do, but no longer than `timeout`. Then does a bounded
    /// amount of work, which includes calling the handlers. `None` waits without a limit, and
    /// [`Duration::ZERO`] does not wait.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// event_loop.turn(Some(Duration::ZERO)); // once a frame, say
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// In a handler, a waker or a wake hook, because these must not wait.
    pub fn turn(&mut self, timeout: Option<Duration>) {
        current::note(&self.owner.0);
        // Sockets that its handlers make belong to it as well.
        let _entered = Entered::new(self.owner.0.clone());
        // What is in the mail may wake a task of the program, which must not wait. Where
        // there are other threads, the loop's waker says the same.
        let timeout = match self.owner.0.mailbox().has_mail() {
            true => Some(Duration::ZERO),
            false => timeout,
        };
        self.owner.0.turn(timeout);
        #[cfg(all(unix, not(isosocket_simulation)))]
        self.after_fork();
    }

    /// Runs a future on this thread until it is done, and the loop meanwhile.
    ///
    /// Sockets that the future makes belong to the loop. `WebSocket::open` makes
    /// its socket when it is called, so call it inside the future.
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventLoop;
    ///
    /// let mut event_loop = EventLoop::new()?;
    /// let opened = event_loop.block_on(async { WebSocket::open("ws://127.0.0.1:9/").await });
    /// assert!(opened.is_err()); // a port that is blocked
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Panics
    /// In a handler, a waker or a wake hook, because these must not wait.
    pub fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        assert!(!current::is_turn(), "{IN_HANDLER}");
        self.owner.0.mailbox().set_owner();
        current::note(&self.owner.0);
        self.owner.0.block_on(future)
    }

    /// When the next [`turn`](Self::turn) has something to do even if nothing arrives. A program
    /// that waits for the loop's file descriptor must not wait longer than that.
    ///
    /// ```
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// assert_eq!(event_loop.next_deadline(), None); // there is no socket
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn next_deadline(&mut self) -> Option<Instant> {
        self.owner.0.next_deadline()
    }

    /// A handle that other tasks use to put their sockets on this loop.
    ///
    /// ```
    /// let event_loop = isosocket::native::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn handle(&self) -> LoopHandle {
        LoopHandle(self.owner.0.clone())
    }

    #[cfg(all(unix, feature = "tokio"))]
    pub(super) fn local(&self) -> &Arc<Local> {
        &self.owner.0
    }

    /// In a forked child a turn makes a new poll, which has a new descriptor.
    #[cfg(all(unix, not(isosocket_simulation)))]
    fn after_fork(&mut self) {
        if self.generation != fork::generation() {
            match self.owner.0.descriptor() {
                Ok(descriptor) => {
                    self.descriptor = descriptor;
                    self.generation = fork::generation();
                }
                Err(error) => {
                    logging(|| {
                        log::error!("the descriptor of an event loop cannot be copied: {error}")
                    });
                }
            }
        }
    }
}

impl fmt::Debug for EventLoop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLoop").finish_non_exhaustive()
    }
}

/// The descriptor of the loop's epoll or kqueue. It is readable when a turn has something to
/// do: something arrived, or another thread has used a socket. A deadline does not make it
/// readable: see [`next_deadline`](EventLoop::next_deadline).
#[cfg(all(unix, not(isosocket_simulation)))]
impl AsFd for EventLoop {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

#[cfg(all(unix, not(isosocket_simulation)))]
impl AsRawFd for EventLoop {
    fn as_raw_fd(&self) -> RawFd {
        self.descriptor.as_raw_fd()
    }
}

/// The guard that [`EventLoop::enter`] returns. When it is dropped, new sockets of this thread
/// no longer belong to the loop.
///
/// ```
/// use isosocket::native::{EnterGuard, EventLoop};
///
/// let event_loop = EventLoop::new()?;
/// let entered: EnterGuard<'_> = event_loop.enter();
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "sockets belong to the loop while the guard exists"]
pub struct EnterGuard<'a> {
    _entered: Entered,
    /// It must not leave this thread, nor outlive the loop.
    _loop: PhantomData<(&'a EventLoop, *const ())>,
}

impl fmt::Debug for EnterGuard<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EnterGuard")
    }
}

/// A handle of an [`EventLoop`], for any thread and any task. It does not keep the loop alive:
/// if the loop was dropped, new sockets belong to the shared thread.
///
/// ```
/// use isosocket::WebSocket;
/// use isosocket::native::{EventLoop, LoopHandle};
///
/// /// A task of the program's own executor.
/// async fn task(event_loop: LoopHandle) {
///     let conversation = async {
///         let opened = WebSocket::open("ws://127.0.0.1:9/").await; // a port that is blocked
///         assert!(opened.is_err());
///     };
///     event_loop.scope(conversation).await;
/// }
///
/// let mut event_loop = EventLoop::new()?;
/// let task = task(event_loop.handle());
/// event_loop.block_on(task);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct LoopHandle(Arc<Local>);

impl LoopHandle {
    /// Runs a future. Sockets that the future makes belong to the loop, on whichever thread the
    /// future is polled. This does not drive the loop: `turn` or `block_on` does.
    ///
    /// ```
    /// let mut event_loop = isosocket::native::EventLoop::new()?;
    /// let handle = event_loop.handle();
    /// assert_eq!(event_loop.block_on(handle.scope(async { 7 })), 7);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub async fn scope<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            let _entered = Entered::without_driving(self.0.clone());
            future.as_mut().poll(context)
        })
        .await
    }
}

impl fmt::Debug for LoopHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LoopHandle")
    }
}

/// Runs a future on this thread until it is done, and returns its output. It has an event
/// loop of its own: this thread serves the sockets that the future makes.
///
/// This is `isosocket::run` for programs that need the output. `run` returns nothing,
/// because a page cannot block until there is an output.
///
/// ```
/// use isosocket::WebSocket;
///
/// let opened = isosocket::native::block_on(async {
///     WebSocket::open("ws://127.0.0.1:9/").await // a port that is blocked
/// });
/// assert!(opened.is_err());
/// ```
///
/// # Panics
/// In a handler, a waker or a wake hook, because these must not wait.
pub fn block_on<F: Future>(future: F) -> F::Output {
    assert!(!current::is_turn(), "{IN_HANDLER}");
    // Inside another call its loop goes on, so that its sockets are served too.
    let entered = current::entered();
    if let Some(local) = entered.filter(|local| current::is_driven_here(local.mailbox())) {
        return local.block_on(future);
    }
    match Owner::new() {
        Ok(owner) => owner.0.block_on(future),
        // There are no file descriptors for a loop. There may be some later, for sockets of the
        // shared thread.
        Err(_) => blocking::block_on(future),
    }
}
