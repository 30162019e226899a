//! TLS by rustls, with an explicit crypto provider: a program that sets no
//! process-wide one must not panic.

#[cfg(feature = "tls")]
pub(crate) use with_rustls::{Tls, TlsConfig, default_config, warm_up};
#[cfg(not(feature = "tls"))]
pub(crate) use without::{Tls, TlsConfig, default_config, warm_up};

#[cfg(feature = "tls")]
mod with_rustls {
    use std::fmt;
    use std::io::{self, Read, Write};
    use std::net::IpAddr;
    use std::sync::{Arc, Mutex, MutexGuard, OnceLock};

    use mio::net::TcpStream;
    use rustls::pki_types::ServerName;
    use rustls::{ClientConfig, ClientConnection, RootCertStore};
    use url::Host;

    /// The most plain text that is handed to rustls at a time, so that the
    /// buffered amount stays exact and memory bounded.
    const PIECE: usize = 64 << 10;

    pub(crate) type TlsConfig = Arc<ClientConfig>;

    /// The configuration for sockets that bring none: the system's roots.
    pub(crate) fn default_config() -> TlsConfig {
        static CONFIG: OnceLock<TlsConfig> = OnceLock::new();
        CONFIG
            .get_or_init(|| {
                let loaded = rustls_native_certs::load_native_certs();
                for error in &loaded.errors {
                    log::warn!("a system root could not be loaded: {error}");
                }
                let mut roots = RootCertStore::empty();
                let (_, unusable) = roots.add_parsable_certificates(loaded.certs);
                log::debug!("{} system roots, {unusable} unusable", roots.len());
                let provider = Arc::new(rustls::crypto::ring::default_provider());
                let config = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .expect("ring supports the default versions")
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Arc::new(config)
            })
            .clone()
    }

    /// Loads the roots, which takes milliseconds, away from the event loop.
    pub(crate) fn warm_up() {
        default_config();
    }

    /// One TLS session. A lock of its own stands around it, held for a call.
    pub(crate) struct Tls(Mutex<Session>);

    struct Session {
        connection: ClientConnection,
        /// Plain text that rustls has and the network not yet.
        accepted: usize,
    }

    impl Tls {
        pub(crate) fn new(config: TlsConfig, host: Host<&str>) -> io::Result<Self> {
            let name = match host {
                Host::Domain(name) => ServerName::try_from(name.to_owned())
                    .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, error))?,
                Host::Ipv4(address) => ServerName::from(IpAddr::from(address)),
                Host::Ipv6(address) => ServerName::from(IpAddr::from(address)),
            };
            let connection = ClientConnection::new(config, name).map_err(io::Error::other)?;
            Ok(Tls(Mutex::new(Session {
                connection,
                accepted: 0,
            })))
        }

        pub(crate) fn read(&self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
            let mut session = self.lock();
            loop {
                match session.connection.reader().read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    // Many servers close TCP without saying so in TLS first.
                    Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                    result => return result,
                }
                let received = session.connection.read_tls(&mut &*tcp)?;
                let processed = session.connection.process_new_packets();
                // An alert that says why goes out as far as it can.
                let flushed = session.flush(tcp);
                processed.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
                match flushed {
                    Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
                if received == 0 && session.connection.is_handshaking() {
                    return Ok(0);
                }
            }
        }

        pub(crate) fn write(&self, tcp: &TcpStream, data: &[u8]) -> io::Result<usize> {
            let mut session = self.lock();
            if session.accepted == 0 {
                let piece = &data[..data.len().min(PIECE)];
                session.accepted = session.connection.writer().write(piece)?;
            }
            session.flush(tcp)?;
            Ok(std::mem::take(&mut session.accepted))
        }

        pub(crate) fn flush(&self, tcp: &TcpStream) -> io::Result<()> {
            self.lock().flush(tcp)
        }

        pub(crate) fn send_close_notify(&self, tcp: &TcpStream) {
            let mut session = self.lock();
            session.connection.send_close_notify();
            // Best effort: the connection is over.
            let _ = session.flush(tcp);
        }

        fn lock(&self) -> MutexGuard<'_, Session> {
            self.0
                .lock()
                .unwrap_or_else(|poisoned| poisoned.into_inner())
        }
    }

    impl Session {
        fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
            while self.connection.wants_write() {
                if self.connection.write_tls(&mut &*tcp)? == 0 {
                    return Err(io::ErrorKind::WriteZero.into());
                }
            }
            Ok(())
        }
    }

    impl fmt::Debug for Tls {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Tls")
        }
    }
}

#[cfg(not(feature = "tls"))]
mod without {
    use std::io;

    use mio::net::TcpStream;
    use url::Host;

    /// There is no configuration of what is not compiled in.
    #[derive(Clone, Debug)]
    pub(crate) enum TlsConfig {
        None,
    }

    pub(crate) fn default_config() -> TlsConfig {
        TlsConfig::None
    }

    pub(crate) fn warm_up() {}

    /// No TLS: `wss:` fails with a clear cause.
    #[derive(Debug)]
    pub(crate) enum Tls {}

    impl Tls {
        pub(crate) fn new(_: TlsConfig, _: Host<&str>) -> io::Result<Self> {
            let message = "isosocket was built without a TLS feature, so wss: cannot be used";
            Err(io::Error::new(io::ErrorKind::Unsupported, message))
        }

        pub(crate) fn read(&self, _: &TcpStream, _: &mut [u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(crate) fn write(&self, _: &TcpStream, _: &[u8]) -> io::Result<usize> {
            match *self {}
        }

        pub(crate) fn flush(&self, _: &TcpStream) -> io::Result<()> {
            match *self {}
        }

        pub(crate) fn send_close_notify(&self, _: &TcpStream) {
            match *self {}
        }
    }
}
