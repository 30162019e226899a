//! The scripted server that the suite talks to, in this process.
//!
//! Invariant: it listens on loopback only. It takes the same ports as the last
//! time if those are free, because the wasm binary contains its address, and
//! another address means another build.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use isosocket_peer::{Peer, PeerOptions, TlsAcceptor};

use crate::run::workspace;

/// The first ports that are tried; the peer uses a few that follow each.
const BASE_PORTS: [u16; 4] = [17380, 17480, 17580, 17680];

/// A running peer; it ends when this is dropped.
pub struct Running {
    /// `127.0.0.1:PORT`, the value of `ISOSOCKET_PEER`.
    pub address: String,
    /// The certificate that the peer's TLS ports are signed with.
    pub ca: PathBuf,
    peer: Peer,
    /// How many of its complaints were taken.
    complaints: Mutex<usize>,
    reports: Reports,
}

/// What cases reported and nobody took yet: the host's name, and a line.
type Reports = Arc<Mutex<Vec<(String, String)>>>;

/// Starts the peer; what cases report is written to a file as well, if one is
/// named, for whoever wants to watch.
///
/// # Errors
/// If its files cannot be written or no port is free at all.
pub fn start(log: Option<&Path>) -> Result<Running, String> {
    let ca_folder = workspace::folder("target/xtask/ca")?;
    let log = log
        .map(File::create)
        .transpose()
        .map_err(|error| format!("cannot write the reports: {error}"))?;
    let log = Arc::new(log);
    let reports = Reports::default();
    let mut last = String::new();
    // Port 0 at the end: any that the system has.
    for base_port in BASE_PORTS.into_iter().chain([0]) {
        let (log, sink) = (Arc::clone(&log), Arc::clone(&reports));
        let options = PeerOptions {
            base_port,
            ca_dir: Some(ca_folder.clone()),
            on_report: Some(Box::new(move |from, line| {
                if let Ok(mut reports) = sink.lock() {
                    if let Some(mut file) = log.as_ref().as_ref() {
                        // The file is for people; what counts is in memory.
                        let _ = writeln!(file, "{from}\t{line}");
                    }
                    reports.push((from.to_owned(), line.to_owned()));
                }
            })),
        };
        match Peer::start(options) {
            Ok(peer) => {
                return Ok(Running {
                    address: format!("127.0.0.1:{}", peer.ports().plain),
                    ca: ca_folder.join("ca.pem"),
                    peer,
                    complaints: Mutex::new(0),
                    reports,
                });
            }
            Err(error) => last = error.to_string(),
        }
    }
    Err(format!("cannot start the peer: {last}"))
}

impl Running {
    /// What the peer was asked for since the last call and does not have. It
    /// refuses that, which a case that expects a failure takes for success.
    pub fn new_complaints(&self) -> Vec<String> {
        let mut taken = self
            .complaints
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let mut all = self.peer.errors();
        let new = all.split_off((*taken).min(all.len()));
        *taken += new.len();
        new
    }

    /// A behaviour's `wss:` URL.
    pub fn tls_url(&self, path: &str) -> String {
        self.peer.tls_url(path)
    }

    /// TLS with the peer's good certificate, for another server.
    pub fn tls_acceptor(&self) -> Result<TlsAcceptor, String> {
        let made = self.peer.tls_acceptor();
        made.map_err(|error| format!("cannot make a certificate: {error}"))
    }

    /// What the peer saw of a connection with this id, once it has ended, as JSON.
    pub fn record(&self, id: &str) -> String {
        self.peer.record(id, 1, Duration::from_secs(20))
    }

    /// Takes what cases reported under the names that are wanted.
    pub fn take_reports(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, String)> {
        let mut reports = self.reports.lock().unwrap_or_else(PoisonError::into_inner);
        let all = std::mem::take(&mut *reports);
        let (taken, left) = all.into_iter().partition(|(from, _)| wanted(from));
        *reports = left;
        taken
    }
}
