//! `cargo xtask bench queues`: our queues between threads, against async-channel in their place.
//!
//! Invariant: what is compared is in the package; here it is only built and run.

use std::fs;
use std::time::Duration;

use crate::{Options, TARGET, cargo, circumstances, save};
use xtask_kit::run::{Invocation, progress, workspace};

const PACKAGE: &str = "isosocket-bench-queues";
const LIMIT: Duration = Duration::from_secs(10 * 60);

pub fn main() -> Result<bool, String> {
    let folder = workspace::folder("target/xtask/bench")?;
    let log = folder.join("queues.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    circumstances::warn_if_busy();
    let build = cargo("build")
        .args(["--release", "--target-dir", TARGET])
        .args(["--package", PACKAGE]);
    progress::run("building the queues", &build, &log, LIMIT)
        .inspect_err(|_| progress::show_tail(&log))?;
    let options = Options::default();
    let circumstances =
        circumstances::collect("queues", &options, PACKAGE, &["async-channel", "isosocket"]);
    let mut table = String::new();
    for (name, value) in circumstances {
        table += &format!("- {name}: {value}\n");
    }
    for program in ["times", "memory"] {
        let printed = Invocation::new(workspace::root().join(TARGET).join("release").join(program))
            .output(LIMIT)
            .ok_or_else(|| format!("the program `{program}` failed"))?;
        table += "\n";
        table += &printed;
    }
    save(&folder, "queues.md", &table)?;
    println!("{table}");
    Ok(true)
}
