//! `cargo xtask release`: whether the crates are ready to be published.
//!
//! Invariant: nothing is uploaded. A check that could not be made counts as failed, and
//! says what is missing.

use std::time::{Duration, Instant};

use crate::run::Invocation;
use crate::run::{progress, workspace};
use crate::tools::{CARGO_DENY, CARGO_HACK, OLDEST_RUST, Tool, WASM_TARGET};

const LIMIT: Duration = Duration::from_secs(30 * 60);
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// One check.
struct Check {
    name: &'static str,
    needs: &'static [&'static Tool],
    /// Another cargo than the one that started this.
    cargo: Option<&'static Tool>,
    /// Of cargo.
    arguments: &'static str,
}

/// Of the sets of features only pairs are built, because no code here depends on three.
const CHECKS: &[Check] = &[
    Check {
        name: "packages",
        needs: &[],
        cargo: None,
        arguments: "publish --workspace --dry-run --allow-dirty",
    },
    Check {
        name: "the declared rust-version",
        needs: &[],
        cargo: Some(&OLDEST_RUST),
        arguments: "check -p isosocket --target-dir target/oldest-rust \
            --features json,mock,native-tls,stats,tokio,url,webpki-roots",
    },
    Check {
        name: "features, natively",
        needs: &[&CARGO_HACK],
        cargo: None,
        arguments: "hack check --feature-powerset --depth 2 --no-dev-deps \
            -p isosocket -p isosocket-core -p isosocket-native",
    },
    Check {
        name: "features, on wasm",
        needs: &[&CARGO_HACK, &WASM_TARGET],
        cargo: None,
        arguments: "hack check --feature-powerset --depth 2 --no-dev-deps \
            -p isosocket -p isosocket-core --target wasm32-unknown-unknown",
    },
    Check {
        name: "licences, sources, doubles",
        needs: &[&CARGO_DENY],
        cargo: None,
        arguments: "deny check licenses bans sources",
    },
];

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = match arguments {
        [] => false,
        [word] if word == "--install" => true,
        _ => return Err("release knows only `--install`".to_owned()),
    };
    let log = workspace::empty_log("release.log")?;
    let mut failed = 0;
    for check in CHECKS {
        let start = Instant::now();
        let outcome = run(check, install, &log);
        let seconds = start.elapsed().as_secs();
        match outcome {
            Ok(()) => println!("ok      {}, {seconds} s", check.name),
            Err(problem) => {
                failed += 1;
                println!("FAILED  {}: {problem}", check.name);
            }
        }
    }
    match version() {
        Some(tag) => println!("semver  `cargo semver-checks --baseline-rev {tag}` compares"),
        None => println!("semver  nothing to compare with: there is no release yet"),
    }
    Ok(failed == 0)
}

fn run(check: &Check, install: bool, log: &std::path::Path) -> Result<(), String> {
    let mut folders = Vec::new();
    for tool in check.needs.iter().chain(&check.cargo) {
        let path = tool.provide(install)?;
        folders.extend(path.parent().map(ToOwned::to_owned));
    }
    let cargo = match check.cargo {
        Some(tool) => Invocation::new(tool.provide(install)?),
        None => Invocation::cargo(),
    };
    // Cargo finds its subcommands on the search path.
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(folders).map_err(|error| error.to_string())?;
    // No set of features builds with a warning.
    let command = cargo
        .args(check.arguments.split_whitespace())
        .env("PATH", path)
        .env("RUSTFLAGS", "-Dwarnings");
    progress::run_or_show(check.name, &command, log, LIMIT)
}

/// The tag of the last release.
fn version() -> Option<String> {
    let describe = ["describe", "--tags", "--abbrev=0", "--match", "v*"];
    let tag = Invocation::new("git").args(describe).output(PROBE_LIMIT)?;
    Some(tag.trim().to_owned())
}
