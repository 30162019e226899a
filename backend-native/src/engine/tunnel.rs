//! A tunnel to the server through a proxy: HTTP CONNECT (RFC 9110, section
//! 9.3.6), SOCKS5 (RFC 1928, RFC 1929) and SOCKS4 with names (SOCKS4a). The proxy
//! resolves the server's name.
//!
//! Invariant: it does no I/O. Its input is the proxy's bytes, and its output is the bytes to
//! answer with.

use std::fmt;
use std::mem;

use thiserror::Error;

use super::head::{HeadError, HeadReader};
use crate::base64;
use crate::options::proxy::{Kind, Proxy};
use crate::url::Host;

/// Why a proxy did not make the connection.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub(crate) enum ProxyError {
    #[error("the proxy's reply is malformed: is it a proxy of this kind?")]
    Garbage,
    #[error("the proxy's reply to CONNECT is malformed: {0}")]
    Head(#[from] HeadError),
    #[error("the proxy answered CONNECT with status {0}")]
    Status(u16),
    #[error("the proxy accepts neither a connection without login nor one with user and password")]
    NoMethod,
    #[error("the proxy refused user and password")]
    Login,
    #[error("the proxy could not connect: SOCKS5 reply {0}")]
    Refused(u8),
    #[error("the proxy could not connect: SOCKS4 reply {0}")]
    Refused4(u8),
}

/// A tunnel that is being opened: bytes in, bytes out.
pub(crate) struct Tunnel {
    proxy: Proxy,
    /// The host of the server to which the proxy is to connect.
    host: Host,
    port: u16,
    step: Step,
    /// The reply to CONNECT.
    head: HeadReader,
    /// Bytes of a SOCKS proxy that are not yet handled.
    incoming: Vec<u8>,
    /// The bytes to write.
    pub(crate) outgoing: Vec<u8>,
}

/// User and password are in what it sends, so `Debug` does not show that.
impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel")
            .field("proxy", &self.proxy)
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Connect,
    Method,
    Login,
    Reply,
    Reply4,
}

impl Tunnel {
    pub(crate) fn new(proxy: Proxy, host: Host, port: u16) -> Self {
        let mut tunnel = Tunnel {
            step: match proxy.kind {
                Kind::Http => Step::Connect,
                Kind::Socks4 => Step::Reply4,
                Kind::Socks5 => Step::Method,
            },
            proxy,
            host,
            port,
            head: HeadReader::default(),
            incoming: Vec::new(),
            outgoing: Vec::new(),
        };
        tunnel.outgoing = match (tunnel.proxy.kind, &tunnel.proxy.credentials) {
            (Kind::Http, credentials) => {
                let server = format!("{}:{}", tunnel.host, tunnel.port);
                let mut head = format!("CONNECT {server} HTTP/1.1\r\nHost: {server}\r\n");
                if let Some((user, password)) = credentials {
                    let login = format!("{user}:{password}");
                    let login = base64::encode(login.as_bytes());
                    head += &format!("Proxy-Authorization: Basic {login}\r\n");
                }
                (head + "\r\n").into_bytes()
            }
            (Kind::Socks4, credentials) => {
                let user = credentials.as_ref().map_or("", |(user, _)| user);
                ask_socks4(&tunnel.host, tunnel.port, user)
            }
            // Version 5, and the methods: none, and perhaps a login.
            (Kind::Socks5, None) => vec![5, 1, 0],
            (Kind::Socks5, Some(_)) => vec![5, 2, 0, 2],
        };
        tunnel
    }

    /// Handles bytes of the proxy. Returns whether the tunnel is open.
    pub(crate) fn read(&mut self, input: &[u8]) -> Result<bool, ProxyError> {
        self.incoming.extend_from_slice(input);
        loop {
            let used = match self.step {
                Step::Connect => return self.read_head(),
                Step::Method => match *self.incoming {
                    [5, 0, ..] => {
                        self.ask();
                        2
                    }
                    [5, 2, ..] => match &self.proxy.credentials {
                        Some((user, password)) => {
                            let (user, password) = (user.as_bytes(), password.as_bytes());
                            self.outgoing.extend([1, user.len() as u8]);
                            self.outgoing.extend_from_slice(user);
                            self.outgoing.push(password.len() as u8);
                            self.outgoing.extend_from_slice(password);
                            self.step = Step::Login;
                            2
                        }
                        None => return Err(ProxyError::NoMethod),
                    },
                    [5, _, ..] => return Err(ProxyError::NoMethod),
                    [] | [5] => return Ok(false),
                    _ => return Err(ProxyError::Garbage),
                },
                Step::Login => match *self.incoming {
                    [_, 0, ..] => {
                        self.ask();
                        2
                    }
                    [_, _, ..] => return Err(ProxyError::Login),
                    _ => return Ok(false),
                },
                Step::Reply => return self.read_reply(),
                Step::Reply4 => {
                    return match *self.incoming {
                        // The other six bytes have no meaning.
                        [0, 90, ..] if self.incoming.len() <= 8 => Ok(self.incoming.len() == 8),
                        [0, 90, ..] => Err(ProxyError::Garbage),
                        [0, reply, ..] => Err(ProxyError::Refused4(reply)),
                        [] | [0] => Ok(false),
                        _ => Err(ProxyError::Garbage),
                    };
                }
            };
            self.incoming.drain(..used);
        }
    }

    /// SOCKS5, section 4: version, CONNECT, reserved, address, port.
    fn ask(&mut self) {
        self.step = Step::Reply;
        self.outgoing.extend([5, 1, 0]);
        match &self.host {
            Host::Ipv4(address) => {
                self.outgoing.push(1);
                self.outgoing.extend(address.octets());
            }
            Host::Ipv6(address) => {
                self.outgoing.push(4);
                self.outgoing.extend(address.octets());
            }
            // A name in DNS has at most 253 bytes; a longer one fails there.
            Host::Domain(name) => {
                let name = &name.as_bytes()[..name.len().min(255)];
                self.outgoing.extend([3, name.len() as u8]);
                self.outgoing.extend_from_slice(name);
            }
        }
        self.outgoing.extend(self.port.to_be_bytes());
    }

    fn read_reply(&mut self) -> Result<bool, ProxyError> {
        let address = match *self.incoming {
            [5, 0, _, 1, ..] => 4,
            [5, 0, _, 4, ..] => 16,
            [5, 0, _, 3, length, ..] => 1 + usize::from(length),
            [5, 0, _, 3] | [5, 0, _] | [5, 0] | [5] | [] => return Ok(false),
            [5, 0, ..] => return Err(ProxyError::Garbage),
            [5, reply, ..] => return Err(ProxyError::Refused(reply)),
            _ => return Err(ProxyError::Garbage),
        };
        // The server sends nothing before we do, so more bytes are an error.
        match self.incoming.len().cmp(&(4 + address + 2)) {
            std::cmp::Ordering::Less => Ok(false),
            std::cmp::Ordering::Equal => Ok(true),
            std::cmp::Ordering::Greater => Err(ProxyError::Garbage),
        }
    }

    /// Reads a part of the reply to CONNECT. The server sends nothing before we do, so no bytes
    /// may follow the reply.
    fn read_head(&mut self) -> Result<bool, ProxyError> {
        let input = mem::take(&mut self.incoming);
        match self.head.read(&input)? {
            None => Ok(false),
            Some((head, used)) => match head.status {
                200..=299 if used == input.len() => Ok(true),
                200..=299 => Err(ProxyError::Garbage),
                status => Err(ProxyError::Status(status)),
            },
        }
    }
}

/// Version 4, CONNECT, port, address, user. For a name, the address is an invalid one, and the
/// name follows at the end.
fn ask_socks4(host: &Host, port: u16, user: &str) -> Vec<u8> {
    let address = match host {
        Host::Ipv4(address) => address.octets(),
        Host::Domain(_) | Host::Ipv6(_) => [0, 0, 0, 1],
    };
    let [high, low] = port.to_be_bytes();
    let mut request = vec![4, 1, high, low];
    request.extend(address);
    request.extend_from_slice(user.as_bytes());
    request.push(0);
    match host {
        Host::Ipv4(_) => return request,
        Host::Domain(name) => request.extend_from_slice(name.as_bytes()),
        // The options refuse these.
        Host::Ipv6(address) => request.extend_from_slice(address.to_string().as_bytes()),
    }
    request.push(0);
    request
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tunnel(proxy: &str, host: &str) -> Tunnel {
        Tunnel::new(Proxy::new(proxy).unwrap(), Host::parse(host).unwrap(), 443)
    }

    fn sent(tunnel: &mut Tunnel) -> Vec<u8> {
        mem::take(&mut tunnel.outgoing)
    }

    #[test]
    fn http_connect_asks_and_hears() {
        let mut open = tunnel("http://u:p@proxy:8080", "server.example");
        let request = String::from_utf8(sent(&mut open)).unwrap();
        assert_eq!(
            request,
            "CONNECT server.example:443 HTTP/1.1\r\nHost: server.example:443\r\n\
             Proxy-Authorization: Basic dTpw\r\n\r\n"
        );
        let reply = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n";
        let (last, first) = reply.split_last().unwrap();
        for byte in first {
            assert_eq!(open.read(&[*byte]), Ok(false));
        }
        assert_eq!(open.read(&[*last]), Ok(true));

        let read = |reply: &[u8]| tunnel("http://proxy", "h").read(reply);
        assert_eq!(
            read(b"HTTP/1.1 407 x\r\n\r\n"),
            Err(ProxyError::Status(407))
        );
        assert_eq!(
            read(b"HTTP/1.1 200 x\r\n\r\nearly"),
            Err(ProxyError::Garbage)
        );
        assert_eq!(read(b"HTTP/1.1 102 x\r\n\r\nHTTP/1.0 200 x\n\n"), Ok(true));
        assert_eq!(
            read(b"HTTP/1.1 101 x\r\n\r\n"),
            Err(ProxyError::Status(101))
        );
        assert!(matches!(read(b"garbage"), Err(ProxyError::Head(_))));
    }

    #[test]
    fn socks5_with_and_without_a_login() {
        let mut open = tunnel("socks5://proxy", "server.example");
        assert_eq!(sent(&mut open), [5, 1, 0]);
        assert_eq!(open.read(&[5]), Ok(false));
        assert_eq!(open.read(&[0]), Ok(false));
        let asked = [&[5, 1, 0, 3, 14], &b"server.example"[..], &[1, 187]].concat();
        assert_eq!(sent(&mut open), asked);
        for byte in [5, 0, 0, 1, 0, 0, 0, 0, 0] {
            assert_eq!(open.read(&[byte]), Ok(false));
        }
        assert_eq!(open.read(&[0]), Ok(true));

        let mut open = tunnel("socks5h://user:pass@proxy:9", "[::1]");
        assert_eq!(sent(&mut open), [5, 2, 0, 2]);
        assert_eq!(open.read(&[5, 2]), Ok(false));
        assert_eq!(sent(&mut open), b"\x01\x04user\x04pass");
        assert_eq!(open.read(&[1, 0]), Ok(false));
        assert_eq!(sent(&mut open)[..4], [5, 1, 0, 4]);
        assert_eq!(open.read(&[5, 5, 0, 1]), Err(ProxyError::Refused(5)));

        let read = |reply: &[u8]| tunnel("socks5://u:p@proxy", "h").read(reply);
        assert_eq!(read(&[5, 255]), Err(ProxyError::NoMethod));
        assert_eq!(read(&[5, 2, 1, 1]), Err(ProxyError::Login));
        assert_eq!(read(&[4, 0]), Err(ProxyError::Garbage));
        assert_eq!(
            tunnel("socks5://proxy", "h").read(&[5, 2]),
            Err(ProxyError::NoMethod)
        );
    }

    #[test]
    fn a_socks5_reply_has_an_address_of_any_kind() {
        let ends = |reply: &[u8]| {
            let mut open = tunnel("socks5://proxy", "h");
            assert_eq!(open.read(&[5, 0]), Ok(false));
            let (last, first) = reply.split_last().unwrap();
            for byte in first {
                assert_eq!(open.read(&[*byte]), Ok(false), "{reply:?}");
            }
            open.read(&[*last])
        };
        let port = [1, 187];
        let addresses: [&[u8]; 4] = [&[1, 9, 9, 9, 9], &[3, 3, 9, 9, 9], &[3, 0], &[4; 17]];
        for address in addresses {
            assert_eq!(ends(&[&[5, 0, 0], address, &port].concat()), Ok(true));
            let mut early = tunnel("socks5://proxy", "h");
            assert_eq!(early.read(&[5, 0]), Ok(false));
            let more = [&[5, 0, 0], address, &port, &[1]].concat();
            assert_eq!(early.read(&more), Err(ProxyError::Garbage));
        }
        assert_eq!(ends(&[5, 0, 0, 2]), Err(ProxyError::Garbage));
    }

    #[test]
    fn socks4_with_a_name_and_with_an_address() {
        let mut open = tunnel("socks4://me@proxy", "server.example");
        let name = [&[4, 1, 1, 187, 0, 0, 0, 1], &b"me\0server.example\0"[..]].concat();
        assert_eq!(sent(&mut open), name);
        for byte in [0, 90, 1, 2, 3, 4, 5] {
            assert_eq!(open.read(&[byte]), Ok(false));
        }
        assert_eq!(open.read(&[6]), Ok(true));

        let mut open = tunnel("socks4a://proxy", "10.1.2.3");
        assert_eq!(sent(&mut open), [4, 1, 1, 187, 10, 1, 2, 3, 0]);
        assert_eq!(open.read(&[0, 91]), Err(ProxyError::Refused4(91)));
        let read = |reply: &[u8]| tunnel("socks4://proxy", "h").read(reply);
        assert_eq!(read(&[5, 90]), Err(ProxyError::Garbage));
        assert_eq!(
            read(&[0, 90, 0, 0, 0, 0, 0, 0, 1]),
            Err(ProxyError::Garbage)
        );
    }
}
