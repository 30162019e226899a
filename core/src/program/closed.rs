//! Waiting until a socket is closed.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::FusedFuture;

use crate::wake::Place;
use crate::{CloseEvent, Transport, WebSocket};

impl<T: Transport> WebSocket<T> {
    /// Waits until the socket is closed, and returns how it ended.
    ///
    /// It takes no events: handlers and streams get theirs as before. (So do not make a stream
    /// only to wait for the end. If it is not read, natively the socket stops reading when the
    /// stream holds the receive limit.)
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("news").close_with(1000, "that is all");
    /// # network.block_on(async {
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::new("ws://peer/")?;
    /// socket.on_message(|_, message| println!("{message}"));
    /// let close = socket.closed().await;
    /// assert_eq!(close.reason, "that is all");
    /// # Ok::<(), isosocket::NewError>(())
    /// # }).unwrap();
    /// ```
    #[doc(alias = "wait")]
    pub fn closed(&self) -> Closed<'_, T> {
        Closed::new(self)
    }
}

/// The future of [`WebSocket::closed`]. Dropping it changes nothing.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").accept();
/// # network.block_on(async {
/// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
/// use futures::future::{Either, ready, select};
///
/// // Until the socket is closed, or a button is pressed.
/// match select(socket.closed(), ready("a button")).await {
///     Either::Left((close, _)) => println!("{close}"),
///     Either::Right((button, _)) => println!("{button}"),
/// }
/// # });
/// ```
#[must_use = "futures do nothing unless awaited"]
pub struct Closed<'a, T: Transport> {
    socket: &'a WebSocket<T>,
    place: Place,
    was_ready: bool,
}

impl<'a, T: Transport> Closed<'a, T> {
    pub(crate) fn new(socket: &'a WebSocket<T>) -> Self {
        Closed {
            socket,
            place: Place::default(),
            was_ready: false,
        }
    }
}

impl<T: Transport> Future for Closed<'_, T> {
    type Output = CloseEvent;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<CloseEvent> {
        let closed = self.get_mut();
        let socket = closed.socket;
        let is_closed = || socket.close_event().is_some();
        // Not until little is buffered: nobody waits for that here.
        let polled = socket.poll_until(&mut closed.place, context, None, is_closed);
        match socket.close_event() {
            Some(close) if polled.is_ready() => {
                closed.was_ready = true;
                Poll::Ready(close.clone())
            }
            _ => Poll::Pending,
        }
    }
}

impl<T: Transport> FusedFuture for Closed<'_, T> {
    fn is_terminated(&self) -> bool {
        self.was_ready
    }
}

impl<T: Transport> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        self.socket.shared().waiters.leave(&mut self.place);
    }
}

impl<T: Transport> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Closed").field(self.socket).finish()
    }
}
