//! Blocking a thread until there is an event, or room to send.
//!
//! Invariant: a thread that drives an event loop of its own drives it while it waits, and
//! a handler never waits (S100).

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use isosocket_core::{CloseEvent, Event, Events, Transport, WebSocket};
use thiserror::Error;

use super::current;
use super::local::{Waited, park_until};
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, Thread};
use crate::system;

/// Blocking receives, for programs of threads: an extension of
/// [`Events`](isosocket_core::Events).
///
/// ```no_run
/// use std::time::Duration;
/// use isosocket::native::{EventsExt, RecvError};
/// use isosocket::{Event, WebSocket};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::new("wss://example.org/feed")?;
/// let mut events = socket.events();
/// loop {
///     match events.recv_timeout(Duration::from_secs(30)) {
///         Ok(Event::Message(message)) => println!("{message:?}"),
///         Ok(event) => println!("{event:?}"),
///         Err(RecvError::TimedOut) => println!("nothing for half a minute"),
///         Err(error) => break println!("{error}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub trait EventsExt: sealed::Sealed {
    /// Blocks this thread until there is an event.
    ///
    /// ```
    /// use isosocket::native::{EventsExt, RecvError};
    /// use isosocket::{Event, WebSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?; // a port that is blocked
    /// let mut events = socket.events();
    /// assert!(matches!(events.recv()?, Event::Error(_)));
    /// assert!(matches!(events.recv()?, Event::Close(_)));
    /// assert_eq!(events.recv(), Err(RecvError::Ended));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RecvError::Ended`] after `Close`, [`RecvError::InHandler`] in a handler.
    fn recv(&mut self) -> Result<Event, RecvError>;

    /// Blocks this thread until there is an event, but no longer than `timeout`.
    /// With a timeout of zero it takes an event only if one is there already.
    ///
    /// ```
    /// use std::time::Duration;
    /// use isosocket::native::{EventsExt, RecvError};
    /// use isosocket::{Event, WebSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?; // a port that is blocked
    /// let mut events = socket.events();
    /// match events.recv_timeout(Duration::from_secs(5)) {
    ///     Ok(Event::Message(message)) => println!("{message:?}"),
    ///     Ok(event) => println!("{event:?}"), // here: the error
    ///     Err(RecvError::TimedOut) => println!("still nothing"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`recv`](Self::recv), and [`RecvError::TimedOut`]; nothing is lost then.
    fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvError>;

    /// Blocks this thread until there is an event, but not past `deadline`.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use isosocket::native::EventsExt;
    /// use isosocket::{Event, WebSocket};
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// // Five seconds for all that comes, and not for each.
    /// let deadline = Instant::now() + Duration::from_secs(5);
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?; // a port that is blocked
    /// let mut events = socket.events();
    /// while let Ok(event) = events.recv_deadline(deadline) {
    ///     println!("{event:?}");
    /// }
    /// assert!(Instant::now() < deadline); // it had ended before
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for [`recv_timeout`](Self::recv_timeout).
    fn recv_deadline(&mut self, deadline: Instant) -> Result<Event, RecvError>;

    /// Blocks this thread until the socket is closed, and returns how it ended. Drops the
    /// events until then: it is for programs of handlers, whose `main` waits for the end. In
    /// async code, await [`closed`](isosocket_core::WebSocket::closed).
    ///
    /// ```
    /// use isosocket::WebSocket;
    /// use isosocket::native::EventsExt;
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = WebSocket::new("ws://127.0.0.1:9/")?; // a port that is blocked
    /// socket.on_message(|_, message| println!("{message}"));
    /// let close = socket.events().recv_closed()?;
    /// assert_eq!(close.code, 1006);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`RecvError::InHandler`] in a handler.
    fn recv_closed(&mut self) -> Result<CloseEvent, RecvError>;
}

/// Why there is no event.
///
/// ```
/// use isosocket::native::RecvError;
///
/// fn is_over(error: RecvError) -> bool {
///     match error {
///         RecvError::TimedOut => false, // later, perhaps
///         RecvError::Ended => true,
///         other => panic!("{other}"),
///     }
/// }
/// assert!(is_over(RecvError::Ended));
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum RecvError {
    /// `Close` was received: nothing will come any more.
    #[error("the socket has ended")]
    Ended,
    /// The deadline passed.
    #[error("no event came in time")]
    TimedOut,
    /// Called in a handler or wake hook. They run on the thread that delivers events, which
    /// must not wait for itself.
    #[error("a handler cannot wait for an event; wait on another thread")]
    InHandler,
}

/// Why the wait for room to send ended without room.
///
/// ```
/// use isosocket::native::SendReadyError;
///
/// fn may_retry(error: SendReadyError) -> bool {
///     matches!(error, SendReadyError::TimedOut)
/// }
/// assert!(!may_retry(SendReadyError::InHandler));
/// ```
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum SendReadyError {
    /// The deadline passed.
    #[error("there was no room to send in time")]
    TimedOut,
    /// Called in a handler or wake hook. They run on the thread that sends, which must not
    /// wait for itself.
    #[error("a handler cannot wait for room to send; wait on another thread")]
    InHandler,
}

impl<T: Transport> EventsExt for Events<T> {
    fn recv(&mut self) -> Result<Event, RecvError> {
        receive(self, None)
    }

    fn recv_timeout(&mut self, timeout: Duration) -> Result<Event, RecvError> {
        // A deadline beyond the clock's range is none.
        receive(self, system::now().checked_add(timeout))
    }

    fn recv_deadline(&mut self, deadline: Instant) -> Result<Event, RecvError> {
        receive(self, Some(deadline))
    }

    fn recv_closed(&mut self) -> Result<CloseEvent, RecvError> {
        loop {
            match (receive(self, None), self.close_event()) {
                (Ok(Event::Close(close)), _) => return Ok(close),
                // The socket had ended before this stream was made, or its `Close` was read.
                (Err(RecvError::Ended), Some(close)) => return Ok(close.clone()),
                (Err(error), _) => return Err(error),
                (Ok(_), _) => {}
            }
        }
    }
}

fn receive<T: Transport>(
    events: &mut Events<T>,
    deadline: Option<Instant>,
) -> Result<Event, RecvError> {
    if let Some(event) = events.try_next() {
        return Ok(event);
    }
    match wait(deadline, |context| events.poll(context)) {
        Ok(event) => event.ok_or(RecvError::Ended),
        Err(Unready::TimedOut) => Err(RecvError::TimedOut),
        Err(Unready::InHandler) => Err(RecvError::InHandler),
    }
}

/// Blocks this thread until the socket has room to send, but not past the deadline.
pub(crate) fn send_ready<T: Transport>(
    socket: &WebSocket<T>,
    deadline: Option<Instant>,
) -> Result<(), SendReadyError> {
    let mut ready = pin!(socket.send_ready());
    wait(deadline, |context| ready.as_mut().poll(context)).map_err(|unready| match unready {
        Unready::TimedOut => SendReadyError::TimedOut,
        Unready::InHandler => SendReadyError::InHandler,
    })
}

/// Why a wait ended without a result.
enum Unready {
    TimedOut,
    /// This thread is in a turn of an event loop, so it must not wait.
    InHandler,
}

/// Blocks this thread until `poll` is ready, but not past the deadline.
fn wait<R>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Result<R, Unready> {
    if current::is_turn() {
        return match poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => Ok(result),
            Poll::Pending => Err(Unready::InHandler),
        };
    }
    // The thread's own loop may be what this thread waits for. If it is dropped meanwhile, the
    // shared thread serves its sockets.
    while let Some(local) = current::own() {
        match local.wait(deadline, &mut poll) {
            Waited::Ready(result) => return Ok(result),
            Waited::TimedOut => return Err(Unready::TimedOut),
            Waited::Dropped => {}
        }
    }
    poll_until(deadline, poll).ok_or(Unready::TimedOut)
}

/// Blocks this thread until the future is done.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    poll_until(None, |context| future.as_mut().poll(context))
        .expect("without a deadline it waits until the future is done")
}

/// Parks this thread until `poll` is ready. `None` if the deadline passed before.
fn poll_until<R>(
    deadline: Option<Instant>,
    mut poll: impl FnMut(&mut Context<'_>) -> Poll<R>,
) -> Option<R> {
    let parker = Parker::current();
    let waker = Waker::from(parker.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = poll(&mut context) {
            return Some(result);
        }
        if !parker.park(deadline) {
            return None;
        }
    }
}

/// A thread that sleeps until it is woken.
struct Parker {
    thread: Thread,
    woken: AtomicBool,
}

impl Parker {
    fn current() -> Arc<Self> {
        Arc::new(Parker {
            thread: thread::current(),
            woken: AtomicBool::new(false),
        })
    }

    /// Sleeps until woken; `false` when the deadline passed before.
    fn park(&self, deadline: Option<Instant>) -> bool {
        while !self.woken.swap(false, Ordering::Acquire) {
            if !park_until(deadline) {
                return false;
            }
        }
        true
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::Release) {
            self.thread.unpark();
        }
    }
}

mod sealed {
    pub trait Sealed {}

    impl<T: isosocket_core::Transport> Sealed for isosocket_core::Events<T> {}
}
