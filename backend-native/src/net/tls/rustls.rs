//! TLS by rustls. It always names the crypto provider, because rustls panics if a program has
//! set no process-wide provider and none is named.

use std::io::{self, Read, Write};
use std::net::IpAddr;
use std::sync::Arc;

#[cfg(feature = "webpki-roots")]
use crate::per_process::PerProcess;
use crate::system::TcpStream;
use isosocket_core::TlsFailure;
#[cfg(feature = "tls")]
use isosocket_core::logging;
use rustls::crypto::{CryptoProvider, KeyProvider};
use rustls::pki_types::{PrivateKeyDer, ServerName};
use rustls::sign::SigningKey;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use thiserror::Error;

use super::failure::{is_of_authority, of_rustls};
use super::quiet::Quiet;
use crate::failure::{BoxError, of_tls};
use crate::url::Host;

/// The most plain text that rustls is given at a time, so that the buffered
/// amount stays exact and memory bounded.
const PIECE: usize = 64 << 10;

/// The configuration for sockets that choose none: the system's roots. Reads files.
#[cfg(feature = "tls")]
pub(super) fn default_config() -> io::Result<Arc<ClientConfig>> {
    trusting(system_roots()).ok_or_else(|| {
        let message = "the system has no root certificates";
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

/// The configuration that trusts Mozilla's roots, which are built in, and no others.
#[cfg(feature = "webpki-roots")]
pub(crate) fn webpki_config() -> Arc<ClientConfig> {
    static CONFIG: PerProcess<Arc<ClientConfig>> = PerProcess::new(|| {
        let roots = webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect();
        trusting(roots).expect("the list is not empty")
    });
    Arc::clone(CONFIG.get())
}

/// Trusts what descends from these; `None` if there are none.
fn trusting(roots: RootCertStore) -> Option<Arc<ClientConfig>> {
    if roots.is_empty() {
        return None;
    }
    let provider = CryptoProvider {
        key_provider: &NoKeys,
        ..rustls::crypto::ring::default_provider()
    };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    Some(Arc::new(config))
}

/// A configuration of ours has no key of its own. So a program does not load what signs.
#[derive(Debug)]
struct NoKeys;

impl KeyProvider for NoKeys {
    fn load_private_key(
        &self,
        _: PrivateKeyDer<'static>,
    ) -> Result<Arc<dyn SigningKey>, rustls::Error> {
        Err(rustls::Error::General(
            "there are no client certificates".into(),
        ))
    }
}

#[cfg(feature = "tls")]
fn system_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let loaded = rustls_native_certs::load_native_certs();
    for error in &loaded.errors {
        logging(|| log::warn!("a system root could not be loaded: {error}"));
    }
    roots.add_parsable_certificates(loaded.certs);
    roots
}

/// The same configuration with no other protocol than ours to offer by ALPN. A
/// server that may choose `h2` would not understand a request of HTTP/1.1.
fn offering_http_1_1(config: Arc<ClientConfig>) -> Arc<ClientConfig> {
    if config.alpn_protocols.iter().all(|name| name == HTTP_1_1) {
        return config;
    }
    let mut config = Arc::unwrap_or_clone(config);
    config.alpn_protocols = vec![HTTP_1_1.to_vec()];
    Arc::new(config)
}

const HTTP_1_1: &[u8] = b"http/1.1";

pub(super) fn session(
    config: Arc<ClientConfig>,
    host: &Host,
) -> io::Result<Box<dyn super::Session>> {
    Ok(Box::new(new_session(config, host)?))
}

fn new_session(config: Arc<ClientConfig>, host: &Host) -> io::Result<Session> {
    let name = match host {
        Host::Domain(name) => ServerName::try_from(name.clone()).map_err(other)?,
        Host::Ipv4(address) => IpAddr::from(*address).into(),
        Host::Ipv6(address) => IpAddr::from(*address).into(),
    };
    let config = offering_http_1_1(config);
    let connection = ClientConnection::new(config, name).map_err(other)?;
    Ok(Session {
        connection,
        accepted: 0,
    })
}

/// What fails before there is a server.
fn other(error: impl Into<BoxError>) -> io::Error {
    of_tls(TlsFailure::Other, error)
}

/// A certificate that is refused although the program may trust it.
#[derive(Debug, Error)]
#[error(
    "the server's certificate is one of a certificate authority, as `openssl req -x509` makes \
     them; create it again with `-addext basicConstraints=critical,CA:FALSE`"
)]
struct SelfSigned {
    source: rustls::Error,
}

/// The error of a session, with advice where its text alone says too little.
fn explain(error: rustls::Error) -> io::Error {
    let failure = of_rustls(&error);
    match is_of_authority(&error) {
        true => of_tls(failure, SelfSigned { source: error }),
        false => of_tls(failure, error),
    }
}

struct Session {
    connection: ClientConnection,
    /// Plain text that rustls has and the network not yet.
    accepted: usize,
}

impl super::Session for Session {
    fn read(&mut self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut budget = super::BUDGET;
        loop {
            match self.connection.reader().read(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if budget == 0 {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                // Many servers close TCP without saying so in TLS first.
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(0),
                result => return result,
            }
            let received = self.connection.read_tls(&mut &*tcp)?;
            let processed = self.connection.process_new_packets();
            // An alert that says why goes out as far as it can. A failure to write
            // ends writing only: what has arrived is still read (S109).
            let _ = self.flush(tcp);
            processed.map_err(explain)?;
            if received == 0 && self.connection.is_handshaking() {
                return Ok(0);
            }
            budget = budget.saturating_sub(received);
        }
    }

    fn write(&mut self, tcp: &TcpStream, data: &[u8]) -> io::Result<usize> {
        if self.connection.is_handshaking() {
            // Until then rustls would only store it, up to a limit.
            self.flush(tcp)?;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        if self.accepted == 0 {
            let piece = &data[..data.len().min(PIECE)];
            // Zero if its buffer is full, and it is emptied next.
            self.accepted = self.connection.writer().write(piece)?;
        }
        self.flush(tcp)?;
        Ok(std::mem::take(&mut self.accepted))
    }

    fn flush(&mut self, tcp: &TcpStream) -> io::Result<()> {
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut Quiet(tcp))? == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
        }
        Ok(())
    }

    fn send_close_notify(&mut self, tcp: &TcpStream) {
        self.connection.send_close_notify();
        // Best effort: the connection is over.
        let _ = self.flush(tcp);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;
    use std::thread;

    use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
    use socket2::{Domain, Type};

    use super::super::{BUDGET, Session as _};
    use super::*;

    #[test]
    fn without_roots_nothing_is_trusted_and_the_error_says_so() {
        assert!(trusting(RootCertStore::empty()).is_none());
        #[cfg(feature = "tls")]
        assert_eq!(trusting(system_roots()).is_some(), default_config().is_ok());
    }

    /// A server's configuration, and a client's that trusts it.
    fn configs() -> (Arc<rustls::ServerConfig>, Arc<ClientConfig>) {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        let certificate = params.self_signed(&key).unwrap().der().clone();
        let mut roots = RootCertStore::empty();
        roots.add(certificate.clone()).unwrap();
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut server = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        server.enable_secret_extraction = true;
        server.send_tls13_tickets = 0;
        (Arc::new(server), trusting(roots).unwrap())
    }

    /// A record of TLS 1.3 (RFC 8446, 5.2), by the secrets of a session.
    fn record(
        (sequence, secrets): &mut (u64, rustls::ConnectionTrafficSecrets),
        content_type: u8,
        content: &[u8],
    ) -> Vec<u8> {
        let rustls::ConnectionTrafficSecrets::Aes256Gcm { key, iv } = secrets else {
            panic!("another cipher suite");
        };
        let key = UnboundKey::new(&AES_256_GCM, key.as_ref()).unwrap();
        let mut nonce: [u8; 12] = iv.as_ref().try_into().unwrap();
        for (byte, sequence) in nonce[4..].iter_mut().zip(sequence.to_be_bytes()) {
            *byte ^= sequence;
        }
        *sequence += 1;
        let mut inner = [content, &[content_type]].concat();
        let length = (inner.len() + AES_256_GCM.tag_len()) as u16;
        let header = [&[23, 3, 3], &length.to_be_bytes()[..]].concat();
        LessSafeKey::new(key)
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(&header),
                &mut inner,
            )
            .unwrap();
        [header, inner].concat()
    }

    /// A peer may send session tickets without end, and they are no plain text (S110).
    #[test]
    fn a_read_without_plain_text_is_bounded() {
        let (server, client) = configs();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let serving = thread::spawn(move || {
            let (mut tcp, _) = listener.accept().unwrap();
            let mut tls = rustls::ServerConnection::new(server).unwrap();
            while tls.is_handshaking() {
                tls.complete_io(&mut tcp).unwrap();
            }
            let mut secrets = tls.dangerous_extract_secrets().unwrap().tx;
            // Lifetime and age, nonce, ticket, and no extensions (RFC 8446, 4.6.1).
            let ticket = [
                &[4, 0, 4, 13][..],
                &[0; 8],
                &[0],
                &[4, 0],
                &[7; 1024],
                &[0; 2],
            ]
            .concat();
            for _ in 0..4 * BUDGET / ticket.len() {
                tcp.write_all(&record(&mut secrets, 22, &ticket)).unwrap();
            }
            tcp.write_all(&record(&mut secrets, 23, b"!")).unwrap();
            tcp
        });
        let tcp = socket2::Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        tcp.set_recv_buffer_size(4 * BUDGET).unwrap();
        tcp.connect(&address.into()).unwrap();
        tcp.set_nonblocking(true).unwrap();
        let tcp = TcpStream::from_std(tcp.into());
        let mut session = new_session(client, &Host::Domain("localhost".into())).unwrap();
        let mut buffer = [0; 16];
        let mut interrupted = 0;
        let mut read = |session: &mut Session| match session.read(&tcp, &mut buffer) {
            Ok(read) => Some(buffer[..read].to_vec()),
            Err(error) => {
                match error.kind() {
                    io::ErrorKind::Interrupted => interrupted += 1,
                    kind => assert_eq!(kind, io::ErrorKind::WouldBlock, "{error}"),
                }
                thread::yield_now();
                None
            }
        };
        while session.connection.is_handshaking() {
            let _ = session.flush(&tcp);
            assert_eq!(read(&mut session), None);
        }
        // The kernel holds more than one call is to read.
        let mut waiting = vec![0; 2 * BUDGET];
        while tcp.peek(&mut waiting).unwrap_or(0) < BUDGET * 9 / 8 {
            thread::yield_now();
        }
        let plain = loop {
            if let Some(plain) = read(&mut session) {
                break plain;
            }
        };
        assert_eq!(plain, b"!");
        assert!(interrupted > 0, "all was read by one call");
        drop(serving.join().unwrap());
    }
}
