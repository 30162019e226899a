//! The bench server's process, natively and for browsers the same.
//!
//! Invariant: it ends with its [`Server`].

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crate::{TARGET, cargo};
use xtask_kit::run::process::{Invocation, Job};
use xtask_kit::run::{progress, workspace};

pub const PACKAGE: &str = "isosocket-bench-server";

const BUILD_LIMIT: Duration = Duration::from_secs(20 * 60);

pub struct Server {
    /// `host:port`.
    pub address: String,
    _job: Job,
}

impl Server {
    /// Builds the server, and other packages in the same call.
    pub fn build(title: &str, others: &[&str], log: &Path) -> Result<PathBuf, String> {
        let packages = others.iter().chain([&PACKAGE]);
        let build = cargo("build")
            .args(["--release", "--target-dir", TARGET])
            .args(packages.flat_map(|package| ["--package", package]));
        progress::run(title, &build, log, BUILD_LIMIT)?;
        Ok(workspace::root().join(TARGET).join("release"))
    }

    /// Starts it on a core, or on `any`.
    pub fn start(binaries: &Path, core: &str, folder: &Path, log: &Path) -> Result<Self, String> {
        let said = folder.join("server.txt");
        let mut job = Invocation::new(binaries.join(PACKAGE))
            .arg(core)
            .stdout_to(&said)
            .spawn(log)?;
        let deadline = Instant::now() + Duration::from_secs(10);
        while job.is_running() && Instant::now() < deadline {
            let text = fs::read_to_string(&said).unwrap_or_default();
            if let Some((address, _)) = text.split_once('\n') {
                return Ok(Server {
                    address: address.to_owned(),
                    _job: job,
                });
            }
            thread::sleep(Duration::from_millis(5));
        }
        progress::show_tail(log);
        Err("the bench server does not start".to_owned())
    }
}
