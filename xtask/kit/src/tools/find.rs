//! Looking for programs: on the search path, and where xtask installs them.
//!
//! Invariant: nothing is installed or downloaded here.

use std::path::{Path, PathBuf};

use super::PROBE_LIMIT;
use crate::run::{Invocation, workspace};

pub(super) const NIGHTLY_NAME: &str = "nightly-2026-05-20";
/// A toolchain is named after the day after its last commit.
const NIGHTLY_COMMIT: &str = "commit-date: 2026-05-19";

/// The cargo of a toolchain, if it is the pinned one and has its source.
pub(super) fn nightly(name: &str) -> Option<PathBuf> {
    let which = Invocation::new("rustup")
        // Looking for one must not download it.
        .env("RUSTUP_AUTO_INSTALL", "0")
        .args(["which", "--toolchain", name, "rustc"])
        .output(PROBE_LIMIT)?;
    let rustc = PathBuf::from(which.trim());
    let version = Invocation::new(&rustc).arg("-vV").output(PROBE_LIMIT)?;
    let source = rustc
        .parent()?
        .with_file_name("lib/rustlib/src/rust/library/Cargo.lock");
    let fits = version.contains(NIGHTLY_COMMIT) && source.is_file();
    fits.then(|| rustc.with_file_name("cargo"))
}

/// The folder of a target's standard library. Rustc knows it and not rustup, which a
/// distribution's Rust lacks.
pub(super) fn rust_target(triple: &str) -> Option<PathBuf> {
    let print = ["--print", "target-libdir", "--target", triple];
    let output = Invocation::new("rustc").args(print).output(PROBE_LIMIT)?;
    Some(PathBuf::from(output.trim())).filter(|folder| folder.is_dir())
}

/// The cargo of a toolchain of this version, such as `1.85`: rustup's, or else the
/// distribution's own.
pub(super) fn cargo_of(version: &str) -> Option<PathBuf> {
    let which = Invocation::new("rustup")
        .env("RUSTUP_AUTO_INSTALL", "0")
        .args(["which", "--toolchain", version, "cargo"])
        .output(PROBE_LIMIT);
    let of_rustup = which.map(|path| PathBuf::from(path.trim()));
    let beginning = format!("cargo {version}.");
    let fits = |cargo: &PathBuf| {
        let answer = Invocation::new(cargo).arg("--version").output(PROBE_LIMIT);
        answer.is_some_and(|text| text.starts_with(&beginning))
    };
    let of_debian = PathBuf::from("/usr/bin/cargo");
    of_rustup.into_iter().chain([of_debian]).find(fits)
}

/// Whether there is a Python 3 with what Debian packages apart.
pub(super) fn makes_environments() -> bool {
    let import = Invocation::new("python3").args(["-c", "import ensurepip, venv"]);
    import.output(PROBE_LIMIT).is_some()
}

/// A Python 2.7 that runs: on the path, where pyenv may have a stand-in for it,
/// or pyenv's own.
pub(super) fn python27() -> Option<PathBuf> {
    let runs = |program: &PathBuf| itself_runs(program);
    let versions = std::env::home_dir()?.join(".pyenv/versions");
    let folders = std::fs::read_dir(versions).into_iter().flatten().flatten();
    let mut of_pyenv = folders
        .map(|entry| entry.path())
        .filter(|path| path.to_string_lossy().contains("/2.7."))
        .filter_map(|path| executable(&path.join("bin"), "python2.7"));
    on_path("python2.7")
        .filter(runs)
        .or_else(|| of_pyenv.find(runs))
}

fn itself_runs(program: &Path) -> bool {
    let command = Invocation::new(program).args(["-c", "import sys"]);
    command.output(PROBE_LIMIT).is_some()
}

/// Whether a program runs, and says of which version it is.
pub(super) fn runs(path: &Path) -> bool {
    itself(path).is_some_and(|command| command.output(PROBE_LIMIT).is_some())
}

/// A program that pip put into an environment of ours.
pub(super) fn from_pypi_itself(folder: &str, program: &str) -> Option<PathBuf> {
    let programs = workspace::tools().ok()?.join("python").join(folder);
    executable(&programs.join("bin"), program)
}

/// The Python of an environment of ours, if pip put a program there.
pub(super) fn from_pypi(folder: &str, program: &str) -> Option<PathBuf> {
    let programs = workspace::tools()
        .ok()?
        .join("python")
        .join(folder)
        .join("bin");
    executable(&programs, program)?;
    executable(&programs, "python")
}

/// Natively the host is what rustc makes.
pub fn rustc_version() -> Option<String> {
    let command = itself(Path::new("rustc"))?;
    plain_version(&command.output(PROBE_LIMIT)?, "rustc")
}

/// For tools that are the host themselves.
pub(super) fn itself(path: &Path) -> Option<Invocation> {
    Some(Invocation::new(path).arg("--version"))
}

/// The browser that comes with WebKitGTK's driver, in the folder of its libraries.
pub(super) fn mini_browser() -> Option<PathBuf> {
    on_path("MiniBrowser").or_else(|| {
        let of_architectures = subfolders(Path::new("/usr/lib"));
        let all = of_architectures
            .iter()
            .flat_map(|folder| subfolders(folder));
        all.filter(|folder| folder.to_string_lossy().contains("/webkit"))
            .find_map(|folder| executable(&folder, "MiniBrowser"))
    })
}

/// Whether a library is where the loaders of Debian, Fedora and Arch look for it.
pub(super) fn is_library(name: &str) -> bool {
    let roots = ["/usr/lib", "/usr/lib64", "/usr/local/lib"].map(Path::new);
    let has = |folder: &Path| folder.join(name).exists();
    let below = |root: &Path| subfolders(root).iter().any(|folder| has(folder));
    roots.into_iter().any(|root| has(root) || below(root))
}

fn subfolders(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// What a program said about its version, cut after the version itself, and
/// with the program's name where it left that out.
pub(super) fn plain_version(said: &str, program: &str) -> Option<String> {
    let line = said.lines().find(|line| !line.trim().is_empty())?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_version = |word: &&str| {
        let digits = word.trim_start_matches('v');
        digits.contains('.') && digits.starts_with(|c: char| c.is_ascii_digit())
    };
    let at = words.iter().position(is_version)?;
    let version = words[at].trim_start_matches('v');
    match at {
        0 => Some(format!("{program} {version}")),
        _ => Some(format!("{} {version}", words[..at].join(" "))),
    }
}

/// A program in `target/tools/bin`.
pub(super) fn installed(program: &str) -> Option<PathBuf> {
    executable(&workspace::tools().ok()?.join("bin"), program)
}

/// A program on the search path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| executable(&folder, program))
}

/// A program that npm put below its folder.
pub(super) fn from_npm(folder: &str, program: &str) -> Option<PathBuf> {
    let modules = workspace::tools()
        .ok()?
        .join("npm")
        .join(folder)
        .join("node_modules");
    // `node`'s own launcher is a link that npm leaves out on some platforms.
    executable(&modules.join(".bin"), program)
        .or_else(|| executable(&modules.join(program).join("bin"), program))
}

/// A Node with or without a global `WebSocket`: the one on the path if it is
/// so, else our own.
pub(super) fn node(folder: &str, with_websocket: bool) -> Option<PathBuf> {
    let fits = |program: &PathBuf| {
        let output = Invocation::new(program)
            .args(["-p", "typeof WebSocket"])
            .output(PROBE_LIMIT);
        output.is_some_and(|kind| (kind.trim() == "function") == with_websocket)
    };
    on_path("node")
        .filter(fits)
        .or_else(|| from_npm(folder, "node").filter(fits))
}

pub(super) fn executable(folder: &Path, program: &str) -> Option<PathBuf> {
    let path = folder
        .join(program)
        .with_extension(std::env::consts::EXE_EXTENSION);
    path.is_file().then_some(path)
}
