//! The scripted WebSocket peer that the conformance suite talks to.
//!
//! A case names the behaviour it wants in the URL, so the peer needs no
//! set-up call and a page in a browser can use it like a native program. The
//! URLs, the script language and the record format are in `README.md`.
//!
//! Invariant: nothing a client sends makes the peer panic or wait for ever.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

mod frame;
mod names;
mod proxy;
mod record;
mod reply;
mod request;
mod script;
mod server;
mod service;
mod session;
mod tls;
mod wire;

pub use tls::TlsAcceptor;

/// Receives each line that a client sends to `/report`: first the `from=` of
/// the client's query (empty if it has none), then the line.
pub type ReportHandler = Box<dyn Fn(&str, &str) + Send + Sync>;

/// How to start a [`Peer`].
#[derive(Default)]
pub struct PeerOptions {
    /// The plain port; the others follow it in the order of [`Ports`]. With 0
    /// the system chooses them all.
    pub base_port: u16,
    /// A folder that keeps the CA across runs, in `ca.pem` and `ca.key.pem`,
    /// which are written if missing. Without it every run has a new CA.
    pub ca_dir: Option<PathBuf>,
    /// What to do with the lines sent to `/report`.
    pub on_report: Option<ReportHandler>,
}

/// The ports that a peer uses, all on 127.0.0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// Every behaviour and service, without TLS.
    pub plain: u16,
    /// The same over TLS, with a certificate of the CA for `localhost` and
    /// `127.0.0.1`.
    pub tls: u16,
    /// TLS with a certificate that has expired.
    pub tls_expired: u16,
    /// TLS with a certificate that no CA has signed.
    pub tls_self_signed: u16,
    /// TLS with a certificate for another name.
    pub tls_wrong_name: u16,
    /// Answers whatever is sent first with bytes that are not TLS, then ends.
    pub tls_garbage: u16,
    /// Accepts TCP and never says anything.
    pub tls_stall: u16,
    /// Reserved while the peer lives, but not listened on: connecting fails.
    pub refused: u16,
}

impl Ports {
    /// The ports as the JSON text which `/ports` serves.
    pub fn to_json(&self) -> String {
        format!(
            "{{\"plain\":{},\"tls\":{},\"tls_expired\":{},\"tls_self_signed\":{},\
             \"tls_wrong_name\":{},\"tls_garbage\":{},\"tls_stall\":{},\"refused\":{}}}",
            self.plain,
            self.tls,
            self.tls_expired,
            self.tls_self_signed,
            self.tls_wrong_name,
            self.tls_garbage,
            self.tls_stall,
            self.refused
        )
    }
}

/// A running peer; dropping it ends every connection and frees the ports.
pub struct Peer {
    server: server::Server,
    ca: tls::Ca,
}

impl Peer {
    /// Starts a peer on 127.0.0.1.
    ///
    /// # Errors
    ///
    /// If a wanted port is taken, or the CA cannot be read or written.
    pub fn start(options: PeerOptions) -> io::Result<Peer> {
        let ca = tls::Ca::open(options.ca_dir.as_deref())?;
        let server = server::Server::start(options.base_port, &ca, options.on_report)?;
        Ok(Peer { server, ca })
    }

    /// The ports in use.
    pub fn ports(&self) -> Ports {
        self.server.shared().ports
    }

    /// The `ws:` URL of a behaviour; `path` starts with `/`.
    pub fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.ports().plain)
    }

    /// The `wss:` URL of a behaviour on the port with the good certificate.
    pub fn tls_url(&self, path: &str) -> String {
        format!("wss://localhost:{}{path}", self.ports().tls)
    }

    /// The certificate of the CA, as PEM.
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    /// The certificate of the CA, as DER.
    pub fn ca_der(&self) -> &[u8] {
        self.ca.der()
    }

    /// TLS with the good certificate, for another server.
    ///
    /// # Errors
    ///
    /// If the certificate cannot be made.
    pub fn tls_acceptor(&self) -> io::Result<TlsAcceptor> {
        TlsAcceptor::new(&self.ca)
    }

    /// What `/record` would answer: waits up to `wait` until at least `count`
    /// connections carried this id and all of them have ended.
    pub fn record(&self, id: &str, count: usize, wait: Duration) -> String {
        self.server.shared().store.wait(id, count, wait)
    }

    /// Requests for behaviours that do not exist. The peer refuses those, which
    /// a case that expects a failure would take for success: a run must end
    /// with this list empty.
    pub fn errors(&self) -> Vec<String> {
        self.server.shared().errors()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.server.stop();
    }
}

/// Shared by every thread of a peer.
type Shared = Arc<server::Shared>;
