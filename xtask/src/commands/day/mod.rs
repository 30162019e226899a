//! `cargo xtask day HOST`: a chat, through twelve things that happen to an app in a day.
//!
//! The chat is `tests/chat`, natively or in a browser's page. Between it and the server is
//! a proxy that is as bad as a network can be. Invariant: each scenario begins with a new
//! chat and a new network, and what it waits for is what the chat shows.

mod chat;
mod scenarios;

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use self::chat::{Chat, Desktop, Page};
use self::scenarios::{Day, SCENARIOS, Seen};
use crate::browser::http;
use crate::browser::marionette::FirefoxDriver;
use crate::browser::webdriver::Browser;
use crate::run::{Invocation, progress, workspace};
use crate::suite::peer;
use crate::tools::{CHROMIUM, FIREFOX, Tool, WASM_BINDGEN, WASM_TARGET, WASM_TRIPLE};

/// What the rows in test-all need.
pub const FOR_CHROMIUM: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &CHROMIUM];
pub const FOR_FIREFOX: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &FIREFOX];

const BUILD_LIMIT: Duration = Duration::from_secs(15 * 60);

/// How long some things last that happen to the chat.
#[derive(Clone, Copy)]
struct Lasts {
    /// A machine's sleep, and a page that is frozen.
    sleep: Duration,
    /// A tab that is hidden.
    hidden: Duration,
}

/// What starts a chat with a server.
type Start<'a> = &'a dyn Fn(&str) -> Result<Box<dyn Chat + 'a>, String>;

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let has = |flag: &str| arguments.iter().any(|argument| argument == flag);
    let mut words = arguments.iter().filter(|word| !word.starts_with("--"));
    let host = words.next().map_or("", String::as_str);
    let filter = words.next().map_or("", String::as_str);
    let lasts = match has("--long") {
        true => Lasts {
            sleep: Duration::from_secs(60),
            hidden: Duration::from_secs(120),
        },
        false => Lasts {
            sleep: Duration::from_secs(10),
            hidden: Duration::from_secs(15),
        },
    };
    if host == "build" {
        build_native(&log("build")?)?;
        return Ok(true);
    }
    let log = log(host)?;
    let (address, _own) = match std::env::var("ISOSOCKET_PEER") {
        Ok(address) => (address, None),
        Err(_) => {
            let peer = peer::start(None)?;
            (peer.address.clone(), Some(peer))
        }
    };
    let peer: SocketAddr = address
        .parse()
        .map_err(|_| format!("the peer's address is `{address}`"))?;
    let install = has("--install");
    match host {
        "desktop" => {
            build_native(&log)?;
            day(host, filter, lasts, peer, &|server| {
                Ok(Box::new(Desktop::start(server)?))
            })
        }
        "chromium" | "firefox" => {
            let site = build_page(install, peer, &log)?;
            let browser = match host {
                "chromium" => {
                    let driver = CHROMIUM.provide(install)?;
                    Browser::start(&driver, chromium(), &log)?
                }
                _ => {
                    let firefox = FIREFOX.provide(install)?;
                    Browser::firefox(FirefoxDriver::start(&firefox, &log)?, firefox_wanted())?
                }
            };
            let devtools = host == "chromium";
            day(host, filter, lasts, peer, &|server| {
                Ok(Box::new(Page::start(&browser, &site, server, devtools)?))
            })
        }
        _ => Err("day needs a host: desktop, chromium or firefox".to_owned()),
    }
}

/// Runs the scenarios, prints lines like those of a test, and writes what was seen as a
/// table.
fn day<'a>(
    host: &str,
    filter: &str,
    lasts: Lasts,
    peer: SocketAddr,
    start: Start<'a>,
) -> Result<bool, String> {
    let began = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    let mut table = format!("| on {host} | the program sees | back after |\n| --- | --- | --- |\n");
    for (name, scenario) in SCENARIOS {
        if !name.contains(filter) {
            continue;
        }
        let day = Day::new(peer, lasts, start);
        match day.and_then(|day| scenario(&day)) {
            Ok(Some(Seen { saw, back })) => {
                passed += 1;
                let back = format!("{:.1} s", back.as_secs_f64());
                println!("test day::{name} ... ok");
                println!("    {saw}; back after {back}");
                table += &format!("| {name} | {saw} | {back} |\n");
            }
            // This host has nothing of the kind.
            Ok(None) => {
                println!("test day::{name} ... ignored");
                table += &format!("| {name} | not on this host | |\n");
            }
            Err(error) => {
                failed += 1;
                println!("test day::{name} ... FAILED\n    {error}");
            }
        }
    }
    let file = workspace::output()?.join(format!("day-{host}.md"));
    fs::write(&file, table).map_err(|error| format!("cannot write the table: {error}"))?;
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!(
        "test result: {word}. {passed} passed; {failed} failed; finished in {:.2}s",
        began.elapsed().as_secs_f64()
    );
    Ok(failed == 0)
}

fn log(host: &str) -> Result<std::path::PathBuf, String> {
    workspace::empty_log(&format!("day-{host}-run.log"))
}

fn build_native(log: &Path) -> Result<(), String> {
    let build = Invocation::cargo().args(["build", "-p", "isosocket-chat"]);
    progress::run_or_show("building the chat", &build, log, BUILD_LIMIT)
}

/// Builds the page, and serves it. Gives its address.
fn build_page(install: bool, echo: SocketAddr, log: &Path) -> Result<String, String> {
    WASM_TARGET.provide(install)?;
    let wasm_bindgen = WASM_BINDGEN.provide(install)?;
    let build = Invocation::cargo()
        .args(["build", "-p", "isosocket-chat", "--target", WASM_TRIPLE])
        .env("CARGO_PROFILE_DEV_DEBUG", "0");
    progress::run_or_show("building the chat's page", &build, log, BUILD_LIMIT)?;
    let root = workspace::root();
    let folder = workspace::folder("target/xtask/day")?;
    let bind = Invocation::new(&wasm_bindgen)
        .args([
            "--target",
            "web",
            "--no-typescript",
            "--out-name",
            "chat",
            "--out-dir",
        ])
        .arg(&folder)
        .arg(
            root.join("target")
                .join(WASM_TRIPLE)
                .join("debug/isosocket-chat.wasm"),
        );
    progress::run("binding it", &bind, log, BUILD_LIMIT)?;
    fs::copy(
        root.join("tests/chat/page/index.html"),
        folder.join("index.html"),
    )
    .map_err(|error| format!("cannot copy the page: {error}"))?;
    let address = http::serve(http::Site { folder, echo }, 0);
    let address = address.map_err(|error| format!("cannot listen: {error}"))?;
    Ok(format!("http://{address}/"))
}

fn chromium() -> serde_json::Value {
    // For the sandbox see `page`. The driver turns the back/forward cache off.
    let arguments = ["headless=new", "no-sandbox", "disable-dev-shm-usage"];
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": {
            "args": arguments,
            "excludeSwitches": ["disable-back-forward-cache"],
        },
    })
}

fn firefox_wanted() -> serde_json::Value {
    json!({
        "browserName": "firefox",
        "moz:firefoxOptions": {
            "args": ["-headless"],
            // Else a page waits before it connects again to a host that refused.
            "prefs": { "network.websocket.delay-failed-reconnects": false },
        },
    })
}

/// Asks the peer over HTTP.
fn get(peer: SocketAddr, path: &str) -> Result<String, String> {
    let ask = || {
        let mut stream = TcpStream::connect(peer)?;
        stream.set_read_timeout(Some(Duration::from_secs(20)))?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: peer\r\n\r\n").as_bytes())?;
        let mut reply = String::new();
        stream.read_to_string(&mut reply)?;
        Ok(reply)
    };
    let reply = ask().map_err(|error: std::io::Error| format!("GET {path}: {error}"))?;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap_or((&reply, ""));
    match head.contains(" 200") {
        true => Ok(body.to_owned()),
        false => Err(format!("GET {path}: {reply}")),
    }
}
