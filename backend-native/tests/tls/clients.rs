//! What a client trusts, for rustls and for the system's library.

use std::sync::Arc;

use isosocket::native::rustls_0_23 as rustls;
use rustls::client::WebPkiServerVerifier;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};

/// A client's trust: a root, and perhaps a list of what was revoked.
pub struct Client {
    root: CertificateDer<'static>,
    revocations: Vec<CertificateRevocationListDer<'static>>,
}

impl Client {
    pub fn trusting(root: CertificateDer<'static>) -> Self {
        Client {
            root,
            revocations: Vec::new(),
        }
    }

    pub fn with_revocations(mut self, lists: Vec<CertificateRevocationListDer<'static>>) -> Self {
        self.revocations = lists;
        self
    }

    pub fn rustls(&self) -> Arc<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.root.clone()).expect("it is a certificate");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
                .with_crls(self.revocations.iter().cloned())
                .build()
                .expect("the lists are valid");
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("ring supports them")
            .with_webpki_verifier(verifier)
            .with_no_client_auth();
        Arc::new(config)
    }

    #[cfg(feature = "native-tls")]
    pub fn system(&self) -> native_tls::TlsConnector {
        use isosocket_native::native_tls::{Certificate, TlsConnector};

        let root = Certificate::from_der(&self.root).expect("it is a certificate");
        let builder = TlsConnector::builder().add_root_certificate(root).build();
        builder.expect("a connector")
    }
}
