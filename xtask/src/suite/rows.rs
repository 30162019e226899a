//! The table of rows: what `cargo xtask test-all` runs, as data.
//!
//! Invariant: one wasm file is the suite on all JavaScript hosts. Rows that are built with
//! the same arguments are built once. The order is that of the builds.

use super::host::{Env, Host, Kind, Set};
use super::machines::{self, Emulated};
use crate::commands::{autobahn, bench, day, races, servers, standins, targets, threads};
use crate::tools::{
    AXE, BUN, CHROMIUM, DENO, FIREFOX, NIGHTLY, NODE, NODE_20, ON_DISPLAY, OPENSSL, Tool,
    WASM_BINDGEN, WASM_TARGET, WASMTIME, WEBKIT,
};

/// What the native rows build.
const NATIVE: &str = "-p isosocket-native -p isosocket-web -p isosocket -p isosocket-tests";

/// What the JavaScript rows build.
pub const SUITE: &str = "-p isosocket-tests --target wasm32-unknown-unknown";

/// The same and the web backend's mocks, with a standard library that unwinds.
const UNWIND: &str = "-p isosocket-tests -p isosocket-web --tests \
    --target wasm32-unknown-unknown -Zbuild-std=std,panic_unwind --target-dir target/unwind";

/// The suite in a page or a worker of a browser.
macro_rules! browser {
    ($family:literal $id:literal, $title:literal $name:literal, $tools:expr, $($env:expr),+) => {
        Host::wasm(concat!($family, $id), concat!($title, $name), SUITE, $tools)
            .environment(&[$($env),+])
            .suite(true)
    };
}
macro_rules! chromium {
    ($id:literal, $name:literal, $($kind:expr),+) => {
        browser!("chromium-" $id, "Chromium " $name, FOR_CHROMIUM, CHROMEDRIVER, $($kind),+)
    };
}
macro_rules! firefox {
    ($id:literal, $name:literal, $kind:expr) => {
        browser!("firefox-" $id, "Firefox " $name, FOR_FIREFOX, GECKO, PREFERENCES, $kind)
    };
}
macro_rules! webkit {
    ($id:literal, $name:literal, $kind:expr) => {
        browser!("webkit-" $id, "WebKit " $name, FOR_WEBKIT, WEBDRIVER, $kind).wrapper(ON_DISPLAY)
    };
}

pub static HOSTS: &[Host] = &[
    Host::native("native", "native", NATIVE)
        .docs()
        .set(Set::Quick)
        .suite(true),
    // The same suite, each case inside `isosocket::run`.
    Host::native("native-run", "native, in run", NATIVE)
        .only("isosocket-tests")
        .set(Set::Quick)
        .environment(IN_RUN)
        .suite(true),
    Host::wasm("node20", "Node 20, no WebSocket", SUITE, FOR_NODE_20)
        .set(Set::Quick)
        .environment(&[Env::PathOf(&NODE_20)])
        .suite(false),
    Host::wasm("node", "Node 22 or later", SUITE, FOR_NODE)
        .set(Set::Quick)
        .environment(&[Env::PathOf(&NODE)])
        .suite(true),
    chromium!("window", "window", WINDOW).set(Set::Quick),
    chromium!("dedicated", "dedicated worker", DEDICATED).set(Set::Quick),
    chromium!("shared", "shared worker", SHARED),
    chromium!("service", "service worker", SERVICE),
    // The same suite, each socket with a receive limit.
    chromium!("stream", "window, by stream", OVER_STREAM, WINDOW),
    firefox!("window", "window", WINDOW).set(Set::Quick),
    // Core's tests and the programs, which have the mock compiled in: apart from the
    // suite, which is to run on what programs get.
    Host::native(
        "mock",
        "native, with the mock",
        "-p isosocket-core -p isosocket -p isosocket-programs \
         --features isosocket-core/mock,isosocket/mock",
    )
    .docs()
    .set(Set::Quick)
    .needs(&[&WASM_TARGET])
    .builds(&["check -p isosocket --features mock --target wasm32-unknown-unknown"]),
    Host::native(
        "bare",
        "native, no features",
        "-p isosocket-tests --no-default-features",
    )
    .set(Set::Quick)
    .needs(&[&WASM_TARGET])
    .builds(&[
        "check -p isosocket --no-default-features",
        "check -p isosocket --no-default-features --target wasm32-unknown-unknown",
    ])
    .suite(false),
    // The programs' mock, and the web backend on a JavaScript host that is one.
    Host::wasm(
        "mock-node20",
        "Node 20, mocks",
        "-p isosocket -p isosocket-web --features isosocket/mock,isosocket/web-sys \
         --test accepted --test mock --target wasm32-unknown-unknown",
        FOR_NODE_20,
    )
    .environment(&[Env::PathOf(&NODE_20)]),
    firefox!("dedicated", "dedicated worker", DEDICATED),
    firefox!("shared", "shared worker", SHARED),
    firefox!("service", "service worker", SERVICE),
    webkit!("window", "window", WINDOW),
    webkit!("dedicated", "dedicated worker", DEDICATED),
    webkit!("shared", "shared worker", SHARED),
    webkit!("service", "service worker", SERVICE),
    // The suite and the web backend once more, built so that a panic unwinds.
    Host::wasm(
        "unwind-node",
        "Node 22 or later, panics unwind",
        UNWIND,
        FOR_UNWIND,
    )
    .nightly("-Cpanic=unwind")
    .environment(&[Env::PathOf(&NODE)]),
    Host::wasm("deno", "Deno", SUITE, FOR_DENO)
        .environment(&[
            Env::PathTo("xtask/shims/deno"),
            Env::Tool("ISOSOCKET_DENO", &DENO),
            Env::Set("WASM_BINDGEN_USE_DENO", "1"),
        ])
        .suite(true),
    Host::wasm("bun", "Bun", SUITE, FOR_BUN)
        .environment(&[
            Env::PathTo("xtask/shims/bun"),
            Env::Tool("ISOSOCKET_BUN", &BUN),
        ])
        .suite(true),
    // On other machines. This one runs programs of the first two itself.
    Host::native("linux-musl", "Linux x86_64 with musl", machines::MUSL)
        .needs(machines::FOR_MUSL)
        .suite(true),
    Host::native("linux-i686", "Linux i686", machines::I686)
        .needs(machines::FOR_I686)
        .suite(true),
    emulated("linux-s390x", "Linux s390x, big-endian", machines::S390X),
    // One thread, and TCP. The one before it had no TCP.
    Host::native("wasip2", "WASI 0.2, in Wasmtime", machines::WASIP2)
        .needs(machines::FOR_WASIP2)
        .engine(machines::FOR_WASIP2)
        .wrapper(machines::WASMTIME)
        .environment(&[Env::PathOf(&WASMTIME)])
        .suite(true),
    Host::native("wasip1", "WASI 0.1, no WebSocket", machines::WASIP1)
        .needs(machines::FOR_WASIP1)
        .engine(machines::FOR_WASIP1)
        .wrapper(machines::WASMTIME)
        .environment(&[Env::PathOf(&WASMTIME)])
        .suite(false),
    emulated("linux-aarch64", "Linux aarch64", machines::AARCH64).set(Set::More),
    emulated("linux-armv7", "Linux armv7", machines::ARMV7).set(Set::More),
    emulated("linux-riscv64", "Linux riscv64", machines::RISCV64).set(Set::More),
    Host::native("windows-gnu", "Windows x86_64, in Wine", machines::WINDOWS)
        .needs(machines::FOR_WINDOWS)
        .engine(machines::FOR_WINDOWS)
        .wrapper(&["run-in-wine"])
        .environment(&[Env::PathTo("xtask/shims/wine")])
        .set(Set::More)
        .suite(true),
    Host::command("targets", "systems that are only compiled for", "targets").needs(targets::NEEDS),
    page("page-chromium", "Chromium, pages", PAGE_CHROMIUM),
    page("page-firefox", "Firefox, pages", PAGE_FIREFOX),
    Host::native(
        "system-tls",
        "native, the system's TLS",
        "-p isosocket-native --features native-tls,webpki-roots \
         --lib --test native --test faults_closing --test tls",
    )
    .needs(&[&OPENSSL]),
    Host::native(
        "tools",
        "native, our own tools",
        "-p xtask -p xtask-kit -p isosocket-parity -p isosocket-peer -p isosocket-chat",
    ),
    Host::command("servers", "native, servers not ours", "servers")
        .builds(&["build -p isosocket-native --example deflate_echo"])
        .needs(servers::NEEDS),
    Host::command("simulation", "native, in simulated time", "simulate")
        .builds(&["xtask simulate build"]),
    Host::command("loom", "native, every order of threads", "races loom")
        .builds(&["xtask races loom build"]),
    Host::command("standins", "Node, stand-ins for WebSocket", "standins")
        .builds(&["xtask standins build"])
        .needs(standins::NEEDS),
    Host::command(
        "threads-node",
        "Node 22 or later, two threads",
        "threads node",
    )
    .builds(&["xtask threads build"])
    .needs(threads::FOR_NODE)
    .engine(threads::FOR_NODE),
    Host::command(
        "threads-chromium",
        "Chromium, two threads",
        "threads chromium",
    )
    .builds(&["xtask threads build"])
    .needs(threads::FOR_CHROMIUM)
    .engine(threads::FOR_CHROMIUM),
    Host::command("day-desktop", "native, a chat's day", "day desktop")
        .builds(&["xtask day build"]),
    Host::command("day-chromium", "Chromium, a chat's day", "day chromium")
        .needs(day::FOR_CHROMIUM)
        .engine(day::FOR_CHROMIUM),
    Host::command("day-firefox", "Firefox, a chat's day", "day firefox")
        .needs(day::FOR_FIREFOX)
        .engine(day::FOR_FIREFOX),
    Host::command("size", "wasm, sizes of pages", "size").needs(bench::FOR_SIZE),
    Host::command("size-native", "native, size and crates", "size native"),
    // What it finds differs from run to run. A merge must not depend on that.
    Host::command("fuzz", "native, fuzz targets", "fuzz")
        .set(Set::More)
        .builds(&["xtask fuzz build"]),
    Host::command("tsan", "native, ThreadSanitizer", "races tsan")
        .set(Set::More)
        .needs(races::FOR_TSAN)
        .builds(&["xtask races tsan build"]),
    Host::command("miri", "core and the engine, by Miri", "races miri")
        .set(Set::More)
        .needs(races::FOR_MIRI)
        .builds(&["xtask races miri build"]),
    Host::command("soak", "native, 500 busy sockets", "soak --short")
        .set(Set::More)
        .builds(&["xtask soak build"]),
    soak("soak-chromium", "Chromium, 10,000 sockets", PAGE_CHROMIUM),
    soak("soak-firefox", "Firefox, 10,000 sockets", PAGE_FIREFOX),
    Host::command("autobahn", "native, Autobahn Testsuite", "autobahn")
        .set(Set::More)
        .builds(&["build --release -p isosocket --example autobahn"])
        .needs(autobahn::NEEDS),
];

// The last tool is what the cases run in.
const FOR_NODE_20: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &NODE_20];
const FOR_NODE: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &NODE];
const FOR_UNWIND: &[&Tool] = &[&NIGHTLY, &WASM_BINDGEN, &NODE];
const FOR_DENO: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &DENO];
const FOR_BUN: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &BUN];
const FOR_CHROMIUM: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &CHROMIUM];
const FOR_FIREFOX: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &FIREFOX];
const FOR_WEBKIT: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &WEBKIT];
const PAGE_CHROMIUM: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &AXE, &CHROMIUM];
const PAGE_FIREFOX: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &AXE, &FIREFOX];

const IN_RUN: &[Env] = &[Env::Set("ISOSOCKET_RUN", "1")];

const WINDOW: Env = Env::Set("WASM_BINDGEN_USE_BROWSER", "1");
const DEDICATED: Env = Env::Set("WASM_BINDGEN_USE_DEDICATED_WORKER", "1");
const SHARED: Env = Env::Set("WASM_BINDGEN_USE_SHARED_WORKER", "1");
const SERVICE: Env = Env::Set("WASM_BINDGEN_USE_SERVICE_WORKER", "1");

const CHROMEDRIVER: Env = Env::Tool("CHROMEDRIVER", &CHROMIUM);
// The suite reads in the user agent that its sockets are to go over the browser's
// `WebSocketStream`, and sees how much memory there is.
const OVER_STREAM: Env = Env::File(
    "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
    "xtask/shims/chromium/stream.json",
);
const GECKO: Env = Env::FirefoxDriver("GECKODRIVER_REMOTE");
const WEBDRIVER: Env = Env::Tool("SAFARIDRIVER", &WEBKIT);
// Firefox makes a page wait before it connects again to a host that refused,
// and ends a service worker that had no event for half a minute.
const PREFERENCES: Env = Env::File(
    "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
    "xtask/shims/firefox/webdriver.json",
);

/// Another processor, emulated.
const fn emulated(id: &'static str, name: &'static str, machine: &'static Emulated) -> Host {
    let Emulated(arguments, needs, wrapper) = machine;
    Host::native(id, name, arguments)
        .needs(needs)
        .engine(needs)
        .wrapper(wrapper)
        .environment(IN_RUN)
        .suite(true)
}

const fn page(id: &'static str, name: &'static str, needs: &'static [&'static Tool]) -> Host {
    let kind = Kind::Page {
        only: None,
        cycles: 1_000,
    };
    Host::new(id, name, kind).needs(needs).engine(needs)
}

/// Ten thousand sockets in one page.
const fn soak(id: &'static str, name: &'static str, needs: &'static [&'static Tool]) -> Host {
    let kind = Kind::Page {
        only: Some("sockets_opened_and_closed"),
        cycles: 10_000,
    };
    Host::new(id, name, kind)
        .set(Set::More)
        .needs(needs)
        .engine(needs)
}
