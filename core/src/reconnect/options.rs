//! Describing a socket that connects again, and what only such a socket has.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use super::attempt;
use super::hooks::{BoxError, Decide, Hooks, Provide, Provider};
use super::policy::Policy;
use super::status::listeners::boxed;
use super::{Loss, NextAttempt, Outer, Reconnect, Retry, Status};
use crate::base::guard::Owned;
use crate::{Builder, Configure, IntoUrl, MaybeSend, Transport, WebSocket};

/// The default heartbeat: a ping after the first time of silence, and the peer counts as dead
/// after the second.
const PINGS: (Duration, Duration) = (Duration::from_secs(30), Duration::from_secs(15));

/// The options of a reconnecting socket; see the methods of [`Builder`].
#[doc(hidden)]
#[derive(Debug)]
pub struct ReconnectOptions<T: Transport> {
    pub(crate) inner: T::Options,
    pub(crate) policy: Policy,
    pub(crate) opening: Option<Opening<T>>,
    pub(crate) hooks: Arc<Hooks<T>>,
}

/// The time for the first connection, and what happens when it is over. A pointer, so that
/// only programs with such a limit have the code.
pub(crate) type Opening<T> = (Duration, fn(&Outer<T>, Duration));

impl<T: Transport> Clone for ReconnectOptions<T> {
    fn clone(&self) -> Self {
        ReconnectOptions {
            inner: self.inner.clone(),
            policy: self.policy.clone(),
            opening: self.opening,
            hooks: self.hooks.clone(),
        }
    }
}

impl<T: Transport> Default for ReconnectOptions<T> {
    fn default() -> Self {
        let mut inner = T::Options::default();
        // Where there are pings, a connection that is dead is noticed.
        T::set_pings(&mut inner, Some(PINGS));
        ReconnectOptions {
            inner,
            policy: Policy::default(),
            opening: None,
            hooks: Arc::default(),
        }
    }
}

/// A reconnecting socket has all options of its backend's sockets.
impl<T, O> AsMut<O> for ReconnectOptions<T>
where
    T: Transport<Options: AsMut<O>>,
{
    fn as_mut(&mut self) -> &mut O {
        self.inner.as_mut()
    }
}

/// The options that only reconnecting sockets have.
///
/// All other options of the builder, including those of one target, apply to each of
/// the socket's connections.
///
/// ```
/// # use isosocket::mock::Network;
/// use std::time::Duration;
///
/// use isosocket::{Reconnecting, Retry};
///
/// # let network = Network::new();
/// # let peer = network.peer("wss://example.org/feed");
/// # peer.close_with(1012, "restart");
/// # network.peer("wss://example.org/feed").expect("subscribe").send("news").close_with(4000, "");
/// let socket = Reconnecting::builder("wss://example.org/feed")
///     .connect_timeout(Duration::from_secs(5))
///     .backoff(Duration::from_millis(200), Duration::from_secs(20))
///     .retry(|loss| match loss.close.code {
///         4000..=4999 => Retry::GiveUp, // this server's way to say "go away"
///         _ => Retry::Backoff,
///     })
///     .on_open(|socket| {
///         let _ = socket.send("subscribe");
///     })
///     .on_message(|_, message| println!("{message:?}"))
///     .on_status(|_, status| println!("{status:?}"))
///     .connect()?;
/// # network.advance(Duration::from_secs(1));
/// # assert_eq!(socket.ready_state(), isosocket::ReadyState::Closed);
/// # network.finish();
/// # Ok::<(), isosocket::NewError>(())
/// ```
impl<T: Transport> Builder<Reconnect<T>> {
    fn policy(&mut self) -> &mut Policy {
        &mut self.native_mut().policy
    }

    /// How long to wait before connecting again: a random time between 0 and `base`. `base` is
    /// doubled with each attempt in a row, up to `max` ("exponential backoff with full jitter").
    /// The time is random so that the clients of a server do not all connect at the same moment
    /// when it is back. Default: 500 ms and 30 s.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.fix_random(u64::MAX);
    /// # for _ in 0..4 { network.peer("ws://peer/").refuse("down"); }
    /// # network.peer("ws://peer/");
    /// use std::time::Duration;
    /// use isosocket::Reconnecting;
    ///
    /// let socket = Reconnecting::builder("ws://peer/")
    ///     .backoff(Duration::from_secs(1), Duration::from_secs(5))
    ///     .connect()?;
    /// // While the server is down: at most 1, 2, 4, 5, 5 .. seconds between attempts.
    /// # network.advance(Duration::from_secs(12));
    /// # assert_eq!(socket.status(), isosocket::Status::Open);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn backoff(mut self, base: Duration, max: Duration) -> Self {
        (self.policy().base, self.policy().max) = (base, max);
        self
    }

    /// How long a connection must stay open to count as good. When such a connection is
    /// lost, the backoff starts again from its first delay. A connection that is lost
    /// sooner counts as a failed attempt. Default: 5 s.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept().delay(std::time::Duration::from_secs(30)).drop_connection();
    /// use std::time::Duration;
    /// use isosocket::{Reconnecting, Status};
    ///
    /// // A server that takes everybody and throws out most of them after a while.
    /// let socket = Reconnecting::builder("ws://peer/")
    ///     .min_uptime(Duration::from_secs(60))
    ///     .connect()?;
    /// # network.advance(Duration::from_secs(30));
    /// // .. lost after half a minute, so the next attempt is the second in a row:
    /// assert!(matches!(socket.status(), Status::Waiting { attempt: 2, .. }));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn min_uptime(mut self, uptime: Duration) -> Self {
        self.policy().min_uptime = uptime;
        self
    }

    /// After how many failed attempts in a row the socket gives up, the first
    /// one included. Default: `None`, never.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # for _ in 0..3 { network.peer("ws://peer/").refuse("down"); }
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::builder("ws://peer/").max_attempts(3).connect()?;
    /// # network.advance(std::time::Duration::from_secs(60));
    /// // .. after three refusals:
    /// assert!(matches!(socket.status(), Status::GaveUp(loss) if loss.attempt == 3));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn max_attempts(mut self, attempts: impl Into<Option<u32>>) -> Self {
        self.policy().max_attempts = attempts.into();
        self
    }

    /// How long it may take until the socket is open for the first time, all attempts together.
    /// After that the socket gives up. Default: `None`, no limit.
    ///
    /// If the server does not exist, `open` waits for ever, unless you use this,
    /// [`max_attempts`](Self::max_attempts), or a [`retry`](Self::retry) that gives up.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # for _ in 0..100 { network.peer("ws://peer/").refuse("no such host"); }
    /// # network.block_on(async {
    /// use std::time::Duration;
    /// use isosocket::Reconnecting;
    ///
    /// let builder = Reconnecting::builder("ws://peer/").open_timeout(Duration::from_secs(10));
    /// let error = builder.open().await.unwrap_err();
    /// assert!(format!("{error:#}").contains("no connection within 10s"));
    /// # });
    /// # assert_eq!(network.now().as_secs(), 10);
    /// ```
    pub fn open_timeout(mut self, timeout: impl Into<Option<Duration>>) -> Self {
        let timeout = timeout.into();
        self.native_mut().opening = timeout.map(|timeout| (timeout, attempt::expire as _));
        self
    }

    /// How many bytes of messages are kept while there is no connection. Beyond that `send`
    /// returns [`SendError::Full`](crate::SendError::Full). Default: 1 MiB. The send limit
    /// applies, too.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").expect(vec![0; 900]);
    /// use isosocket::{Reconnecting, SendError};
    ///
    /// let socket = Reconnecting::builder("ws://peer/").queue_limit(1000).connect()?;
    /// // Before there is a connection:
    /// socket.send(vec![0; 900]).expect("it is kept");
    /// assert!(matches!(socket.send(vec![0; 900]), Err(SendError::Full(_))));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn queue_limit(mut self, bytes: usize) -> Self {
        self.policy().queue_limit = Some(bytes);
        self
    }

    /// Keeps no messages: while there is no connection, `send` returns
    /// [`SendError::Connecting`](crate::SendError::Connecting), which holds the message.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/");
    /// use isosocket::{Reconnecting, SendError};
    ///
    /// let socket = Reconnecting::builder("ws://peer/").refuse_while_down().connect()?;
    /// let refused = socket.send("where the mouse is");
    /// assert!(matches!(refused, Err(SendError::Connecting(_))));
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn refuse_while_down(mut self) -> Self {
        self.policy().queue_limit = None;
        self
    }

    /// Decides what to do when a connection is lost or an attempt has failed:
    /// see [`Loss`] and [`Retry`]. The default is [`Loss::default_retry`]: [`Retry::Backoff`],
    /// also after a clean close by the peer; but [`Retry::GiveUp`] after a refusal with a status
    /// such as 401 or 404, which means that the request is wrong.
    ///
    /// It is called where handlers are called. It is not called when the program itself closed
    /// the socket, nor after the last attempt that [`max_attempts`](Self::max_attempts) allows.
    /// If it panics, the answer is `Backoff`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").close_with(4003, "banned");
    /// use isosocket::{Reconnecting, Retry, Status};
    ///
    /// let socket = Reconnecting::builder("ws://peer/")
    ///     .retry(|loss| match loss.close.code {
    ///         4003 => Retry::GiveUp,
    ///         _ => Retry::Backoff,
    ///     })
    ///     .connect()?;
    /// # network.run();
    /// // .. once it was sent away:
    /// assert!(matches!(socket.status(), Status::GaveUp(_)));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn retry<F>(mut self, decide: F) -> Self
    where
        F: FnMut(&Loss) -> Retry + MaybeSend + 'static,
    {
        let decide: Box<dyn Decide> = Box::new(decide);
        let decide = Owned::new("the hook that decides about another attempt", decide);
        let hooks = &self.native_mut().hooks;
        drop(hooks.decide.with(|slot| slot.replace(decide)));
        self
    }

    /// Sets a function that is called before each attempt and may change it, for example to use
    /// a fresh token or another server. It gets the [`NextAttempt`] as the builder describes it,
    /// with its number and how the last connection ended. It returns the attempt with its
    /// changes: another URL, more subprotocols, natively also headers, TLS and all else in
    /// `isosocket::native::BuilderExt`.
    ///
    /// If the function returns an error, the socket ends with it: `Error`, then `Close`.
    /// [`NextAttempt::failed`] makes only this attempt fail, and so do a malformed URL, a panic,
    /// and the connect timeout. That timeout is for the function, and then again for
    /// connecting.
    ///
    /// `url()` still returns the builder's URL, and not that of the function, which may
    /// contain secrets.
    ///
    /// ```
    /// # use isosocket::mock::Network;
    /// use isosocket::Reconnecting;
    ///
    /// # enum Token { Valid(String), LoggedOut, NoAnswer }
    /// # async fn fetch_token() -> Token { Token::Valid("abc".to_owned()) }
    /// # let network = Network::new();
    /// # network.peer("wss://example.org/feed?token=abc").send("news");
    /// let socket = Reconnecting::builder("wss://example.org/feed")
    ///     .each_attempt(|next| async move {
    ///         match fetch_token().await {
    ///             Token::Valid(token) => {
    ///                 Ok(next.url(format!("wss://example.org/feed?token={token}")))
    ///             }
    ///             Token::NoAnswer => Ok(next.failed("the login server does not answer")),
    ///             Token::LoggedOut => Err("logged out"),
    ///         }
    ///     })
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// ## Platform-specific
    /// - **Native:** the future is polled on the event-loop thread and must not block. If it needs
    ///   a runtime, spawn it on that runtime, and await the result here: with tokio,
    ///   `handle.spawn(fetch_token()).await`, where `handle` is a `tokio::runtime::Handle`.
    /// - **Web:** the future is polled on the thread of the socket. In a build with threads it may
    ///   be woken on any thread, and must be `Send`, like a handler. To await a JavaScript promise
    ///   there, await it in a task of its own thread, which sends the result through a channel.
    pub fn each_attempt<F, R, E>(mut self, prepare: F) -> Self
    where
        F: FnMut(NextAttempt<T>) -> R + MaybeSend + 'static,
        R: Future<Output = Result<NextAttempt<T>, E>> + MaybeSend + 'static,
        E: Into<BoxError> + 'static,
    {
        let provider: Box<dyn Provide<T>> = Box::new(Provider(prepare));
        let provider = Owned::new("the provider", provider);
        let hooks = &self.native_mut().hooks;
        hooks.ask.with(|slot| *slot = Some(attempt::ask));
        drop(hooks.provide.with(|slot| slot.replace(provider)));
        self
    }

    /// A short form of [`each_attempt`](Self::each_attempt), for the URL alone. Its
    /// argument is the number of the attempt in a row. An error is a failed attempt, and
    /// does not end the socket.
    ///
    /// ```
    /// # use isosocket::mock::Network;
    /// use isosocket::Reconnecting;
    ///
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
    /// # let network = Network::new();
    /// # network.peer("wss://example.org/feed?token=abc").send("news");
    /// let socket = Reconnecting::builder("wss://example.org/feed")
    ///     .url_provider(|_attempt| async {
    ///         let token = fetch_token().await?;
    ///         Ok::<_, std::io::Error>(format!("wss://example.org/feed?token={token}"))
    ///     })
    ///     .connect()?;
    /// # network.finish();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn url_provider<F, R, U, E>(self, mut provider: F) -> Self
    where
        F: FnMut(u32) -> R + MaybeSend + 'static,
        R: Future<Output = Result<U, E>> + MaybeSend + 'static,
        U: IntoUrl + 'static,
        E: Into<BoxError> + 'static,
    {
        self.each_attempt(move |next| {
            let url = provider(next.number());
            async move {
                Ok::<_, BoxError>(match url.await {
                    Ok(url) => next.url(url),
                    Err(error) => next.failed(error),
                })
            }
        })
    }

    /// Calls `handler` for each [`Status`], from the first attempt on.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").accept();
    /// use isosocket::{Reconnecting, Status};
    ///
    /// let socket = Reconnecting::builder("ws://peer/")
    ///     .on_status(|socket, status| match status {
    ///         Status::Open => println!("connected to {}", socket.url()),
    ///         Status::Waiting { delay, .. } => println!("again in {delay:?}"),
    ///         _ => {}
    ///     })
    ///     .connect()?;
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn on_status<F>(mut self, handler: F) -> Self
    where
        F: FnMut(&WebSocket<Reconnect<T>>, &Status) + MaybeSend + 'static,
    {
        self.native_mut().hooks.listeners.bind(boxed(handler));
        self
    }
}
