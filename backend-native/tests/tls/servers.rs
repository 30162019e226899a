//! Servers: what they serve, and the records of TLS that no library writes.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;

use isosocket::native::rustls_0_23 as rustls;
use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, date_time_ymd};
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};

use crate::Serve;
use crate::certificates::{Chain, Signed, server};
use crate::clients::Client;
use crate::support::greet;

/// What a good server and its client are.
pub struct Good {
    pub name: &'static str,
    pub client: Client,
    pub serve: Serve,
}

/// The makers of the bad ones, with nothing wrong.
pub fn good() -> Vec<Good> {
    let good = |name, client, server| Good {
        name,
        client,
        serve: with(server),
    };
    let (plain, client) = chain().sign().serve();
    let signed = chain().sign();
    let (listed, trusting) = signed.serve();
    let lists = vec![revoking(&signed, &[8]), revoking_of_root(&signed)];
    let (made, maker) = fixture("good");
    vec![
        good("a chain of three", client, plain),
        good(
            "lists that revoke others",
            trusting.with_revocations(lists),
            listed,
        ),
        good("the maker of weak chains", maker, made),
    ]
}

pub fn chain() -> Chain {
    Chain::new(&["localhost"])
}

/// A list of the intermediate, which revokes these numbers.
pub fn revoking(signed: &Signed, numbers: &[u64]) -> CertificateRevocationListDer<'static> {
    let list = revocations_of(numbers).signed_by(&signed.intermediate_issuer);
    list.expect("it is signed").der().clone()
}

/// A list of the root, which revokes nothing.
pub fn revoking_of_root(signed: &Signed) -> CertificateRevocationListDer<'static> {
    let list = revocations_of(&[]).signed_by(&signed.root_issuer);
    list.expect("it is signed").der().clone()
}

fn revocations_of(numbers: &[u64]) -> CertificateRevocationListParams {
    CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(4000, 1, 1),
        crl_number: 1_u64.into(),
        issuing_distribution_point: None,
        revoked_certs: numbers
            .iter()
            .map(|&number| RevokedCertParams {
                serial_number: number.into(),
                revocation_time: date_time_ymd(2020, 1, 1),
                reason_code: None,
                invalidity_date: None,
            })
            .collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    }
}

/// A server whose chain `fixtures/make.sh` has made.
pub fn fixture(name: &str) -> (Arc<rustls::ServerConfig>, Client) {
    let (ca, leaf) = match name {
        "good" => (
            &include_bytes!("fixtures/good-ca.der")[..],
            &include_bytes!("fixtures/good-leaf.der")[..],
        ),
        "sha1" => (
            &include_bytes!("fixtures/sha1-ca.der")[..],
            &include_bytes!("fixtures/sha1-leaf.der")[..],
        ),
        _ => (
            &include_bytes!("fixtures/weak-ca.der")[..],
            &include_bytes!("fixtures/weak-leaf.der")[..],
        ),
    };
    let key = include_bytes!("fixtures/leaf-key.der");
    let key = PrivateKeyDer::try_from(&key[..])
        .expect("it is a key")
        .clone_key();
    let root = CertificateDer::from(ca.to_vec());
    (
        server(vec![CertificateDer::from(leaf.to_vec())], &key),
        Client::trusting(root),
    )
}

/// Serves a client with this configuration: reads its request if it gets that far.
pub fn with(config: Arc<rustls::ServerConfig>) -> Serve {
    Box::new(move |tcp| {
        let tls = rustls::ServerConnection::new(config).expect("it is valid");
        let mut stream = rustls::StreamOwned::new(tls, tcp);
        let mut byte = [0];
        // A client that refuses ends the stream.
        match stream.read(&mut byte) {
            Ok(1) => {
                let mut rest = First(byte.to_vec(), stream);
                greet(&mut rest, "").into_bytes()
            }
            _ => Vec::new(),
        }
    })
}

/// A stream of which some was read.
struct First<S>(Vec<u8>, S);

impl<S: Read> Read for First<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self.0.pop() {
            Some(byte) => {
                buffer[0] = byte;
                Ok(1)
            }
            None => self.1.read(buffer),
        }
    }
}

impl<S: Write> Write for First<S> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.1.flush()
    }
}

/// A stream of a server that is established.
pub type Stream = rustls::StreamOwned<rustls::ServerConnection, TcpStream>;

/// TCP ends, and TLS does not say so.
pub fn ends_without_saying_so(mut stream: Stream) {
    let _ = stream.sock.flush();
}

/// TCP ends in the middle of the record that holds a message.
pub fn ends_inside_a_record(mut stream: Stream) {
    stream
        .conn
        .writer()
        .write_all(&[0x81, 2, b'h', b'i'])
        .expect("it is kept");
    let mut record = Vec::new();
    stream.conn.write_tls(&mut record).expect("it is kept");
    stream
        .sock
        .write_all(&record[..record.len() - 3])
        .expect("the client reads");
}

/// A record of TLS, with its header.
pub fn read_record(tcp: &mut TcpStream) -> Vec<u8> {
    let mut header = [0; 5];
    tcp.read_exact(&mut header).expect("the client says hello");
    let mut body = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    tcp.read_exact(&mut body)
        .expect("the client says all of it");
    body
}

pub fn wait_for_end(tcp: &mut TcpStream) {
    let _ = tcp.read_to_end(&mut Vec::new());
}

/// A ServerHello of this minor version, without extensions (RFC 5246, 7.4.1.3).
pub fn hello(minor: u8, random: [u8; 32], cipher: u16) -> Vec<u8> {
    let cipher = cipher.to_be_bytes();
    let body = [&[3, minor][..], &random, &[0], &cipher, &[0]].concat();
    let handshake = [&[2, 0, 0, body.len() as u8][..], &body].concat();
    [&[22, 3, minor, 0, handshake.len() as u8][..], &handshake].concat()
}
