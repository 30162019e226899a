//! What `cargo xtask bench` measures, natively and in browsers, and how often.
//!
//! Invariant: the plan knows no client but the floor; all get the same.

use crate::Options;
pub use crate::workloads::{NATIVE, WEB};

/// The client that all others are compared with.
pub const FLOOR: &str = "raw";

/// What all workloads of compression are called together.
pub const COMPRESSION: &str = "compression";

/// What the sizes of programs are called.
pub const SIZE: &str = "size";

/// What the times of their builds are called.
pub const BUILD: &str = "build";

/// One thing that all clients do, and the words for it.
#[derive(Debug, PartialEq)]
pub struct Workload {
    pub name: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub kind: Kind,
    /// Bytes, sockets or calls.
    pub numbers: &'static [usize],
    /// How often each client is measured, in turn with the others.
    pub rounds: usize,
    /// For how long, each time.
    pub milliseconds: u64,
}

/// A workload with one number, in all clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub workload: &'static Workload,
    pub number: usize,
    pub rounds: usize,
    pub milliseconds: u64,
}

/// What the figures of a step mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Time for one round trip: less is better.
    Latency,
    /// Messages in a time: more is better.
    Rate,
    /// Time that a client adds to the floor's, for each message.
    Added,
    /// Memory, threads and the like.
    Crowd,
}

impl Step {
    /// What it is called with `--only` and in results: `ping-32`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.workload.name, self.number)
    }

    pub fn kind(&self) -> Kind {
        self.workload.kind
    }

    /// Whether there is something to measure. What raw sockets cost many times
    /// over is the kernel's, and not in a process's memory; and ten thousand
    /// threads that wake up by themselves stop the machine.
    pub fn concerns(&self, client: &Client) -> bool {
        if client.is_for_compression != self.is_for_compression() && client.id != FLOOR {
            return false;
        }
        let too_many = client.has_thread_each && self.number > MOST_THREADS;
        self.kind() != Kind::Crowd || (client.id != FLOOR && !too_many)
    }

    /// Whether compression is agreed on, by clients that offer it.
    pub fn is_for_compression(&self) -> bool {
        let prefixes = ["small-", "feed-", "noise-"];
        prefixes
            .iter()
            .any(|prefix| self.workload.name.starts_with(prefix))
    }

    /// Whether the client's threads may use every core: a constructor that
    /// hands its work to another thread is measured without that work.
    pub fn is_unpinned(&self) -> bool {
        self.workload.name == "construct"
    }
}

/// More sockets than this are not for clients with a thread for each.
const MOST_THREADS: usize = 1_000;

/// More sockets than this are not for a first impression.
const QUICK_CROWD: usize = 1_000;

/// The steps that the options leave.
pub fn steps(options: &Options, workloads: &'static [Workload]) -> Vec<Step> {
    let mut steps = Vec::new();
    for workload in workloads {
        let (rounds, milliseconds) = match options.quick {
            true => (workload.rounds.min(2), workload.milliseconds / 2),
            false => (workload.rounds, workload.milliseconds),
        };
        steps.extend(workload.numbers.iter().map(|&number| Step {
            workload,
            number,
            rounds,
            milliseconds,
        }));
    }
    if options.quick {
        steps.retain(|step| step.kind() != Kind::Crowd || step.number <= QUICK_CROWD);
    }
    let named = |step: &Step| {
        let names = &options.only;
        names.contains(&step.id())
            || names.iter().any(|name| name == step.workload.name)
            || (step.is_for_compression() && names.iter().any(|name| name == COMPRESSION))
    };
    if steps.iter().any(named) {
        steps.retain(named);
    }
    steps
}

/// The clients that the options leave; the floor is always one.
pub fn clients<'a>(options: &Options, all: &'a [Client]) -> Vec<&'a Client> {
    let named = |client: &Client| options.only.contains(&client.id);
    let some = all.iter().any(named);
    let wanted = |client: &&Client| !some || named(client) || client.id == FLOOR;
    all.iter().filter(wanted).collect()
}

/// Checks the names that the options have.
///
/// # Errors
/// A name that is neither a client's nor a workload's nor one of the others.
pub fn check(
    options: &Options,
    all: &[Client],
    workloads: &'static [Workload],
    others: &[&str],
) -> Result<(), String> {
    let everything = steps(&Options::default(), workloads);
    for name in &options.only {
        let is_workload = everything
            .iter()
            .any(|step| step.id() == *name || step.workload.name == name);
        let is_client = all.iter().any(|client| client.id == *name);
        if !is_workload && !is_client && !others.contains(&name.as_str()) {
            return Err(format!("there is no workload and no client `{name}`"));
        }
    }
    Ok(())
}

/// A client, as the bench binary or the bench page lists it.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub name: String,
    /// Whether each socket has a thread of its own.
    pub has_thread_each: bool,
    /// Whether it is one for the workloads of compression, and for them alone.
    pub is_for_compression: bool,
}

#[cfg(test)]
mod tests {
    use super::{Client, NATIVE, SIZE, WEB, check, clients, steps};
    use crate::Options;

    fn only(names: &[&str]) -> Options {
        Options {
            only: names.iter().map(|name| (*name).to_owned()).collect(),
            ..Options::default()
        }
    }

    fn all() -> Vec<Client> {
        let client = |id: &str| Client {
            id: id.to_owned(),
            name: id.to_owned(),
            has_thread_each: false,
            is_for_compression: id.ends_with("deflate"),
        };
        let ids = ["raw", "isosocket", "yawc", "yawc-deflate"];
        ids.map(client).into()
    }

    #[test]
    fn compression_is_measured_in_clients_of_its_own() {
        let steps = steps(&only(&["compression", "ping-32"]), NATIVE);
        let concerned = |step: &super::Step| -> Vec<String> {
            let all = all();
            let clients = all.iter().filter(|client| step.concerns(client));
            clients.map(|client| client.id.clone()).collect()
        };
        assert_eq!(concerned(&steps[0]), ["raw", "isosocket", "yawc"]);
        assert!(steps.len() > 5);
        for step in &steps[1..] {
            assert_eq!(
                concerned(step).last().map(String::as_str),
                Some("yawc-deflate")
            );
        }
    }

    #[test]
    fn names_of_workloads_and_of_clients_may_be_mixed() {
        let options = only(&["ping", "send-32", "yawc"]);
        let ids: Vec<String> = steps(&options, NATIVE)
            .iter()
            .map(super::Step::id)
            .collect();
        assert_eq!(ids, ["ping-32", "ping-1024", "ping-65536", "send-32"]);
        let all = all();
        assert_eq!(check(&options, &all, NATIVE, &[]), Ok(()));
        let ids: Vec<&str> = clients(&options, &all)
            .iter()
            .map(|client| client.id.as_str())
            .collect();
        assert_eq!(ids, ["raw", "yawc"]);
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error() {
        assert!(check(&only(&["pingg"]), &all(), NATIVE, &[SIZE]).is_err());
        assert!(check(&only(&["size"]), &all(), NATIVE, &[SIZE]).is_ok());
        assert!(check(&only(&["crowd"]), &all(), WEB, &[]).is_err());
    }

    #[test]
    fn without_names_everything_is_measured() {
        assert_eq!(clients(&Options::default(), &all()).len(), 4);
        for workloads in [NATIVE, WEB] {
            assert!(steps(&Options::default(), workloads).len() > 10);
        }
    }
}
