//! Waiting until a socket is open.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::{CloseEvent, NewError, OpenError, ReadyState, Transport, WebSocket};

/// The future of [`WebSocket::open`]. Dropping it gives the socket up.
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
        if socket.ready_state() == ReadyState::Connecting {
            socket.shared().wait(context.waker());
        }
        match socket.ready_state() {
            ReadyState::Connecting => {
                self.0 = Some(Ok(socket));
                Poll::Pending
            }
            ReadyState::Open => Poll::Ready(Ok(socket)),
            ReadyState::Closing | ReadyState::Closed => {
                Poll::Ready(Err(match socket.shared().failure() {
                    Some(failure) => OpenError::Failed(failure.clone()),
                    None => OpenError::Closed(
                        socket
                            .shared()
                            .end()
                            .cloned()
                            .unwrap_or_else(CloseEvent::abnormal),
                    ),
                }))
            }
        }
    }
}

impl<T: Transport> fmt::Debug for Open<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.0).finish()
    }
}
