//! Tests of wasm, as Node runs them.
//!
//! Invariant: the runner of wasm-bindgen is called once. It takes longer than most tests, so
//! what it writes for Node is kept, and each trial starts Node only.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The names of the tests to run, with blanks between them; all if it is empty.
pub const CHOSEN: &str = "ISOSOCKET_MUTANT_TESTS";

/// In its place a script copies what it was to run.
const COPY: &str = "#!/bin/sh\ncp \"$(dirname \"$2\")\"/* \"$ISOSOCKET_MUTANT_FOLDER\"\n";

/// Has a program of tests written for Node; gives the script to run.
pub fn prepare(program: &Path) -> Result<PathBuf, String> {
    let failed = |error: std::io::Error| format!("cannot prepare {}: {error}", program.display());
    let folder = program.with_extension("node");
    let shim = folder.join("bin/node");
    fs::create_dir_all(folder.join("bin")).map_err(failed)?;
    fs::write(&shim, COPY).map_err(failed)?;
    let runnable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(&shim, runnable).map_err(failed)?;
    let path = std::env::var("PATH").unwrap_or_default();
    let runner = crate::root().join("target/tools/bin/wasm-bindgen-test-runner");
    Command::new(runner)
        .arg(program)
        .env("PATH", format!("{}:{path}", folder.join("bin").display()))
        .env("ISOSOCKET_MUTANT_FOLDER", &folder)
        .status()
        .map_err(failed)?;
    let script = folder.join("run.cjs");
    let text = fs::read_to_string(&script).map_err(failed)?;
    let chosen = format!("main((process.env.{CHOSEN} ? process.env.{CHOSEN}.split(' ') : tests))");
    fs::write(&script, text.replacen("main(tests)\n", &(chosen + "\n"), 1)).map_err(failed)?;
    Ok(script)
}

/// The names of the tests in a script.
pub fn names(script: &Path) -> Vec<String> {
    let text = fs::read_to_string(script).unwrap_or_default();
    let pushed = text.split("tests.push('").skip(1);
    let name = |rest: &str| Some(rest.split_once('\'')?.0.to_owned());
    pushed.filter_map(name).collect()
}
