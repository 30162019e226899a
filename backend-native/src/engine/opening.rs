//! From a connected stream to an established connection: a tunnel through a proxy if there
//! is one, and the opening handshake.
//!
//! Each stage owns what it needs, and the next stage takes that over by value.

use std::fmt;
use std::io;
use std::time::SystemTime;

use isosocket_core::ErrorKind;

use super::handshake::{Answer, Handshake, Reply};
use super::refusal::Refusal;
use super::session::SessionOptions;
use super::tunnel::Tunnel;
use crate::failure::Failure;
use crate::options::NativeOptions;
use crate::options::proxy::Proxy;
use crate::options::target::Target;

/// What is needed until the connection is established.
pub(crate) struct Setup {
    pub(crate) target: Target,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) native: NativeOptions,
    pub(crate) session: SessionOptions,
}

/// Subprotocols may be secret.
impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup")
            .field("target", &self.target)
            .field("native", &self.native)
            .finish_non_exhaustive()
    }
}

/// A connection that is not established.
#[derive(Debug)]
pub(crate) enum Opening {
    /// The proxy was asked for a tunnel.
    Tunnel(Box<TunnelStage>),
    /// The server was asked for a WebSocket.
    Handshake(Box<HandshakeStage>),
    /// The server has refused, and its reply's body is read.
    Refused(Box<Refusal>),
}

#[derive(Debug)]
pub(crate) struct TunnelStage {
    tunnel: Tunnel,
    setup: Box<Setup>,
}

pub(crate) struct HandshakeStage {
    handshake: Handshake,
    request: Vec<u8>,
    written: usize,
    session: SessionOptions,
}

/// The request has secrets in it.
impl fmt::Debug for HandshakeStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandshakeStage")
            .field("written", &self.written)
            .finish_non_exhaustive()
    }
}

/// The state of an opening after bytes arrived.
#[derive(Debug)]
pub(crate) enum Progress {
    /// More bytes are needed.
    More(Opening),
    /// The tunnel is open. From now on bytes go to the server, and through TLS
    /// if the URL says so.
    TunnelIsOpen(Box<Setup>),
    /// The connection is established. `used` bytes of the input belonged to the
    /// reply.
    Established {
        reply: Reply,
        used: usize,
        session: SessionOptions,
    },
}

impl Opening {
    /// Asks `proxy` for a tunnel to the server.
    pub(crate) fn tunnel(proxy: Proxy, setup: Setup) -> Self {
        let (host, port) = (setup.target.host().clone(), setup.target.port());
        let tunnel = Tunnel::new(proxy, host, port);
        let setup = Box::new(setup);
        Opening::Tunnel(Box::new(TunnelStage { tunnel, setup }))
    }

    /// Asks the server for a WebSocket. `key` are the random bytes of the
    /// request's `Sec-WebSocket-Key` (RFC 6455, 4.1).
    pub(crate) fn handshake(setup: Setup, key: [u8; 16]) -> Self {
        let Setup {
            target,
            subprotocols,
            native,
            session,
        } = setup;
        let (handshake, request) =
            Handshake::new(&target, subprotocols, &native.headers, native.deflate, key);
        Opening::Handshake(Box::new(HandshakeStage {
            handshake,
            request,
            written: 0,
            session,
        }))
    }

    /// The bytes to write next. Empty if everything is written.
    pub(crate) fn outgoing(&self) -> &[u8] {
        match self {
            Opening::Tunnel(stage) => &stage.tunnel.outgoing,
            Opening::Handshake(stage) => &stage.request[stage.written..],
            Opening::Refused(_) => &[],
        }
    }

    /// Whether some of the request to the server was written.
    pub(crate) fn has_begun(&self) -> bool {
        match self {
            Opening::Tunnel(_) => false,
            Opening::Handshake(stage) => stage.written > 0,
            Opening::Refused(_) => true,
        }
    }

    /// Notes that so many bytes of [`outgoing`](Self::outgoing) were written.
    pub(crate) fn advance(&mut self, written: usize) {
        match self {
            Opening::Tunnel(stage) => drop(stage.tunnel.outgoing.drain(..written)),
            Opening::Handshake(stage) => stage.written += written,
            Opening::Refused(_) => {}
        }
    }

    /// Handles bytes that arrived. `now` is for dates in a refusal.
    pub(crate) fn receive(self, bytes: &[u8], now: SystemTime) -> Result<Progress, Failure> {
        match self {
            Opening::Tunnel(mut stage) => Ok(match stage.tunnel.read(bytes)? {
                false => Progress::More(Opening::Tunnel(stage)),
                true => Progress::TunnelIsOpen(stage.setup),
            }),
            Opening::Handshake(mut stage) => Ok(match stage.handshake.read(bytes)? {
                None => Progress::More(Opening::Handshake(stage)),
                Some((Answer::Accepted(reply), used)) => Progress::Established {
                    reply,
                    used,
                    session: stage.session,
                },
                Some((Answer::Refused(head), used)) => {
                    let refused = Opening::Refused(Box::new(Refusal::new(&head)));
                    return refused.receive(&bytes[used..], now);
                }
            }),
            Opening::Refused(mut refusal) => match refusal.receive(bytes) {
                true => Ok(Progress::More(Opening::Refused(refusal))),
                false => Err(refusal.into_failure(now)),
            },
        }
    }

    /// Whether the server has refused, so that only the reply's body is waited for.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Opening::Refused(_))
    }

    /// Why the connection failed, if it ends now: with this error, or because the peer has
    /// ended the stream. A server that has refused before has said why.
    pub(crate) fn into_failure(self, error: Option<io::Error>, now: SystemTime) -> Failure {
        let (kind, ended_by) = match self {
            Opening::Refused(refusal) => return refusal.into_failure(now),
            Opening::Tunnel(_) => (
                ErrorKind::Proxy,
                "the proxy closed the connection before the tunnel was open",
            ),
            Opening::Handshake(_) => (
                ErrorKind::Reset,
                "the server closed the connection before it was established",
            ),
        };
        match (kind, error) {
            (_, None) => Failure::new(kind, ended_by),
            (ErrorKind::Proxy, Some(error)) => Failure::new(kind, error),
            (_, Some(error)) => error.into(),
        }
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
