//! Sending through a [`Sink`]: `send` with backpressure, for the combinators of streams.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_sink::Sink;

use crate::socket::check_close;
use crate::wake::Place;
use crate::{CloseError, Message, ReadyState, SendError, Transport, WebSocket};

impl<T: Transport> WebSocket<T> {
    /// A [`Sink`](futures_sink::Sink) of messages. It waits as
    /// [`send_ready`](Self::send_ready) does, and then sends.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("one").expect("two");
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
    /// use futures::SinkExt;
    ///
    /// let mut sender = socket.sender();
    /// sender.feed("one".into()).await?;
    /// sender.feed("two".into()).await?;
    /// sender.flush().await?; // all is handed to the network
    /// # Ok::<(), isosocket::SendError>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    #[doc(alias = "sink")]
    #[doc(alias = "split")]
    pub fn sender(&self) -> Sender<T> {
        Sender::new(self.clone())
    }
}

/// A socket as a [`Sink`] of messages, made by [`WebSocket::sender`].
///
/// It is a handle: while it lives the socket stays open.
///
/// - *Ready* means the same as for [`send_ready`](WebSocket::send_ready): the socket is
///   open, and little is buffered. There is no [`SendError::Full`] here, because a message
///   that does not fit waits in the sink.
/// - *Flushed* means that the network has accepted everything. If the socket ends before
///   that, the error is [`SendError::Unsent`]. The socket's events say why it ended. (Data
///   that a lost connection of a reconnecting socket had accepted does not count.)
/// - *Closed* means flushed and [closed](WebSocket::close), with or without a closing
///   handshake. [`closing_with`](Sender::closing_with) sets the code and the reason that
///   the peer receives.
///
/// A clone is another sink of the same socket. It does not send the message that waits in
/// this one.
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
    /// A message that did not fit.
    held: Option<Message>,
    /// The code and reason to close with.
    frame: Option<(u16, Box<str>)>,
    place: Place,
}

impl<T: Transport> Sender<T> {
    pub(crate) fn new(socket: WebSocket<T>) -> Self {
        Sender {
            socket,
            held: None,
            frame: None,
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

    /// Sets the code and reason for closing, instead of an empty Close frame. They are used by
    /// `close` of `SinkExt`, and by `forward`, which closes at its end.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("one").expect_close_with(4000, "all sent");
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
    /// use futures::{StreamExt, stream};
    ///
    /// let messages = stream::iter([Ok("one".into())]);
    /// let sender = socket.sender().closing_with(4000, "all sent")?;
    /// messages.forward(sender).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    ///
    /// # Errors
    /// [`CloseError`] as of [`WebSocket::close_with`].
    pub fn closing_with(mut self, code: u16, reason: &str) -> Result<Self, CloseError> {
        check_close(code, reason)?;
        self.frame = Some((code, reason.into()));
        Ok(self)
    }

    /// Sends what it holds, closes with this code and reason, and waits until the
    /// socket is closed.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect("last words").expect_close_with(1000, "bye");
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
    /// let mut sender = socket.sender();
    /// socket.send("last words")?;
    /// sender.close_with(1000, "bye")?.await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// # network.finish();
    /// ```
    ///
    /// # Errors
    /// [`CloseError`] as of [`WebSocket::close_with`]; and of the future a
    /// [`SendError`] with what it held and could not send.
    pub fn close_with<'a>(
        &'a mut self,
        code: u16,
        reason: &str,
    ) -> Result<impl Future<Output = Result<(), SendError>> + use<'a, T>, CloseError> {
        check_close(code, reason)?;
        self.frame = Some((code, reason.into()));
        Ok(poll_fn(move |context| {
            Pin::new(&mut *self).poll_close(context)
        }))
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
                // Another handle was faster. It tries again when all other tasks had their turn.
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}

/// Whether the network has accepted all messages, empty ones included.
fn is_sent<T: Transport>(socket: &WebSocket<T>) -> bool {
    // Not `buffered_amount`: that counts messages that were refused, too.
    socket.shared().carrier.queued() == 0
}

fn all_sent<T: Transport>(socket: &WebSocket<T>) -> Result<(), SendError> {
    // If it is open, all was sent a moment ago, and another handle has sent something since.
    match is_sent(socket) || socket.ready_state() != ReadyState::Closed {
        true => Ok(()),
        false => Err(SendError::Unsent(socket.shared().carrier.buffered_amount())),
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
            // A caller comes here only if it did not wait until the sink was ready.
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
        let is_flushed = || socket.ready_state() == ReadyState::Closed || is_sent(socket);
        let place = &mut sender.place;
        ready!(socket.poll_until(place, context, Some(0), is_flushed));
        Poll::Ready(all_sent(socket))
    }

    fn poll_close(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Result<(), SendError>> {
        if self.socket.ready_state() < ReadyState::Closing || self.held.is_some() {
            ready!(self.as_mut().poll_flush(context))?;
        }
        let Sender {
            socket,
            frame,
            place,
            ..
        } = self.get_mut();
        let frame = frame.as_ref();
        let frame = frame.map(|(code, reason)| (*code, &**reason));
        socket.shared().close(frame);
        let is_closed = || socket.ready_state() == ReadyState::Closed;
        ready!(socket.poll_until(place, context, None, is_closed));
        Poll::Ready(all_sent(socket))
    }
}

impl<T: Transport> Clone for Sender<T> {
    fn clone(&self) -> Self {
        let mut sender = Sender::new(self.socket.clone());
        sender.frame = self.frame.clone();
        sender
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
