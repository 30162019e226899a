//! TLS by the system's own library: Schannel, Security.framework or OpenSSL.
//!
//! Such a library wants to own a stream. So it gets one in memory, and this file moves the
//! bytes between that stream and TCP.

use std::io::{self, Read, Write};
use std::mem;

use super::failure::of_system;
use crate::failure::{kind_of, of_tls};
use crate::system::TcpStream;
use crate::url::Host;
use isosocket_core::ErrorKind;
use native_tls::{HandshakeError, MidHandshakeTlsStream, TlsConnector, TlsStream};

/// The most that is read from TCP, or given to the library, at a time.
const PIECE: usize = 16 << 10;

pub(super) fn session(connector: TlsConnector, host: &Host) -> io::Result<Box<dyn super::Session>> {
    let name = match host {
        Host::Domain(name) => name.clone(),
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    };
    let state = State::after(connector.connect(&name, Wire::default()))?;
    Ok(Box::new(Session { state, accepted: 0 }))
}

struct Session {
    state: State,
    /// Plain text that the library has and the network not yet.
    accepted: usize,
}

enum State {
    Handshaking(MidHandshakeTlsStream<Wire>),
    Established(TlsStream<Wire>),
    Failed,
}

impl State {
    fn after(result: Result<TlsStream<Wire>, HandshakeError<Wire>>) -> io::Result<Self> {
        match result {
            Ok(stream) => Ok(State::Established(stream)),
            Err(HandshakeError::WouldBlock(handshake)) => Ok(State::Handshaking(handshake)),
            Err(HandshakeError::Failure(error)) => Err(of_tls(of_system(&error), error)),
        }
    }
}

/// What came from TCP, and what is to go there.
#[derive(Debug, Default)]
struct Wire {
    incoming: Vec<u8>,
    read: usize,
    outgoing: Vec<u8>,
    ended: bool,
}

impl Read for Wire {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let waiting = &self.incoming[self.read..];
        if waiting.is_empty() {
            return match self.ended {
                true => Ok(0),
                false => Err(io::ErrorKind::WouldBlock.into()),
            };
        }
        let size = waiting.len().min(buffer.len());
        buffer[..size].copy_from_slice(&waiting[..size]);
        self.read += size;
        if self.read == self.incoming.len() {
            self.incoming.clear();
            self.read = 0;
        }
        Ok(size)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Session {
    fn wire(&mut self) -> io::Result<&mut Wire> {
        match &mut self.state {
            State::Handshaking(handshake) => Ok(handshake.get_mut()),
            State::Established(stream) => Ok(stream.get_mut()),
            State::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Takes what TCP has; `WouldBlock` when it has nothing. Returns how many bytes.
    fn fill(&mut self, mut tcp: &TcpStream) -> io::Result<usize> {
        let wire = self.wire()?;
        let known = wire.incoming.len();
        wire.incoming.resize(known + PIECE, 0);
        let result = tcp.read(&mut wire.incoming[known..]);
        let size = *result.as_ref().unwrap_or(&0);
        wire.incoming.truncate(known + size);
        wire.ended |= result? == 0;
        Ok(size)
    }

    /// Goes on with the handshake; `WouldBlock` until it is complete.
    fn shake_hands(&mut self) -> io::Result<&mut TlsStream<Wire>> {
        if matches!(self.state, State::Handshaking(_)) {
            if let State::Handshaking(handshake) = mem::replace(&mut self.state, State::Failed) {
                self.state = State::after(handshake.handshake())?;
            }
        }
        match &mut self.state {
            State::Established(stream) => Ok(stream),
            State::Handshaking(_) => Err(io::ErrorKind::WouldBlock.into()),
            State::Failed => Err(io::ErrorKind::NotConnected.into()),
        }
    }
}

impl super::Session for Session {
    fn read(&mut self, tcp: &TcpStream, buffer: &mut [u8]) -> io::Result<usize> {
        let mut budget = super::BUDGET;
        loop {
            let result = self.shake_hands().and_then(|stream| stream.read(buffer));
            if !matches!(self.state, State::Failed) {
                // A failure to write ends writing only: what has arrived is still read
                // (S109).
                let _ = self.flush(tcp);
            }
            match result {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    if budget == 0 {
                        return Err(io::ErrorKind::Interrupted.into());
                    }
                }
                // Many servers close TCP without saying so in TLS first.
                Err(_) if matches!(self.state, State::Established(_)) && self.wire()?.ended => {
                    return Ok(0);
                }
                // What comes from TCP comes by `fill`.
                Err(error) if kind_of(&error) == ErrorKind::Unknown => {
                    return Err(of_tls(of_system(&error), error));
                }
                result => return result,
            }
            if self.wire()?.ended {
                return Ok(0);
            }
            let size = self.fill(tcp)?;
            if size == 0 && matches!(self.state, State::Handshaking(_)) {
                // An end of the stream, which is no error of TLS.
                return Ok(0);
            }
            budget = budget.saturating_sub(size);
        }
    }

    fn write(&mut self, tcp: &TcpStream, data: &[u8]) -> io::Result<usize> {
        if self.accepted == 0 {
            let stream = match self.shake_hands() {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.flush(tcp)?;
                    return Err(error);
                }
                stream => stream?,
            };
            self.accepted = stream.write(&data[..data.len().min(PIECE)])?;
        }
        self.flush(tcp)?;
        Ok(mem::take(&mut self.accepted))
    }

    fn flush(&mut self, mut tcp: &TcpStream) -> io::Result<()> {
        let wire = self.wire()?;
        while !wire.outgoing.is_empty() {
            let written = tcp.write(&wire.outgoing)?;
            if written == 0 {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            wire.outgoing.drain(..written);
        }
        Ok(())
    }

    fn send_close_notify(&mut self, tcp: &TcpStream) {
        if let State::Established(stream) = &mut self.state {
            // Best effort: the connection is over.
            let _ = stream.shutdown();
        }
        let _ = self.flush(tcp);
    }
}
