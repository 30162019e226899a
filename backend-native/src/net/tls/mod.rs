//! TLS over a non-blocking stream, with the same interface for each TLS library.
//!
//! The event loop reads while other threads write. So each session has a lock, which is held
//! for one call at a time.

// Without any of the libraries a session is only asked for, and refused.
#![cfg_attr(
    not(any(feature = "tls", feature = "webpki-roots", feature = "native-tls")),
    allow(dead_code, clippy::only_used_in_recursion)
)]

pub(crate) mod default;
#[cfg(any(feature = "tls", feature = "webpki-roots", feature = "native-tls"))]
mod failure;
#[cfg(feature = "native-tls")]
mod native_tls;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
mod quiet;
#[cfg(any(feature = "tls", feature = "webpki-roots"))]
pub(crate) mod rustls;

use std::fmt;
use std::io;
use std::sync::{Mutex, MutexGuard};

use crate::system::TcpStream;
use crate::url::Host;

/// How many bytes one call reads that bring no plain text, about.
const BUDGET: usize = 128 << 10;

/// What TLS does for a stream. All methods are non-blocking.
trait Session: Send {
    /// Reads plain text. After [`BUDGET`] bytes without any it returns `Interrupted`,
    /// because a peer may send as many records as it likes that have none (S110).
    fn read(&mut self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize>;

    /// Says how much of `data` the network has taken. After `WouldBlock` the
    /// next call begins with the same bytes.
    fn write(&mut self, tcp: &TcpStream, data: &[u8]) -> io::Result<usize>;

    /// Sends what TLS itself has to say: handshake, alerts, key updates.
    fn flush(&mut self, tcp: &TcpStream) -> io::Result<()>;

    fn send_close_notify(&mut self, tcp: &TcpStream);
}

/// How a socket does TLS: by a configuration of its own, or by the default.
#[derive(Clone, Default)]
pub(crate) enum TlsChoice {
    #[default]
    Default,
    #[cfg(any(feature = "tls", feature = "webpki-roots"))]
    Rustls(std::sync::Arc<::rustls::ClientConfig>),
    #[cfg(feature = "native-tls")]
    NativeTls(::native_tls::TlsConnector),
}

impl fmt::Debug for TlsChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TlsChoice")
    }
}

/// One TLS session.
pub(crate) struct Tls(Mutex<Box<dyn Session>>);

impl Tls {
    pub(crate) fn new(choice: TlsChoice, host: &Host) -> io::Result<Self> {
        Ok(Tls(Mutex::new(session(choice, host)?)))
    }

    pub(crate) fn read(&self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        self.lock().read(tcp, buffer)
    }

    pub(crate) fn write(&self, tcp: &TcpStream, data: &[u8]) -> io::Result<usize> {
        self.lock().write(tcp, data)
    }

    pub(crate) fn flush(&self, tcp: &TcpStream) -> io::Result<()> {
        self.lock().flush(tcp)
    }

    pub(crate) fn send_close_notify(&self, tcp: &TcpStream) {
        self.lock().send_close_notify(tcp);
    }

    fn lock(&self) -> MutexGuard<'_, Box<dyn Session>> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

fn session(choice: TlsChoice, host: &Host) -> io::Result<Box<dyn Session>> {
    match choice {
        TlsChoice::Default => session(default::load()?, host),
        #[cfg(any(feature = "tls", feature = "webpki-roots"))]
        TlsChoice::Rustls(config) => rustls::session(config, host),
        #[cfg(feature = "native-tls")]
        TlsChoice::NativeTls(connector) => native_tls::session(connector, host),
    }
}
