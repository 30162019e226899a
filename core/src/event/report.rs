//! What a backend reports about a connection.

use crate::{CloseEvent, ErrorEvent, Message};

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
    /// The connection failed, or was never established.
    Failed(ErrorEvent),
    /// The connection is closed: after a closing handshake, or without one because the
    /// peer dropped it.
    Closed(CloseEvent),
    /// The connection is lost, or was never established, and the transport will make
    /// another one. The socket is connecting again, without an event. The next
    /// [`Report::Established`] is another `Open`.
    Lost,
}

/// Why a transport did not queue a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The send limit is reached.
    Full,
    /// The closing handshake has begun, and core does not know that yet.
    Closing,
    /// There is no connection, and the program does not want messages to be kept for the next
    /// one.
    Connecting,
}
