//! From a connected stream to an established connection: a tunnel through a
//! proxy if there is one, and the opening handshake.
//!
//! Each stage owns what it needs, and becomes the next one by value.

use super::handshake::{Handshake, Reply};
use super::session::{BoxError, SessionOptions};
use super::tunnel::Tunnel;
use crate::options::NativeOptions;
use crate::options::proxy::Proxy;
use crate::options::target::Target;

/// What is needed until the connection is established.
#[derive(Debug)]
pub(crate) struct Setup {
    pub(crate) target: Target,
    pub(crate) subprotocols: Vec<String>,
    pub(crate) native: NativeOptions,
    pub(crate) session: SessionOptions,
}

/// A connection that is not established.
#[derive(Debug)]
pub(crate) enum Opening {
    /// The proxy was asked for a tunnel.
    Tunnel(Box<TunnelStage>),
    /// The server was asked for a WebSocket.
    Handshake(Box<HandshakeStage>),
}

#[derive(Debug)]
pub(crate) struct TunnelStage {
    tunnel: Tunnel,
    setup: Box<Setup>,
}

#[derive(Debug)]
pub(crate) struct HandshakeStage {
    handshake: Handshake,
    request: Vec<u8>,
    written: usize,
    session: SessionOptions,
}

/// What became of an opening when bytes arrived.
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
        let (host, port) = (setup.target.host().to_owned(), setup.target.port());
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

    /// What is to be written next. Empty if all is written.
    pub(crate) fn outgoing(&self) -> &[u8] {
        match self {
            Opening::Tunnel(stage) => &stage.tunnel.outgoing,
            Opening::Handshake(stage) => &stage.request[stage.written..],
        }
    }

    /// Whether some of the request to the server was written.
    pub(crate) fn has_begun(&self) -> bool {
        match self {
            Opening::Tunnel(_) => false,
            Opening::Handshake(stage) => stage.written > 0,
        }
    }

    /// So many bytes of [`outgoing`](Self::outgoing) are written.
    pub(crate) fn advance(&mut self, written: usize) {
        match self {
            Opening::Tunnel(stage) => drop(stage.tunnel.outgoing.drain(..written)),
            Opening::Handshake(stage) => stage.written += written,
        }
    }

    /// Takes in what arrived.
    pub(crate) fn receive(self, bytes: &[u8]) -> Result<Progress, BoxError> {
        match self {
            Opening::Tunnel(mut stage) => Ok(match stage.tunnel.read(bytes)? {
                false => Progress::More(Opening::Tunnel(stage)),
                true => Progress::TunnelIsOpen(stage.setup),
            }),
            Opening::Handshake(mut stage) => Ok(match stage.handshake.read(bytes)? {
                None => Progress::More(Opening::Handshake(stage)),
                Some((reply, used)) => Progress::Established {
                    reply,
                    used,
                    session: stage.session,
                },
            }),
        }
    }

    /// Why the connection failed if the stream ends now.
    pub(crate) fn ended_by(&self) -> &'static str {
        match self {
            Opening::Tunnel(_) => "the proxy closed the connection before the tunnel was open",
            Opening::Handshake(_) => "the server closed the connection before it was established",
        }
    }
}
