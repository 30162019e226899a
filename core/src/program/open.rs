//! Waiting until a socket is open.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use crate::wake::Place;
use crate::{ErrorEvent, IntoUrl, NewError, OpenError, Transport, WebSocket};

impl<T: Transport> WebSocket<T> {
    /// Opens a socket to `url` and waits until it is open.
    ///
    /// If you drop the future, the socket is closed. A plain socket fails after the
    /// [`connect_timeout`](crate::Builder::connect_timeout). A socket that reconnects tries again,
    /// without a limit unless you set an [`open_timeout`](crate::Builder::open_timeout) or
    /// [`max_attempts`](crate::Builder::max_attempts).
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("hello");
    /// # network.block_on(async {
    /// use isosocket::WebSocket;
    ///
    /// let socket = WebSocket::open("ws://peer/").await?;
    /// socket.send("hello").expect("it is open");
    /// # Ok::<(), isosocket::OpenError>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    ///
    /// # Errors
    /// See [`OpenError`](crate::OpenError).
    #[doc(alias = "connect_async")]
    pub fn open(url: impl IntoUrl) -> Open<T> {
        Self::builder(url).open()
    }
}

/// The future of [`WebSocket::open`]. Dropping it closes the socket.
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
pub struct Open<T: Transport> {
    /// `None` once it was ready.
    socket: Option<Result<WebSocket<T>, NewError>>,
    place: Place,
}

impl<T: Transport> Open<T> {
    pub(crate) fn new(socket: Result<WebSocket<T>, NewError>) -> Self {
        let place = Place::default();
        Open {
            socket: Some(socket),
            place,
        }
    }
}

impl<T: Transport> Future for Open<T> {
    type Output = Result<WebSocket<T>, OpenError>;

    /// # Panics
    /// When polled again after it was ready.
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let open = self.get_mut();
        if let Some(Ok(socket)) = &open.socket {
            let is_decided = || {
                // Also when it has ended since: its events say so, and none is lost. The state
                // alone does not say why it failed, and is stored before the reason.
                let shared = socket.shared();
                shared.was_established() || shared.end().is_some()
            };
            ready!(socket.poll_until(&mut open.place, context, None, is_decided));
        }
        let socket = open.socket.take();
        let socket = socket.expect("a future is not polled after it was ready")?;
        if socket.shared().was_established() {
            return Poll::Ready(Ok(socket));
        }
        let end = socket.shared().end();
        let failure = end.and_then(|end| end.error.clone());
        let failure = failure.unwrap_or_else(ErrorEvent::unknown);
        Poll::Ready(Err(OpenError::Failed(failure)))
    }
}

impl<T: Transport> Drop for Open<T> {
    fn drop(&mut self) {
        if let Some(Ok(socket)) = &self.socket {
            socket.shared().waiters.leave(&mut self.place);
        }
    }
}

impl<T: Transport> fmt::Debug for Open<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Open").field(&self.socket).finish()
    }
}
