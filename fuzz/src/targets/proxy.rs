//! Replies of proxies: HTTP, SOCKS5 and SOCKS4, in any pieces.

use isosocket_core::{ErrorEvent, ErrorKind};
use isosocket_native::fuzzing::{self, Opening, Step};

use crate::input::{Input, Splits};

const PROXIES: &[&str] = &[
    "http://proxy.example",
    "http://user:password@proxy.example:3128",
    "socks5://proxy.example",
    "socks5://user:password@proxy.example",
    "socks4://proxy.example",
    "socks4://user@proxy.example",
];

const SERVERS: &[&str] = &[
    "ws://server.example/",
    "ws://192.0.2.1:81/",
    "wss://[2001:db8::1]/",
];

pub fn run(data: &[u8]) {
    let mut input = Input(data);
    let (proxy, server) = (input.choose(PROXIES), input.choose(SERVERS));
    if proxy.starts_with("socks4") && server.contains('[') {
        // The options refuse that.
        return;
    }
    let splits = Splits::new(&mut input);
    let replies = input.0;
    let in_pieces = ask(proxy, server, splits.pieces(replies));
    let used = in_pieces.2;
    let by_byte = ask(proxy, server, replies[..used].chunks(1));
    let whole = ask(proxy, server, std::iter::once(&replies[..used]));
    // The outcome does not depend on the pieces, but for what comes too early.
    assert_eq!(whole.0, in_pieces.0);
    assert!(in_pieces.1.starts_with(&whole.1));
    if by_byte.2 == used {
        assert_eq!(whole.0, by_byte.0);
    }
}

type Outcome = Option<(ErrorKind, Option<(usize, Vec<u8>)>)>;

/// Why it failed, what was written, and how many bytes that took.
fn ask<'a>(
    proxy: &str,
    server: &str,
    pieces: impl Iterator<Item = &'a [u8]>,
) -> (Outcome, Vec<u8>, usize) {
    let mut opening = Opening::proxy(proxy, server).expect("both are valid");
    let mut written = opening.write();
    assert!(!written.is_empty(), "somebody has to begin");
    let mut used = 0;
    for piece in pieces.filter(|piece| !piece.is_empty()) {
        used += piece.len();
        match opening.receive(piece) {
            Step::More => written.extend(opening.write()),
            Step::Tunnel => return (None, written, used),
            Step::Established { .. } => panic!("a proxy is no server"),
            Step::Failed(error) => return (Some(describe(&error)), written, used),
        }
    }
    let error = opening.end();
    (Some(describe(&error)), written, used)
}

fn describe(error: &ErrorEvent) -> (ErrorKind, Option<(usize, Vec<u8>)>) {
    // An excerpt of the reply is in the text, so that is no part of the outcome.
    let _ = error.to_string();
    (error.kind(), fuzzing::refusal(error))
}
