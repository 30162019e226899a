//! The contract between core and a backend.

use crate::{CloseEvent, ErrorEvent, Host, Link, Message, MessageRef, NewError, Refusal, Request};

/// One connection of a backend, owned by the socket that uses it.
///
/// A backend knows no user and decides no order. It MUST
/// - return from every method at once, never blocking on the network;
/// - report each fact once, in the order in which it happened, through the
///   [`Link`] that [`start`](Transport::start) hands it;
/// - take [`turn`](Link::turn)s from one thread only, the same for the whole
///   life of the socket, and never from inside a method of this trait (S98);
/// - end every connection that was started with [`Report::Failed`] or
///   [`Report::Closed`], within the request's timeouts;
/// - let go of the link after that, so that nothing leaks (S102).
///
/// It MUST NOT hold a lock while it has a turn: handlers run in it.
pub trait Transport: Sized + Send + Sync + 'static {
    /// What only this backend's sockets can be told.
    type Options: Clone + Default + Send + 'static;

    /// Whether [`send`](Transport::send) is called while connecting, too: of a
    /// transport that keeps messages until there is a connection.
    const QUEUES: bool = false;

    /// Where its sockets live.
    type Host: Host;

    /// The host of a socket that is made here and now.
    fn host() -> Self::Host;

    /// Whether there is a WebSocket on this host (S103).
    fn supported() -> bool;

    /// Checks a request and prepares its connection, without any I/O. Also
    /// gives the serialized URL. Called only where there is a WebSocket.
    fn new(request: Request<Self::Options>) -> Result<(Self, String), NewError>;

    /// Starts connecting. Called once, before any other method.
    fn start(&self, link: Link<Self>);

    /// Queues a message. Called only while the socket is open (or connecting, if
    /// it [queues](Transport::QUEUES)); it stays in order with earlier messages,
    /// also when called from several threads.
    ///
    /// # Errors
    /// A [`Refusal`] where nothing was queued.
    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal>;

    /// Gives up a connection that is not established, and reports
    /// [`Report::Failed`] (S68). Where it was established a moment ago and core
    /// has not heard of it yet, it fails all the same.
    fn abort(&self) {
        self.close(None);
    }

    /// Starts the closing handshake, after what is queued (S52), with this code
    /// and reason, or with an empty Close frame (S69).
    fn close(&self, frame: Option<(u16, &str)>);

    /// The payload bytes that were queued and not yet handed to the network (S48).
    fn buffered_amount(&self) -> usize;

    /// Calls [`Link::turn`] soon, on the thread that takes the turns, and not
    /// inside this call. Also after the connection has ended.
    fn schedule(&self, link: Link<Self>);

    /// Makes sure that [`Link::drained`] is called once the buffered amount is
    /// at most `mark` bytes.
    fn watch_drain(&self, link: Link<Self>, mark: usize);

    /// Reads on, after a turn ended with [`Turn::is_backlogged`](crate::Turn::is_backlogged).
    fn resume(&self) {}

    /// Nobody listens any more: let go of the link now and finish the closing
    /// handshake alone.
    fn detach(&self);
}

/// A fact that a backend reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The opening handshake is complete.
    Established {
        /// The subprotocol in use, or empty.
        protocol: String,
        /// The extensions in use, or empty.
        extensions: String,
    },
    /// A complete message arrived.
    Message(Message),
    /// A valid Close frame arrived from the peer; the connection is ending.
    PeerClosing,
    /// The connection failed, or never came to be.
    Failed(ErrorEvent),
    /// The connection is closed: after a closing handshake, or without one
    /// because the peer dropped it (S96).
    Closed(CloseEvent),
    /// The connection is lost, or never came to be, and the transport will make
    /// another: the socket is connecting again, and no event tells of it. The
    /// next [`Report::Established`] is another `Open`.
    Lost,
}
