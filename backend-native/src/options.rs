//! What only native sockets can be told.

use isosocket_core::{Builder, NewError};
use tungstenite::http::HeaderMap;

use crate::Native;
use crate::handshake::check_header;
use crate::tls::TlsConfig;

/// The options that only this backend has; see [`BuilderExt`].
#[derive(Clone, Debug)]
pub struct NativeOptions {
    pub(crate) headers: HeaderMap,
    pub(crate) invalid: Option<String>,
    pub(crate) tls: Option<TlsConfig>,
    pub(crate) receive_limit: usize,
}

impl Default for NativeOptions {
    fn default() -> Self {
        NativeOptions {
            headers: HeaderMap::new(),
            invalid: None,
            tls: None,
            receive_limit: 4 << 20,
        }
    }
}

impl NativeOptions {
    pub(crate) fn check(&self) -> Result<(), NewError> {
        match &self.invalid {
            None => Ok(()),
            Some(what) => Err(NewError::Option(what.clone())),
        }
    }
}

/// What a native socket can be told beside what every target honours.
///
/// On the web this trait does not exist, so that no option is ignored silently.
///
/// ```no_run
/// use isosocket::WebSocket;
/// use isosocket::native::BuilderExt;
///
/// # fn main() -> Result<(), isosocket::NewError> {
/// let socket = WebSocket::builder("wss://example.org/")
///     .header("Authorization", "Bearer abc")
///     .connect()?;
/// # Ok(())
/// # }
/// ```
pub trait BuilderExt: Sized {
    /// Adds a header to the request of the opening handshake.
    ///
    /// `connect` fails with [`NewError::Option`] for a name or value that is not
    /// valid HTTP, and for headers that the handshake owns: `Host`,
    /// `Connection`, `Upgrade`, `Content-Length`, `Transfer-Encoding`, `TE`,
    /// `Trailer`, and all that begin with `Sec-WebSocket-`.
    fn header(self, name: &str, value: &str) -> Self;

    /// How many bytes of messages may wait in a stream that nobody drains
    /// before the socket stops reading. Default: 4 MiB.
    fn receive_limit(self, bytes: usize) -> Self;

    /// The TLS configuration for `wss:`, in place of the system's roots.
    #[cfg(feature = "tls")]
    fn tls_config(self, config: std::sync::Arc<rustls::ClientConfig>) -> Self;
}

impl BuilderExt for Builder<Native> {
    fn header(mut self, name: &str, value: &str) -> Self {
        let options = self.native_mut();
        match check_header(name, value) {
            Ok((name, value)) => {
                options.headers.append(name, value);
            }
            Err(what) => options.invalid = Some(what),
        }
        self
    }

    fn receive_limit(mut self, bytes: usize) -> Self {
        self.native_mut().receive_limit = bytes;
        self
    }

    #[cfg(feature = "tls")]
    fn tls_config(mut self, config: std::sync::Arc<rustls::ClientConfig>) -> Self {
        self.native_mut().tls = Some(config);
        self
    }
}
