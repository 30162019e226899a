//! Where a program is used: a hub to meet at, a display or a browser, and what it printed.
//!
//! Invariant: all that was started ends with the [`Place`], or before.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::json;

use super::{LIMIT, MANIFEST, TARGET};
use crate::browser::http;
use crate::browser::webdriver::{Browser, wait_until};
use crate::run::process::Job;
use crate::run::{Invocation, progress, workspace};
use crate::tools::{CHROMIUM, ON_DISPLAY, WASM_BINDGEN, WASM_TRIPLE};

/// What is expected is shown within this, also on a busy machine that draws without a
/// graphics processor.
pub const SHOW_LIMIT: Duration = Duration::from_secs(120);

pub struct Place {
    app: &'static str,
    optimized_page: bool,
    log: PathBuf,
    /// The address of the hub. It stays the same when the hub starts again.
    hub: SocketAddr,
    running: Option<Job>,
}

impl Place {
    /// With a hub that runs.
    pub fn new(app: &'static str, optimized_page: bool, log: &Path) -> Result<Place, String> {
        let hub = free_address().ok_or("no port is free for the hub")?;
        let (log, running) = (log.to_owned(), None);
        let mut place = Place {
            app,
            optimized_page,
            log,
            hub,
            running,
        };
        place.start_hub()?;
        Ok(place)
    }

    pub fn url(&self) -> String {
        format!("ws://{}/", self.hub)
    }

    pub fn start_hub(&mut self) -> Result<(), String> {
        let mut job = Invocation::new(built("debug/hub"))
            .arg(self.hub.to_string())
            .spawn(&self.log)?;
        wait_until("the hub listens", SHOW_LIMIT, || match job.is_running() {
            true => Ok(TcpStream::connect(self.hub).is_ok()),
            false => Err("the hub ended at once".to_owned()),
        })?;
        self.running = Some(job);
        Ok(())
    }

    /// Ends it with all its connections.
    pub fn stop_hub(&mut self) {
        self.running = None;
    }

    /// Starts the program in a window, on a display that nobody sees.
    pub fn window(&self, arguments: &[&str]) -> Result<Window, String> {
        let (program, rest) = ON_DISPLAY.split_first().expect("it names a program");
        let output = workspace::output()?.join(format!("{}.out", self.app));
        let job = Invocation::new(program)
            .args(rest)
            .arg(built("debug").join(self.app))
            .args(arguments)
            .stdout_to(&output)
            .spawn(&self.log)?;
        Ok(Window { output, job })
    }

    /// Loads the program's page in a browser of its own. The page prints to the console.
    pub fn page(&self, query: &str) -> Result<Page, String> {
        let folder = self.bind()?;
        let site = http::Site {
            folder,
            echo: self.hub,
        };
        let site = http::serve(site, 0).map_err(|error| format!("cannot serve: {error}"))?;
        let driver = CHROMIUM.find().ok_or("there is no Chromium")?;
        // Without a graphics processor. As root its sandbox does not start; the only page
        // it loads is ours.
        let arguments = [
            "headless=new",
            "no-sandbox",
            "disable-dev-shm-usage",
            "enable-unsafe-swiftshader",
            "window-size=600,560",
        ];
        let capabilities = json!({
            "browserName": "chrome",
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let browser = Browser::start(&driver, capabilities, &self.log)?;
        browser.go(&format!("http://{site}/?{query}"))?;
        let printed = Vec::new();
        Ok(Page { browser, printed })
    }

    /// Gathers the files of the page in a folder.
    fn bind(&self) -> Result<PathBuf, String> {
        let wasm_bindgen = WASM_BINDGEN.find().ok_or("there is no wasm-bindgen")?;
        let folder = workspace::folder(&format!("target/xtask/{}", self.app))?;
        let profile = match self.optimized_page {
            true => "release",
            false => "debug",
        };
        let module = built(WASM_TRIPLE)
            .join(profile)
            .join(format!("{}.wasm", self.app));
        let bind = Invocation::new(wasm_bindgen)
            .args(["--target", "web", "--no-typescript", "--out-dir"])
            .args([&folder, &module]);
        progress::run("binding the page", &bind, &self.log, LIMIT)?;
        let page = workspace::root()
            .join("apps")
            .join(self.app)
            .join("static/index.html");
        let mut files = vec![page];
        if self.app == "game" {
            files.push(crate_folder("miniquad")?.join("js/gl.js"));
        }
        for file in files {
            let name = file.file_name().ok_or("a file has a name")?;
            let copied = fs::copy(&file, folder.join(name));
            copied.map_err(|error| format!("cannot copy {}: {error}", file.display()))?;
        }
        Ok(folder)
    }
}

/// A program in a window, and what it has printed.
pub struct Window {
    output: PathBuf,
    job: Job,
}

impl Window {
    /// Waits until it has printed what is wanted: a condition of all lines so far.
    pub fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>, String> {
        let mut lines = Vec::new();
        let met = wait_until(what, SHOW_LIMIT, || {
            let runs = self.job.is_running();
            let text = fs::read_to_string(&self.output).unwrap_or_default();
            lines = text.lines().map(str::to_owned).collect();
            match wanted(&lines) {
                false if !runs => Err("the program ended".to_owned()),
                met => Ok(met),
            }
        });
        met.map_err(|error| format!("{error}; the last lines: {:?}", tail(&lines)))?;
        Ok(lines)
    }
}

/// A page, and what it has printed to the console.
pub struct Page {
    pub browser: Browser,
    printed: Vec<String>,
}

impl Page {
    /// As [`Window::until`].
    pub fn until(
        &mut self,
        what: &str,
        wanted: impl Fn(&[String]) -> bool,
    ) -> Result<Vec<String>, String> {
        let met = wait_until(what, SHOW_LIMIT, || {
            self.printed.extend(self.browser.console()?);
            Ok(wanted(&self.printed))
        });
        met.map_err(|error| format!("{error}; the last lines: {:?}", tail(&self.printed)))?;
        Ok(self.printed.clone())
    }

    /// Keeps what the page shows, in `target/xtask`.
    pub fn picture(&self, name: &str) -> Result<(), String> {
        let file = workspace::output()?.join(name);
        let written = fs::write(&file, self.browser.screenshot()?);
        written.map_err(|error| format!("cannot write {}: {error}", file.display()))
    }
}

fn tail(lines: &[String]) -> &[String] {
    &lines[lines.len().saturating_sub(6)..]
}

fn built(path: &str) -> PathBuf {
    workspace::root().join(TARGET).join(path)
}

/// Below the ports that the system gives to others, so that it stays free while the hub is
/// not there.
fn free_address() -> Option<SocketAddr> {
    let first = 20_000 + (std::process::id() % 1_000) as u16 * 8;
    let ports = (first..first + 1_000).step_by(8);
    let mut addresses = ports.map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    addresses.find(|address| TcpListener::bind(address).is_ok())
}

/// Where cargo keeps the source of a crate that the apps use.
fn crate_folder(name: &str) -> Result<PathBuf, String> {
    let arguments = [
        "metadata",
        "--format-version",
        "1",
        "--manifest-path",
        MANIFEST,
    ];
    let metadata = Invocation::cargo().args(arguments).output(LIMIT);
    let metadata = metadata.ok_or("cargo metadata fails")?;
    let metadata: serde_json::Value =
        serde_json::from_str(&metadata).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().into_iter().flatten();
    let manifest = packages
        .filter(|package| package["name"] == name)
        .find_map(|package| package["manifest_path"].as_str())
        .ok_or_else(|| format!("the apps do not use {name}"))?;
    let folder = Path::new(manifest)
        .parent()
        .ok_or("a manifest is in a folder")?;
    Ok(folder.to_owned())
}
