//! The bad servers: what is wrong with each, and what a client says to it.

use std::sync::Arc;

use isosocket::ErrorKind;
use isosocket::native::rustls_0_23 as rustls;
use rcgen::{
    BasicConstraints, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;

use crate::certificates::{Chain, Signed, server};
use crate::clients::Client;
use crate::protocols::protocols;
use crate::servers::{chain, fixture, revoking, revoking_of_root, with};
use crate::{BAD, Bad, EXPIRED, REVOKED, UNKNOWN_ISSUER, WRONG_NAME};

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
        spoiled("expired", EXPIRED, "xpired", Some("expired"), |chain| {
            chain.leaf.not_after = date_time_ymd(2020, 1, 1);
        }),
        spoiled(
            "not yet valid",
            EXPIRED,
            "not valid yet",
            Some("not yet valid"),
            |chain| {
                chain.leaf.not_before = date_time_ymd(4000, 1, 1);
            },
        ),
        spoiled(
            "another name",
            WRONG_NAME,
            "not valid for name",
            Some("ostname mismatch"),
            |chain| {
                chain.leaf = Chain::new(&["example.org"]).leaf;
            },
        ),
        spoiled(
            "a wildcard above",
            WRONG_NAME,
            "not valid for name",
            Some("ostname mismatch"),
            |chain| {
                chain.leaf = Chain::new(&["*.localhost"]).leaf;
            },
        ),
        // OpenSSL takes the subject's name where there are no others.
        spoiled(
            "no name but the subject's",
            WRONG_NAME,
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
            BAD,
            "extended key usage",
            Some("unsuitable certificate purpose"),
            |chain| {
                chain.leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            },
        ),
        spoiled(
            "a critical extension that nobody knows",
            BAD,
            "ritical",
            Some("unhandled critical extension"),
            |chain| {
                let mut unknown =
                    CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
                unknown.set_criticality(true);
                chain.leaf.custom_extensions.push(unknown);
            },
        ),
        self_signed(),
        {
            let signed = chain().sign();
            let mut leaf = signed.leaf.to_vec();
            *leaf.last_mut().expect("it is not empty") ^= 1;
            let chain = vec![leaf.into(), signed.intermediate.clone()];
            refused(
                "a signature that was changed",
                signed.client(),
                server(chain, &signed.key),
                BAD,
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
                BAD,
                "BadSignature",
                Some("signature"),
            )
        },
    ]
}

/// What was revoked, by lists that the client was given. The system's library takes none.
fn revocations() -> Vec<Bad> {
    let listed = |name, kind, text, lists: fn(&Signed) -> Vec<_>| {
        let signed = chain().sign();
        let (server, client) = signed.serve();
        let client = client.with_revocations(lists(&signed));
        refused(name, client, server, kind, text, None)
    };
    vec![
        listed("revoked", REVOKED, "evoked", |signed| {
            vec![revoking(signed, &[7]), revoking_of_root(signed)]
        }),
        listed("no list of its issuer", BAD, "evocation", |signed| {
            vec![revoking_of_root(signed)]
        }),
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
                UNKNOWN_ISSUER,
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
                BAD,
                "BadSignature",
                Some("certificate"),
            )
        },
        {
            let signed = chain().sign();
            let server = server(vec![signed.leaf.clone()], &signed.key);
            refused(
                "a chain with a gap",
                signed.client(),
                server,
                UNKNOWN_ISSUER,
                "UnknownIssuer",
                Some("unable to get local issuer certificate"),
            )
        },
        spoiled(
            "an issuer that has expired",
            EXPIRED,
            "xpired",
            Some("expired"),
            |chain| {
                chain.intermediate.not_after = date_time_ymd(2020, 1, 1);
            },
        ),
        spoiled(
            "an issuer that is no authority",
            BAD,
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
                BAD,
                "PathLenConstraint",
                Some("path length"),
            )
        },
        spoiled(
            "a name that the issuer may not give",
            BAD,
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
            BAD,
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
                BAD,
                "UnsupportedSignatureAlgorithm",
                Some("too weak"),
            )
        },
        {
            let (server, client) = fixture("weak");
            refused(
                "an issuer's key of 1024 bits",
                client,
                server,
                BAD,
                "",
                Some("too weak"),
            )
        },
    ]
}

fn refused(
    name: &'static str,
    client: Client,
    config: Arc<rustls::ServerConfig>,
    kind: ErrorKind,
    text: &'static str,
    system: Option<&'static str>,
) -> Bad {
    Bad {
        name,
        client,
        serve: with(config),
        rustls: (kind, text),
        system,
    }
}

fn spoiled(
    name: &'static str,
    kind: ErrorKind,
    text: &'static str,
    system: Option<&'static str>,
    spoil: impl FnOnce(&mut Chain),
) -> Bad {
    let (config, client) = chain().with(spoil).sign().serve();
    refused(name, client, config, kind, text, system)
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
        UNKNOWN_ISSUER,
        "UnknownIssuer",
        Some("self-signed certificate"),
    )
}
