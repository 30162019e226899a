//! The chat under test: a program on this desktop, or a page in a browser.
//!
//! Invariant: it is known by what it shows, and commanded by what is typed.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::webdriver::{Browser, wait_until};
use crate::run::{Invocation, workspace};

/// A chat that runs.
pub(super) trait Chat {
    /// Types a line.
    fn say(&mut self, line: &str) -> Result<(), String>;

    /// All that it shows.
    fn lines(&mut self) -> Result<Vec<String>, String>;

    /// The process that it is part of.
    fn process(&self) -> Result<u64, String>;

    /// The page that it is, if it is one.
    fn page(&self) -> Option<&Page<'_>> {
        None
    }
}

/// In a terminal.
pub(super) struct Desktop {
    child: Child,
    shown: Arc<Mutex<Vec<String>>>,
}

impl Desktop {
    pub(super) fn start(server: &str) -> Result<Self, String> {
        let program = workspace::root().join("target/debug/isosocket-chat");
        // It ends when its input does, so none outlives this program.
        let mut child = Command::new(&program)
            .arg(server)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", program.display()))?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let shown = Arc::new(Mutex::new(Vec::new()));
        let own = Arc::clone(&shown);
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                own.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(line);
            }
        });
        Ok(Desktop { child, shown })
    }
}

impl Chat for Desktop {
    fn say(&mut self, line: &str) -> Result<(), String> {
        let input = self.child.stdin.as_mut().ok_or("it has no input")?;
        writeln!(input, "{line}").map_err(|error| format!("it has ended: {error}"))
    }

    fn lines(&mut self) -> Result<Vec<String>, String> {
        let shown = self.shown.lock();
        Ok(shown.unwrap_or_else(PoisonError::into_inner).clone())
    }

    fn process(&self) -> Result<u64, String> {
        Ok(self.child.id().into())
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// In a page.
pub(super) struct Page<'a> {
    pub(super) browser: &'a Browser,
    /// The page's site.
    pub(super) site: &'a str,
    /// Whether there are Chromium's DevTools.
    pub(super) devtools: bool,
}

impl<'a> Page<'a> {
    pub(super) fn start(
        browser: &'a Browser,
        site: &'a str,
        server: &str,
        devtools: bool,
    ) -> Result<Self, String> {
        // An address that differs behind the # only is not loaded again.
        browser.go("about:blank")?;
        browser.go(&format!("{site}index.html#{server}"))?;
        Ok(Page {
            browser,
            site,
            devtools,
        })
    }

    /// Commands Chromium by its DevTools; says whether there are any.
    pub(super) fn devtools(&self, command: &str, parameters: Value) -> Result<bool, String> {
        if self.devtools {
            self.browser.devtools(command, &parameters)?;
        }
        Ok(self.devtools)
    }

    /// Emulates a network: bytes per second, milliseconds.
    pub(super) fn emulate(&self, offline: bool, rate: i64, latency: u32) -> Result<bool, String> {
        self.devtools("Network.enable", json!({}))?;
        self.devtools(
            "Network.emulateNetworkConditions",
            json!({
                "offline": offline,
                "latency": latency,
                "downloadThroughput": rate,
                "uploadThroughput": rate,
            }),
        )
    }
}

impl Chat for Page<'_> {
    fn say(&mut self, line: &str) -> Result<(), String> {
        let script = format!(
            "document.getElementById('line').value = {};
             document.getElementById('form').requestSubmit();",
            json!(line)
        );
        self.browser.script(&script).map(drop)
    }

    fn lines(&mut self) -> Result<Vec<String>, String> {
        let script = "return [...document.querySelectorAll('#log p')].map((p) => p.textContent)";
        let lines = self.browser.script(script)?;
        let lines = lines.as_array().into_iter().flatten();
        Ok(lines
            .filter_map(|line| Some(line.as_str()?.to_owned()))
            .collect())
    }

    fn process(&self) -> Result<u64, String> {
        let process = self.browser.process();
        process.ok_or_else(|| "the driver does not report the browser's process".to_owned())
    }

    fn page(&self) -> Option<&Page<'_>> {
        Some(self)
    }
}

/// Stops a process and all below it, or lets them go on.
pub(super) fn signal(process: u64, signal: &str) -> Result<(), String> {
    let mut all = vec![process];
    let mut next = 0;
    while let Some(parent) = all.get(next).copied() {
        next += 1;
        all.extend(children(parent));
    }
    let all = all.iter().map(u64::to_string);
    let kill = Invocation::new("kill").arg(format!("-{signal}")).args(all);
    let sent = kill.output(Duration::from_secs(10));
    sent.map(drop)
        .ok_or_else(|| format!("cannot send {signal}"))
}

/// The processes that it started: of Linux, which has such a list.
fn children(process: u64) -> Vec<u64> {
    let tasks = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    let lists = tasks
        .flatten()
        .map(|task| fs::read_to_string(task.path().join("children")));
    let lists: Vec<String> = lists.filter_map(Result::ok).collect();
    let numbers = lists.iter().flat_map(|list| list.split_whitespace());
    numbers.filter_map(|number| number.parse().ok()).collect()
}

/// Waits until the chat shows what is wanted.
pub(super) fn until(
    chat: &mut dyn Chat,
    what: &str,
    limit: Duration,
    is_so: impl Fn(&[String]) -> bool,
) -> Result<(), String> {
    let mut last = Vec::new();
    wait_until(what, limit, || {
        last = chat.lines()?;
        Ok(is_so(&last))
    })
    .map_err(|error| format!("{error}; it shows {last:?}"))
}
