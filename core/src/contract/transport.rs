//! What core asks of a backend.

use std::any::Any;
use std::sync::Arc;
use std::time::Duration;

use crate::{ErrorEvent, Host, Link, MessageRef, NewError, Refusal, Request, Traffic};

/// One connection of a backend, owned by the socket that uses it.
///
/// A backend knows no user and decides no order. It MUST
/// - return from every method at once, never blocking on the network;
/// - report each fact once, in the order in which it happened, through the
///   [`Link`] that [`start`](Transport::start) hands it;
/// - take [`turn`](Link::turn)s from one thread only, the same for the whole life of
///   the socket, and never from inside a method of this trait;
/// - end every connection that was started with [`Report::Failed`](crate::Report::Failed) or
///   [`Report::Closed`](crate::Report::Closed), within the request's timeouts;
/// - drop the link after that, so that nothing leaks.
///
/// It MUST NOT hold a lock while it has a turn: handlers run in it.
///
/// ```
/// use std::sync::mpsc::{Receiver, Sender, channel};
/// use std::thread;
///
/// use isosocket_core::{
///     Bind, CloseEvent, Link, Message, MessageRef, NewError, Refusal, Report, Request, Transport,
///     WebSocket,
/// };
///
/// /// A peer within the program. It sends back what it receives.
/// struct Echo(Sender<Command>);
///
/// /// What its thread is to do, which takes all turns.
/// enum Command {
///     Start(Link),
///     Say(Message),
///     Close(CloseEvent),
///     Turn(Link),
///     Drained(Link),
///     Detach,
/// }
///
/// impl Echo {
///     fn submit(&self, command: Command) {
///         let _ = self.0.send(command);
///     }
/// }
///
/// fn serve(commands: Receiver<Command>) {
///     let mut connection = None;
///     for command in commands {
///         let turn = connection.as_ref().and_then(Link::turn);
///         match (command, turn) {
///             (Command::Start(link), _) => {
///                 if let Some(mut turn) = link.turn() {
///                     let (protocol, extensions) = (String::new(), String::new());
///                     turn.report(Report::Established { protocol, extensions });
///                 }
///                 connection = Some(link);
///             }
///             (Command::Say(message), Some(mut turn)) => turn.message(message),
///             (Command::Close(close), Some(mut turn)) => {
///                 turn.report(Report::Closed(close));
///                 drop(turn);
///                 connection = None;
///             }
///             (Command::Detach, turn) => {
///                 drop(turn);
///                 connection = None;
///             }
///             (Command::Turn(link), None) => drop(link.turn()),
///             (Command::Drained(link), _) => link.drained(),
///             _ => {}
///         }
///     }
/// }
///
/// impl Transport for Echo {
///     type Options = ();
///     type Host = (); // a host without timers: no socket that connects again
///
///     fn host() {}
///
///     fn supported() -> bool {
///         true
///     }
///
///     fn new(request: Request<()>) -> Result<(Self, String), NewError> {
///         let (sender, commands) = channel();
///         let thread = thread::Builder::new().spawn(|| serve(commands));
///         thread.map_err(|error| NewError::Resources(error.to_string()))?;
///         Ok((Echo(sender), request.url))
///     }
///
///     fn start(&self, link: Link) {
///         self.submit(Command::Start(link));
///     }
///
///     fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
///         self.submit(Command::Say(message.to_message()));
///         Ok(())
///     }
///
///     fn close(&self, frame: Option<(u16, &str)>) {
///         let (code, reason) = frame.unwrap_or((1005, ""));
///         self.submit(Command::Close(CloseEvent::new(code, reason, true)));
///     }
///
///     fn buffered_amount(&self) -> usize {
///         0
///     }
///
///     fn schedule(&self, link: Link) {
///         self.submit(Command::Turn(link));
///     }
///
///     fn watch_drain(&self, link: Link, _: usize) {
///         self.submit(Command::Drained(link));
///     }
///
///     fn detach(&self) {
///         self.submit(Command::Detach);
///     }
/// }
///
/// # fn main() -> Result<(), NewError> {
/// let socket = WebSocket::<Echo>::new("ws://echo/")?;
/// let (sender, events) = channel();
/// socket.on_open(|socket| socket.send("hello").unwrap());
/// socket.on_message(|socket, _| socket.close());
/// socket.on_close(move |_, close| sender.send(close.code).unwrap());
/// assert_eq!(events.recv(), Ok(1005));
/// # Ok(())
/// # }
/// ```
pub trait Transport: Sized + Send + Sync + 'static {
    /// The options that only this backend's sockets have.
    type Options: Clone + Default + Send + 'static;

    /// Whether [`send`](Transport::send) is called while connecting, too: for a transport that
    /// keeps messages until there is a connection.
    const QUEUES: bool = false;

    /// Whether a mock network replaces it, on a thread that has one. It is false for a transport
    /// that wraps another: the mock then replaces the connections of the inner one.
    const MOCKABLE: bool = true;

    /// Whether it reports the status of a refused opening handshake. If it does not, a program
    /// contains no code that decides by the status.
    const REPORTS_REFUSALS: bool = true;

    /// Whether it counts what is sent by itself, for [`sent`](Transport::sent). Otherwise
    /// core counts.
    #[doc(hidden)]
    const COUNTS_SENT: bool = false;

    /// Whether it can be [asked later](Transport::accepted) what the peer accepted. Then
    /// [`Report::Established`](crate::Report::Established) need not say it, unless
    /// [`reads_accepted`](crate::reads_accepted).
    #[doc(hidden)]
    const IS_ASKED_LATER: bool = false;

    /// Where its sockets live.
    type Host: Host;

    /// The host of a socket that this thread makes now.
    fn host() -> Self::Host;

    /// Whether there is a WebSocket on this host.
    fn supported() -> bool;

    /// Checks a request and prepares its connection, without any I/O. Also
    /// returns the serialized URL. Called only if there is a WebSocket here.
    fn new(request: Request<Self::Options>) -> Result<(Self, String), NewError>;

    /// Starts connecting. Called once, before any other method.
    fn start(&self, link: Link);

    /// The socket that uses it, before it starts: for a transport of core's own, whose
    /// sockets have more than events.
    #[doc(hidden)]
    #[inline(always)]
    fn adopt<S: Any>(&self, _socket: &Arc<S>) {}

    /// Queues a message. Called only while the socket is open (or connecting, if
    /// it [queues](Transport::QUEUES)); it stays in order with earlier messages,
    /// also when called from several threads.
    ///
    /// # Errors
    /// A [`Refusal`] if nothing was queued.
    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal>;

    /// Gives up a connection that is not established, and reports
    /// [`Report::Failed`](crate::Report::Failed). It does so even if the connection was just
    /// established and core does not know that yet.
    fn abort(&self) {
        self.close(None);
    }

    /// Starts the closing handshake with this code and reason, or with an empty Close frame. It
    /// follows the messages that are queued.
    fn close(&self, frame: Option<(u16, &str)>);

    /// The payload bytes that were queued and not yet handed to the network.
    fn buffered_amount(&self) -> usize;

    /// Calls [`Link::turn`] soon, on the thread that takes the turns, and not
    /// inside this call. Also after the connection has ended.
    fn schedule(&self, link: Link);

    /// The buffered amount, as the send limit counts it. It differs for a transport that counts a
    /// short message for more than its payload, so that empty messages find an end, too.
    #[doc(hidden)]
    #[inline]
    fn queued(&self) -> usize {
        self.buffered_amount()
    }

    /// Makes sure that [`Link::drained`] is called when the buffered amount is at most `mark`
    /// bytes.
    fn watch_drain(&self, link: Link, mark: usize);

    /// Reads again, after [`Turn::is_backlogged`](crate::Turn::is_backlogged) was true.
    fn resume(&self) {}

    /// Core fails the socket by itself. It closes and detaches the transport after
    /// this. Only a transport that gives the program more than events do needs it.
    #[doc(hidden)]
    fn failing(&self, _error: &ErrorEvent) {}

    /// Nobody listens any more. The transport drops the link now, and finishes the
    /// closing handshake by itself.
    fn detach(&self);

    /// A thread uses the socket, or waits for it. A thread of a backend may end
    /// without notice. Such a backend has the calling thread watch the socket's thread. Other
    /// backends do nothing.
    #[doc(hidden)]
    #[inline]
    fn attend(&self) {}

    // The rest serves heartbeats. A transport of one's own needs none of it.

    /// Has connections ping a silent peer. `times` are the silence before a ping, and the longest
    /// silence after it. `None`: no pings. Returns whether the transport has pings at all.
    #[doc(hidden)]
    fn set_pings(_options: &mut Self::Options, _times: Option<(Duration, Duration)>) -> bool {
        false
    }

    /// The last round trip of a ping.
    #[doc(hidden)]
    fn latency(&self) -> Option<Duration> {
        None
    }

    /// Sends a heartbeat's message. It is never kept for another connection.
    ///
    /// # Errors
    /// As [`send`](Transport::send).
    #[doc(hidden)]
    fn send_heartbeat(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        self.send(message)
    }

    /// The subprotocol and the extensions in use, of an established connection.
    #[doc(hidden)]
    fn accepted(&self) -> (String, String) {
        Default::default()
    }

    /// When a byte last arrived, or was accepted by the network, on the clock of the host. While
    /// the transport does not read, it is the present time. `None` if the transport sees only
    /// messages.
    ///
    /// In a test after waking up, an accepted byte counts only if there was no room for it at
    /// first. The system accepts many bytes even if the peer is gone.
    #[doc(hidden)]
    fn last_life(&self, _is_test: bool) -> Option<Duration> {
        None
    }

    // What `WebSocket::stats` shows.

    /// What connections have taken so far.
    #[doc(hidden)]
    fn sent(&self) -> Traffic {
        Traffic::default()
    }

    /// How many attempts to connect there were.
    #[doc(hidden)]
    fn attempts(&self) -> u32 {
        1
    }

    /// The time on the clock of the host.
    #[doc(hidden)]
    fn now(&self) -> Duration {
        Self::host().now()
    }

    /// Core considers the connection dead. A transport that makes another one keeps the
    /// error. If it gives the error back, the socket fails.
    #[doc(hidden)]
    fn lose(&self, error: ErrorEvent) -> Option<ErrorEvent> {
        Some(error)
    }
}
