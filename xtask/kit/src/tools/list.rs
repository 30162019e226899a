//! The tools, each with where it comes from and how it is found.
//!
//! Invariant: none is looked for in a way of its own without a comment that gives the reason.

use super::find::{
    self, NIGHTLY_NAME, from_npm, from_pypi, installed, is_library, itself, mini_browser, node,
    on_path,
};
use super::{ON_DISPLAY, PROBE_LIMIT, Source, Tool, WASM_TRIPLE};
use crate::run::{Invocation, workspace};

pub static WASM_TARGET: Tool = Tool {
    name: "the wasm32-unknown-unknown target",
    source: Source::Rustup("wasm32-unknown-unknown"),
    locate: || find::rust_target(WASM_TRIPLE),
    ask: itself,
};

/// For what stable Rust cannot build: a standard library with atomics. One
/// certain toolchain, because others may build it otherwise, or not at all.
pub static NIGHTLY: Tool = Tool {
    name: "the nightly toolchain that builds a standard library with atomics",
    source: Source::Toolchain(NIGHTLY_NAME, "rust-src"),
    // Under its own name, or where `nightly` happens to be the same one.
    locate: || {
        [NIGHTLY_NAME, "nightly"]
            .into_iter()
            .find_map(find::nightly)
    },
    ask: itself,
};

/// The same toolchain, with an interpreter that sees undefined behaviour.
pub static MIRI: Tool = Tool {
    name: "Miri, of the nightly toolchain",
    source: Source::Toolchain(NIGHTLY_NAME, "rust-src,miri"),
    locate: || {
        let all = [NIGHTLY_NAME, "nightly"].into_iter();
        let mut cargos = all.filter_map(find::nightly);
        cargos.find(|cargo| cargo.with_file_name("cargo-miri").is_file())
    },
    ask: itself,
};

/// The version that the manifests declare, from Debian, where rustup's server cannot be
/// reached.
pub static OLDEST_RUST: Tool = Tool {
    name: "Rust 1.85",
    source: Source::Debian(&[
        "rustc-web=1.85.*",
        "cargo-web=1.85.*",
        "libstd-rust-web-dev=1.85.*",
        "libstd-rust-web-1.85",
    ]),
    locate: || find::cargo_of("1.85"),
    ask: itself,
};

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

/// A display that nobody sees, and what programs with a window load when they start.
pub static DISPLAY: Tool = Tool {
    name: "Xvfb with OpenGL and the libraries of X",
    source: Source::Debian(&[
        "xvfb",
        "libegl1",
        "libgl1",
        "libgl1-mesa-dri",
        "libx11-xcb1",
        "libxcursor1",
        "libxi6",
        "libxkbcommon-x11-0",
        "libxkbcommon0",
        "libxrandr2",
    ]),
    locate: || {
        let loaded = [
            "libEGL.so.1",
            "libGL.so.1",
            "libX11-xcb.so.1",
            "libXcursor.so.1",
            "libXi.so.6",
            "libXrandr.so.2",
            "libxkbcommon-x11.so.0",
            "libxkbcommon.so.0",
        ];
        let xvfb = on_path("Xvfb")?;
        loaded.into_iter().all(is_library).then_some(xvfb)
    },
    ask: |_| None,
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

/// Stand-ins for WebSocket, in one folder: that of the packages.
pub static STAND_INS: Tool = Tool {
    name: "npm's ws, websocket, jsdom, mock-socket, msw and playwright-core",
    source: Source::Npm(
        "standins",
        "ws@8 websocket@1 jsdom@26 mock-socket@9 msw@2 playwright-core@1",
    ),
    locate: || {
        let modules = workspace::tools().ok()?.join("npm/standins/node_modules");
        let names = [
            "ws",
            "websocket",
            "jsdom",
            "mock-socket",
            "msw",
            "playwright-core",
        ];
        let is_there = |name: &&str| modules.join(name).join("package.json").is_file();
        names.iter().all(is_there).then_some(modules)
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
