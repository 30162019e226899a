//! A TLS configuration that the program made.
//!
//! Invariant: the public interface names types of rustls only in `From` implementations. So
//! support for another version of rustls can be added without a breaking change.

use std::sync::Arc;

use crate::net::tls::TlsChoice;

/// A TLS configuration, made by `from` or `into` of that of a TLS library.
/// [`BuilderExt::tls_config`](super::BuilderExt::tls_config) takes one.
///
/// ```
/// use std::sync::Arc;
/// use isosocket::native::{TlsConfig, rustls_0_23};
///
/// fn of_rustls(config: rustls_0_23::ClientConfig) -> TlsConfig {
///     Arc::new(config).into()
/// }
/// ```
#[derive(Clone, Debug)]
pub struct TlsConfig(pub(crate) TlsChoice);

/// Of rustls 0.23.
impl From<Arc<rustls::ClientConfig>> for TlsConfig {
    fn from(config: Arc<rustls::ClientConfig>) -> Self {
        TlsConfig(TlsChoice::Rustls(config))
    }
}

/// Of rustls 0.23.
impl From<rustls::ClientConfig> for TlsConfig {
    fn from(config: rustls::ClientConfig) -> Self {
        Arc::new(config).into()
    }
}
