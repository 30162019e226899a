//! The wasm side of a run: building the suite once, finding its binary,
//! starting wasm-bindgen's programs on it.
//!
//! Invariant: every host runs the same file.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::process::Invocation;
use crate::tools::WASM_TRIPLE;
use crate::{progress, workspace};

/// Builds the suite for wasm and returns its test binaries.
///
/// # Errors
/// One line; the compiler's output is in the log.
pub fn build_suite(peer: &str, log: &Path, limit: Duration) -> Result<Vec<PathBuf>, String> {
    let command = Invocation::cargo()
        .args(["test", "--no-run", "-p", "isosocket-tests"])
        .env("ISOSOCKET_PEER", peer);
    let messages = build("building the suite for wasm", command, log, limit)?;
    let binaries = executables(&messages, |artifact| artifact["profile"]["test"] == true);
    if binaries.is_empty() {
        return Err("cargo built no test binary for wasm".to_owned());
    }
    Ok(binaries)
}

/// Builds one of the facade's examples for wasm and returns its module.
///
/// # Errors
/// One line; the compiler's output is in the log.
pub fn build_example(name: &str, log: &Path, limit: Duration) -> Result<PathBuf, String> {
    let command = Invocation::cargo().args(["build", "-p", "isosocket", "--example", name]);
    let messages = build("building the example for wasm", command, log, limit)?;
    executables(&messages, |artifact| artifact["target"]["name"] == name)
        .pop()
        .ok_or_else(|| format!("cargo built no example `{name}` for wasm"))
}

/// Runs a cargo command for the wasm target and returns its messages.
fn build(title: &str, command: Invocation, log: &Path, limit: Duration) -> Result<String, String> {
    let messages = workspace::output()?.join("wasm-build.json");
    let command = command
        .args(["--target", WASM_TRIPLE])
        .arg("--message-format=json-render-diagnostics")
        // Debug information is most of a module, and wasm-bindgen's debug
        // build needs five seconds to rewrite it, again for every host.
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .stdout_to(&messages);
    progress::run(title, &command, log, limit)?;
    fs::read_to_string(&messages).map_err(|error| format!("cannot read cargo's messages: {error}"))
}

/// The executables among cargo's artifact messages that are wanted.
fn executables(messages: &str, wanted: impl Fn(&Value) -> bool) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact" && wanted(message))
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::executables;
    use std::path::PathBuf;

    #[test]
    fn the_test_binary_is_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","profile":{"test":true},"executable":"a/b.wasm"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
            "\nnot JSON at all\n",
        );
        let tests = executables(messages, |artifact| artifact["profile"]["test"] == true);
        assert_eq!(tests, [PathBuf::from("a/b.wasm")]);
    }
}
