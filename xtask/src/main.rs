//! Everything a contributor runs: `cargo xtask test-all`, `parity`, `bench`,
//! `demo`, `apps`, `release`, `tidy`.
//!
//! Invariant: a subcommand either does all it says and exits 0, or says what
//! is wrong and exits with something else.

mod apps;
mod commands;
mod suite;
mod tidy;

use std::process::ExitCode;

use commands::{
    autobahn, bench, day, demo, parity, races, release, servers, simulate, soak, standins, targets,
    threads,
};
use xtask_kit::{browser, run, tools};

const USAGE: &str = "\
Usage: cargo xtask COMMAND

  test-all [--install] [--allow-missing] [--hosts all] [--only HOST,..]
           [--jobs N] [--times] [FILTER]
        Run the conformance suite on a few hosts and print one table.
        --install        install what a host needs (rustup, cargo, npm, apt-get as root)
        --allow-missing  do not fail because of a host that is not installed
        --hosts all      every host, and all else that must pass before a merge
        --hosts more     these, and what takes long: Autobahn, fuzzing, ThreadSanitizer, Miri
        --only           only these rows, by id or by family; --list prints them
        --jobs           how many rows run at a time: cores + 1 unless given
        --times          print how long each part took
        FILTER           only the cases whose name contains this

  parity [--last | what test-all takes]
        Run it on every host, or take the last run, and write what every host did under
        every rule: target/xtask/parity.html and, of a whole run, docs/parity.md.

  demo [--port N] [--no-open]
        Build the example for the browser; serve it and an echo server on loopback.

  apps [--install] [--lints] [APP ..]
        Build, run and test the programs in `apps`: all, or the named ones. Those with a
        window run on a display that nobody sees, those for pages in Chromium.
        --install        install what they need
        --lints          also run clippy on them, for desktops and for pages

  bench native [--quick] [--only WORKLOAD|CLIENT,..]
        Compare isosocket with other clients; tables and pictures in
        target/xtask/bench.
        --quick          few rounds, no size of programs: two minutes
        --only           only these workloads (ping, send-32, compression, size,
                         build ..)
                         and clients

  bench web [--quick] [--install] [--only WORKLOAD|CLIENT|BROWSER,..]
        The same in Chromium, and in Firefox where it is installed.
        --install        install what it needs

  bench queues
        Compare our queues between threads with async-channel: time and memory.

  autobahn
        Run the Autobahn Testsuite's 517 cases, plain and over TLS.

  servers [--install]
        Talk compressed with servers that are not ours: ws and websockets.

  day desktop|chromium|firefox [--long] [--install] [FILTER]
        Run a chat through twelve things that happen to an app in a day, over a network
        that fails. `--long`: with a minute of sleep and two minutes in a hidden tab.

  size [--install]
        Build small pages and compare how many bytes they load with their budgets.

  size native
        The same for the least native program: its bytes, and of how many crates it is.

  simulate [--seeds N] [--from K] [--replay SEED]
        Run the whole client in simulated time, against a model of a network and a
        peer. One seed is one run; `--replay` prints everything that happens in one.

  soak [--minutes N] [--sockets N] [--every SECONDS] [--period MS] [--short]
        Keep 10,000 sockets busy for an hour, with faults and reconnects, and check that
        memory, descriptors and threads stay flat. Samples and a picture are in
        target/xtask/soak.
        --every          the time between two samples: 10 s
        --period         the time between two messages of a socket: 10,000 ms
        --short          500 sockets for a minute, a sample a second

  standins [--install] [FILTER]
        Run the web backend in Node on stand-ins for WebSocket that are not ours: ws,
        websocket, jsdom, mock-socket, MSW and Playwright.

  fuzz [--minutes N] [--target T] [--coverage]
        Run the fuzz targets, each for a minute or for N. `--coverage` prints how much
        of the engine the inputs of all runs so far reach.

  mutants [--again] [--unit|--suite] [--jobs N] [--list] [FILE ..]
        Put small faults into core and the native backend, one at a time, and run the
        tests that come there: in all files, or in those whose path begins so.
        --again          only those that no test noticed last time
        --unit, --suite  only with unit tests, or with the conformance suite, too

  races loom|tsan|miri [--install] [FILTER]
        Look for faults between threads. loom: models of what threads share, in every
        order of the threads. tsan: the native tests with ThreadSanitizer. miri: the
        tests of core and of the engine, interpreted.

  threads node|chromium [--install] [FILTER]
        Run the cases of sockets that are used from two threads, on wasm with
        atomics. Needs one certain nightly, and builds its standard library.

  targets [--install] [FILTER]
        Check whether the library compiles, without a warning, for systems that no
        machine here can run: macOS, iOS, Windows, Android, FreeBSD, NetBSD, Emscripten.

  release [--install]
        Check whether the crates are ready to be published: packages, features,
        licences. Nothing is uploaded.

  tidy
        Check the structural rules of the repository.
";

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let command = arguments.next();
    let rest: Vec<String> = arguments.collect();
    let is_help = |word: &str| ["help", "--help", "-h"].contains(&word);
    let outcome = match command.as_deref() {
        Some(word) if is_help(word) || rest.iter().any(|word| is_help(word)) => {
            print!("{USAGE}");
            Ok(true)
        }
        Some("test-all") => suite::main(&rest),
        Some("parity") => parity::main(&rest),
        Some("bench") => bench::main("bench", &rest),
        Some("demo") => demo::main(&rest),
        Some("apps") => apps::main(&rest),
        Some("autobahn") => autobahn::main(&rest),
        Some("servers") => servers::main(&rest),
        Some("day") => day::main(&rest),
        Some("size") => bench::main("size", &rest),
        Some("simulate") => simulate::main(&rest),
        Some("soak") => soak::main(&rest),
        Some("fuzz") => commands::fuzz::main(&rest),
        Some("mutants") => commands::mutants::main(&rest),
        Some("races") => races::main(&rest),
        Some("standins") => standins::main(&rest),
        Some("targets") => targets::main(&rest),
        Some("threads") => threads::main(&rest),
        Some("release") => release::main(&rest),
        Some("tidy") => tidy::main(&rest),
        Some(other) => Err(format!("there is no command `{other}`\n\n{USAGE}")),
        None => Err(format!("which command?\n\n{USAGE}")),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(reason) => {
            eprintln!("xtask: {}", reason.trim_end());
            ExitCode::from(2)
        }
    }
}

/// Arguments as the shell would split them.
#[cfg(test)]
fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}
