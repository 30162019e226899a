//! What a row of `cargo xtask test-all` is made of.
//!
//! Invariant: a host differs from another by its entry in the table (`rows.rs`) and by
//! nothing else.

use crate::tools::Tool;

/// One row of `cargo xtask test-all`.
pub struct Host {
    /// Its name on the command line and of its log: `family` or `family-kind`.
    pub id: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    pub set: Set,
    pub kind: Kind,
    /// Commands that must succeed before it is run: cargo's, or `xtask ..`.
    pub builds: &'static [&'static str],
    pub needs: &'static [&'static Tool],
    pub environment: &'static [Env],
    /// The program, with its arguments, that runs the command, if any.
    pub wrapper: &'static [&'static str],
    /// Whether the suite runs here, be it only to show that there is no WebSocket.
    pub suite: bool,
    /// Whether there is a WebSocket, so that the suite's cases run and report.
    pub websocket: bool,
    /// The tool whose version is the host's; natively it is rustc's.
    pub engine: Option<&'static Tool>,
}

/// In which sets a host is: each contains the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Set {
    /// What is run if nothing else is asked for: minutes.
    Quick,
    /// What must pass before a change is merged.
    All,
    /// What takes long, and needs what not every machine can have.
    More,
}

/// How a row is run.
pub enum Kind {
    /// The tests that `cargo test` builds with these arguments.
    Tests {
        arguments: &'static str,
        /// They are built for wasm, and run by wasm-bindgen's runner.
        wasm: bool,
        /// The examples in the docs are run as well.
        docs: bool,
        /// Only the tests of this package.
        only: Option<&'static str>,
        /// They are built by the pinned nightly, with these flags of rustc.
        nightly: Option<&'static str>,
    },
    /// A command of xtask, which prints lines like those of a test.
    Command(&'static str),
    /// Pages, driven by xtask itself in the host's browser.
    Page {
        /// Only the cases whose name contains this.
        only: Option<&'static str>,
        /// How many sockets one page opens and closes.
        cycles: u32,
    },
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
    /// The address of our own WebDriver server for Firefox.
    FirefoxDriver(&'static str),
}

impl Host {
    /// A row of the set `All`, which needs nothing.
    pub const fn new(id: &'static str, name: &'static str, kind: Kind) -> Self {
        Self {
            id,
            name,
            set: Set::All,
            kind,
            builds: &[],
            needs: &[],
            environment: &[],
            wrapper: &[],
            suite: false,
            websocket: false,
            engine: None,
        }
    }

    /// Tests, natively.
    pub const fn native(id: &'static str, name: &'static str, arguments: &'static str) -> Self {
        let kind = Kind::Tests {
            arguments,
            wasm: false,
            docs: false,
            only: None,
            nightly: None,
        };
        Self::new(id, name, kind)
    }

    /// Tests on a JavaScript host, whose tool is the last of those that it needs.
    pub const fn wasm(
        id: &'static str,
        name: &'static str,
        arguments: &'static str,
        needs: &'static [&'static Tool],
    ) -> Self {
        let kind = Kind::Tests {
            arguments,
            wasm: true,
            docs: false,
            only: None,
            nightly: None,
        };
        Self::new(id, name, kind).needs(needs).engine(needs)
    }

    /// A command of xtask, named as its row.
    pub const fn command(id: &'static str, name: &'static str, command: &'static str) -> Self {
        Self::new(id, name, Kind::Command(command))
    }

    pub const fn set(mut self, set: Set) -> Self {
        self.set = set;
        self
    }

    pub const fn builds(mut self, builds: &'static [&'static str]) -> Self {
        self.builds = builds;
        self
    }

    pub const fn needs(mut self, needs: &'static [&'static Tool]) -> Self {
        self.needs = needs;
        self
    }

    /// The last of some tools is what the cases run in.
    pub const fn engine(mut self, tools: &'static [&'static Tool]) -> Self {
        self.engine = Some(tools[tools.len() - 1]);
        self
    }

    pub const fn environment(mut self, environment: &'static [Env]) -> Self {
        self.environment = environment;
        self
    }

    pub const fn wrapper(mut self, wrapper: &'static [&'static str]) -> Self {
        self.wrapper = wrapper;
        self
    }

    /// The suite runs here, with or without a WebSocket.
    pub const fn suite(mut self, websocket: bool) -> Self {
        self.suite = true;
        self.websocket = websocket;
        self
    }

    /// The examples in the packages' docs as well.
    pub const fn docs(mut self) -> Self {
        if let Kind::Tests { docs, .. } = &mut self.kind {
            *docs = true;
        }
        self
    }

    /// Only the tests of one package of those that are built.
    pub const fn only(mut self, package: &'static str) -> Self {
        if let Kind::Tests { only, .. } = &mut self.kind {
            *only = Some(package);
        }
        self
    }

    /// What it shares with the other kinds of the same browser: `chromium`.
    pub fn family(&self) -> &'static str {
        self.id.split('-').next().unwrap_or(self.id)
    }

    /// Built by the pinned nightly, with flags of rustc for all crates.
    pub const fn nightly(mut self, flags: &'static str) -> Self {
        if let Kind::Tests { nightly, .. } = &mut self.kind {
            *nightly = Some(flags);
        }
        self
    }

    /// Whether a name given to `--only` means this host: its id or its family.
    pub fn is_called(&self, name: &str) -> bool {
        self.id == name || self.family() == name
    }

    pub fn is_wasm(&self) -> bool {
        matches!(self.kind, Kind::Tests { wasm: true, .. })
    }

    /// The target that its tests are built for, if that is not this machine's.
    pub fn triple(&self) -> Option<&'static str> {
        let Kind::Tests { arguments, .. } = self.kind else {
            return None;
        };
        let words = arguments.split_whitespace();
        words.skip_while(|word| *word != "--target").nth(1)
    }
}

/// The host with this id.
#[cfg(test)]
pub fn called(id: &str) -> Option<&'static Host> {
    super::rows::HOSTS.iter().find(|host| host.id == id)
}

#[cfg(test)]
mod tests {
    use super::{Host, called};
    use crate::suite::rows::HOSTS;

    #[test]
    fn twenty_six_hosts_have_a_websocket_and_two_have_none() {
        let count = |wanted: fn(&&Host) -> bool| HOSTS.iter().filter(wanted).count();
        assert_eq!(count(|host| host.websocket), 26);
        // The build without features is a row, but no host of its own.
        assert_eq!(count(|host| host.suite && host.id != "bare"), 28);
    }

    #[test]
    fn a_row_of_another_machine_names_its_target() {
        let triple = |id| called(id).expect("it is a row").triple();
        assert_eq!(triple("linux-s390x"), Some("s390x-unknown-linux-gnu"));
        assert_eq!(triple("deno"), Some("wasm32-unknown-unknown"));
        assert_eq!(triple("native"), None);
        assert_eq!(triple("size"), None);
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
