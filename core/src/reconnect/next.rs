//! What the next attempt uses, as the program's function may change it.

use std::fmt;

use super::Loss;
use super::hooks::BoxError;
use crate::base::rare::Rare;
use crate::contract::request::{Asked, ask_for};
use crate::{Configure, IntoUrl, Transport};

/// What the next attempt of a reconnecting socket uses: see `each_attempt` of the builder.
///
/// It begins as the builder describes it. The function gets it, changes it, and returns it.
/// `isosocket::native::BuilderExt` and `isosocket::web::BuilderExt` add the options that only
/// one kind of target has, as to the builder.
///
/// ```
/// # use isosocket::mock::Network;
/// use isosocket::{NextAttempt, Reconnecting};
///
/// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
/// async fn prepare(next: NextAttempt) -> Result<NextAttempt, std::io::Error> {
///     let token = fetch_token().await?;
///     Ok(next.url(format!("wss://example.org/feed?token={token}")))
/// }
///
/// # let network = Network::new();
/// # network.peer("wss://example.org/feed?token=abc").send("news");
/// let socket = Reconnecting::builder("wss://example.org/feed")
///     .each_attempt(prepare)
///     .connect()?;
/// # network.finish();
/// # Ok::<(), isosocket::NewError>(())
/// ```
pub struct NextAttempt<T: Transport> {
    pub(super) number: u32,
    pub(super) loss: Option<Loss>,
    pub(super) url: String,
    pub(super) asked: Rare<Asked>,
    pub(super) native: T::Options,
    pub(super) failure: Option<BoxError>,
}

impl<T: Transport> NextAttempt<T> {
    /// The number of this attempt in a row, counted from 1.
    ///
    /// ```
    /// use isosocket::NextAttempt;
    ///
    /// /// The servers by turns.
    /// fn choose(next: NextAttempt) -> NextAttempt {
    ///     let server = ["wss://a.example/", "wss://b.example/"][next.number() as usize % 2];
    ///     next.url(server)
    /// }
    /// ```
    pub fn number(&self) -> u32 {
        self.number
    }

    /// How the last connection, or attempt, ended. `None` for the first attempt.
    ///
    /// ```
    /// use isosocket::NextAttempt;
    ///
    /// fn needs_new_token(next: &NextAttempt) -> bool {
    ///     next.loss().is_some_and(|loss| loss.status() == Some(401) || loss.close.code == 4001)
    /// }
    /// ```
    pub fn loss(&self) -> Option<&Loss> {
        self.loss.as_ref()
    }

    /// Sets the URL. A malformed one makes the attempt fail.
    ///
    /// ```
    /// use isosocket::NextAttempt;
    ///
    /// fn with_token(next: NextAttempt, token: &str) -> NextAttempt {
    ///     next.url(format!("wss://example.org/feed?token={token}"))
    /// }
    /// ```
    pub fn url(mut self, url: impl IntoUrl) -> Self {
        self.url = url.into_url();
        self
    }

    /// Offers one more subprotocol, after those of the builder. If it is malformed, or offered
    /// already, the attempt fails.
    ///
    /// ```
    /// use isosocket::NextAttempt;
    ///
    /// /// Where a page has no other place for a token.
    /// fn with_token(next: NextAttempt, token: &str) -> NextAttempt {
    ///     next.subprotocol(format!("bearer.{token}"))
    /// }
    /// ```
    pub fn subprotocol(mut self, subprotocol: impl Into<String>) -> Self {
        ask_for(subprotocol.into(), &mut self.asked);
        self
    }

    /// Makes no attempt this time, because of this error. It counts as a failed attempt, and
    /// another one follows later. Return this in `Ok`: an `Err` ends the socket.
    ///
    /// ```
    /// use isosocket::NextAttempt;
    ///
    /// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
    /// async fn prepare(next: NextAttempt) -> Result<NextAttempt, std::io::Error> {
    ///     Ok(match fetch_token().await {
    ///         Ok(token) => next.url(format!("wss://example.org/feed?token={token}")),
    ///         // Perhaps there is no network now.
    ///         Err(error) => next.failed(error),
    ///     })
    /// }
    /// ```
    pub fn failed(mut self, error: impl Into<BoxError>) -> Self {
        self.failure = Some(error.into());
        self
    }
}

impl<T: Transport> Configure for NextAttempt<T> {
    type Options = T::Options;

    fn native_mut(&mut self) -> &mut T::Options {
        &mut self.native
    }
}

/// URL, subprotocols and options may be secret.
impl<T: Transport> fmt::Debug for NextAttempt<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NextAttempt")
            .field("number", &self.number)
            .field("loss", &self.loss)
            .finish_non_exhaustive()
    }
}
