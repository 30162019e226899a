//! `cargo xtask demo` builds the example's pages and serves them, with an echo
//! server.
//!
//! Invariant: page and echo server are reachable from this machine only.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use crate::browser::http;
use crate::run::{progress, workspace};
use crate::suite::{build, peer};
use crate::tools;

/// Where the page lies that loads the example.
const PAGE: &str = "facade/examples/page/static";

/// The port of the page unless `--port` says otherwise.
const PORT: u16 = 8080;

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let options = parse(arguments)?;
    tools::WASM_TARGET.provide(true)?;
    let wasm_bindgen = tools::WASM_BINDGEN.provide(true)?;
    let log = workspace::empty_log("demo.log")?;
    let folder = build(&wasm_bindgen, &log).inspect_err(|_| progress::show_tail(&log))?;
    let peer = peer::start(None)?;
    let address = start(folder, &peer, options.port)?;
    println!("The page:        http://{address}/");
    println!("The echo server: ws://{address}/echo");
    println!("End with Ctrl-C.");
    if options.open {
        open(&format!("http://{address}/"));
    }
    loop {
        thread::park();
    }
}

/// Where the built page lies.
pub fn folder() -> Result<PathBuf, String> {
    workspace::folder("target/xtask/demo")
}

/// Builds the example and gathers its files in [`folder`].
///
/// # Errors
/// One line; the rest is in the log.
pub fn build(wasm_bindgen: &Path, log: &Path) -> Result<PathBuf, String> {
    let module = build::example("page", log)?;
    let folder = folder()?;
    build::bind(wasm_bindgen, &module, "page", PAGE, &folder, log)?;
    Ok(folder)
}

/// Serves the built page; `/echo` leads to the peer.
pub fn start(folder: PathBuf, peer: &peer::Running, port: u16) -> Result<SocketAddr, String> {
    let echo = peer
        .address
        .parse()
        .map_err(|_| format!("the peer's address is `{}`", peer.address))?;
    http::serve(http::Site { folder, echo }, port)
        .map_err(|error| format!("cannot listen on port {port}: {error}; try --port"))
}

#[derive(Debug, PartialEq)]
struct Options {
    port: u16,
    open: bool,
}

fn parse(arguments: &[String]) -> Result<Options, String> {
    let mut options = Options {
        port: PORT,
        open: true,
    };
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--no-open" => options.open = false,
            "--port" => {
                let port = arguments.next().and_then(|port| port.parse().ok());
                options.port = port.ok_or("--port needs a number up to 65535")?;
            }
            other => return Err(format!("demo knows no `{other}`")),
        }
    }
    Ok(options)
}

/// Shows the page in the user's browser; whoever has none has the address.
fn open(url: &str) {
    let opener: &[&str] = if cfg!(windows) {
        &["cmd", "/C", "start", ""]
    } else if cfg!(target_os = "macos") {
        &["open"]
    } else if std::env::var_os("DISPLAY").is_some() || std::env::var_os("WAYLAND_DISPLAY").is_some()
    {
        &["xdg-open"]
    } else {
        return;
    };
    // The browser outlives us, so this child is not ours to end.
    let _ = Command::new(opener[0]).args(&opener[1..]).arg(url).spawn();
}

#[cfg(test)]
mod tests {
    use super::{Options, parse};
    use crate::words;

    #[test]
    fn arguments_are_checked() {
        let expected = Options {
            port: 9000,
            open: false,
        };
        assert_eq!(parse(&words("--no-open --port 9000")), Ok(expected));
        for line in ["--port", "--port 70000", "--prt 1", "x"] {
            assert!(parse(&words(line)).is_err(), "{line}");
        }
    }
}
