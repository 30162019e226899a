//! The programs that hosts need: how to find each, how to get each.
//!
//! Invariant: a tool is looked for, never assumed; one that is not there is
//! named together with the command that installs it.

mod find;
mod list;
mod machines;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use find::{makes_environments, plain_version, python27};

use crate::run::{Invocation, progress, workspace};

pub use find::{on_path, rustc_version};
pub use list::*;
pub use machines::*;

/// A program that may have to be installed.
pub struct Tool {
    pub name: &'static str,
    source: Source,
    locate: fn() -> Option<PathBuf>,
    /// The command that prints the host's version, given the path of the tool:
    /// the tool itself, or the browser that it drives.
    ask: fn(&Path) -> Option<Invocation>,
}

/// Where a tool comes from.
enum Source {
    /// Debian packages.
    Debian(&'static [&'static str]),
    /// A target of the Rust toolchain.
    Rustup(&'static str),
    /// A toolchain with these components, apart by commas.
    Toolchain(&'static str, &'static str),
    /// A package with programs, built once into `target/tools`. With a name
    /// of a package in our lock file, its version must be that one's.
    Cargo(&'static str, Option<&'static str>),
    /// npm packages, apart by blanks, installed into a folder of their own below
    /// `target/tools`.
    Npm(&'static str, &'static str),
    /// A PyPI package of this version, in an environment of its own.
    Python(&'static str, &'static str),
    /// The same, of which some files are programs and are not marked as such.
    PythonPrograms(&'static str, &'static str, &'static str),
    /// The same for Python 2.7, which today's tools no longer serve.
    Python27(&'static str, &'static str),
    /// What a contributor has or gets in a way of their own.
    Host(&'static str),
}

/// The target of everything that runs in a browser or another JavaScript host.
pub const WASM_TRIPLE: &str = "wasm32-unknown-unknown";

/// What gives a command a display, from the workspace's root.
pub const ON_DISPLAY: &[&str] = &["sh", "xtask/shims/webkit/on-display"];

/// Asking a program for its version takes no longer than this.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Building or downloading a tool takes no longer than this.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

static APT: Mutex<()> = Mutex::new(());

/// Whether this process has got Debian's lists of packages.
static LISTS_ARE_NEW: AtomicBool = AtomicBool::new(false);
const UPDATE: &str = "apt-get update";

impl Tool {
    /// Where the tool is, if it is there.
    pub fn find(&self) -> Option<PathBuf> {
        (self.locate)()
    }

    /// Where the tool is, installed first if it must and may be.
    ///
    /// # Errors
    /// Its name and the command that gets it, or why installing it failed.
    pub fn provide(&self, install: bool) -> Result<PathBuf, String> {
        if let Some(path) = self.find() {
            return Ok(path);
        }
        let commands = self.commands()?;
        let lines: Vec<String> = commands.iter().map(Invocation::line).collect();
        if !install {
            return Err(format!("{}:\n    {}", self.name, lines.join(" && ")));
        }
        // Several may be installed at a time, but apt-get runs only once at a time.
        let _turn = match self.source {
            Source::Debian(_) => Some(APT.lock().unwrap_or_else(PoisonError::into_inner)),
            _ => None,
        };
        let name: String = self
            .name
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .collect();
        let log = workspace::output()?.join(format!("install-{name}.log"));
        let is_known = |line: &String| line == UPDATE && LISTS_ARE_NEW.swap(true, Relaxed);
        for (command, _) in commands
            .iter()
            .zip(&lines)
            .filter(|(_, line)| !is_known(line))
        {
            let title = match self.source {
                Source::Cargo(..) => format!("building {}", self.name),
                _ => format!("installing {}", self.name),
            };
            progress::run(&title, command, &log, INSTALL_LIMIT).inspect_err(|_| {
                progress::show_tail(&log);
            })?;
        }
        self.find()
            .ok_or_else(|| format!("{} was installed and is still not found", self.name))
    }

    /// Whether installing it takes the processor more than the network.
    pub fn is_built(&self) -> bool {
        matches!(self.source, Source::Cargo(..))
    }

    /// The name and version of the host whose tool this is, where it lies.
    pub fn version(&self, path: &Path) -> Option<String> {
        let command = (self.ask)(path)?;
        let name = path.file_stem()?.to_string_lossy();
        plain_version(&command.output(PROBE_LIMIT)?, &name)
    }

    /// The commands that install the tool, runnable from the workspace's root.
    fn commands(&self) -> Result<Vec<Invocation>, String> {
        Ok(match self.source {
            Source::Debian(packages) => debian(packages),
            Source::Rustup(target) => {
                vec![Invocation::new("rustup").args(["target", "add", target])]
            }
            Source::Toolchain(name, components) => {
                let install = ["toolchain", "install", name, "--profile", "minimal"];
                let command = Invocation::new("rustup").args(install);
                vec![command.args(["--component", components])]
            }
            Source::Cargo(package, locked) => {
                // A debug build takes a third of the time of a release build,
                // and makes a run of the suite a second slower.
                let mut command = Invocation::new("cargo")
                    .env("CARGO_PROFILE_DEV_DEBUG", "0")
                    .args(["install", package, "--debug"]);
                if let Some(locked) = locked {
                    command = command.args(["--version", &workspace::locked_version(locked)?]);
                }
                vec![command.args(["--force", "--root", "target/tools"])]
            }
            Source::Npm(folder, packages) => {
                workspace::folder(&format!("target/tools/npm/{folder}"))?;
                vec![
                    Invocation::new("npm")
                        .args(["install", "--no-audit", "--no-fund", "--prefix"])
                        .arg(format!("target/tools/npm/{folder}"))
                        .args(packages.split(' ')),
                ]
            }
            Source::PythonPrograms(folder, package, files) => {
                let mut commands = python(folder, package)?;
                let mark = format!("chmod +x target/tools/python/{folder}/{files}");
                commands.push(Invocation::new("sh").args(["-c", &mark]));
                commands
            }
            Source::Python(folder, package) => python(folder, package)?,
            Source::Python27(folder, package) => {
                let old = python27().ok_or_else(|| {
                    let name = self.name;
                    format!("{name}: there is no python2.7, nor one by `pyenv install 2.7.18`")
                })?;
                let folder = workspace::folder(&format!("target/tools/python/{folder}"))?;
                let python = folder.join("bin/python");
                let virtualenv = Invocation::new(&python).args(["-m", "virtualenv", "-p"]);
                vec![
                    Invocation::new("python3").args(["-m", "venv"]).arg(&folder),
                    // The last that knows Python 2.7.
                    Invocation::new(python)
                        .args(PIP_INSTALL)
                        .arg("virtualenv==20.21.1"),
                    virtualenv.arg(old).arg(folder.join("27")),
                    Invocation::new(folder.join("27/bin/python"))
                        .args(PIP_INSTALL)
                        .arg(package),
                ]
            }
            Source::Host(how) => return Err(format!("{}: {how}", self.name)),
        })
    }
}

fn debian(packages: &[&str]) -> Vec<Invocation> {
    vec![
        Invocation::new("apt-get").arg("update"),
        Invocation::new("apt-get")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .args(["install", "-y", "--no-install-recommends"])
            .args(packages),
    ]
}

/// An environment of Python with a package.
fn python(folder: &str, package: &str) -> Result<Vec<Invocation>, String> {
    let folder = workspace::folder(&format!("target/tools/python/{folder}"))?;
    let python = folder.join("bin/python");
    let mut commands = match makes_environments() {
        true => Vec::new(),
        false => debian(&["python3-venv"]),
    };
    commands.push(Invocation::new("python3").args(["-m", "venv"]).arg(folder));
    commands.push(Invocation::new(python).args(PIP_INSTALL).arg(package));
    Ok(commands)
}

const PIP_INSTALL: [&str; 4] = ["-m", "pip", "install", "-q"];

#[cfg(test)]
mod tests {
    use super::find::on_path;
    use super::{CHROMIUM, DENO, NIGHTLY, WASM_TARGET, plain_version};

    #[test]
    fn a_missing_tool_is_named_with_the_command_that_gets_it() {
        let lines = |tool: &super::Tool| -> Vec<String> {
            let commands = tool.commands().expect("no lock file is needed");
            commands.iter().map(|command| command.line()).collect()
        };
        assert_eq!(
            lines(&CHROMIUM),
            [
                "apt-get update",
                "DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium chromium-driver"
            ]
        );
        assert_eq!(
            lines(&WASM_TARGET),
            ["rustup target add wasm32-unknown-unknown"]
        );
        assert_eq!(
            lines(&NIGHTLY),
            ["rustup toolchain install nightly-2026-05-20 --profile minimal --component rust-src"]
        );
        assert_eq!(
            lines(&DENO),
            ["npm install --no-audit --no-fund --prefix target/tools/npm/deno deno@2"]
        );
    }

    #[test]
    fn a_version_is_said_in_one_way() {
        let plain = |said, program| plain_version(said, program).unwrap_or_default();
        assert_eq!(plain("v20.20.2\n", "node"), "node 20.20.2");
        assert_eq!(plain("1.4.5\n", "bun"), "bun 1.4.5");
        assert_eq!(
            plain("\nChromium 156.0.1 built on Debian 12.1\n", "chromedriver"),
            "Chromium 156.0.1"
        );
        assert_eq!(plain_version("Usage: program\n", "program"), None);
    }

    #[test]
    fn a_program_on_the_path_is_found() {
        assert!(on_path("cargo").is_some());
        assert!(on_path("no-such-program-anywhere").is_none());
    }
}
