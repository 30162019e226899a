//! Waiting for events on a thread that may wait.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use isosocket_core::{CloseEvent, Event, Events, Transport};
use thiserror::Error;

use super::current;
use super::local::{Flag, Local, Step};
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
    /// An event that waits already is taken also with a timeout of zero.
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

    /// Blocks this thread until the socket is closed, and says how it ended. The
    /// events until then are dropped: it is for programs of handlers, whose `main`
    /// waits for the end. Await [`closed`](isosocket_core::WebSocket::closed) in async
    /// code.
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
    /// Called in a handler or wake hook: they run on the thread that would
    /// bring the event, which must not wait for itself.
    #[error("a handler cannot wait for an event")]
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
                // A stream that began, or was read, after the end.
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
    if current::is_turn() {
        return match events.poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(event) => event.ok_or(RecvError::Ended),
            Poll::Pending => Err(RecvError::InHandler),
        };
    }
    // The thread's own loop may be what brings the event.
    while let Some(local) = current::own() {
        if let Some(received) = drive(events, &local, deadline) {
            return received;
        }
    }
    let parker = Parker::current();
    let waker = Waker::from(parker.clone());
    let mut context = Context::from_waker(&waker);
    loop {
        match events.poll(&mut context) {
            Poll::Ready(event) => return event.ok_or(RecvError::Ended),
            Poll::Pending => {}
        }
        if !parker.park(deadline) {
            return Err(RecvError::TimedOut);
        }
    }
}

/// Drives this thread's loop until there is an event. `None` if the loop was
/// dropped meanwhile, so that another thread brings the event.
fn drive<T: Transport>(
    events: &mut Events<T>,
    local: &Local,
    deadline: Option<Instant>,
) -> Option<Result<Event, RecvError>> {
    let flag = Flag::new(local.mailbox().clone());
    let waker = Waker::from(flag.clone());
    let mut context = Context::from_waker(&waker);
    let mut received = None;
    local.drive(deadline, || {
        if !flag.take() {
            return Step::Sleep;
        }
        match events.poll(&mut context) {
            Poll::Ready(event) => {
                received = Some(event.ok_or(RecvError::Ended));
                Step::Done
            }
            Poll::Pending => Step::Sleep,
        }
    });
    match received {
        None if local.is_dropped() => None,
        None => Some(Err(RecvError::TimedOut)),
        received => received,
    }
}

/// Blocks this thread until the future is done.
pub(super) fn block_on<F: Future>(future: F) -> F::Output {
    let parker = Parker::current();
    let waker = Waker::from(parker.clone());
    let mut context = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
        parker.park(None);
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
            match deadline.map(|when| when.saturating_duration_since(system::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return false,
                Some(rest) => thread::park_timeout(rest),
            }
        }
        true
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        self.thread.unpark();
    }
}

mod sealed {
    pub trait Sealed {}

    impl<T: isosocket_core::Transport> Sealed for isosocket_core::Events<T> {}
}
