//! The certificates: one good, three bad, and the CA behind them.
//!
//! Invariant: the CA's key never leaves this module but for its own file.

use std::io;
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

type Error = Box<dyn std::error::Error + Send + Sync>;

pub(crate) struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: CertificateDer<'static>,
}

impl Ca {
    /// The CA kept in this folder, made if it is not there; without a folder a
    /// new one.
    pub(crate) fn open(folder: Option<&Path>) -> io::Result<Ca> {
        let files = folder.map(|folder| (folder.join("ca.pem"), folder.join("ca.key.pem")));
        if let Some((cert, key)) = files
            .as_ref()
            .filter(|(cert, key)| cert.exists() && key.exists())
        {
            let (cert, key) = (
                std::fs::read_to_string(cert)?,
                std::fs::read_to_string(key)?,
            );
            let key = KeyPair::from_pem(&key).map_err(io::Error::other)?;
            return Ca::new(key, Some(cert)).map_err(io::Error::other);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let key_pem = key.serialize_pem();
        let ca = Ca::new(key, None).map_err(io::Error::other)?;
        if let (Some(folder), Some((cert, key))) = (folder, files) {
            std::fs::create_dir_all(folder)?;
            std::fs::write(cert, &ca.pem)?;
            std::fs::write(key, key_pem)?;
        }
        Ok(ca)
    }

    /// The certificate need not be parsed to issue others: its subject and its
    /// key are all that they refer to, and the subject is always the same.
    fn new(key: KeyPair, pem: Option<String>) -> Result<Ca, Error> {
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "isosocket test CA");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let pem = match pem {
            Some(pem) => pem,
            None => params.self_signed(&key)?.pem(),
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes())?;
        Ok(Ca {
            issuer: Issuer::new(params, key),
            pem,
            der,
        })
    }

    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Good, expired, self-signed, wrong name.
    pub(crate) fn server_configs(&self) -> Result<[Arc<ServerConfig>; 4], Error> {
        let names = ["localhost", "127.0.0.1"];
        let good = leaf(&names)?;
        let mut expired = leaf(&names)?;
        expired.not_before = date_time_ymd(2020, 1, 1);
        expired.not_after = date_time_ymd(2020, 2, 1);
        let wrong_name = leaf(&["wrong.invalid"])?;
        Ok([
            self.config(good, true)?,
            self.config(expired, true)?,
            self.config(leaf(&names)?, false)?,
            self.config(wrong_name, true)?,
        ])
    }

    fn config(&self, params: CertificateParams, signed: bool) -> Result<Arc<ServerConfig>, Error> {
        let key = KeyPair::generate()?;
        let chain = match signed {
            true => vec![
                params.signed_by(&key, &self.issuer)?.der().clone(),
                self.der.clone(),
            ],
            false => vec![params.self_signed(&key)?.der().clone()],
        };
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Arc::new(config))
    }
}

/// The server's side of TLS, with the good certificate, for servers that are not the
/// peer: a page that comes by `https:`, for example.
#[derive(Clone, Debug)]
pub struct TlsAcceptor(Arc<ServerConfig>);

impl TlsAcceptor {
    pub(crate) fn new(ca: &Ca) -> io::Result<TlsAcceptor> {
        let [good, ..] = ca.server_configs().map_err(io::Error::other)?;
        Ok(TlsAcceptor(good))
    }

    /// A stream over a connection. The handshake is made by the first read.
    ///
    /// # Errors
    ///
    /// If there is no randomness to be had.
    pub fn accept(&self, tcp: TcpStream) -> io::Result<impl io::Read + io::Write + use<>> {
        let session = ServerConnection::new(self.0.clone()).map_err(io::Error::other)?;
        Ok(StreamOwned::new(session, tcp))
    }
}

fn leaf(names: &[&str]) -> Result<CertificateParams, Error> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "isosocket test peer");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Some clients refuse certificates that are valid for much longer.
    let today = date_time_ymd(1970, 1, 1) + SystemTime::UNIX_EPOCH.elapsed()?;
    params.not_before = today - DAY;
    params.not_after = today + 90 * DAY;
    Ok(params)
}
