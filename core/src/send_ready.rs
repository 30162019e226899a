//! Backpressure: waiting until there is room to send.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{ReadyState, Transport, WebSocket};

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
/// // A video that skips a frame, rather than to fall behind.
/// if socket.send_ready().now_or_never().is_some() {
///     socket.send(vec![0; 100_000])?;
/// }
/// # assert_eq!(socket.buffered_amount(), 2 << 20);
/// # Ok::<(), isosocket::SendError>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct SendReady<'a, T: Transport>(pub(crate) &'a WebSocket<T>);

impl<T: Transport> SendReady<'_, T> {
    fn is_ready(&self) -> bool {
        match self.0.ready_state() {
            ReadyState::Connecting => false,
            ReadyState::Open => self.0.buffered_amount() <= self.0.room_mark(),
            ReadyState::Closing | ReadyState::Closed => true,
        }
    }
}

impl<T: Transport> Future for SendReady<'_, T> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0
            .poll_until(context, self.0.room_mark(), || self.is_ready())
    }
}

impl<T: Transport> fmt::Debug for SendReady<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendReady").field(self.0).finish()
    }
}
