//! `cargo xtask soak`: thousands of sockets in one process, for minutes or hours.
//!
//! Invariant: the peer and the client are processes of their own, each with as many
//! descriptors as the system allows.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::positive;
use crate::run::process::{Invocation, Job};
use crate::run::{progress, workspace};

const PACKAGES: [&str; 2] = ["isosocket-peer", "isosocket-soak"];
const BUILD_LIMIT: Duration = Duration::from_secs(30 * 60);
/// The peer makes certificates before it listens.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long the client may take for the end of its sockets.
const END_LIMIT: Duration = Duration::from_secs(10 * 60);

/// What a run is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    minutes: u64,
    sockets: u64,
    /// Seconds between two samples.
    every: u64,
    /// Milliseconds between two messages of a socket.
    period: u64,
}

const WHOLE: Plan = Plan {
    minutes: 60,
    sockets: 10_000,
    every: 10,
    period: 10_000,
};

/// A row of test-all: as many messages and connections a second, on fewer sockets.
const SHORT: Plan = Plan {
    minutes: 1,
    sockets: 500,
    every: 1,
    period: 500,
};

fn parse(arguments: &[String]) -> Result<Option<Plan>, String> {
    let mut plan = WHOLE;
    let mut rest = arguments.iter().map(String::as_str);
    while let Some(argument) = rest.next() {
        let number = match argument {
            "build" => return Ok(None),
            "--short" => {
                plan = SHORT;
                continue;
            }
            "--minutes" => &mut plan.minutes,
            "--sockets" => &mut plan.sockets,
            "--every" => &mut plan.every,
            "--period" => &mut plan.period,
            other => return Err(format!("soak knows no `{other}`")),
        };
        *number = positive(argument, &mut rest)?;
    }
    Ok(Some(plan))
}

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let plan = parse(arguments)?;
    let folder = workspace::folder("target/xtask/soak")?;
    let log = folder.join("soak.log");
    workspace::empty(&log)?;
    let packages = PACKAGES.iter().flat_map(|package| ["--package", package]);
    let build = Invocation::cargo()
        .args(["build", "--release"])
        .args(packages);
    progress::run_or_show("building for the soak", &build, &log, BUILD_LIMIT)?;
    let Some(plan) = plan else { return Ok(true) };
    let (_peer, ports) = start_peer(&folder, &log)?;
    let said = folder.join("soak.txt");
    let seconds = plan.minutes * 60;
    let numbers = [plan.sockets, seconds, plan.every, plan.period];
    let client = with_descriptors(PACKAGES[1])
        .args(ports.map(|port| port.to_string()))
        .args(numbers.map(|number| number.to_string()))
        .arg(&folder)
        .env("SSL_CERT_FILE", folder.join("ca.pem"))
        .stdout_to(&said);
    let title = format!("{} sockets for {} min", plan.sockets, plan.minutes);
    let limit = Duration::from_secs(seconds) + END_LIMIT;
    let result = progress::run(&title, &client, &log, limit);
    print!("{}", fs::read_to_string(&said).unwrap_or_default());
    println!(
        "the picture: {}",
        workspace::relative(&folder.join("soak.svg"))
    );
    if result.is_err() {
        progress::show_tail(&log);
    }
    Ok(result.is_ok())
}

/// Starts the peer: its plain port, its port for TLS, and one where nobody listens.
fn start_peer(folder: &Path, log: &Path) -> Result<(Job, [u16; 3]), String> {
    let said = folder.join("peer.txt");
    let mut job = with_descriptors(PACKAGES[0])
        .args(["--ca"])
        .arg(folder)
        .stdout_to(&said)
        .spawn(log)?;
    let deadline = Instant::now() + START_LIMIT;
    loop {
        let line = fs::read_to_string(&said).unwrap_or_default();
        if let Some(ports) = ports(&line) {
            return Ok((job, ports));
        }
        if !job.is_running() || Instant::now() > deadline {
            return Err("the peer did not start".to_owned());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// The ports in what the peer prints first: its address, and all ports as JSON.
fn ports(line: &str) -> Option<[u16; 3]> {
    let (_, json) = line.lines().next()?.split_once(' ')?;
    let ports: serde_json::Value = serde_json::from_str(json).ok()?;
    let port = |name: &str| u16::try_from(ports[name].as_u64()?).ok();
    Some([port("plain")?, port("tls")?, port("refused")?])
}

/// One of the programs, with as many descriptors as the system allows.
fn with_descriptors(program: &str) -> Invocation {
    let binary = workspace::root().join("target/release").join(program);
    Invocation::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
        .arg(binary)
}

#[cfg(test)]
mod tests {
    use super::{Plan, SHORT, WHOLE, parse, ports};
    use crate::words;

    #[test]
    fn arguments_change_a_plan() {
        let parse = |text: &str| parse(&words(text));
        assert_eq!(parse(""), Ok(Some(WHOLE)));
        assert_eq!(parse("--short"), Ok(Some(SHORT)));
        let plan = Plan {
            minutes: 5,
            sockets: 7,
            ..WHOLE
        };
        assert_eq!(parse("--minutes 5 --sockets 7"), Ok(Some(plan)));
        assert_eq!(parse("build"), Ok(None));
        assert!(parse("--minutes 0").is_err() && parse("--minutes").is_err());
        assert!(parse("7").is_err());
    }

    #[test]
    fn the_peers_first_line_has_its_ports() {
        let line = "ws://127.0.0.1:5/ {\"plain\":5,\"tls\":6,\"tls_stall\":1,\"refused\":9}\nx: y";
        assert_eq!(ports(line), Some([5, 6, 9]));
        assert_eq!(ports("ws://127.0.0.1:5/ {\"plain\":5,"), None);
    }
}
