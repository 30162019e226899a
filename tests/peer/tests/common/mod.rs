//! A raw client: bytes out, bytes in, under a deadline.
#![allow(dead_code, reason = "each test file uses its part")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use isosocket_peer::{Peer, PeerOptions};

/// The key of RFC 6455, section 1.3, and what must be answered to it.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub fn start() -> Peer {
    Peer::start(PeerOptions::default()).expect("a peer starts")
}

pub struct Raw(pub TcpStream);

impl Raw {
    pub fn connect(peer: &Peer) -> Raw {
        let tcp = TcpStream::connect(("127.0.0.1", peer.ports().plain)).expect("a connection");
        tcp.set_read_timeout(Some(Duration::from_secs(20)))
            .expect("a timeout");
        Raw(tcp)
    }

    /// Sends a request head with these further header lines, and nothing more.
    pub fn request(peer: &Peer, path: &str, lines: &str) -> Raw {
        let mut raw = Raw::connect(peer);
        raw.send(head(path, lines).as_bytes());
        raw
    }

    /// Opens a WebSocket and takes the 101.
    pub fn open(peer: &Peer, path: &str) -> Raw {
        let mut raw = Raw::request(peer, path, "");
        let reply = raw.reply();
        assert!(reply.starts_with("HTTP/1.1 101 "), "{reply}");
        raw
    }

    pub fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).expect("the peer reads");
    }

    pub fn take(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("so many bytes");
        bytes
    }

    /// A reply's head.
    pub fn reply(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.extend(self.take(1));
        }
        String::from_utf8(head).expect("a head in UTF-8")
    }

    /// All until the peer's FIN.
    pub fn rest(&mut self) -> Vec<u8> {
        self.try_rest().expect("a FIN")
    }

    pub fn try_rest(&mut self) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).map(|_| bytes)
    }
}

/// The request head of a client.
pub fn head(path: &str, lines: &str) -> String {
    format!(
        "GET {path} HTTP/1.1\r\nHost: peer\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    )
}

/// A client's frame: first byte, then the payload, masked.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let key = [1, 2, 3, 4];
    let mut bytes = vec![first];
    match payload.len() {
        len @ 0..126 => bytes.push(0x80 | len as u8),
        len @ 126..65536 => {
            bytes.push(0x80 | 126);
            bytes.extend((len as u16).to_be_bytes());
        }
        len => {
            bytes.push(0x80 | 127);
            bytes.extend((len as u64).to_be_bytes());
        }
    }
    bytes.extend(key);
    bytes.extend(
        payload
            .iter()
            .zip(key.iter().cycle())
            .map(|(byte, key)| byte ^ key),
    );
    bytes
}

/// A client's Close with code 1000.
pub fn close() -> Vec<u8> {
    frame(0x88, &[0x03, 0xe8])
}

/// The bytes that these hex digits, spaces apart, stand for.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter_map(|digit| digit.to_digit(16))
        .collect();
    digits
        .chunks(2)
        .map(|pair| (pair[0] << 4 | pair[1]) as u8)
        .collect()
}
