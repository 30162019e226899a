//! Builds a switched tree, and takes out what the compiler refuses.
//!
//! Invariant: what it refuses is no mutant; anything else that it says ends the run.

use std::collections::HashMap;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::node;
use crate::switch::{Mutant, mutants_by_line};
use crate::tree::{Package, Tree};

/// The compiler shows one kind of error at a time, so a few rounds are needed.
const ROUNDS: usize = 20;
/// The conformance suite, which tests every package.
const SUITE: &str = "isosocket-tests";

fn cargo(tree: &Tree, arguments: &[&str]) -> Result<(bool, Vec<Value>), String> {
    let output = Command::new("cargo")
        .args(arguments)
        .arg("--message-format=json")
        .current_dir(&tree.root)
        // Cargo gives a copy of a workspace the same file names, so it has a folder of its own.
        .env("CARGO_TARGET_DIR", tree.root.with_extension("target"))
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| format!("cannot run cargo: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let values = text
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok());
    Ok((output.status.success(), values.collect()))
}

/// Switches the sources until the compiler takes them; gives the viable mutants.
pub fn make_viable(tree: &mut Tree, package: &Package) -> Result<Vec<Mutant>, String> {
    for round in 0..ROUNDS {
        let mutants = tree.switch(package)?;
        let arguments = [
            &["check", "--lib", "--profile", "test", "-p", package.name],
            package.features,
        ];
        let (good, messages) = cargo(tree, &arguments.concat())?;
        if good {
            return Ok(mutants);
        }
        let before = tree.dead.len() + tree.keep.len();
        let mut unknown = String::new();
        let mut files = HashMap::new();
        for message in messages.iter().filter_map(|message| message.get("message")) {
            if message["level"] == "error" && !blame(tree, message, &mut files) {
                unknown += message["rendered"].as_str().unwrap_or_default();
            }
        }
        eprintln!("round {round}: {} mutants are not viable", tree.dead.len());
        if tree.dead.len() + tree.keep.len() == before {
            return Err(format!("the switched sources do not compile:\n{unknown}"));
        }
    }
    Err("the switched sources do not compile".to_owned())
}

/// Takes out the mutants that an error is about; says whether there are any.
fn blame(tree: &mut Tree, message: &Value, files: &mut HashMap<String, Vec<Option<u32>>>) -> bool {
    let spans = message["spans"].as_array().cloned().unwrap_or_default();
    let (first, second): (Vec<_>, Vec<_>) = spans
        .into_iter()
        .partition(|span| span["is_primary"] == true);
    for spans in [first, second] {
        let mut found = false;
        for span in &spans {
            let mut span = span;
            loop {
                for number in numbers(tree, span, files) {
                    tree.dead.insert(number);
                    found = true;
                }
                match span["expansion"].get("span") {
                    Some(outer) => span = outer,
                    None => break,
                }
            }
        }
        if found {
            return true;
        }
    }
    // "cannot call non-const associated function `Name::of` in constants"
    let text = message["message"].as_str().unwrap_or_default();
    if let Some(name) = text
        .split('`')
        .nth(1)
        .filter(|_| text.contains("non-const"))
    {
        let name = name
            .rsplit("::")
            .find(|part| !part.starts_with('<'))
            .unwrap_or(name);
        tree.keep.push(name.to_owned());
        return true;
    }
    false
}

fn numbers(tree: &Tree, span: &Value, files: &mut HashMap<String, Vec<Option<u32>>>) -> Vec<u32> {
    let name = span["file_name"].as_str().unwrap_or_default();
    let path = tree.root.join(name);
    let lines = files
        .entry(name.to_owned())
        .or_insert_with(|| mutants_by_line(&fs::read_to_string(path).unwrap_or_default()));
    let line = |key: &str| span[key].as_u64().unwrap_or(0) as usize;
    let (from, to) = (line("line_start"), line("line_end"));
    // A span that holds a whole place is about none of its mutants.
    match lines.get(from.wrapping_sub(1)) {
        Some(Some(number)) if to - from < 40 => vec![*number],
        _ => Vec::new(),
    }
}

/// Which tests judge.
#[derive(Clone, Copy, Default)]
pub enum Tests {
    /// The unit tests of the package.
    Unit,
    /// All tests of the package.
    #[default]
    Package,
    /// These, and the conformance suite.
    Suite,
}

/// A program of tests, and the folder of its package.
pub struct Program {
    pub number: usize,
    pub path: PathBuf,
    pub folder: PathBuf,
}

impl Program {
    pub fn is_wasm(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "cjs")
    }
}

/// Builds the tests; gives their programs.
pub fn tests(tree: &Tree, package: &Package, which: Tests) -> Result<Vec<Program>, String> {
    let mut programs = Vec::new();
    let own = [&["-p", package.name], package.features].concat();
    let all = match which {
        // Of the web backend, these run on the machine, and the others in Node.
        _ if package.is_wasm() => vec![
            vec!["--lib", "-p", package.name],
            [vec!["--test", "mock"], own].concat(),
        ],
        Tests::Unit => vec![[vec!["--lib"], own].concat()],
        Tests::Package => vec![[vec!["--lib", "--tests"], own].concat()],
        Tests::Suite => vec![
            [vec!["--lib", "--tests"], own].concat(),
            vec!["--lib", "-p", SUITE],
        ],
    };
    for which in all {
        let arguments = [vec!["test", "--no-run"], which].concat();
        let (good, messages) = cargo(tree, &arguments)?;
        if !good {
            let text = |message: &Value| message["message"]["rendered"].as_str().map(str::to_owned);
            let text: String = messages.iter().filter_map(text).collect();
            return Err(format!("the tests do not compile\n{text}"));
        }
        for message in &messages {
            programs.extend(program(message, programs.len())?);
        }
    }
    Ok(programs)
}

fn program(artifact: &Value, number: usize) -> Result<Option<Program>, String> {
    let text = |value: &Value| value.as_str().map(PathBuf::from);
    let paths = text(&artifact["executable"]).zip(text(&artifact["manifest_path"]));
    let Some((mut path, manifest)) = paths.filter(|_| artifact["profile"]["test"] == true) else {
        return Ok(None);
    };
    if path.extension().is_some_and(|ending| ending == "wasm") {
        path = node::prepare(&path)?;
    }
    let folder = manifest.parent().unwrap_or(&manifest).to_path_buf();
    Ok(Some(Program {
        number,
        path,
        folder,
    }))
}
