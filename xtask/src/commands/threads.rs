//! `cargo xtask threads HOST`: cases for programs whose threads share memory, as
//! wasm with atomics, in Node and in Chromium.
//!
//! Invariant: the module is built with the pinned nightly, with its own standard
//! library, apart from all other builds; a run that did not end is no pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use crate::browser::http;
use crate::browser::webdriver::{Browser, wait_until};
use crate::run::Invocation;
use crate::run::{progress, workspace};
use crate::suite::{build, peer};
use crate::tools::{CHROMIUM, NIGHTLY, NODE, Tool, WASM_BINDGEN, WASM_TRIPLE};

/// What the rows in test-all need.
pub const FOR_NODE: &[&Tool] = &[&NIGHTLY, &WASM_BINDGEN, &NODE];
pub const FOR_CHROMIUM: &[&Tool] = &[&NIGHTLY, &WASM_BINDGEN, &CHROMIUM];

/// The standard library is built, too.
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);
/// All cases together.
const RUN_LIMIT: Duration = Duration::from_secs(2 * 60);

/// Atomics, a memory that is imported and shared, and what wasm-bindgen needs to
/// give each thread a stack and its thread-locals.
const RUSTFLAGS: &str = "-Ctarget-feature=+atomics,+bulk-memory \
    -Clink-arg=--shared-memory -Clink-arg=--import-memory -Clink-arg=--max-memory=1073741824 \
    -Clink-arg=--export=__wasm_init_tls -Clink-arg=--export=__tls_size \
    -Clink-arg=--export=__tls_align -Clink-arg=--export=__tls_base \
    -Clink-arg=--export=__heap_base";

/// The script that drives the module, and the name it gets in the module's folder.
const SCRIPTS: &str = "tests/threads/js";
const FOLDER: &str = "target/xtask/threads";

/// Runs it; `--install` gets what is missing first. Another argument is a
/// filter of the cases.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let mut words = arguments.iter().filter(|word| !word.starts_with("--"));
    let host = words.next().map(String::as_str);
    let filter = words.next().map_or("", String::as_str);
    let name = host.unwrap_or_default();
    if !["build", "node", "chromium"].contains(&name) {
        return Err("threads needs a host: node or chromium (or `build` alone)".to_owned());
    }
    let log = workspace::empty_log(&format!("threads-{name}-run.log"))?;
    // The one of test-all, whose address is baked into the module.
    let (address, _own) = match std::env::var("ISOSOCKET_PEER") {
        Ok(address) => (address, None),
        Err(_) => {
            let peer = peer::start(None)?;
            (peer.address.clone(), Some(peer))
        }
    };
    let built = build_module(&address, install, &log).inspect_err(|_| progress::show_tail(&log));
    let folder = built?;
    let printed = match name {
        "node" => in_node(&folder, filter, install, &log)?,
        "chromium" => in_chromium(&folder, filter, install, &address, &log)?,
        _ => return Ok(true),
    };
    print!("{printed}");
    Ok(printed.contains("test result: ok. "))
}

/// Builds and binds the module; gives the folder where all is.
fn build_module(peer: &str, install: bool, log: &Path) -> Result<PathBuf, String> {
    let cargo = NIGHTLY.provide(install)?;
    let wasm_bindgen = WASM_BINDGEN.provide(install)?;
    let command = build::nightly(&cargo, RUSTFLAGS)
        .env("ISOSOCKET_PEER", peer)
        .args(["build", "-p", "isosocket-threads", "--target", WASM_TRIPLE])
        .args(["-Zbuild-std=std,panic_abort", "--target-dir"])
        .arg("target/threads");
    let title = "building a module with threads, and its standard library";
    progress::run(title, &command, log, BUILD_LIMIT)?;
    let module = workspace::root()
        .join("target/threads")
        .join(WASM_TRIPLE)
        .join("debug/isosocket_threads.wasm");
    let folder = workspace::folder(FOLDER)?;
    build::bind(&wasm_bindgen, &module, "program", SCRIPTS, &folder, log)?;
    Ok(folder)
}

fn in_node(folder: &Path, filter: &str, install: bool, log: &Path) -> Result<String, String> {
    let printed = folder.join("printed.txt");
    let command = Invocation::new(NODE.provide(install)?)
        .arg("--expose-gc")
        .arg(folder.join("node.mjs"))
        .arg(filter)
        .stdout_to(&printed);
    let result = progress::run("running two threads in Node", &command, log, RUN_LIMIT);
    let text = fs::read_to_string(&printed).unwrap_or_default();
    if let (Err(problem), false) = (&result, text.contains("test result:")) {
        progress::show_tail(log);
        return Err(problem.clone());
    }
    Ok(text)
}

fn in_chromium(
    folder: &Path,
    filter: &str,
    install: bool,
    peer: &str,
    log: &Path,
) -> Result<String, String> {
    let driver = CHROMIUM.provide(install)?;
    let site = http::Site {
        folder: folder.to_owned(),
        echo: peer
            .parse()
            .map_err(|_| format!("the peer's address is `{peer}`"))?,
    };
    let address = http::serve(site, 0).map_err(|error| format!("cannot listen: {error}"))?;
    // For the sandbox see `page.rs`; the cases ask the collector for what is left.
    let arguments = [
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        "js-flags=--expose-gc",
    ];
    let wanted = json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments },
    });
    let browser = Browser::start(&driver, wanted, log)?;
    browser.go(&format!("http://{address}/#{filter}"))?;
    let mut printed = String::new();
    let ended = wait_until("the page's cases have ended", RUN_LIMIT, || {
        printed = browser.text("log")?;
        Ok(printed.contains("test result:"))
    });
    match ended {
        Ok(()) => Ok(printed + "\n"),
        Err(error) => Err(format!("{error}; the page says:\n{printed}")),
    }
}
