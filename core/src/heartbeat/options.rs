//! Describing a heartbeat.

use std::fmt;
use std::time::Duration;

use crate::base::guard::Owned;
use crate::{Data, MaybeSend, Message};

/// Recognises an answer.
pub(crate) trait IsAnswer: MaybeSend {
    /// Writes into `is_answer` whether `message` is an answer. A trait method with two
    /// pointers that returns a `bool` has the signature of all formatting functions in
    /// wasm: a page that calls one by its table links all of those that are in tables.
    fn call(&mut self, message: &Message, is_answer: &mut bool);
}

impl<F: FnMut(&Message) -> bool + MaybeSend> IsAnswer for F {
    fn call(&mut self, message: &Message, is_answer: &mut bool) {
        *is_answer = self(message);
    }
}

/// How a socket finds out that its peer is dead: it asks at intervals, and waits for any
/// sign of life. For [`Builder::heartbeat`](crate::Builder::heartbeat).
///
/// It asks by pings, which peers answer by themselves. A page cannot send pings. There,
/// and wherever the program wants it, it asks by a message of the program, and the
/// program's server must answer.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # let peer = network.peer("ws://peer/");
/// # peer.expect("ping").delay(std::time::Duration::from_millis(20)).send("pong");
/// use std::time::Duration;
/// use isosocket::{Heartbeat, WebSocket};
///
/// // Within 45 s the program knows that the cable was pulled.
/// let heartbeat = Heartbeat::new(Duration::from_secs(30), Duration::from_secs(15));
/// let socket = WebSocket::builder("ws://peer/")
///     .heartbeat(heartbeat.message("ping").answer("pong"))
///     .on_message(|_, message| println!("{message}")) // no "pong" is seen here
///     .connect()?;
/// # network.advance(Duration::from_secs(31));
/// // .. after the first answer:
/// assert_eq!(socket.latency(), Some(Duration::from_millis(20)));
/// # Ok::<(), isosocket::NewError>(())
/// ```
pub struct Heartbeat {
    pub(crate) interval: Duration,
    pub(crate) timeout: Duration,
    pub(crate) message: Option<Message>,
    pub(crate) answer: Option<Owned<Box<dyn IsAnswer>>>,
    pub(crate) delivers_answers: bool,
}

impl Heartbeat {
    /// A heartbeat by pings. A peer that is dead is noticed within `interval` and
    /// `timeout` together. Neither may be zero.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// use std::time::Duration;
    /// use isosocket::{Heartbeat, NewError, WebSocket};
    ///
    /// let never = Heartbeat::new(Duration::ZERO, Duration::from_secs(15));
    /// let refused = WebSocket::builder("ws://localhost/").heartbeat(never).connect();
    /// assert!(matches!(refused, Err(NewError::Option(_))));
    /// ```
    pub fn new(interval: Duration, timeout: Duration) -> Self {
        Heartbeat {
            interval,
            timeout,
            message: None,
            answer: None,
            delivers_answers: false,
        }
    }

    /// Asks by this message, once per interval, and sends no pings.
    ///
    /// Any message that arrives within the timeout is a sign of life, not only an answer.
    ///
    /// ```
    /// use std::time::Duration;
    /// use isosocket::Heartbeat;
    ///
    /// let heartbeat = Heartbeat::new(Duration::from_secs(30), Duration::from_secs(15));
    /// let heartbeat = heartbeat.message(r#"{"op":"heartbeat"}"#);
    /// ```
    pub fn message(mut self, message: impl Data) -> Self {
        self.message = Some(message.into_message());
        self
    }

    /// A message that is equal to this one is an answer. No handler and no stream gets it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use isosocket::Heartbeat;
    ///
    /// # let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
    /// let heartbeat = Heartbeat::new(interval, timeout).message([9]).answer([10]);
    /// ```
    pub fn answer(self, answer: impl Data) -> Self {
        let answer = answer.into_message();
        self.answer_if(move |message| *message == answer)
    }

    /// A message for which `is_answer` is true is an answer. No handler and no stream gets it. The
    /// function is called for each message, as a handler is. If it panics, the message is no
    /// answer.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use isosocket::Heartbeat;
    ///
    /// # let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
    /// let is_pong = |text: &str| text.starts_with(r#"{"op":"pong""#);
    /// let heartbeat = Heartbeat::new(interval, timeout)
    ///     .message(r#"{"op":"ping"}"#)
    ///     .answer_if(move |message| message.as_text().is_some_and(is_pong));
    /// ```
    pub fn answer_if<F>(mut self, is_answer: F) -> Self
    where
        F: FnMut(&Message) -> bool + MaybeSend + 'static,
    {
        let is_answer: Box<dyn IsAnswer> = Box::new(is_answer);
        self.answer = Some(Owned::new("the heartbeat's answer_if", is_answer));
        self
    }

    /// Handlers and streams get the answers, too.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use isosocket::Heartbeat;
    ///
    /// # let (interval, timeout) = (Duration::from_secs(30), Duration::from_secs(15));
    /// // The answer says how many are online, which the program shows.
    /// let heartbeat = Heartbeat::new(interval, timeout)
    ///     .message("ping")
    ///     .answer_if(|message| message.as_text().is_some_and(|text| text.starts_with("online ")))
    ///     .deliver_answers();
    /// ```
    pub fn deliver_answers(mut self) -> Self {
        self.delivers_answers = true;
        self
    }
}

impl fmt::Debug for Heartbeat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Heartbeat")
            .field("interval", &self.interval)
            .field("timeout", &self.timeout)
            .field("has_message", &self.message.is_some())
            .finish_non_exhaustive()
    }
}
