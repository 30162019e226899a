//! Servers that break TLS itself: old versions, downgrades, changed records.

use std::io::Write;

use isosocket::TlsFailure::*;
use isosocket::native::rustls_0_23 as rustls;
use isosocket::{ErrorKind, TlsFailure};

use crate::Bad;
use crate::servers::{chain, hello, read_record, wait_for_end};

/// A server that breaks TLS itself.
pub fn protocols() -> Vec<Bad> {
    let raw = |name, answer: Vec<u8>, failure: TlsFailure, text, system: Option<_>| Bad {
        name,
        client: chain().sign().client(),
        serve: Box::new(move |mut tcp| {
            let _hello = read_record(&mut tcp);
            // The client may have gone before all of it is written.
            let _ = tcp.write_all(&answer);
            wait_for_end(&mut tcp);
            Vec::new()
        }),
        rustls: (ErrorKind::Tls(failure), text),
        system: system.map(|text| (ErrorKind::Tls(failure), text)),
    };
    let downgraded = *b"0123456789abcdefghijklmnDOWNGRD\x01";
    let random = [9; 32];
    vec![
        raw(
            "TLS 1.0 only",
            hello(1, random, 0xC013),
            ProtocolVersion,
            "",
            Some("protocol"),
        ),
        raw(
            "TLS 1.1 only",
            hello(2, random, 0xC013),
            ProtocolVersion,
            "",
            Some("protocol"),
        ),
        raw(
            "SSL 3.0 only",
            hello(0, random, 0x002F),
            ProtocolVersion,
            "",
            Some(""),
        ),
        raw(
            "a downgrade",
            hello(3, downgraded, 0xC02B),
            Downgrade,
            "Downgrade",
            Some("inappropriate fallback"),
        ),
        raw(
            "a cipher that was not offered",
            hello(3, random, 0x0005),
            IllegalParameter,
            "",
            Some("cipher"),
        ),
        raw(
            "nothing in common",
            vec![21, 3, 3, 0, 2, 2, 40],
            HandshakeFailure,
            "HandshakeFailure",
            Some("handshake failure"),
        ),
        raw(
            "an alert of another kind",
            vec![21, 3, 3, 0, 2, 2, 80],
            Alert,
            "InternalError",
            Some("internal error"),
        ),
        raw(
            "no TLS",
            b"HTTP/1.1 400 no TLS\r\n\r\n".to_vec(),
            DecodeError,
            "",
            Some(""),
        ),
        raw(
            "garbage in a record",
            [&[22, 3, 3, 0, 40][..], &[0xFF; 40]].concat(),
            DecodeError,
            "",
            Some(""),
        )
        .by_system(IllegalParameter),
        Bad {
            name: "an end inside the handshake",
            client: chain().sign().client(),
            serve: Box::new(|mut tcp| {
                let _hello = read_record(&mut tcp);
                let hello = hello(3, [9; 32], 0xC02B);
                let _ = tcp.write_all(&hello[..20]);
                Vec::new()
            }),
            rustls: (ErrorKind::Reset, ""),
            system: Some((ErrorKind::Reset, "")),
        },
        {
            let signed = chain().sign();
            let (config, client) = signed.serve();
            Bad {
                name: "a record that was changed",
                client,
                serve: Box::new(move |mut tcp| {
                    let mut tls = rustls::ServerConnection::new(config).expect("it is valid");
                    while tls.is_handshaking() {
                        tls.complete_io(&mut tcp).expect("the client goes on");
                    }
                    // The request is read and not looked at: this comes after the handshake.
                    let _ = tcp.write_all(&[&[23, 3, 3, 0, 40][..], &[0x5A; 40]].concat());
                    wait_for_end(&mut tcp);
                    Vec::new()
                }),
                rustls: (ErrorKind::Tls(BadRecordMac), "decrypt"),
                system: Some((ErrorKind::Tls(BadRecordMac), "bad record mac")),
            }
        },
    ]
}
