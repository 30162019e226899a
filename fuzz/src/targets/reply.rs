//! Replies to the opening handshake, in any pieces, and against a second check that reads
//! them by httparse.

use isosocket_core::ErrorKind;
use isosocket_native::fuzzing::{self, Opening, Step};
use tungstenite::handshake::derive_accept_key;

use crate::input::{Input, Splits};

const SUBPROTOCOLS: &[&str] = &["chat", "v1.json"];

/// What became of a reply.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// The subprotocol, the extensions, and the length of the head.
    Established(String, String, usize),
    Failed(ErrorKind, Option<(usize, Vec<u8>)>),
    /// It ended before.
    Ended(ErrorKind),
}

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let flags = input.byte();
    let offered: &[&str] = if flags & 1 == 0 { &[] } else { SUBPROTOCOLS };
    let compresses = flags & 2 == 0;
    let splits = Splits::new(&mut input);
    let reply = expand(input.0);
    let (in_pieces, used) = ask(offered, compresses, splits.pieces(&reply));
    let (whole, _) = ask(offered, compresses, std::iter::once(&reply[..used]));
    assert_eq!(whole, in_pieces);
    let (by_byte, needed) = ask(offered, compresses, reply.chunks(1));
    if needed == used || matches!(by_byte, Outcome::Established(..)) {
        assert_eq!(whole, by_byte);
    }
    if let Some(expected) = by_httparse(&reply, offered) {
        let found = match &by_byte {
            Outcome::Established(protocol, extensions, used) => {
                assert!(compresses || extensions.is_empty());
                assert_eq!(*used, needed);
                Ok(protocol.clone())
            }
            Outcome::Failed(ErrorKind::HandshakeRefused(status), _)
            | Outcome::Ended(ErrorKind::HandshakeRefused(status)) => Err(*status),
            Outcome::Failed(ErrorKind::HandshakeInvalid, _) => Err(0),
            other => panic!("{other:?}, and {expected:?} was expected"),
        };
        match expected {
            // Which parameters are good is not decided here.
            Expected::Extensions => {}
            Expected::Accepted(protocol) => assert_eq!(found, Ok(protocol)),
            Expected::Refused(status) => assert_eq!(found, Err(status)),
        }
    }
}

fn ask<'a>(
    offered: &[&str],
    compresses: bool,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Outcome, usize) {
    let mut opening =
        Opening::server("ws://server.example/", offered, compresses).expect("the URL is valid");
    opening.write();
    let mut before = 0;
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        match opening.receive(piece) {
            Step::More => before += piece.len(),
            Step::Tunnel => panic!("there is no proxy"),
            Step::Established {
                protocol,
                extensions,
                used,
            } => {
                assert!(used <= piece.len());
                let outcome = Outcome::Established(protocol, extensions, before + used);
                return (outcome, before + used);
            }
            Step::Failed(error) => {
                let refusal = fuzzing::refusal(&error);
                let length = refusal.as_ref().map_or(0, |(_, body)| body.len());
                assert!(length <= 1024 && error.to_string().len() < 2000);
                return (Outcome::Failed(error.kind(), refusal), before + piece.len());
            }
        }
    }
    (Outcome::Ended(opening.end().kind()), before)
}

fn accept() -> String {
    // `the sample nonce`, as RFC 6455 has it.
    derive_accept_key(b"dGhlIHNhbXBsZSBub25jZQ==")
}

/// Three bytes stand for what a fuzzer does not find by itself.
fn expand(data: &[u8]) -> Vec<u8> {
    let mut reply = Vec::new();
    for &byte in data {
        match byte {
            1 => reply.extend(accept().bytes()),
            2 => reply.extend(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n",
            ),
            3 => reply.extend(format!("Sec-WebSocket-Accept: {}\r\n", accept()).bytes()),
            byte => reply.push(byte),
        }
    }
    reply
}

#[derive(Debug)]
enum Expected {
    Accepted(String),
    /// With a status, or 0 for a reply of status 101 that is not valid.
    Refused(u16),
    /// It has extensions.
    Extensions,
}

/// RFC 6455, 4.1, the client's checks, of a reply that httparse finds to be valid and whole.
fn by_httparse(mut reply: &[u8], offered: &[&str]) -> Option<Expected> {
    loop {
        if !reply.starts_with(b"HTTP") {
            return None;
        }
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(length) = parsed.parse(reply).ok()? else {
            return None;
        };
        let all = |name: &str| -> Vec<&[u8]> {
            let named = |header: &&httparse::Header<'_>| header.name.eq_ignore_ascii_case(name);
            let headers = parsed.headers.iter().filter(named);
            headers.map(|header| header.value.trim_ascii()).collect()
        };
        let is = |found: &[u8], word: &str| found.eq_ignore_ascii_case(word.as_bytes());
        match parsed.code? {
            101 => {}
            ..=99 => return None,
            100..=199 => {
                reply = &reply[length..];
                continue;
            }
            status => return Some(Expected::Refused(status)),
        }
        let connection = all("Connection").join(&b","[..]);
        let upgrades = connection.split(|&byte| byte == b',');
        let is_upgrade = matches!(all("Upgrade")[..], [value] if is(value, "websocket"))
            && upgrades
                .map(<[u8]>::trim_ascii)
                .any(|token| is(token, "upgrade"));
        let is_ours = all("Sec-WebSocket-Accept") == [accept().as_bytes()];
        let protocol = match (&all("Sec-WebSocket-Protocol")[..], offered) {
            ([], []) => Some(""),
            ([chosen], _) => offered
                .iter()
                .copied()
                .find(|offer| offer.as_bytes() == *chosen),
            _ => None,
        };
        return Some(match (is_upgrade && is_ours, protocol) {
            (true, Some(_)) if !all("Sec-WebSocket-Extensions").is_empty() => Expected::Extensions,
            (true, Some(protocol)) => Expected::Accepted(protocol.to_owned()),
            _ => Expected::Refused(0),
        });
    }
}
