//! What a process of this crate is asked to do, and what it answers.
//!
//! Invariant: one process measures one client with one workload.

use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};

use isosocket_bench_server::content::{Content, Payloads};

pub type Error = Box<dyn std::error::Error + Send + Sync>;
pub type Outcome<T> = Result<T, Error>;

/// How many sockets are on their way to be opened at a time.
pub const IN_FLIGHT: usize = 64;

/// The payload of what is sent by sockets that have nothing to say.
const SMALL: usize = 32;

/// One measurement.
#[derive(Clone, Debug)]
pub struct Job {
    pub content: Content,
    pub workload: Workload,
    /// The server, as `host:port`.
    pub server: String,
    /// For how long to measure, warming up not included.
    pub budget: Duration,
}

/// What all clients do alike.
#[derive(Clone, Copy, Debug)]
pub enum Workload {
    /// Send one message of this many bytes, wait for its echo, again.
    Ping(usize),
    /// The same after a pause of 3 ms each.
    Paced(usize),
    /// Send two messages back to back, wait for the answer to both, again.
    Pair(usize),
    /// Send messages of this size one by one, until the server has them all.
    Send(usize),
    /// Receive messages of this size that the server sends at once.
    Receive(usize),
    /// Open this many sockets, use each once, and be idle.
    Crowd(usize),
    /// How long the constructor's call takes.
    Construct(usize),
}

impl Workload {
    pub fn parse(name: &str, number: usize) -> Option<Self> {
        Some(match name {
            "ping" => Workload::Ping(number),
            "paced" => Workload::Paced(number),
            "pair" => Workload::Pair(number),
            "send" => Workload::Send(number),
            "receive" => Workload::Receive(number),
            "crowd" => Workload::Crowd(number),
            "construct" => Workload::Construct(number),
            _ => return None,
        })
    }

    /// Whether the server counts the bytes of the messages.
    pub fn is_counted(self) -> bool {
        matches!(self, Workload::Send(_) | Workload::Receive(_))
    }

    /// Where the server does its part.
    fn path(self) -> &'static str {
        match self {
            Workload::Ping(_) | Workload::Paced(_) => "echo",
            Workload::Pair(_) | Workload::Send(_) => "swallow",
            Workload::Receive(_) => "blast",
            Workload::Crowd(_) | Workload::Construct(_) => "crowd",
        }
    }
}

impl Job {
    pub fn url(&self) -> String {
        let (content, path) = (self.content.prefix(), self.workload.path());
        format!("ws://{}/{content}{path}", self.server)
    }

    /// The messages of this size.
    pub fn payloads(&self, size: usize) -> Payloads {
        Payloads::new(self.content, size)
    }

    /// The message of a socket that has nothing to say.
    pub fn small(&self) -> Bytes {
        let size = match self.content {
            Content::Plain | Content::Small => SMALL,
            Content::Feed | Content::Noise => 10 * SMALL,
        };
        self.content.first(size)
    }
}

/// What was measured.
#[derive(Debug)]
pub enum Measured {
    /// Nanoseconds for each operation: one value for each batch, or for each
    /// operation where they were measured one by one.
    Nanoseconds(Vec<f64>),
    Crowd(Crowd),
    /// This client has no such thing.
    NotApplicable(&'static str),
}

/// What many idle sockets cost.
#[derive(Debug)]
pub struct Crowd {
    pub sockets: usize,
    /// Bytes of resident memory for each socket beyond the first.
    pub bytes_each: f64,
    /// Threads in addition to the one that measures.
    pub threads: usize,
    pub opened_per_second: f64,
    /// Voluntary context switches of all those threads, for each second.
    pub wakeups_per_second: f64,
}

impl Measured {
    pub fn to_json(&self) -> Value {
        match self {
            Measured::Nanoseconds(samples) => json!({ "nanoseconds": samples }),
            Measured::NotApplicable(why) => json!({ "not_applicable": why }),
            Measured::Crowd(crowd) => json!({
                "sockets": crowd.sockets,
                "bytes_each": crowd.bytes_each,
                "threads": crowd.threads,
                "opened_per_second": crowd.opened_per_second,
                "wakeups_per_second": crowd.wakeups_per_second,
            }),
        }
    }
}
