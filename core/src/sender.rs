//! Sending as a sink: `send` and its backpressure in the shape that
//! combinators of streams expect.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::waiters::Place;
use crate::{Message, ReadyState, SendError, Transport, WebSocket};

/// A socket as a [`Sink`] of messages, made by [`WebSocket::sender`].
///
/// It is a handle: while it lives the socket stays open.
///
/// - *Ready* means what [`send_ready`](WebSocket::send_ready) means: open, and
///   little buffered. [`SendError::Full`] does not happen here: what does not
///   fit waits.
/// - *Flushed* means that all is handed to the network, or that the socket is
///   not open any more; its events tell why.
/// - *Closed* means flushed, and [closed](WebSocket::close), with the closing
///   handshake or without.
///
/// ```no_run
/// use futures::{SinkExt, StreamExt, stream};
/// use isosocket::{Message, WebSocket};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::open("wss://example.org/upload").await?;
/// let pieces = stream::iter(0..1000).map(|n| Ok(Message::from(vec![n as u8; 100_000])));
/// pieces.forward(socket.sender()).await?; // also closes the socket
/// # Ok(())
/// # }
/// ```
///
/// ## Platform-specific
/// - **Web:** see [`send_ready`](WebSocket::send_ready).
pub struct Sender<T: Transport> {
    socket: WebSocket<T>,
    /// A message for which there was no room after all.
    held: Option<Message>,
    place: Place,
}

impl<T: Transport> Sender<T> {
    pub(crate) fn new(socket: WebSocket<T>) -> Self {
        Sender {
            socket,
            held: None,
            place: Place::default(),
        }
    }

    /// The socket that it sends to.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("hello");
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
    /// use futures::SinkExt;
    ///
    /// let mut sender = socket.sender();
    /// sender.send("hello".into()).await?;
    /// assert_eq!(sender.socket().url(), "ws://peer/");
    /// # Ok::<(), isosocket::SendError>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    pub fn socket(&self) -> &WebSocket<T> {
        &self.socket
    }

    /// Sends, or holds what does not fit.
    fn push(&mut self, message: Message) -> Result<(), SendError> {
        match self.socket.send(message) {
            Err(SendError::Full(message)) => {
                self.held = Some(message);
                Ok(())
            }
            result => result,
        }
    }

    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        loop {
            ready!(self.socket.poll_room(&mut self.place, context));
            let Some(held) = self.held.take() else {
                return Poll::Ready(Ok(()));
            };
            self.push(held)?;
            if self.held.is_some() {
                // Another handle was quicker: after all others had their turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

impl<T: Transport> Sink<Message> for Sender<T> {
    type Error = SendError;

    fn poll_ready(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        self.get_mut().poll_room(context)
    }

    fn start_send(self: Pin<&mut Self>, message: Message) -> Result<(), SendError> {
        let sender = self.get_mut();
        match sender.held {
            // Only a caller that was not told to be ready comes here.
            Some(_) => Err(SendError::Full(message)),
            None => sender.push(message),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<(), SendError>> {
        let sender = self.get_mut();
        if sender.held.is_some() {
            ready!(sender.poll_room(context))?;
        }
        let socket = &sender.socket;
        let is_flushed =
            || socket.ready_state() >= ReadyState::Closing || socket.buffered_amount() == 0;
        let place = &mut sender.place;
        socket.poll_until(place, context, 0, is_flushed).map(Ok)
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        if self.socket.ready_state() < ReadyState::Closing || self.held.is_some() {
            ready!(self.as_mut().poll_flush(context))?;
        }
        let Sender { socket, place, .. } = self.get_mut();
        socket.close();
        let is_closed = || socket.ready_state() == ReadyState::Closed;
        socket.poll_until(place, context, 0, is_closed).map(Ok)
    }
}

impl<T: Transport> Drop for Sender<T> {
    fn drop(&mut self) {
        self.socket.shared().waiters.leave(&mut self.place);
    }
}

impl<T: Transport> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("socket", &self.socket)
            .finish_non_exhaustive()
    }
}
