//! Builds of rows: the tests of packages, natively or for wasm, and whatever else must be
//! built first.
//!
//! Invariant: every JavaScript host runs the same file.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::host::Host;
use super::rows::SUITE;
use crate::run::{Invocation, progress, workspace};
use crate::tools::WASM_TRIPLE;

/// A build takes no longer than this, on a cold and busy machine with two cores.
const LIMIT: Duration = Duration::from_secs(20 * 60);

/// A program with tests, and the folder of its package.
#[derive(Clone, Debug, PartialEq)]
pub struct Binary {
    pub program: PathBuf,
    pub folder: PathBuf,
    package: String,
}

impl Binary {
    pub fn is_of(&self, package: &str) -> bool {
        self.package == package
    }
}

type Environment = [(&'static str, OsString)];

/// Builds tests with this cargo, and gives their programs in cargo's order.
pub fn tests(
    cargo: Invocation,
    arguments: &str,
    host: &Host,
    environment: &Environment,
    log: &Path,
) -> Result<Vec<Binary>, String> {
    let title = match arguments {
        SUITE => "building the suite for wasm".to_owned(),
        _ => format!("building {}", host.name),
    };
    let command = cargo
        .args(["test", "--no-run"])
        .args(arguments.split_whitespace())
        .envs(environment.to_vec());
    let messages = messages(&title, host.id, command, log)?;
    let mut binaries = executables(&messages, |artifact| artifact["profile"]["test"] == true);
    // Cargo lists them in the order in which they happen to be ready.
    binaries.sort_by(|a, b| a.program.cmp(&b.program));
    match binaries.is_empty() {
        true => Err("cargo built no test program".to_owned()),
        false => Ok(binaries),
    }
}

/// Runs another command that must succeed before a row is run.
pub fn run(
    command: &str,
    host: &Host,
    environment: &Environment,
    log: &Path,
) -> Result<Vec<Binary>, String> {
    let (title, invocation) = match command.strip_prefix("xtask ") {
        Some(command) => (format!("building for {command}"), workspace::xtask(command)),
        None => (
            format!("building before {}", host.name),
            Invocation::cargo().args(command.split_whitespace()),
        ),
    };
    progress::run(&title, &invocation.envs(environment.to_vec()), log, LIMIT)?;
    Ok(Vec::new())
}

/// Builds one of the facade's examples for wasm and returns its module.
///
/// # Errors
/// One line; the compiler's output is in the log.
pub fn example(name: &str, log: &Path) -> Result<PathBuf, String> {
    let command = Invocation::cargo()
        .args(["build", "-p", "isosocket", "--example", name])
        .args(["--target", WASM_TRIPLE]);
    let messages = messages("building the example for wasm", name, command, log)?;
    let found = executables(&messages, |artifact| artifact["target"]["name"] == name).pop();
    let module = found.map(|binary| binary.program);
    module.ok_or_else(|| format!("cargo built no example `{name}` for wasm"))
}

/// Builds a library of ours for wasm, which scripts call, and returns its module.
///
/// # Errors
/// One line; the compiler's output is in the log.
pub fn library(package: &str, log: &Path) -> Result<PathBuf, String> {
    let command = Invocation::cargo()
        .args(["build", "-p", package])
        .args(["--target", WASM_TRIPLE]);
    let messages = messages("building a module for wasm", package, command, log)?;
    let name = package.replace('-', "_");
    // A library is no executable.
    let files = artifacts(&messages)
        .filter(|artifact| artifact["target"]["name"] == *name)
        .filter_map(|artifact| artifact["filenames"].as_array().cloned())
        .flatten();
    let mut files = files.filter_map(|file| file.as_str().map(PathBuf::from));
    files
        .find(|file| {
            file.extension()
                .is_some_and(|extension| extension == "wasm")
        })
        .ok_or_else(|| format!("cargo built no module of `{package}`"))
}

/// Binds a module for hosts that load it by `init`, and puts scripts next to it.
///
/// # Errors
/// One line; the rest is in the log.
pub fn bind(
    wasm_bindgen: &Path,
    module: &Path,
    name: &str,
    scripts: &str,
    folder: &Path,
    log: &Path,
) -> Result<(), String> {
    let bind = Invocation::new(wasm_bindgen)
        .args(["--target", "web", "--no-typescript"])
        .args(["--out-name", name, "--out-dir"])
        .arg(folder)
        .arg(module);
    progress::run("binding it", &bind, log, LIMIT)?;
    let files = fs::read_dir(workspace::root().join(scripts))
        .map_err(|error| format!("cannot read {scripts}: {error}"))?;
    for file in files.flatten().filter(|file| file.path().is_file()) {
        fs::copy(file.path(), folder.join(file.file_name()))
            .map_err(|error| format!("cannot copy {}: {error}", file.path().display()))?;
    }
    Ok(())
}

/// A command of the pinned nightly, for builds with a standard library of their own.
pub fn nightly(cargo: &Path, flags: &str) -> Invocation {
    Invocation::new(cargo)
        .env("RUSTC", cargo.with_file_name("rustc"))
        .env("RUSTFLAGS", flags)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
}

/// Runs a cargo command and returns its messages.
fn messages(title: &str, name: &str, command: Invocation, log: &Path) -> Result<String, String> {
    let file = workspace::output()?.join(format!("build-{name}.json"));
    let command = command
        .arg("--message-format=json-render-diagnostics")
        .stdout_to(&file);
    progress::run(title, &command, log, LIMIT)?;
    fs::read_to_string(&file).map_err(|error| format!("cannot read cargo's messages: {error}"))
}

/// Cargo's messages about what it built.
fn artifacts(messages: &str) -> impl Iterator<Item = Value> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
}

/// The executables among cargo's artifact messages that are wanted.
fn executables(messages: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Binary> {
    let binary = |message: Value| {
        let manifest = Path::new(message["manifest_path"].as_str()?);
        // `..#name@version`, or `..folder#version` if both have the same name.
        let id = message["package_id"].as_str()?;
        let (place, rest) = id.rsplit_once('#')?;
        let package = match rest.split_once('@') {
            Some((name, _)) => name,
            None => place.rsplit('/').next()?,
        };
        Some(Binary {
            program: PathBuf::from(message["executable"].as_str()?),
            folder: manifest.parent()?.to_owned(),
            package: package.to_owned(),
        })
    };
    artifacts(messages)
        .filter(wanted)
        .filter_map(binary)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::executables;
    use std::path::Path;

    #[test]
    fn the_test_program_is_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","package_id":"path+file:///x/tests#a-b@0.1.0","#,
            r#""manifest_path":"/x/tests/Cargo.toml","profile":{"test":true},"#,
            r#""executable":"a/b.wasm"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\nnot JSON at all\n",
        );
        let tests = executables(messages, |artifact| artifact["profile"]["test"] == true);
        assert_eq!(tests.len(), 1);
        assert_eq!(tests[0].program, Path::new("a/b.wasm"));
        assert_eq!(tests[0].folder, Path::new("/x/tests"));
        assert!(tests[0].is_of("a-b"));
    }
}
