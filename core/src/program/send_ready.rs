//! Backpressure: waiting until there is room to send.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::FusedFuture;

use crate::wake::Place;
use crate::{ReadyState, Transport, WebSocket};

impl<T: Transport> WebSocket<T> {
    /// Waits until the socket is open and little is buffered: at most 1 MiB, and
    /// at most half of the [`send_limit`](crate::Builder::send_limit). Both count a short
    /// message for more than its payload. After a
    /// [`SendError::Full`](crate::SendError::Full) it waits until the refused message fits.
    /// If a program awaits it before each `send`, it sends no faster than the network. It
    /// is also ready when the socket is closing or closed; `send` then returns the error.
    ///
    /// ```no_run
    /// # async fn run(socket: isosocket::WebSocket) -> Result<(), isosocket::SendError> {
    /// for _ in 0..1000 {
    ///     socket.send_ready().await;
    ///     socket.send(vec![0; 100_000])?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// ## Platform-specific
    /// - **Web:** browsers have no event for this. While somebody waits, a timer reads the
    ///   buffered amount. A socket with a receive limit goes over the host's
    ///   `WebSocketStream`, which says when it has accepted a message.
    #[doc(alias = "backpressure")]
    pub fn send_ready(&self) -> SendReady<'_, T> {
        SendReady::new(self)
    }
}

/// The future of [`WebSocket::send_ready`]. Dropping it changes nothing.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").accept().stall();
/// # network.block_on(async {
/// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
/// # socket.send(vec![0; 2 << 20]).unwrap();
/// use futures::FutureExt;
///
/// // A video that skips a frame when the network is slow.
/// if socket.send_ready().now_or_never().is_some() {
///     socket.send(vec![0; 100_000])?;
/// }
/// # assert_eq!(socket.buffered_amount(), 2 << 20);
/// # Ok::<(), isosocket::SendError>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct SendReady<'a, T: Transport> {
    socket: &'a WebSocket<T>,
    place: Place,
}

impl<'a, T: Transport> SendReady<'a, T> {
    pub(crate) fn new(socket: &'a WebSocket<T>) -> Self {
        let place = Place::default();
        SendReady { socket, place }
    }
}

impl<T: Transport> WebSocket<T> {
    /// Waits for room; see [`send_ready`](Self::send_ready).
    pub(crate) fn poll_room(&self, place: &mut Place, context: &Context<'_>) -> Poll<()> {
        let has_room = || match self.ready_state() {
            ReadyState::Connecting => false,
            ReadyState::Open => self.shared().carrier.queued() <= self.room_mark(),
            ReadyState::Closing | ReadyState::Closed => true,
        };
        self.poll_until(place, context, Some(self.room_mark()), has_room)
    }
}

impl<T: Transport> Future for SendReady<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.socket.poll_room(&mut self.place, context)
    }
}

/// It is ready again as often as there is room, and never at its end.
impl<T: Transport> FusedFuture for SendReady<'_, T> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl<T: Transport> Drop for SendReady<'_, T> {
    fn drop(&mut self) {
        self.socket.shared().waiters.leave(&mut self.place);
    }
}

impl<T: Transport> fmt::Debug for SendReady<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendReady").field(self.socket).finish()
    }
}
