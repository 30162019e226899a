//! `cargo xtask standins`: the web backend on stand-ins for WebSocket that are not ours,
//! in Node: npm's `ws`, `websocket`, jsdom, mock-socket, MSW, and Playwright.
//!
//! Invariant: a package that is missing is no pass.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::commands::{demo, pages};
use crate::run::{Invocation, progress, workspace};
use crate::suite::peer;
use crate::tools::{CHROMIUM, NODE, STAND_INS, Tool, WASM_BINDGEN, WASM_TARGET, on_path};

/// What the row in test-all needs.
pub const NEEDS: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &NODE, &STAND_INS, &CHROMIUM];

/// All cases together.
const RUN_LIMIT: Duration = Duration::from_secs(3 * 60);

/// Runs it; `--install` gets what is missing first. Another argument is a filter.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let mut words = arguments.iter().filter(|word| !word.starts_with("--"));
    let filter = words.next().map_or("", String::as_str);
    let log = workspace::empty_log("standins-run.log")?;
    WASM_TARGET.provide(install)?;
    let wasm_bindgen = WASM_BINDGEN.provide(install)?;
    let node = NODE.provide(install)?;
    let packages = STAND_INS.provide(install)?;
    CHROMIUM.provide(install)?;
    let built = pages::build(&wasm_bindgen, &log);
    let folder = built.inspect_err(|_| progress::show_tail(&log))?;
    if filter == "build" {
        return Ok(true);
    }
    let peer = peer::start(None)?;
    let site = demo::start(folder.clone(), &peer, 0)?;
    let printed = folder.join("printed.txt");
    let command = Invocation::new(node)
        .arg(folder.join("standins.mjs"))
        .args([&packages, &PathBuf::from(&peer.address)])
        .arg(site.to_string())
        .arg(browser()?)
        .arg(filter)
        .stdout_to(&printed);
    let result = progress::run("running stand-ins in Node", &command, &log, RUN_LIMIT);
    let text = fs::read_to_string(&printed).unwrap_or_default();
    print!("{text}");
    if !text.contains("test result:") {
        progress::show_tail(&log);
        result?;
    }
    Ok(text.contains("test result: ok. "))
}

fn browser() -> Result<PathBuf, String> {
    let names = ["chromium", "google-chrome"];
    let found = names.into_iter().find_map(on_path);
    found.ok_or_else(|| "there is no Chromium".to_owned())
}
