//! What `cargo xtask bench native` measures, and how often.
//!
//! Invariant: the plan knows no client but the floor; all get the same.

use crate::bench::Options;

/// The client that all others are compared with.
pub const FLOOR: &str = "raw";

/// A workload with one number, in all clients.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    pub workload: &'static str,
    /// Bytes, sockets or calls.
    pub number: usize,
    /// How often each client is measured, in turn with the others.
    pub rounds: usize,
    pub milliseconds: u64,
    pub kind: Kind,
}

/// What the figures of a step mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Time for one round trip: less is better.
    Latency,
    /// Messages in a time: more is better.
    Rate,
    /// Memory, threads and the like.
    Crowd,
}

impl Step {
    /// What it is called with `--only` and in results: `ping-32`.
    pub fn id(&self) -> String {
        format!("{}-{}", self.workload, self.number)
    }

    /// Whether there is something to measure. What raw sockets cost many times
    /// over is the kernel's, and not in a process's memory; and ten thousand
    /// threads that wake up by themselves stop the machine.
    pub fn concerns(&self, client: &Client) -> bool {
        let too_many = client.has_thread_each && self.number > MOST_THREADS;
        self.kind != Kind::Crowd || (client.id != FLOOR && !too_many)
    }

    /// Whether the client's threads may use every core: a constructor that
    /// hands its work to another thread is measured without that work.
    pub fn is_unpinned(&self) -> bool {
        self.workload == "construct"
    }
}

/// Every step, with (workload, numbers, kind, rounds, milliseconds).
const STEPS: &[(&str, &[usize], Kind, usize, u64)] = &[
    ("ping", &[32, 1 << 10, 64 << 10], Kind::Latency, 5, 300),
    ("paced", &[32], Kind::Latency, 3, 500),
    ("pair", &[32], Kind::Latency, 3, 300),
    ("send", &[32, 1 << 10, 1 << 20], Kind::Rate, 5, 300),
    ("receive", &[32, 1 << 10, 1 << 20], Kind::Rate, 5, 300),
    ("construct", &[400], Kind::Latency, 3, 0),
    ("crowd", &[100, 1_000, 10_000], Kind::Crowd, 1, 1_500),
];

/// More sockets than this are not for clients with a thread for each.
const MOST_THREADS: usize = 1_000;

/// More sockets than this are not for a first impression.
const QUICK_CROWD: usize = 1_000;

/// The steps that the options leave.
pub fn steps(options: &Options) -> Vec<Step> {
    let mut steps = Vec::new();
    for &(workload, numbers, kind, rounds, milliseconds) in STEPS {
        for &number in numbers {
            steps.push(Step {
                workload,
                number,
                rounds: if options.quick { rounds.min(2) } else { rounds },
                milliseconds: if options.quick {
                    milliseconds / 2
                } else {
                    milliseconds
                },
                kind,
            });
        }
    }
    if options.quick {
        steps.retain(|step| step.kind != Kind::Crowd || step.number <= QUICK_CROWD);
    }
    let named = |step: &Step| {
        let names = &options.only;
        names.contains(&step.id()) || names.iter().any(|name| name == step.workload)
    };
    if steps.iter().any(named) {
        steps.retain(named);
    }
    steps
}

/// The clients that the options leave; the floor is always one.
///
/// # Errors
/// A name that is neither a client's nor a workload's.
pub fn clients<'a>(options: &Options, all: &'a [Client]) -> Result<Vec<&'a Client>, String> {
    let everything = steps(&Options::default());
    for name in &options.only {
        let is_workload = everything
            .iter()
            .any(|step| step.id() == *name || step.workload == name);
        if !is_workload && name != "size" && !all.iter().any(|client| client.id == *name) {
            return Err(format!("there is no workload and no client `{name}`"));
        }
    }
    let named = |client: &Client| options.only.contains(&client.id);
    let some = all.iter().any(named);
    let wanted = |client: &&Client| !some || named(client) || client.id == FLOOR;
    Ok(all.iter().filter(wanted).collect())
}

/// A client, as the bench binary lists it.
#[derive(Clone, Debug)]
pub struct Client {
    pub id: String,
    pub name: String,
    /// Whether each socket has a thread of its own.
    pub has_thread_each: bool,
}

#[cfg(test)]
mod tests {
    use super::{Client, clients, steps};
    use crate::bench::Options;

    fn only(names: &[&str]) -> Options {
        Options {
            quick: false,
            only: names.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn all() -> Vec<Client> {
        let client = |id: &str| Client {
            id: id.to_owned(),
            name: id.to_owned(),
            has_thread_each: false,
        };
        vec![client("raw"), client("isosocket"), client("yawc")]
    }

    #[test]
    fn names_of_workloads_and_of_clients_may_be_mixed() {
        let options = only(&["ping", "send-32", "yawc"]);
        let ids: Vec<String> = steps(&options).iter().map(super::Step::id).collect();
        assert_eq!(ids, ["ping-32", "ping-1024", "ping-65536", "send-32"]);
        let all = all();
        let clients = clients(&options, &all).expect("all names are known");
        let ids: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
        assert_eq!(ids, ["raw", "yawc"]);
    }

    #[test]
    fn a_name_that_nobody_has_is_an_error() {
        assert!(clients(&only(&["pingg"]), &all()).is_err());
    }

    #[test]
    fn without_names_everything_is_measured() {
        let all = all();
        let clients = clients(&Options::default(), &all).expect("no names");
        assert_eq!(clients.len(), 3);
        assert!(steps(&Options::default()).len() > 10);
    }
}
