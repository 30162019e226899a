//! The table of hosts: what the suite runs on, as data.
//!
//! Invariant: a host differs from another by its entry here and by nothing
//! else; one wasm binary runs on all of them.

use crate::tools::{
    AXE, BUN, CHROMIUM, DENO, FIREFOX, GECKODRIVER, NODE, NODE_20, ON_DISPLAY, OPENSSL, Tool,
    WASM_BINDGEN, WASM_TARGET, WEBKIT,
};

/// One row of `cargo xtask test-all`.
pub struct Host {
    /// Its name on the command line and of its log: `family` or `family-kind`.
    pub id: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    pub set: Set,
    pub kind: Kind,
    pub needs: &'static [&'static Tool],
    pub environment: &'static [Env],
    /// What the command is given to as arguments, if anything.
    pub wrapper: &'static [&'static str],
    /// Whether there is a WebSocket, so that its cases run and report.
    pub websocket: bool,
    /// The tool whose version is the host's; natively it is rustc's.
    pub engine: Option<&'static Tool>,
}

/// Which of the two sets a host is in; `All` contains `Core`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Set {
    Core,
    All,
    /// Run when asked for, because it takes long and needs what not every
    /// machine can have.
    Beside,
}

/// How a row is run.
pub enum Kind {
    /// Natively: cargo commands that build, then one that runs cases.
    Native {
        builds: &'static [&'static [&'static str]],
        run: &'static [&'static str],
    },
    /// The suite's wasm binary, by wasm-bindgen's test runner.
    Wasm,
    /// The demo's pages, driven by xtask itself in the host's browser.
    Page,
}

/// A variable of a host's environment.
pub enum Env {
    Set(&'static str, &'static str),
    /// The path of a tool.
    Tool(&'static str, &'static Tool),
    /// The path of a file in the workspace.
    File(&'static str, &'static str),
    /// The folder of a tool, first on `PATH`.
    PathOf(&'static Tool),
    /// A folder of the workspace, first on `PATH`.
    PathTo(&'static str),
    /// Cargo runs wasm tests by wasm-bindgen's runner.
    Runner,
}

impl Host {
    /// What it shares with the other kinds of the same browser: `chromium`.
    pub fn family(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }

    /// Whether the suite runs here, be it only to show that there is no
    /// WebSocket.
    pub fn runs_the_suite(&self) -> bool {
        match self.kind {
            Kind::Native { run, .. } => run.contains(&"isosocket-tests"),
            Kind::Wasm => true,
            Kind::Page => false,
        }
    }

    /// Whether a name given to `--only` means this host: its id or its family.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name
            || self
                .id
                .strip_prefix(name)
                .is_some_and(|rest| rest.starts_with('-'))
    }
}

/// The host with this id.
pub fn called(id: &str) -> Option<&'static Host> {
    HOSTS.iter().find(|host| host.id == id)
}

pub static HOSTS: &[Host] = &[
    Host {
        id: "native",
        name: "native",
        set: Set::Core,
        kind: Kind::Native {
            builds: &[&[
                "test",
                "--no-run",
                "-p",
                "isosocket-native",
                "-p",
                "isosocket-web",
                "-p",
                "isosocket",
                "-p",
                "isosocket-tests",
            ]],
            run: &[
                "test",
                "--no-fail-fast",
                "-p",
                "isosocket-native",
                "-p",
                "isosocket-web",
                "-p",
                "isosocket",
                "-p",
                "isosocket-tests",
            ],
        },
        needs: &[],
        environment: &[],
        wrapper: &[],
        websocket: true,
        engine: None,
    },
    // The same suite, each case inside `isosocket::run`.
    Host {
        id: "native-run",
        name: "native, in run",
        set: Set::Core,
        kind: Kind::Native {
            builds: &[&["test", "--no-run", "-p", "isosocket-tests"]],
            run: &["test", "--no-fail-fast", "-p", "isosocket-tests"],
        },
        needs: &[],
        environment: &[Env::Set("ISOSOCKET_RUN", "1")],
        wrapper: &[],
        websocket: true,
        engine: None,
    },
    // Core's tests and the programs, which have the mock compiled in: apart from the
    // suite, which is to run on what programs get.
    Host {
        id: "mock",
        name: "native, with the mock",
        set: Set::Core,
        kind: Kind::Native {
            builds: &[
                &[
                    "check",
                    "-p",
                    "isosocket",
                    "--features",
                    "mock",
                    "--target",
                    "wasm32-unknown-unknown",
                ],
                &[
                    "test",
                    "--no-run",
                    "-p",
                    "isosocket-core",
                    "-p",
                    "isosocket",
                    "-p",
                    "isosocket-programs",
                    "--features",
                    "isosocket-core/mock,isosocket/mock",
                ],
            ],
            run: &[
                "test",
                "--no-fail-fast",
                "-p",
                "isosocket-core",
                "-p",
                "isosocket",
                "-p",
                "isosocket-programs",
                "--features",
                "isosocket-core/mock,isosocket/mock",
            ],
        },
        needs: &[&WASM_TARGET],
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: None,
    },
    // The programs' mock, and the web backend on a JavaScript host that is one.
    Host {
        id: "mock-node20",
        name: "Node 20, mocks",
        set: Set::Core,
        kind: Kind::Native {
            builds: &[&[
                "test",
                "--no-run",
                "-p",
                "isosocket",
                "-p",
                "isosocket-web",
                "--features",
                "isosocket/mock",
                "--test",
                "mock",
                "--target",
                "wasm32-unknown-unknown",
            ]],
            run: &[
                "test",
                "-p",
                "isosocket",
                "-p",
                "isosocket-web",
                "--features",
                "isosocket/mock",
                "--test",
                "mock",
                "--target",
                "wasm32-unknown-unknown",
            ],
        },
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &NODE_20],
        environment: &[
            Env::PathOf(&NODE_20),
            Env::Runner,
            // As the suite is built, so that nothing is built twice.
            Env::Set("CARGO_PROFILE_DEV_DEBUG", "0"),
        ],
        wrapper: &[],
        websocket: false,
        engine: Some(&NODE_20),
    },
    Host {
        id: "bare",
        name: "native, no features",
        set: Set::Core,
        kind: Kind::Native {
            builds: &[
                &["check", "-p", "isosocket", "--no-default-features"],
                &[
                    "check",
                    "-p",
                    "isosocket",
                    "--no-default-features",
                    "--target",
                    "wasm32-unknown-unknown",
                ],
                &[
                    "test",
                    "--no-run",
                    "-p",
                    "isosocket-tests",
                    "--no-default-features",
                ],
            ],
            run: &[
                "test",
                "--no-fail-fast",
                "-p",
                "isosocket-tests",
                "--no-default-features",
            ],
        },
        needs: &[&WASM_TARGET],
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: None,
    },
    chromium(
        "chromium-window",
        "Chromium window",
        Set::Core,
        &[CHROMEDRIVER, WINDOW],
    ),
    chromium(
        "chromium-dedicated",
        "Chromium dedicated worker",
        Set::All,
        &[CHROMEDRIVER, DEDICATED],
    ),
    chromium(
        "chromium-shared",
        "Chromium shared worker",
        Set::All,
        &[CHROMEDRIVER, SHARED],
    ),
    chromium(
        "chromium-service",
        "Chromium service worker",
        Set::All,
        &[CHROMEDRIVER, SERVICE],
    ),
    // The same suite, each socket with a receive limit.
    chromium(
        "chromium-stream",
        "Chromium window, by stream",
        Set::All,
        &[CHROMEDRIVER, OVER_STREAM, WINDOW],
    ),
    Host {
        id: "page-chromium",
        name: "Chromium, the demo's pages",
        set: Set::Core,
        kind: Kind::Page,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &CHROMIUM, &AXE],
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: Some(&CHROMIUM),
    },
    firefox(
        "firefox-window",
        "Firefox window",
        &[GECKO, PREFERENCES, WINDOW],
    ),
    firefox(
        "firefox-dedicated",
        "Firefox dedicated worker",
        &[GECKO, PREFERENCES, DEDICATED],
    ),
    firefox(
        "firefox-shared",
        "Firefox shared worker",
        &[GECKO, PREFERENCES, SHARED],
    ),
    firefox(
        "firefox-service",
        "Firefox service worker",
        &[GECKO, PREFERENCES, SERVICE],
    ),
    Host {
        id: "page-firefox",
        name: "Firefox, the demo's pages",
        set: Set::All,
        kind: Kind::Page,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &FIREFOX, &GECKODRIVER, &AXE],
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: Some(&FIREFOX),
    },
    webkit("webkit-window", "WebKit window", &[WEBDRIVER, WINDOW]),
    webkit(
        "webkit-dedicated",
        "WebKit dedicated worker",
        &[WEBDRIVER, DEDICATED],
    ),
    webkit(
        "webkit-shared",
        "WebKit shared worker",
        &[WEBDRIVER, SHARED],
    ),
    webkit(
        "webkit-service",
        "WebKit service worker",
        &[WEBDRIVER, SERVICE],
    ),
    Host {
        id: "node20",
        name: "Node 20, no WebSocket",
        set: Set::Core,
        kind: Kind::Wasm,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &NODE_20],
        environment: &[Env::PathOf(&NODE_20)],
        wrapper: &[],
        websocket: false,
        engine: Some(&NODE_20),
    },
    Host {
        id: "node",
        name: "Node 22 or later",
        set: Set::All,
        kind: Kind::Wasm,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &NODE],
        environment: &[Env::PathOf(&NODE)],
        wrapper: &[],
        websocket: true,
        engine: Some(&NODE),
    },
    Host {
        id: "deno",
        name: "Deno",
        set: Set::All,
        kind: Kind::Wasm,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &DENO],
        environment: &[
            Env::PathTo("xtask/shims/deno"),
            Env::Tool("ISOSOCKET_DENO", &DENO),
            Env::Set("WASM_BINDGEN_USE_DENO", "1"),
        ],
        wrapper: &[],
        websocket: true,
        engine: Some(&DENO),
    },
    Host {
        id: "bun",
        name: "Bun",
        set: Set::All,
        kind: Kind::Wasm,
        needs: &[&WASM_TARGET, &WASM_BINDGEN, &BUN],
        environment: &[
            Env::PathTo("xtask/shims/bun"),
            Env::Tool("ISOSOCKET_BUN", &BUN),
        ],
        wrapper: &[],
        websocket: true,
        engine: Some(&BUN),
    },
    aside(
        "servers",
        "native, servers not ours",
        Set::All,
        &[
            &[
                "build",
                "-p",
                "isosocket-native",
                "--example",
                "deflate_echo",
            ],
            &["build", "-p", "xtask"],
        ],
        &["run", "-q", "-p", "xtask", "--", "servers"],
        crate::servers::NEEDS,
    ),
    aside(
        "system-tls",
        "native, the system's TLS",
        Set::All,
        &[NATIVE_TLS_BUILD],
        NATIVE_TLS_RUN,
        &[&OPENSSL],
    ),
    aside(
        "simulation",
        "native, in simulated time",
        Set::Core,
        &[
            &["build", "-p", "xtask"],
            &["run", "-q", "-p", "xtask", "--", "simulate", "build"],
        ],
        &["run", "-q", "-p", "xtask", "--", "simulate"],
        &[],
    ),
    aside(
        "size",
        "wasm, sizes of pages",
        Set::All,
        &[&["build", "-p", "xtask"]],
        &["run", "-q", "-p", "xtask", "--", "size"],
        crate::bench::budget::NEEDS,
    ),
    threads(
        "threads-node",
        "Node 22 or later, two threads",
        &["run", "-q", "-p", "xtask", "--", "threads", "node"],
        crate::threads::FOR_NODE,
        &NODE,
    ),
    threads(
        "threads-chromium",
        "Chromium, two threads",
        &["run", "-q", "-p", "xtask", "--", "threads", "chromium"],
        crate::threads::FOR_CHROMIUM,
        &CHROMIUM,
    ),
    aside(
        "autobahn",
        "native, Autobahn Testsuite",
        Set::Beside,
        &[
            &[
                "build",
                "--release",
                "-p",
                "isosocket",
                "--example",
                "autobahn",
            ],
            &["build", "-p", "xtask"],
        ],
        &["run", "-q", "-p", "xtask", "--", "autobahn"],
        crate::autobahn::NEEDS,
    ),
];

const NATIVE_TLS_BUILD: &[&str] = &[
    "test",
    "--no-run",
    "-p",
    "isosocket-native",
    "--features",
    "native-tls,webpki-roots",
    "--lib",
    "--test",
    "native",
    "--test",
    "faults_closing",
];
const NATIVE_TLS_RUN: &[&str] = &[
    "test",
    "--no-fail-fast",
    "-p",
    "isosocket-native",
    "--features",
    "native-tls,webpki-roots",
    "--lib",
    "--test",
    "native",
    "--test",
    "faults_closing",
];

const FOR_CHROMIUM: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &CHROMIUM];
const FOR_FIREFOX: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &FIREFOX, &GECKODRIVER];
const FOR_WEBKIT: &[&Tool] = &[&WASM_TARGET, &WASM_BINDGEN, &WEBKIT];

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
const GECKO: Env = Env::Tool("GECKODRIVER", &GECKODRIVER);
const WEBDRIVER: Env = Env::Tool("SAFARIDRIVER", &WEBKIT);
// Firefox makes a page wait before it connects again to a host that refused,
// and ends a service worker that had no event for half a minute.
const PREFERENCES: Env = Env::File(
    "WASM_BINDGEN_TEST_WEBDRIVER_JSON",
    "xtask/shims/firefox/webdriver.json",
);

/// What runs natively and is not the suite: a command of our own that counts.
const fn aside(
    id: &'static str,
    name: &'static str,
    set: Set,
    builds: &'static [&'static [&'static str]],
    run: &'static [&'static str],
    needs: &'static [&'static Tool],
) -> Host {
    Host {
        id,
        name,
        set,
        kind: Kind::Native { builds, run },
        needs,
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: None,
    }
}

/// Two threads that share a wasm module's memory: not the suite, but cases of
/// their own.
const fn threads(
    id: &'static str,
    name: &'static str,
    run: &'static [&'static str],
    needs: &'static [&'static Tool],
    engine: &'static Tool,
) -> Host {
    Host {
        id,
        name,
        set: Set::All,
        kind: Kind::Native {
            builds: &[
                &["build", "-p", "xtask"],
                &["run", "-q", "-p", "xtask", "--", "threads", "build"],
            ],
            run,
        },
        needs,
        environment: &[],
        wrapper: &[],
        websocket: false,
        engine: Some(engine),
    }
}

const fn chromium(
    id: &'static str,
    name: &'static str,
    set: Set,
    environment: &'static [Env],
) -> Host {
    Host {
        id,
        name,
        set,
        kind: Kind::Wasm,
        needs: FOR_CHROMIUM,
        environment,
        wrapper: &[],
        websocket: true,
        engine: Some(&CHROMIUM),
    }
}

const fn firefox(id: &'static str, name: &'static str, environment: &'static [Env]) -> Host {
    Host {
        id,
        name,
        set: Set::All,
        kind: Kind::Wasm,
        needs: FOR_FIREFOX,
        environment,
        wrapper: &[],
        websocket: true,
        engine: Some(&FIREFOX),
    }
}

const fn webkit(id: &'static str, name: &'static str, environment: &'static [Env]) -> Host {
    Host {
        id,
        name,
        set: Set::All,
        kind: Kind::Wasm,
        needs: FOR_WEBKIT,
        environment,
        wrapper: ON_DISPLAY,
        websocket: true,
        engine: Some(&WEBKIT),
    }
}

#[cfg(test)]
mod tests {
    use super::HOSTS;

    #[test]
    fn eighteen_hosts_have_a_websocket_and_nineteen_are_promised() {
        let count = |wanted: fn(&&super::Host) -> bool| HOSTS.iter().filter(wanted).count();
        assert_eq!(count(|host| host.websocket), 18);
        // The build without features is a row, but no host of its own.
        assert_eq!(count(|host| host.runs_the_suite() && host.id != "bare"), 19);
    }

    #[test]
    fn ids_are_unique_and_a_family_means_its_members() {
        for (index, host) in HOSTS.iter().enumerate() {
            assert!(HOSTS[..index].iter().all(|other| other.id != host.id));
        }
        let called = |name: &str| HOSTS.iter().filter(|host| host.is_called(name)).count();
        assert_eq!(called("chromium"), 5);
        assert_eq!(called("webkit-window"), 1);
        assert_eq!(called("node"), 1);
        assert_eq!(called("nod"), 0);
    }
}
