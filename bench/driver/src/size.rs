//! How large a minimal program is with each client, and of how many crates.
//!
//! Invariant: all are built alike.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::plan::{self, Client};
use crate::results::Size;
use crate::{Options, TARGET, cargo};
use xtask_kit::run::{progress, workspace};

/// A minimal program.
#[derive(Debug)]
pub struct Program {
    /// The feature of the package that makes it.
    feature: &'static str,
    pub name: &'static str,
    /// Whose it is, as the bench binary calls it.
    client: &'static str,
}

const fn program(feature: &'static str, name: &'static str, client: &'static str) -> Program {
    Program {
        feature,
        name,
        client,
    }
}

/// A client under its own name, with nothing but what it needs for `ws:`.
const fn plain(client: &'static str) -> Program {
    program(client, client, client)
}

/// What programs get that name no features.
pub static DEFAULT: Program = program(
    "isosocket-default",
    "isosocket, default features",
    "isosocket",
);

/// The same without `tls` and `idna`.
pub static PLAIN: Program = program(
    "isosocket-plain",
    "isosocket, without TLS and idna",
    "isosocket",
);

static NOTHING: Program = program("", "no client", "");

static PROGRAMS: &[&Program] = &[
    &DEFAULT,
    &PLAIN,
    &program(
        "isosocket",
        "isosocket, without TLS, idna and compression",
        "isosocket",
    ),
    &program("ewebsock-tls", "ewebsock, TLS", "ewebsock"),
    &plain("ewebsock"),
    &program("tungstenite-tls", "tungstenite, TLS", "tungstenite"),
    &plain("tungstenite"),
    &program(
        "tokio-tungstenite-tls",
        "tokio-tungstenite, TLS",
        "tokio-tungstenite",
    ),
    &plain("tokio-tungstenite"),
    &plain("tokio-tungstenite-wasm"),
    &plain("tokio-websockets"),
    &plain("fastwebsockets"),
    &plain("yawc"),
    &plain("reqwest-websocket"),
];

pub const PACKAGE: &str = "isosocket-bench-echo";
/// A build may wait for another one in the same folder.
const LIMIT: Duration = Duration::from_secs(30 * 60);

pub fn measure(options: &Options, clients: &[Client], log: &Path) -> Result<Vec<Size>, String> {
    let asked = options.only.iter().any(|name| name == plan::SIZE);
    let some_asked = !options.only.is_empty();
    if !asked && (options.quick || some_asked) {
        return Ok(Vec::new());
    }
    let programs = [&NOTHING].into_iter().chain(of(clients));
    programs.map(|program| program.measure(log)).collect()
}

/// Whether nothing is asked for but sizes and builds, perhaps of certain clients.
pub fn is_all(options: &Options) -> bool {
    let is_word = |name: &&String| [plan::SIZE, plan::BUILD].contains(&name.as_str());
    let (words, others): (Vec<_>, Vec<_>) = options.only.iter().partition(is_word);
    let is_client = |name: &String| PROGRAMS.iter().any(|program| program.client == name);
    !words.is_empty() && others.into_iter().all(is_client)
}

/// The clients that have programs, as the bench binary would list them.
pub fn clients() -> Vec<Client> {
    let mut clients: Vec<Client> = Vec::new();
    for program in PROGRAMS {
        if clients.iter().all(|client| client.id != program.client) {
            clients.push(Client {
                id: program.client.to_owned(),
                name: program.client.to_owned(),
                has_thread_each: false,
                is_for_compression: false,
            });
        }
    }
    clients
}

/// The programs of these clients.
pub fn of(clients: &[Client]) -> impl Iterator<Item = &'static Program> {
    let is_wanted = |program: &&Program| clients.iter().any(|client| client.id == program.client);
    PROGRAMS.iter().copied().filter(is_wanted)
}

impl Program {
    /// Builds it in the shared target folder, and looks at what came of it.
    pub fn measure(&self, log: &Path) -> Result<Size, String> {
        let build = cargo("build")
            .args(["--release", "--target-dir", TARGET])
            .args(self.arguments());
        progress::run(
            &format!("building an echo with {}", self.name),
            &build,
            log,
            LIMIT,
        )
        .inspect_err(|_| progress::show_tail(log))?;
        let binary = workspace::root().join(TARGET).join("release").join(PACKAGE);
        let bytes = fs::metadata(&binary)
            .map_err(|error| format!("there is no {PACKAGE}: {error}"))?
            .len();
        let tree = cargo("tree")
            .args(["--edges", "normal,build", "--prefix", "none"])
            .args(self.arguments())
            .output(Duration::from_secs(60))
            .ok_or("cargo tree failed")?;
        Ok(Size {
            name: self.name,
            bytes,
            crates: crates(&tree),
        })
    }

    /// What cargo is given to work on it.
    pub fn arguments(&self) -> [&'static str; 4] {
        ["--package", PACKAGE, "--features", self.feature]
    }
}

/// How many packages a tree names, without its root.
fn crates(tree: &str) -> usize {
    let packages: BTreeSet<&str> = tree
        .lines()
        .map(|line| line.split(" (").next().unwrap_or(line))
        .filter(|line| !line.is_empty())
        .collect();
    packages.len().saturating_sub(1)
}

#[cfg(test)]
mod tests {
    use super::{clients, crates, is_all};
    use crate::Options;

    #[test]
    fn programs_alone_need_no_clients_build() {
        let only = |names: &[&str]| Options {
            only: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Options::default()
        };
        assert!(is_all(&only(&["size", "build", "ewebsock"])));
        for names in [&["size", "ping"][..], &["ewebsock"], &[]] {
            assert!(!is_all(&only(names)), "{names:?}");
        }
        let ids: Vec<String> = clients().into_iter().map(|client| client.id).collect();
        assert_eq!(ids[..2], ["isosocket", "ewebsock"]);
    }

    #[test]
    fn a_crate_counts_once() {
        let tree = "echo v0.0.0 (/somewhere)\nlog v0.4.1\nmio v1.0.0\nlog v0.4.1 (*)\n\n";
        assert_eq!(crates(tree), 2);
    }
}
