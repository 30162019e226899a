//! `cargo xtask tidy`: the rules of ARCHITECTURE.md that a machine can check.
//!
//! Invariant: a check reads files and changes none; each complaint names the
//! file, the line and the rule.

mod examples;
mod layers;
mod links;
mod numbers;
mod rules;

use std::fs;
use std::path::Path;

use crate::run::workspace;

/// The only shipped files that may ask which target they are built for.
const TARGET_FILES: &[&str] = &[
    "facade/src/sys.rs",
    "tests/src/harness.rs",
    "core/src/base/maybe_send.rs",
    "core/src/base/catch.rs",
    "backend-native/src/system/asleep.rs",
    "fragile/src/lib.rs",
];

/// The one more that may ask for a feature of the target: whether a wasm build
/// has threads.
const FEATURE_FILE: &str = "backend-web/src/threads.rs";

/// Where the source lies that others build on.
const SHIPPED: &[&str] = &[
    "core/src/",
    "backend-native/src/",
    "backend-web/src/",
    "facade/src/",
    "fragile/src/",
];

/// The crates that hold no unsafe code at all.
const SAFE: &[&str] = &["core/src/lib.rs", "facade/src/lib.rs"];

/// ARCHITECTURE.md is read in one sitting.
const ARCHITECTURE_LINES: usize = 200;

/// What holds nothing of ours; `.git` is a file in a worktree.
const SKIPPED: &[&str] = &["target", ".git", "node_modules"];

/// A file of the repository: its path from the root, with `/`, and its text.
struct Source {
    path: String,
    text: String,
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    if let Some(argument) = arguments.first() {
        return Err(format!("tidy knows no `{argument}`"));
    }
    let mut sources = Vec::new();
    collect(&workspace::root(), "", &mut sources)
        .map_err(|error| format!("cannot read the repository: {error}"))?;
    let complaints = complaints(&sources);
    for complaint in &complaints {
        println!("{complaint}");
    }
    println!(
        "tidy: {} files, {} complaints",
        sources.len(),
        complaints.len()
    );
    Ok(complaints.is_empty())
}

/// Reads every file of ours, in the order of their paths.
fn collect(folder: &Path, prefix: &str, sources: &mut Vec<Source>) -> std::io::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if SKIPPED.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            collect(&entry.path(), &format!("{path}/"), sources)?;
        } else if kind.is_file() {
            // What is not text (an image) has no lines to check, but pages link to it.
            let text = fs::read_to_string(entry.path()).unwrap_or_default();
            sources.push(Source { path, text });
        }
    }
    Ok(())
}

fn complaints(sources: &[Source]) -> Vec<String> {
    let mut complaints = Vec::new();
    for source in sources {
        check_header(source, &mut complaints);
        check_targets(source, &mut complaints);
        check_words(source, &mut complaints);
        check_purity(source, &mut complaints);
        check_paths(source, &mut complaints);
        examples::check(source, &mut complaints);
        numbers::check(source, &mut complaints);
    }
    layers::check(sources, &mut complaints);
    links::check(sources, &mut complaints);
    rules::check(sources, &mut complaints);
    for path in SAFE {
        let forbids = |source: &&Source| source.text.contains("#![forbid(unsafe_code)]");
        if find(sources, path).filter(forbids).is_none() {
            complaints.push(format!("{path}: must say #![forbid(unsafe_code)]"));
        }
    }
    match find(sources, "ARCHITECTURE.md").map(|source| source.text.lines().count()) {
        Some(lines) if lines <= ARCHITECTURE_LINES => {}
        Some(lines) => complaints.push(format!(
            "ARCHITECTURE.md: has {lines} lines; at most {ARCHITECTURE_LINES} are read"
        )),
        None => complaints.push("ARCHITECTURE.md: is missing".to_owned()),
    }
    complaints
}

fn find<'a>(sources: &'a [Source], path: &str) -> Option<&'a Source> {
    sources.iter().find(|source| source.path == path)
}

fn check_header(source: &Source, complaints: &mut Vec<String>) {
    if source.path.ends_with(".rs") && !source.text.starts_with("//!") {
        complaints.push(format!(
            "{}:1: must start with //! and the file's purpose",
            source.path
        ));
    }
}

/// Which backend is used is decided in one place.
fn check_targets(source: &Source, complaints: &mut Vec<String>) {
    let concerned = SHIPPED.iter().any(|folder| source.path.starts_with(folder))
        || source.path.starts_with("tests/src/");
    if !concerned || TARGET_FILES.contains(&source.path.as_str()) {
        return;
    }
    for (number, code) in code_lines(&source.text) {
        let predicates = [
            "target_family",
            "target_os",
            "target_arch",
            "target_feature",
        ];
        let asked = predicates.iter().find(|word| code.contains(**word));
        let allowed = |word: &&&str| **word == "target_feature" && source.path == FEATURE_FILE;
        if let Some(predicate) = asked.filter(|word| !allowed(word)) {
            complaints.push(format!(
                "{}:{number}: {predicate} belongs into {} only",
                source.path,
                TARGET_FILES.join(", ")
            ));
        }
    }
}

/// Nothing sleeps, and the web backend leaks no closure.
fn check_words(source: &Source, complaints: &mut Vec<String>) {
    if !SHIPPED.iter().any(|folder| source.path.starts_with(folder)) {
        return;
    }
    for (number, code) in code_lines(&source.text) {
        if code.contains("thread::sleep") {
            complaints.push(format!(
                "{}:{number}: thread::sleep; wait for the event itself",
                source.path
            ));
        }
        if source.path.starts_with("backend-web/") && forgets(code) {
            complaints.push(format!(
                "{}:{number}: forget leaks; own the listener and remove it on drop",
                source.path
            ));
        }
    }
}

/// The engine and the wire format run in simulated time as well: they have no
/// I/O, no clock, no thread and no lock. Their tests may ask the clock.
fn check_purity(source: &Source, complaints: &mut Vec<String>) {
    const PURE: [&str; 2] = ["backend-native/src/engine/", "backend-native/src/wire/"];
    const IMPURE: [&str; 6] = [
        "std::net",
        "std::thread",
        "Instant::now",
        "mio",
        "Mutex",
        "rand::",
    ];
    let is_pure = PURE.iter().any(|folder| source.path.starts_with(folder));
    if !is_pure || source.path.ends_with("_tests.rs") {
        return;
    }
    let code = code_lines(&source.text).take_while(|(_, code)| !code.contains("#[cfg(test)]"));
    for (number, code) in code {
        let is_named = |word: &&&str| {
            code.match_indices(**word).any(|(at, _)| {
                let before = code[..at].chars().next_back();
                before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
            })
        };
        if let Some(word) = IMPURE.iter().find(is_named) {
            complaints.push(format!(
                "{}:{number}: {word} does not belong into the engine or the wire format",
                source.path
            ));
        }
    }
}

/// Whether a line calls something named `forget`.
fn forgets(code: &str) -> bool {
    code.match_indices("forget(").any(|(at, _)| {
        let before = code[..at].chars().next_back();
        before.is_none_or(|c| !c.is_alphanumeric() && c != '_')
    })
}

/// A path of somebody's machine helps nobody else.
fn check_paths(source: &Source, complaints: &mut Vec<String>) {
    for (index, line) in source.text.lines().enumerate() {
        if let Some(folder) = machine_path(line) {
            complaints.push(format!(
                "{}:{}: names a folder of one machine, {folder}",
                source.path,
                index + 1
            ));
        }
    }
}

/// A folder of a machine that a line names. It is one only at the start of a
/// path: a URL may well end in the same letters.
fn machine_path(line: &str) -> Option<&'static str> {
    // Put together, or this file would complain about itself.
    const FOLDERS: [&str; 3] = [
        concat!("/", "work/"),
        concat!("/", "root/"),
        concat!("/", "home/"),
    ];
    FOLDERS.into_iter().find(|folder| {
        line.match_indices(folder).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|c| !c.is_alphanumeric() && !"_-./~}".contains(c))
        })
    })
}

/// The lines of a file with their numbers, without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let code = if line.trim_start().starts_with("//") {
            ""
        } else {
            // The space keeps `ws://` in a string from being taken for one.
            line.split(" //").next().unwrap_or_default()
        };
        (index + 1, code)
    })
}

/// What a check says about a file.
#[cfg(test)]
fn about(check: fn(&Source, &mut Vec<String>), path: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    let (path, text) = (path.to_owned(), text.to_owned());
    check(&Source { path, text }, &mut complaints);
    complaints
}

#[cfg(test)]
mod tests {
    use super::{Source, complaints, forgets, machine_path};

    /// The complaints about one file in a repository that has no other faults.
    fn about(path: &str, text: &str) -> Vec<String> {
        let source = |path: &str, text: &str| Source {
            path: path.to_owned(),
            text: text.to_owned(),
        };
        let mut sources = vec![source(path, text)];
        for path in ["core/src/lib.rs", "facade/src/lib.rs"] {
            sources.push(source(path, "//! Good.\n#![forbid(unsafe_code)]\n"));
        }
        sources.push(source("ARCHITECTURE.md", "short\n"));
        complaints(&sources)
    }

    #[test]
    fn a_repository_without_fault_is_praised() {
        assert!(about("core/src/a.rs", "//! A.\n").is_empty());
    }

    #[test]
    fn the_target_is_asked_for_in_its_files_only() {
        let text = "//! A, see target_os.\n#[cfg(\n    target_family = \"wasm\"\n)]\n";
        let complaints = about("backend-web/src/a.rs", text);
        assert_eq!(complaints.len(), 1);
        assert!(complaints[0].starts_with("backend-web/src/a.rs:3: target_family"));
        for allowed in [
            "facade/src/sys.rs",
            "tests/src/harness.rs",
            "xtask/src/a.rs",
        ] {
            assert!(about(allowed, text).is_empty(), "{allowed}");
        }
        let text = "//! A.\n#[cfg(target_feature = \"atomics\")]\n";
        assert!(about("backend-web/src/threads.rs", text).is_empty());
        assert_eq!(about("backend-web/src/js.rs", text).len(), 1);
        assert_eq!(about("core/src/a.rs", text).len(), 1);
    }

    #[test]
    fn sleeping_and_forgetting_are_found_in_code_and_not_in_comments() {
        let text =
            "//! No forget( here.\nstd::thread::sleep(x);\nclosure.forget();\n// .forget()\n";
        assert_eq!(about("backend-web/src/a.rs", text).len(), 2);
        assert_eq!(about("core/src/a.rs", text).len(), 1);
        assert!(about("tests/src/a.rs", text).is_empty());
        assert!(forgets("mem::forget(x)") && forgets("forget(x)"));
        assert!(!forgets("self.do_not_forget(x)"));
    }

    #[test]
    fn a_file_without_header_is_found() {
        assert_eq!(about("tests/src/a.rs", "use a;\n").len(), 1);
        assert!(about("README.md", "# Title\n").is_empty());
    }

    #[test]
    fn folders_of_a_machine_are_distinguished_from_urls() {
        let path = concat!("cd /", "work/main");
        assert!(machine_path(path).is_some());
        assert!(machine_path(concat!("\"/", "home/me\"")).is_some());
        let url = concat!("https://example.org/", "home/page");
        assert!(machine_path(url).is_none());
    }

    #[test]
    fn the_engine_has_no_clock_but_its_tests_may() {
        let path = "backend-native/src/engine/closing.rs";
        let text =
            "//! A.\nuse std::time::Instant;\nlet now = Instant::now();\n#[cfg(test)]\nstd::net";
        let found = about(path, text);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains(":3: Instant::now"), "{}", found[0]);
    }

    #[test]
    fn a_long_architecture_and_missing_files_are_found() {
        assert_eq!(complaints(&[]).len(), 3);
        let long = Source {
            path: "ARCHITECTURE.md".to_owned(),
            text: "line\n".repeat(201),
        };
        assert_eq!(complaints(&[long]).len(), 3);
    }
}
