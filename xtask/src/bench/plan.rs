//! What `cargo xtask bench native` measures, and how often.
//!
//! Invariant: the plan knows no client but the floor; all get the same.

use crate::bench::Options;

/// The client that all others are compared with.
pub const FLOOR: &str = "raw";

/// What all workloads of compression are called together.
const COMPRESSION: &str = "compression";

/// What the sizes of programs are called.
pub const SIZE: &str = "size";

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
        if client.is_for_compression != self.is_for_compression() && client.id != FLOOR {
            return false;
        }
        let too_many = client.has_thread_each && self.number > MOST_THREADS;
        self.kind != Kind::Crowd || (client.id != FLOOR && !too_many)
    }

    /// Whether compression is agreed on, by clients that offer it.
    pub fn is_for_compression(&self) -> bool {
        let prefixes = ["small-", "feed-", "noise-"];
        prefixes
            .iter()
            .any(|prefix| self.workload.starts_with(prefix))
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
    ("feed-ping", &[151], Kind::Latency, 3, 200),
    ("feed-send", &[151, 64 << 10], Kind::Rate, 3, 200),
    ("feed-receive", &[151, 64 << 10], Kind::Rate, 3, 200),
    ("noise-send", &[64 << 10], Kind::Rate, 3, 200),
    ("small-ping", &[32], Kind::Latency, 5, 200),
    ("small-send", &[32], Kind::Rate, 5, 200),
    ("small-receive", &[32], Kind::Rate, 5, 200),
    ("feed-crowd", &[1_000], Kind::Crowd, 1, 500),
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
        names.contains(&step.id())
            || names.iter().any(|name| name == step.workload)
            || (step.is_for_compression() && names.iter().any(|name| name == COMPRESSION))
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
        if !is_workload
            && ![SIZE, COMPRESSION].contains(&name.as_str())
            && !all.iter().any(|client| client.id == *name)
        {
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
    /// Whether it is one for the workloads of compression, and for them alone.
    pub is_for_compression: bool,
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
            is_for_compression: id.ends_with("deflate"),
        };
        let ids = ["raw", "isosocket", "yawc", "yawc-deflate"];
        ids.map(client).into()
    }

    #[test]
    fn compression_is_measured_in_clients_of_its_own() {
        let steps = steps(&only(&["compression", "ping-32"]));
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
        assert_eq!(clients.len(), 4);
        assert!(steps(&Options::default()).len() > 10);
    }
}
