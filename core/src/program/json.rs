//! JSON in messages: the feature `json`, by serde.

use std::fmt;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

use crate::{Event, Events, Message, SendError, Transport, WebSocket};

impl Message {
    /// Parses the message, which is text or binary, as JSON. This needs the feature `json`.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// struct Tick {
    ///     price: u32,
    /// }
    ///
    /// let message = Message::from(r#"{"price": 42}"#);
    /// assert_eq!(message.json::<Tick>()?, Tick { price: 42 });
    ///
    /// let error = Message::from("pong").json::<Tick>().unwrap_err();
    /// assert!(error.to_string().starts_with(r#"invalid JSON in Text("pong", 4 bytes): "#));
    /// # Ok::<(), isosocket::JsonError>(())
    /// ```
    ///
    /// # Errors
    /// [`JsonError`], which shows the start of the message.
    pub fn json<V: DeserializeOwned>(&self) -> Result<V, JsonError> {
        serde_json::from_slice(self.as_bytes()).map_err(|cause| JsonError {
            message: self.clone(),
            cause,
        })
    }
}

/// A message is not the JSON that was expected. The error holds the message, and shows its
/// start.
///
/// ```
/// use isosocket::Message;
///
/// let error = Message::from("[1, 2").json::<Vec<u32>>().unwrap_err();
/// assert_eq!(error.message(), "[1, 2");
/// assert!(error.cause().is_eof());
/// println!("{error}"); // invalid JSON in Text("[1, 2", 5 bytes): EOF while parsing a list ..
/// ```
#[derive(Debug, Error)]
#[error("invalid JSON in {message:?}: {cause}")]
pub struct JsonError {
    message: Message,
    cause: serde_json::Error,
}

impl JsonError {
    /// The message.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let error = Message::from("pong").json::<u32>().unwrap_err();
    /// assert_eq!(error.message(), "pong");
    /// ```
    pub fn message(&self) -> &Message {
        &self.message
    }

    /// What is wrong with it, and where.
    ///
    /// ```
    /// use isosocket::Message;
    ///
    /// let error = Message::from("[1, true]").json::<Vec<u32>>().unwrap_err();
    /// assert_eq!((error.cause().line(), error.cause().column()), (1, 8));
    /// ```
    pub fn cause(&self) -> &serde_json::Error {
        &self.cause
    }
}

/// Why a value was not sent as JSON.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/");
/// use isosocket::{SendJsonError, WebSocket};
///
/// let socket = WebSocket::new("ws://peer/")?;
/// match socket.send_json(&["hello"]) {
///     Ok(()) => println!("sent"),
///     Err(SendJsonError::Send(error)) => println!("later, perhaps: {error}"),
///     Err(error) => println!("{error}"),
/// }
/// # network.run();
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum SendJsonError {
    /// The value cannot be written as JSON, such as a map whose keys are not strings.
    #[error("the value cannot be written as JSON: {0}")]
    Json(serde_json::Error),
    /// The message was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl<T: Transport> WebSocket<T> {
    /// Sends a value as JSON, in a text message: with the feature `json`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect(r#"{"subscribe":"prices"}"#);
    /// # let socket = network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// #[derive(serde::Serialize)]
    /// struct Subscribe<'a> {
    ///     subscribe: &'a str,
    /// }
    ///
    /// socket.send_json(&Subscribe { subscribe: "prices" })?;
    /// # network.finish();
    /// # Ok::<(), isosocket::SendJsonError>(())
    /// ```
    ///
    /// # Errors
    /// [`SendJsonError`].
    pub fn send_json<V: Serialize + ?Sized>(&self, value: &V) -> Result<(), SendJsonError> {
        let text = serde_json::to_string(value).map_err(SendJsonError::Json)?;
        Ok(self.send(text)?)
    }
}

impl<T: Transport> Events<T> {
    /// Parses each message as JSON, and yields the values. It ends after `Close`. This needs the
    /// feature `json`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send(r#"{"price":42}"#).send("pong").close();
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// #[derive(serde::Deserialize, Debug, PartialEq)]
    /// struct Tick {
    ///     price: u32,
    /// }
    ///
    /// let mut ticks = socket.events().json::<Tick>();
    /// while let Some(tick) = ticks.next().await {
    ///     match tick {
    ///         Ok(tick) => assert_eq!(tick, Tick { price: 42 }),
    ///         Err(error) => assert_eq!(error.message(), "pong"),
    ///     }
    /// }
    /// println!("{}", socket.closed().await);
    /// # });
    /// ```
    pub fn json<V: DeserializeOwned>(self) -> JsonEvents<V, T> {
        let events = self;
        let value = PhantomData;
        JsonEvents { events, value }
    }
}

/// A socket's messages as values, made by [`Events::json`].
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").send("1").send("2").close();
/// # network.block_on(async {
/// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
/// use futures::TryStreamExt;
///
/// let numbers: Vec<_> = socket.events().json::<u32>().try_collect().await?;
/// assert_eq!(numbers, [1, 2]);
/// # Ok::<(), isosocket::JsonError>(())
/// # }).unwrap();
/// ```
#[must_use = "streams do nothing unless polled"]
pub struct JsonEvents<V, T: Transport> {
    events: Events<T>,
    value: PhantomData<fn() -> V>,
}

impl<V: DeserializeOwned, T: Transport> JsonEvents<V, T> {
    /// Waits for the next value; `None` after `Close`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("[1, 2]").close();
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// let mut lists = socket.events().json::<Vec<u32>>();
    /// assert_eq!(lists.next().await.unwrap()?, [1, 2]);
    /// assert!(lists.next().await.is_none());
    /// # Ok::<(), isosocket::JsonError>(())
    /// # }).unwrap();
    /// ```
    #[allow(
        clippy::should_implement_trait,
        reason = "it is StreamExt::next, for programs without that trait"
    )]
    pub fn next(&mut self) -> impl Future<Output = Option<Result<V, JsonError>>> + '_ {
        std::future::poll_fn(|context| self.poll(context))
    }

    /// The next value, if there is one now: for frame loops.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("7");
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// let mut numbers = socket.events().json::<u32>();
    /// assert!(numbers.try_next().is_none());
    /// # network.run();
    /// // .. once it has come:
    /// assert_eq!(numbers.try_next().unwrap()?, 7);
    /// # Ok::<(), isosocket::JsonError>(())
    /// ```
    pub fn try_next(&mut self) -> Option<Result<V, JsonError>> {
        loop {
            if let Event::Message(message) = self.events.try_next()? {
                return Some(message.json());
            }
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<V, JsonError>>> {
        loop {
            match ready!(self.events.poll(context)) {
                Some(Event::Message(message)) => return Poll::Ready(Some(message.json())),
                Some(_) => {}
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<V: DeserializeOwned, T: Transport> Stream for JsonEvents<V, T> {
    type Item = Result<V, JsonError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context)
    }
}

impl<V, T: Transport> fmt::Debug for JsonEvents<V, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JsonEvents").field(&self.events).finish()
    }
}
