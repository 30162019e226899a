//! Waiting until a socket is open.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{ErrorEvent, NewError, OpenError, ReadyState, Transport, WebSocket};

/// The future of [`WebSocket::open`]. Dropping it gives the socket up.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://one/").hang();
/// # network.peer("ws://two/").accept();
/// # network.block_on(async {
/// use futures::future::select_ok;
/// use isosocket::WebSocket;
///
/// // Whichever server opens first; the others are given up.
/// let servers = ["ws://one/", "ws://two/"];
/// let (socket, _) = select_ok(servers.map(WebSocket::open)).await?;
/// assert_eq!(socket.url(), "ws://two/");
/// # Ok::<(), isosocket::OpenError>(())
/// # }).unwrap();
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Open<T: Transport>(Option<Result<WebSocket<T>, NewError>>);

impl<T: Transport> Open<T> {
    pub(crate) fn new(socket: Result<WebSocket<T>, NewError>) -> Self {
        Open(Some(socket))
    }
}

impl<T: Transport> Future for Open<T> {
    type Output = Result<WebSocket<T>, OpenError>;

    /// # Panics
    /// When polled again after it was ready.
    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let socket = match self
            .0
            .take()
            .expect("a future is not polled after it was ready")
        {
            Ok(socket) => socket,
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        // Registered before the look, so that no change is missed.
        socket.shared().wait(context.waker());
        if socket.shared().was_established() {
            // Also when it has ended since: its events tell, and none is lost.
            return Poll::Ready(Ok(socket));
        }
        match socket.ready_state() {
            ReadyState::Closing | ReadyState::Closed => {
                let failure = socket.shared().failure().cloned();
                let failure = failure.unwrap_or_else(ErrorEvent::unknown);
                Poll::Ready(Err(OpenError::Failed(failure)))
            }
            ReadyState::Connecting | ReadyState::Open => {
                self.0 = Some(Ok(socket));
                Poll::Pending
            }
        }
    }
}

impl<T: Transport> fmt::Debug for Open<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.0).finish()
    }
}
