//! Where things are: the workspace's root, its tools, its logs, its lock file.
//!
//! Invariant: everything xtask writes lies under the workspace's `target`.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Invocation;

/// The folder that holds the workspace's `Cargo.toml`.
pub fn root() -> PathBuf {
    // Cargo sets the variable at run time as well, so that a binary which was
    // built for one checkout and is shared through a common target folder
    // still works on the checkout it was called in.
    let manifest = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let is_root = |folder: &&Path| folder.join("xtask/kit").is_dir();
    let root = manifest.ancestors().find(is_root);
    root.expect("our tools lie in the repository").to_path_buf()
}

/// Logs, results, screenshots: `target/xtask`, created if need be.
pub fn output() -> Result<PathBuf, String> {
    folder("target/xtask")
}

/// A log in [`output`], without what an earlier run wrote.
pub fn empty_log(name: &str) -> Result<PathBuf, String> {
    let log = output()?.join(name);
    empty(&log)?;
    Ok(log)
}

/// Makes an empty file.
pub fn empty(log: &Path) -> Result<(), String> {
    fs::write(log, "").map_err(|error| format!("cannot write the log: {error}"))
}

/// The triple of this machine.
pub fn native_triple() -> Result<String, String> {
    let version = Invocation::new("rustc").arg("-vV");
    let version = version.output(Duration::from_secs(20)).unwrap_or_default();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned)
        .ok_or_else(|| "rustc does not name its host".to_owned())
}

/// Programs that xtask installed: `target/tools`, created if need be.
pub fn tools() -> Result<PathBuf, String> {
    folder("target/tools")
}

/// A command of xtask, run by this very program.
pub fn xtask(command: &str) -> Invocation {
    let own = std::env::current_exe().unwrap_or_else(|_| "xtask".into());
    // So Linux calls a program that was built again while it runs. The new one does as well.
    let own = own.to_string_lossy().replace(" (deleted)", "");
    // See `root`.
    Invocation::new(own)
        .env("CARGO_MANIFEST_DIR", root().join("xtask"))
        .args(command.split_whitespace())
}

/// A folder under the root, created if need be.
pub fn folder(relative: &str) -> Result<PathBuf, String> {
    let path = root().join(relative);
    fs::create_dir_all(&path).map_err(|error| format!("cannot create {relative}: {error}"))?;
    Ok(path)
}

/// Shows a path the way a reader of the terminal would type it.
pub fn relative(path: &Path) -> String {
    path.strip_prefix(root())
        .unwrap_or(path)
        .display()
        .to_string()
}

/// The version of a package in the workspace's `Cargo.lock`.
pub fn locked_version(package: &str) -> Result<String, String> {
    let lock = fs::read_to_string(root().join("Cargo.lock"))
        .map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    version_in_lock(&lock, package)
        .ok_or_else(|| format!("Cargo.lock has no package `{package}`; build the workspace once"))
}

fn version_in_lock(lock: &str, package: &str) -> Option<String> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?;
    Some(version.strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::version_in_lock;

    const LOCK: &str = "version = 4\n\n\
        [[package]]\nname = \"wasm-bindgen-futures\"\nversion = \"0.4.80\"\n\n\
        [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"registry\"\n";

    #[test]
    fn the_lock_file_names_a_version() {
        assert_eq!(
            version_in_lock(LOCK, "wasm-bindgen").as_deref(),
            Some("0.2.130")
        );
    }

    #[test]
    fn a_longer_name_is_another_package() {
        assert_eq!(version_in_lock(LOCK, "wasm"), None);
        assert_eq!(
            version_in_lock(LOCK, "wasm-bindgen-futures").as_deref(),
            Some("0.4.80")
        );
    }
}
