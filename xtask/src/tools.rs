//! The programs that hosts need: how to find each, how to get each.
//!
//! Invariant: a tool is looked for, never assumed; one that is not there is
//! named together with the command that installs it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::process::Invocation;
use crate::{progress, workspace};

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
    /// A toolchain with the source of its standard library.
    Toolchain(&'static str),
    /// A package with programs, built once into `target/tools`. With a name
    /// of a package in our lock file, its version must be that one's.
    Cargo(&'static str, Option<&'static str>),
    /// An npm package, installed into a folder of its own below `target/tools`.
    Npm(&'static str, &'static str),
    /// A PyPI package of this version, in an environment of its own.
    Python(&'static str, &'static str),
    /// The same for Python 2.7, which today's tools no longer serve.
    Python27(&'static str, &'static str),
    /// What a contributor has or gets in a way of their own.
    Host(&'static str),
}

pub static WASM_TARGET: Tool = Tool {
    name: "the wasm32-unknown-unknown target",
    source: Source::Rustup("wasm32-unknown-unknown"),
    locate: || {
        // Asked of rustc and not of rustup, which a distribution's Rust lacks.
        let output = Invocation::new("rustc")
            .args(["--print", "target-libdir", "--target", WASM_TRIPLE])
            .output(PROBE_LIMIT)?;
        Some(PathBuf::from(output.trim())).filter(|folder| folder.is_dir())
    },
    ask: itself,
};

/// For what stable Rust cannot build: a standard library with atomics. One
/// certain toolchain, because others may build it otherwise, or not at all.
pub static NIGHTLY: Tool = Tool {
    name: "the nightly toolchain that builds a standard library with atomics",
    source: Source::Toolchain(NIGHTLY_NAME),
    // Under its own name, or where `nightly` happens to be the same one.
    locate: || [NIGHTLY_NAME, "nightly"].into_iter().find_map(nightly),
    ask: itself,
};

const NIGHTLY_NAME: &str = "nightly-2026-05-20";
/// A toolchain is named after the day after its last commit.
const NIGHTLY_COMMIT: &str = "commit-date: 2026-05-19";

/// The cargo of a toolchain, if it is the pinned one and has its source.
fn nightly(name: &str) -> Option<PathBuf> {
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

pub static WASM_BINDGEN: Tool = Tool {
    name: "wasm-bindgen's command-line tools",
    source: Source::Cargo("wasm-bindgen-cli", Some("wasm-bindgen")),
    locate: || {
        let wanted = workspace::locked_version("wasm-bindgen").ok()?;
        let program = installed("wasm-bindgen")?;
        let version = Invocation::new(&program)
            .arg("--version")
            .output(PROBE_LIMIT)?;
        // They refuse a wasm file of any other version than their own.
        (version.split_whitespace().nth(1) == Some(wanted.as_str())).then_some(program)
    },
    ask: itself,
};

pub static CHROMIUM: Tool = Tool {
    name: "Chromium with chromedriver",
    source: Source::Debian(&["chromium", "chromium-driver"]),
    locate: || {
        on_path("chromium").or_else(|| on_path("google-chrome"))?;
        on_path("chromedriver")
    },
    ask: |_| {
        let browser = on_path("chromium").or_else(|| on_path("google-chrome"))?;
        itself(&browser)
    },
};

pub static FIREFOX: Tool = Tool {
    name: "Firefox",
    source: Source::Debian(&["firefox-esr"]),
    locate: || on_path("firefox").or_else(|| on_path("firefox-esr")),
    ask: itself,
};

pub static GECKODRIVER: Tool = Tool {
    name: "geckodriver",
    source: Source::Cargo("geckodriver", None),
    locate: || installed("geckodriver").or_else(|| on_path("geckodriver")),
    ask: itself,
};

pub static WEBKIT: Tool = Tool {
    name: "WebKitGTK with its driver and Xvfb",
    source: Source::Debian(&["webkit2gtk-driver", "xvfb"]),
    locate: || {
        on_path("Xvfb")?;
        on_path("WebKitWebDriver")
    },
    ask: |_| {
        // The driver prints no version. The browser does, but it needs a display.
        let browser = mini_browser()?;
        let (program, rest) = ON_DISPLAY.split_first()?;
        let command = Invocation::new(program).args(rest).arg(browser);
        Some(command.arg("--version"))
    },
};

/// What the system's TLS library is built against, where that is OpenSSL.
pub static OPENSSL: Tool = Tool {
    name: "OpenSSL's headers",
    source: Source::Debian(&["libssl-dev", "pkg-config"]),
    locate: || {
        let config = on_path("pkg-config")?;
        let found = Invocation::new(&config).args(["--modversion", "openssl"]);
        found.output(PROBE_LIMIT).map(|_| config)
    },
    ask: itself,
};

pub static CARGO_HACK: Tool = Tool {
    name: "cargo-hack",
    source: Source::Cargo("cargo-hack", None),
    locate: || installed("cargo-hack").or_else(|| on_path("cargo-hack")),
    ask: itself,
};

pub static CARGO_DENY: Tool = Tool {
    name: "cargo-deny",
    source: Source::Cargo("cargo-deny", None),
    locate: || installed("cargo-deny").or_else(|| on_path("cargo-deny")),
    ask: itself,
};

pub static NODE_20: Tool = Tool {
    name: "Node 20",
    source: Source::Npm("node20", "node@20"),
    locate: || node("node20", false),
    ask: itself,
};

pub static NODE: Tool = Tool {
    name: "Node 22 or later",
    source: Source::Npm("node", "node@22"),
    locate: || node("node", true),
    ask: itself,
};

pub static DENO: Tool = Tool {
    name: "Deno",
    source: Source::Npm("deno", "deno@2"),
    locate: || from_npm("deno", "deno"),
    ask: itself,
};

pub static BUN: Tool = Tool {
    name: "Bun",
    source: Source::Npm("bun", "bun@1"),
    locate: || from_npm("bun", "bun"),
    ask: itself,
};

/// Node of any version, for servers.
pub static NODE_ANY: Tool = Tool {
    name: "Node",
    source: Source::Host("Node from nodejs.org, or `apt-get install nodejs npm`"),
    locate: || on_path("node"),
    ask: itself,
};

pub static WASM_OPT: Tool = Tool {
    name: "Binaryen's wasm-opt",
    source: Source::Npm("binaryen", "binaryen@132"),
    // Never Debian's on the path, which miscompiles tables of references.
    locate: || from_npm("binaryen", "wasm-opt"),
    ask: itself,
};

pub static WS: Tool = Tool {
    name: "npm's ws",
    source: Source::Npm("ws", "ws@8"),
    locate: || {
        let folder = workspace::tools().ok()?.join("npm/ws/node_modules/ws");
        folder.join("package.json").is_file().then_some(folder)
    },
    ask: |_| None,
};

pub static AXE: Tool = Tool {
    name: "npm's axe-core",
    source: Source::Npm("axe-core", "axe-core@4"),
    locate: || {
        let folder = workspace::tools().ok()?.join("npm/axe-core");
        let script = folder.join("node_modules/axe-core/axe.min.js");
        script.is_file().then_some(script)
    },
    ask: |_| None,
};

pub static WEBSOCKETS: Tool = Tool {
    name: "PyPI's websockets",
    source: Source::Python("websockets", "websockets==17.*"),
    locate: || from_pypi("websockets", "websockets"),
    ask: |_| None,
};

pub static AUTOBAHN: Tool = Tool {
    name: "the Autobahn Testsuite, which needs Python 2.7",
    source: Source::Python27("autobahn", "autobahntestsuite==25.10.1"),
    locate: || from_pypi("autobahn/27", "wstest"),
    ask: |_| None,
};

/// The target of everything that runs in a browser or another JavaScript host.
pub const WASM_TRIPLE: &str = "wasm32-unknown-unknown";

/// What gives a command a display, from the workspace's root.
pub const ON_DISPLAY: &[&str] = &["sh", "xtask/shims/webkit/on-display"];

/// Asking a program for its version takes no longer than this.
const PROBE_LIMIT: Duration = Duration::from_secs(20);

/// Building or downloading a tool takes no longer than this.
const INSTALL_LIMIT: Duration = Duration::from_secs(15 * 60);

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
        let log = workspace::output()?.join("install.log");
        for command in &commands {
            let title = match self.source {
                Source::Cargo(..) => format!("building {}, which takes minutes, once", self.name),
                _ => format!("installing {}", self.name),
            };
            progress::run(&title, command, &log, INSTALL_LIMIT).inspect_err(|_| {
                progress::show_tail(&log);
            })?;
        }
        self.find()
            .ok_or_else(|| format!("{} was installed and is still not found", self.name))
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
            Source::Toolchain(name) => {
                let install = ["toolchain", "install", name, "--profile", "minimal"];
                let command = Invocation::new("rustup").args(install);
                vec![command.args(["--component", "rust-src"])]
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
            Source::Npm(folder, package) => {
                workspace::folder(&format!("target/tools/npm/{folder}"))?;
                vec![
                    Invocation::new("npm")
                        .args(["install", "--no-audit", "--no-fund", "--prefix"])
                        .arg(format!("target/tools/npm/{folder}"))
                        .arg(package),
                ]
            }
            Source::Python(folder, package) => {
                let folder = workspace::folder(&format!("target/tools/python/{folder}"))?;
                let python = folder.join("bin/python");
                let mut commands = match makes_environments() {
                    true => Vec::new(),
                    false => debian(&["python3-venv"]),
                };
                commands.push(Invocation::new("python3").args(["-m", "venv"]).arg(folder));
                commands.push(Invocation::new(python).args(PIP_INSTALL).arg(package));
                commands
            }
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

/// Whether there is a Python 3 with what Debian packages apart.
fn makes_environments() -> bool {
    let import = Invocation::new("python3").args(["-c", "import ensurepip, venv"]);
    import.output(PROBE_LIMIT).is_some()
}

const PIP_INSTALL: [&str; 4] = ["-m", "pip", "install", "-q"];

/// A Python 2.7 that runs: on the path, where pyenv may have a stand-in for it,
/// or pyenv's own.
fn python27() -> Option<PathBuf> {
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

/// The Python of an environment of ours, if pip put a program there.
fn from_pypi(folder: &str, program: &str) -> Option<PathBuf> {
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
fn itself(path: &Path) -> Option<Invocation> {
    Some(Invocation::new(path).arg("--version"))
}

/// The browser that comes with WebKitGTK's driver, in the folder of its libraries.
fn mini_browser() -> Option<PathBuf> {
    let folders = |folder: &Path| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    };
    on_path("MiniBrowser").or_else(|| {
        let of_architectures = folders(Path::new("/usr/lib"));
        let all = of_architectures.iter().flat_map(|folder| folders(folder));
        all.filter(|folder| folder.to_string_lossy().contains("/webkit"))
            .find_map(|folder| executable(&folder, "MiniBrowser"))
    })
}

/// What a program said about its version, cut after the version itself, and
/// with the program's name where it left that out.
fn plain_version(said: &str, program: &str) -> Option<String> {
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
fn installed(program: &str) -> Option<PathBuf> {
    executable(&workspace::tools().ok()?.join("bin"), program)
}

/// A program on the search path.
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).find_map(|folder| executable(&folder, program))
}

/// A program that npm put below its folder.
fn from_npm(folder: &str, program: &str) -> Option<PathBuf> {
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
fn node(folder: &str, with_websocket: bool) -> Option<PathBuf> {
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

fn executable(folder: &Path, program: &str) -> Option<PathBuf> {
    let path = folder
        .join(program)
        .with_extension(std::env::consts::EXE_EXTENSION);
    path.is_file().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::{CHROMIUM, DENO, NIGHTLY, WASM_TARGET, on_path, plain_version};

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
