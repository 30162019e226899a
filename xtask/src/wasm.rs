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
    let messages = workspace::output()?.join("wasm-build.json");
    let command = Invocation::cargo()
        .args([
            "test",
            "--no-run",
            "--target",
            WASM_TRIPLE,
            "-p",
            "isosocket-tests",
        ])
        .arg("--message-format=json-render-diagnostics")
        .env("ISOSOCKET_PEER", peer)
        .stdout_to(&messages);
    progress::run("building the suite for wasm", &command, log, limit)?;
    let text = fs::read_to_string(&messages)
        .map_err(|error| format!("cannot read cargo's messages: {error}"))?;
    let binaries = test_binaries(&text);
    if binaries.is_empty() {
        return Err("cargo built no test binary for wasm".to_owned());
    }
    Ok(binaries)
}

/// The executables of test targets among cargo's artifact messages.
fn test_binaries(messages: &str) -> Vec<PathBuf> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["reason"] == "compiler-artifact")
        .filter(|message| message["profile"]["test"] == true)
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::test_binaries;
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
        assert_eq!(test_binaries(messages), [PathBuf::from("a/b.wasm")]);
    }
}
