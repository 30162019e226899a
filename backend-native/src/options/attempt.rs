//! What only native sockets can change for each attempt to connect again.

use isosocket_core::{NextAttempt, Transport};

use super::NativeOptions;
#[cfg(feature = "native-tls")]
use crate::net::tls::TlsChoice;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
use crate::options::tls_config::TlsConfig;

/// What natively each attempt of a reconnecting socket can change in addition: an
/// extension of [`NextAttempt`].
///
/// ```no_run
/// use isosocket::Reconnecting;
/// use isosocket::native::AttemptExt;
///
/// # async fn fetch_token() -> Result<String, std::io::Error> { Ok("abc".to_owned()) }
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = Reconnecting::builder("wss://example.org/feed")
///     .each_attempt(|next| async move {
///         Ok::<_, std::io::Error>(match fetch_token().await {
///             Ok(token) => next.header("Authorization", &format!("Bearer {token}")),
///             Err(error) => next.failed(error),
///         })
///     })
///     .connect()?;
/// # Ok(())
/// # }
/// ```
pub trait AttemptExt: Sized {
    /// Adds a header to the request of this attempt, after those of the builder. One that
    /// the builder would refuse makes the attempt fail: see
    /// [`BuilderExt::header`](super::BuilderExt::header).
    ///
    /// ```
    /// use isosocket::NextAttempt;
    /// use isosocket::native::AttemptExt;
    ///
    /// fn with_token(next: NextAttempt, token: &str) -> NextAttempt {
    ///     next.header("Authorization", &format!("Bearer {token}"))
    /// }
    /// ```
    fn header(self, name: &str, value: &str) -> Self;

    /// The TLS configuration of this attempt, in place of the builder's, for example
    /// with a new client certificate: see
    /// [`BuilderExt::tls_config`](super::BuilderExt::tls_config).
    ///
    /// ```
    /// use isosocket::NextAttempt;
    /// use isosocket::native::{AttemptExt, TlsConfig};
    ///
    /// fn with_identity(next: NextAttempt, config: &TlsConfig) -> NextAttempt {
    ///     next.tls_config(config.clone())
    /// }
    /// ```
    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    fn tls_config(self, config: impl Into<TlsConfig>) -> Self;

    /// Does TLS by the system's library in this attempt: see
    /// [`BuilderExt::native_tls`](super::BuilderExt::native_tls).
    ///
    /// ```
    /// use isosocket::NextAttempt;
    /// use isosocket::native::{AttemptExt, native_tls};
    ///
    /// fn with_connector(next: NextAttempt, tls: &native_tls::TlsConnector) -> NextAttempt {
    ///     next.native_tls(tls.clone())
    /// }
    /// ```
    #[cfg(feature = "native-tls")]
    fn native_tls(self, connector: native_tls::TlsConnector) -> Self;
}

impl<T> AttemptExt for NextAttempt<T>
where
    T: Transport<Options: AsMut<NativeOptions>>,
{
    fn header(mut self, name: &str, value: &str) -> Self {
        self.native_mut().as_mut().add_header(name, value);
        self
    }

    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    fn tls_config(mut self, config: impl Into<TlsConfig>) -> Self {
        self.native_mut().as_mut().tls = config.into().0;
        self
    }

    #[cfg(feature = "native-tls")]
    fn native_tls(mut self, connector: native_tls::TlsConnector) -> Self {
        self.native_mut().as_mut().tls = TlsChoice::NativeTls(connector);
        self
    }
}
