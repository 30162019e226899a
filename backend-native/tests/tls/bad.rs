//! The bad servers: what is wrong with each, and what a client says to it.

use std::sync::Arc;

use isosocket::TlsFailure::*;
use isosocket::native::rustls_0_23 as rustls;
use isosocket::{ErrorKind, TlsFailure};
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

use crate::Bad;
use crate::certificates::{Chain, Signed, server};
use crate::clients::Client;
use crate::protocols::protocols;
use crate::servers::{chain, fixture, revoking, revoking_of_root, with};

/// All of them.
pub fn bad() -> Vec<Bad> {
    [certificates(), revocations(), chains(), protocols()]
        .into_iter()
        .flatten()
        .collect()
}

/// A leaf that is not good.
fn certificates() -> Vec<Bad> {
    vec![
        spoiled("expired", Expired, "xpired", Some("expired"), |chain| {
            chain.leaf.not_after = date_time_ymd(2020, 1, 1);
        }),
        spoiled(
            "not yet valid",
            NotYetValid,
            "not valid yet",
            Some("not yet valid"),
            |chain| {
                chain.leaf.not_before = date_time_ymd(4000, 1, 1);
            },
        ),
        spoiled(
            "another name",
            WrongName,
            "not valid for name",
            Some("ostname mismatch"),
            |chain| {
                chain.leaf = Chain::new(&["example.org"]).leaf;
            },
        ),
        spoiled(
            "a wildcard above",
            WrongName,
            "not valid for name",
            Some("ostname mismatch"),
            |chain| {
                chain.leaf = Chain::new(&["*.localhost"]).leaf;
            },
        ),
        // OpenSSL takes the subject's name where there are no others.
        spoiled(
            "no name but the subject's",
            WrongName,
            "not valid for",
            None,
            |chain| {
                let mut leaf = Chain::new(&[]).leaf;
                leaf.distinguished_name
                    .push(rcgen::DnType::CommonName, "localhost");
                chain.leaf = leaf;
            },
        ),
        spoiled(
            "for clients only",
            WrongPurpose,
            "extended key usage",
            Some("unsuitable certificate purpose"),
            |chain| {
                chain.leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            },
        ),
        spoiled(
            "a critical extension that nobody knows",
            UnhandledCriticalExtension,
            "ritical",
            Some("unhandled critical extension"),
            |chain| {
                let mut unknown =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                unknown.set_criticality(true);
                chain.leaf.custom_extensions.push(unknown);
            },
        ),
        spoiled(
            "that of an authority",
            WrongPurpose,
            "certificate authority",
            None,
            |chain| {
                chain.leaf.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            },
        ),
        self_signed(),
        {
            let signed = chain().sign();
            let cut = &signed.leaf[..signed.leaf.len() - 1];
            let chain = vec![cut.to_vec().into(), signed.intermediate.clone()];
            refused(
                "a certificate that cannot be read",
                signed.client(),
                server(chain, &signed.key),
                BadCertificate,
                "BadEncoding",
                Some(""),
            )
        },
        {
            let signed = chain().sign();
            let mut leaf = signed.leaf.to_vec();
            *leaf.last_mut().expect("it is not empty") ^= 1;
            let chain = vec![leaf.into(), signed.intermediate.clone()];
            refused(
                "a signature that was changed",
                signed.client(),
                server(chain, &signed.key),
                BadSignature,
                "BadSignature",
                Some("certificate"),
            )
        },
        {
            let (signed, other) = (chain().sign(), chain().sign());
            let chain = vec![signed.leaf.clone(), signed.intermediate.clone()];
            refused(
                "a certificate without its key",
                signed.client(),
                server(chain, &other.key),
                BadSignature,
                "BadSignature",
                Some("signature"),
            )
        },
    ]
}

/// What was revoked, by lists that the client was given. The system's library takes none.
fn revocations() -> Vec<Bad> {
    let listed = |name, failure, text, lists: fn(&Signed) -> Vec<_>| {
        let signed = chain().sign();
        let (server, client) = signed.serve();
        let client = client.with_revocations(lists(&signed));
        refused(name, client, server, failure, text, None)
    };
    vec![
        listed("revoked", Revoked, "evoked", |signed| {
            vec![revoking(signed, &[7]), revoking_of_root(signed)]
        }),
        listed(
            "no list of its issuer",
            UnknownRevocationStatus,
            "evocation",
            |signed| vec![revoking_of_root(signed)],
        ),
    ]
}

/// A chain that does not hold.
fn chains() -> Vec<Bad> {
    vec![
        {
            let other = chain().with(|chain| {
                let name = &mut chain.root.distinguished_name;
                name.push(rcgen::DnType::CommonName, "another root");
            });
            let (server, _) = chain().sign().serve();
            refused(
                "an unknown root",
                other.sign().client(),
                server,
                UnknownIssuer,
                "UnknownIssuer",
                Some("unable to get local issuer certificate"),
            )
        },
        {
            let (server, _) = chain().sign().serve();
            refused(
                "a root that has a trusted one's name",
                chain().sign().client(),
                server,
                BadSignature,
                "BadSignature",
                Some("certificate"),
            )
            .by_system(UnknownIssuer)
        },
        {
            let signed = chain().sign();
            let server = server(vec![signed.leaf.clone()], &signed.key);
            refused(
                "a chain with a gap",
                signed.client(),
                server,
                UnknownIssuer,
                "UnknownIssuer",
                Some("unable to get local issuer certificate"),
            )
        },
        spoiled(
            "an issuer that has expired",
            Expired,
            "xpired",
            Some("expired"),
            |chain| {
                chain.intermediate.not_after = date_time_ymd(2020, 1, 1);
            },
        ),
        spoiled(
            "an issuer that is no authority",
            InvalidIssuer,
            "EndEntityUsedAsCa",
            Some("invalid CA certificate"),
            |chain| {
                chain.intermediate.is_ca = IsCa::ExplicitNoCa;
                chain.intermediate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
            },
        ),
        {
            // The intermediate may issue leaves only.
            let signed = chain()
                .with(|chain| {
                    chain.intermediate.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
                })
                .sign();
            let (below, leaf, key) = signed.one_more(&chain());
            let served = vec![leaf, below, signed.intermediate.clone()];
            refused(
                "an authority too many",
                signed.client(),
                server(served, &key),
                InvalidIssuer,
                "PathLenConstraint",
                Some("path length"),
            )
        },
        spoiled(
            "a name that the issuer may not give",
            NameConstraint,
            "NameConstraintViolation",
            Some("permitted subtree"),
            |chain| {
                chain.intermediate.name_constraints = Some(NameConstraints {
                    permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".to_owned())],
                    excluded_subtrees: Vec::new(),
                });
            },
        ),
        spoiled(
            "a name that is excluded",
            NameConstraint,
            "NameConstraintViolation",
            Some("excluded subtree"),
            |chain| {
                chain.intermediate.name_constraints = Some(NameConstraints {
                    permitted_subtrees: Vec::new(),
                    excluded_subtrees: vec![GeneralSubtree::DnsName("localhost".to_owned())],
                });
            },
        ),
        {
            let (server, client) = fixture("sha1");
            refused(
                "signed over SHA-1",
                client,
                server,
                UnsupportedAlgorithm,
                "UnsupportedSignatureAlgorithm",
                Some("too weak"),
            )
        },
        {
            // ring does not verify with it.
            let (server, client) = fixture("weak");
            let name = "an issuer's key of 1024 bits";
            let text = "BadSignature";
            refused(name, client, server, BadSignature, text, Some("too weak"))
                .by_system(UnsupportedAlgorithm)
        },
    ]
}

fn refused(
    name: &'static str,
    client: Client,
    config: Arc<rustls::ServerConfig>,
    failure: TlsFailure,
    text: &'static str,
    system: Option<&'static str>,
) -> Bad {
    Bad {
        name,
        client,
        serve: with(config),
        rustls: (ErrorKind::Tls(failure), text),
        system: system.map(|text| (ErrorKind::Tls(failure), text)),
    }
}

fn spoiled(
    name: &'static str,
    failure: TlsFailure,
    text: &'static str,
    system: Option<&'static str>,
    spoil: impl FnOnce(&mut Chain),
) -> Bad {
    let (config, client) = chain().with(spoil).sign().serve();
    refused(name, client, config, failure, text, system)
}

/// The client trusts another root.
fn self_signed() -> Bad {
    let key = rcgen::KeyPair::generate().expect("a key");
    let leaf = chain().leaf.self_signed(&key).expect("it is signed");
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let config = server(vec![leaf.der().clone()], &key);
    let client = chain().sign().client();
    refused(
        "signed by itself",
        client,
        config,
        UnknownIssuer,
        "UnknownIssuer",
        Some("self-signed certificate"),
    )
}
