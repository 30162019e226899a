//! Chains of certificates: a root, an intermediate and a leaf, of which each can be spoiled.

use std::sync::Arc;

use isosocket::native::rustls_0_23 as rustls;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use crate::clients::Client;

/// A chain, and the key of its leaf.
pub struct Chain {
    pub root: CertificateParams,
    pub intermediate: CertificateParams,
    pub leaf: CertificateParams,
}

/// A chain that is signed.
pub struct Signed {
    pub root: CertificateDer<'static>,
    pub intermediate: CertificateDer<'static>,
    pub leaf: CertificateDer<'static>,
    pub key: PrivateKeyDer<'static>,
    pub root_issuer: Issuer<'static, KeyPair>,
    pub intermediate_issuer: Issuer<'static, KeyPair>,
}

impl Chain {
    /// A good one, for these names.
    pub fn new(names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut leaf = CertificateParams::new(names).expect("the names are valid");
        named(&mut leaf, "isosocket test leaf");
        leaf.is_ca = IsCa::ExplicitNoCa;
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.serial_number = Some(7_u64.into());
        leaf.use_authority_key_identifier_extension = true;
        Chain {
            root: authority("isosocket test root"),
            intermediate: authority("isosocket test intermediate"),
            leaf,
        }
    }

    /// The same with a change.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    pub fn sign(&self) -> Signed {
        let key = || KeyPair::generate().expect("a key");
        let (root_key, intermediate_key, leaf_key) = (key(), key(), key());
        let root = self.root.self_signed(&root_key).expect("it is signed");
        let root_issuer = Issuer::new(self.root.clone(), root_key);
        let intermediate = self.intermediate.signed_by(&intermediate_key, &root_issuer);
        let intermediate_issuer = Issuer::new(self.intermediate.clone(), intermediate_key);
        let leaf = self.leaf.signed_by(&leaf_key, &intermediate_issuer);
        Signed {
            root: root.der().clone(),
            intermediate: intermediate.expect("it is signed").der().clone(),
            leaf: leaf.expect("it is signed").der().clone(),
            key: PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into()),
            root_issuer,
            intermediate_issuer,
        }
    }
}

impl Signed {
    /// A server with the whole chain, and a client that trusts the root.
    pub fn serve(&self) -> (Arc<rustls::ServerConfig>, Client) {
        let chain = vec![self.leaf.clone(), self.intermediate.clone()];
        (server(chain, &self.key), self.client())
    }

    /// One more authority, and its leaf with its key: both as in `chain`.
    pub fn one_more(
        &self,
        chain: &Chain,
    ) -> (
        CertificateDer<'static>,
        CertificateDer<'static>,
        PrivateKeyDer<'static>,
    ) {
        let (below_key, key) = (
            KeyPair::generate().expect("a key"),
            KeyPair::generate().expect("a key"),
        );
        let params = authority("isosocket test authority");
        let below = params.signed_by(&below_key, &self.intermediate_issuer);
        let below = below.expect("it is signed").der().clone();
        let leaf = chain.leaf.signed_by(&key, &Issuer::new(params, below_key));
        let leaf = leaf.expect("it is signed").der().clone();
        (
            below,
            leaf,
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        )
    }

    pub fn client(&self) -> Client {
        Client::trusting(self.root.clone())
    }
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    named(&mut params, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.use_authority_key_identifier_extension = true;
    params
}

fn named(params: &mut CertificateParams, name: &str) {
    params.distinguished_name.push(DnType::CommonName, name);
}

/// A server with this chain and this key, which need not belong together.
pub fn server(
    chain: Vec<CertificateDer<'static>>,
    key: &PrivateKeyDer<'static>,
) -> Arc<rustls::ServerConfig> {
    let provider = rustls::crypto::ring::default_provider();
    let key = provider.key_provider.load_private_key(key.clone_key());
    let certified = CertifiedKey::new(chain, key.expect("it is a key"));
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("ring supports them")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    Arc::new(config)
}
