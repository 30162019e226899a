//! Scripted servers on bare TCP or TLS, whose buffers are small, and clients
//! that give their events on a channel.

#![allow(dead_code, reason = "each test file uses some of it")]

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::rustls_0_23 as rustls;
use isosocket::{Builder, CloseEvent, Event, WebSocket};
use isosocket_peer::{Peer, PeerOptions};
use tungstenite::handshake::derive_accept_key;

/// The longest that anything may take, also on a busy machine.
pub const DEADLINE: Duration = Duration::from_secs(60);

pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

pub fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

// Clients.

/// Connects and gives all events, as they come, on a channel; the handle too.
pub fn connect(builder: Builder) -> (WebSocket, Receiver<Event>) {
    let (sender, events) = channel();
    let socket = isosocket::EventKind::ALL
        .into_iter()
        .fold(builder, |builder, kind| {
            let sender = sender.clone();
            builder.bind(kind, move |_, event| drop(sender.send(event.clone())))
        })
        .connect()
        .expect("the request is good");
    (socket, events)
}

/// The next event.
#[track_caller]
pub fn next(events: &Receiver<Event>) -> Event {
    events.recv_timeout(DEADLINE).expect("an event in time")
}

/// A socket that is open, and echoes.
pub fn echo() -> (WebSocket, Receiver<Event>) {
    let (socket, events) = connect(WebSocket::builder(peer().url("/echo")));
    assert_eq!(next(&events), Event::Open);
    (socket, events)
}

/// Sends and gets the echo, so many times.
#[track_caller]
pub fn echoes((socket, events): &(WebSocket, Receiver<Event>), times: usize) {
    for _ in 0..times {
        socket.send("still here").unwrap();
        assert_eq!(next(events), Event::Message("still here".into()));
    }
}

/// The end of a connection that the peer closed in good order.
pub fn closed(code: u16) -> Event {
    Event::Close(CloseEvent::new(code, "", true))
}

// Servers.

/// A stream to a client.
pub trait Io: Read + Write + Send {}
impl<T: Read + Write + Send> Io for T {}

/// A server whose connections have small buffers in the kernel.
pub struct Server {
    listener: TcpListener,
}

impl Server {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let socket = socket2::SockRef::from(&listener);
        socket.set_recv_buffer_size(16 << 10).unwrap();
        Server { listener }
    }

    pub fn port(&self) -> u16 {
        self.listener.local_addr().unwrap().port()
    }

    pub fn builder(&self) -> Builder {
        use isosocket::native::BuilderExt;
        WebSocket::builder(self.url()).tcp_send_buffer(16 << 10)
    }

    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}/", self.port())
    }

    pub fn tls_builder(&self) -> Builder {
        use isosocket::native::BuilderExt;
        WebSocket::builder(format!("wss://localhost:{}/", self.port()))
            .tcp_send_buffer(16 << 10)
            .tls_config(identity().client.clone())
    }

    pub fn accept(&self) -> TcpStream {
        self.listener.accept().unwrap().0
    }

    /// Accepts a connection and its request.
    pub fn greet(&self) -> TcpStream {
        let mut tcp = self.accept();
        greet(&mut tcp, "");
        tcp
    }
}

/// A TLS server's end of a connection.
pub fn tls(tcp: TcpStream) -> rustls::StreamOwned<rustls::ServerConnection, TcpStream> {
    let session = rustls::ServerConnection::new(identity().server.clone()).unwrap();
    rustls::StreamOwned::new(session, tcp)
}

/// A peer that reads slowly, and notices if the machine keeps it from reading.
pub struct Pace {
    /// The longest time for which it may do nothing.
    limit: Duration,
    last: Instant,
    kept: bool,
}

impl Pace {
    pub fn start(limit: Duration) -> Self {
        Pace {
            limit,
            last: Instant::now(),
            kept: true,
        }
    }

    /// Reads so many bytes: slowly for `time`, then as fast as it can. It stops early if it did
    /// nothing for too long.
    pub fn read(&mut self, io: &mut impl Read, mut left: usize, time: Duration) -> io::Result<()> {
        let begun = Instant::now();
        // As much as waits for it, so that there is room again after each read.
        let mut buffer = vec![0; 32 << 10];
        while left > 0 && self.is_kept() {
            let most = left.min(buffer.len());
            match io.read(&mut buffer[..most])? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => left -= read,
            }
            if begun.elapsed() < time {
                thread::sleep(Duration::from_millis(40));
            }
        }
        Ok(())
    }

    /// Whether it did something all the time.
    pub fn is_kept(&mut self) -> bool {
        self.kept &= self.last.elapsed() <= self.limit;
        self.last = Instant::now();
        self.kept
    }
}

/// Reads a head, up to the empty line.
pub fn read_head(io: &mut impl Read) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        io.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

/// Accepts the opening handshake, with `lines` in the reply. Returns the request.
pub fn greet(io: &mut (impl Read + Write), lines: &str) -> String {
    let head = read_head(io);
    io.write_all(reply(&head, lines).as_bytes()).unwrap();
    io.flush().unwrap();
    head
}

/// The reply to a request, with `lines` in it.
pub fn reply(head: &str, lines: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    let accept = derive_accept_key(key.unwrap().as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         {lines}Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// A frame of a server. `first` is its first byte without FIN.
pub fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | first];
    match payload.len() {
        length @ 0..=125 => frame.push(length as u8),
        length @ 126..=0xffff => {
            frame.push(126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(payload);
    frame
}

/// A Close frame of a server.
pub fn close_frame(code: u16) -> Vec<u8> {
    frame(CLOSE, &code.to_be_bytes())
}

/// Reads a client's frame, and removes its mask.
pub fn read_frame(io: &mut impl Read) -> io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    io.read_exact(&mut head)?;
    assert!(head[1] & 0x80 != 0, "clients mask their frames");
    let length = match head[1] & 0x7f {
        126 => {
            let mut length = [0; 2];
            io.read_exact(&mut length)?;
            u16::from_be_bytes(length).into()
        }
        127 => {
            let mut length = [0; 8];
            io.read_exact(&mut length)?;
            u64::from_be_bytes(length) as usize
        }
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    io.read_exact(&mut mask)?;
    let mut payload = vec![0; length];
    io.read_exact(&mut payload)?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((head[0] & 0x0f, payload))
}

/// The configuration of a server with a certificate of its own; and that certificate.
pub fn server_config(
    params: rcgen::CertificateParams,
) -> (
    Arc<rustls::ServerConfig>,
    rustls::pki_types::CertificateDer<'static>,
) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let key = rustls::pki_types::PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (Arc::new(server), certificate)
}

/// The configuration of a client that trusts this certificate.
pub fn trusting(
    certificate: rustls::pki_types::CertificateDer<'static>,
) -> Arc<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(client)
}

struct Identity {
    server: Arc<rustls::ServerConfig>,
    client: Arc<rustls::ClientConfig>,
}

fn identity() -> &'static Identity {
    static IDENTITY: OnceLock<Identity> = OnceLock::new();
    IDENTITY.get_or_init(|| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.is_ca = rcgen::IsCa::ExplicitNoCa;
        let (server, certificate) = server_config(params);
        Identity {
            server,
            client: trusting(certificate),
        }
    })
}
