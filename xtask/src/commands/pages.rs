//! The program for pages in unusual situations, and for stand-ins for WebSocket in Node:
//! built, and served by `http:` and by `https:`.
//!
//! Invariant: it is reachable from this machine only.

use std::path::{Path, PathBuf};

use crate::browser::http;
use crate::commands::demo;
use crate::run::workspace;
use crate::suite::{build, peer};

/// Its pages and scripts.
const SCRIPTS: &str = "tests/pages/js";

/// Where the built program and its pages lie.
pub fn folder() -> Result<PathBuf, String> {
    workspace::folder("target/xtask/pages")
}

/// Builds them, and gathers the files in [`folder`].
///
/// # Errors
/// One line; the rest is in the log.
pub fn build(wasm_bindgen: &Path, log: &Path) -> Result<PathBuf, String> {
    let module = build::library("isosocket-pages", log)?;
    let folder = folder()?;
    build::bind(wasm_bindgen, &module, "program", SCRIPTS, &folder, log)?;
    Ok(folder)
}

/// Serves them: the addresses by `http:` and by `https:`.
pub fn start(peer: &peer::Running) -> Result<(String, String), String> {
    let folder = folder()?;
    let plain = demo::start(folder.clone(), peer, 0)?;
    let site = http::Site {
        folder,
        echo: plain,
    };
    let tls = peer.tls_acceptor()?;
    let secure = http::serve_secure(site, move |connection| tls.accept(connection))
        .map_err(|error| format!("cannot listen: {error}"))?;
    Ok((
        format!("http://{plain}/"),
        format!("https://localhost:{}/", secure.port()),
    ))
}
