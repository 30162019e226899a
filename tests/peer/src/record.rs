//! What the peer saw of each connection, kept for the suite to ask for.
//!
//! Invariant: a record is complete once it is marked done, which happens last,
//! after the socket is closed; its size is bounded whatever a client sends.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use crate::frame::{Head, op};
use crate::request::Request;

/// How much of one payload is kept, in bytes.
pub(crate) const MAX_PAYLOAD: usize = 4096;
/// How much of all payloads of a connection is kept, in bytes.
const MAX_PAYLOADS: usize = 512 * 1024;
/// How many frames of a connection are kept; the rest is only counted.
const MAX_FRAMES: usize = 10_000;
/// How many connections are kept; the oldest go first.
const MAX_CONNECTIONS: usize = 4096;

/// Every record with an id, in the order the requests came.
#[derive(Default)]
pub(crate) struct Store {
    entries: Mutex<Vec<(String, Arc<Mutex<Entry>>)>>,
    changed: Condvar,
    /// How many connections took turns so far, by what they have in common.
    turns: Mutex<HashMap<String, usize>>,
    /// The ids whose connections may pass their gate.
    open_gates: Mutex<HashSet<String>>,
    gate_opened: Condvar,
}

/// What was seen of one connection.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) request: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) tls: bool,
    /// Whether the peer sent its 101.
    pub(crate) accepted: bool,
    frames: Vec<Seen>,
    frame_count: u64,
    kept: usize,
    /// Whether every frame so far was masked.
    masked: bool,
    /// Bytes that came where no frame could: no 101 was sent.
    pub(crate) extra: u64,
    /// Whether the stream ended inside a frame.
    pub(crate) partial: bool,
    pub(crate) sent_frames: u64,
    pub(crate) sent_bytes: u64,
    /// How the client ended TCP, and how the peer did: `fin` or `rst`.
    pub(crate) client_end: Option<&'static str>,
    pub(crate) peer_end: Option<&'static str>,
    first: Option<&'static str>,
    pub(crate) timeout: bool,
    pub(crate) error: Option<String>,
    duration: Option<Duration>,
}

/// A frame as it was received.
struct Seen {
    at: Duration,
    after: u64,
    head: Head,
    payload: Vec<u8>,
    hash: u64,
}

/// The writing end of a record; dropping it marks the record done.
pub(crate) struct Recorder {
    store: Arc<Store>,
    entry: Arc<Mutex<Entry>>,
    start: Instant,
}

impl Recorder {
    /// A record that can be asked for if the request has an id and `keep`.
    pub(crate) fn new(store: &Arc<Store>, request: &Request, tls: bool, keep: bool) -> Recorder {
        let entry = Entry {
            request: request.line.clone(),
            headers: request.headers.clone(),
            tls,
            masked: true,
            ..Entry::default()
        };
        let (store, entry) = (store.clone(), Arc::new(Mutex::new(entry)));
        if let Some(id) = request.parameter("id").filter(|_| keep) {
            let mut entries = lock(&store.entries);
            if entries.len() >= MAX_CONNECTIONS {
                entries.remove(0);
            }
            entries.push((id.to_owned(), entry.clone()));
            store.changed.notify_all();
        }
        Recorder {
            store,
            entry,
            start: Instant::now(),
        }
    }

    pub(crate) fn entry(&self) -> MutexGuard<'_, Entry> {
        lock(&self.entry)
    }

    /// Notes a frame that has arrived whole.
    pub(crate) fn frame(&self, head: Head, payload: &[u8], hash: u64) {
        let mut entry = self.entry();
        entry.frame_count += 1;
        entry.masked &= head.mask.is_some();
        if entry.frames.len() < MAX_FRAMES {
            // A control frame's few bytes are always kept: they are what is asked for.
            let room = match head.op >= 8 {
                true => MAX_PAYLOAD,
                false => MAX_PAYLOADS.saturating_sub(entry.kept),
            };
            let payload = payload[..payload.len().min(MAX_PAYLOAD).min(room)].to_vec();
            entry.kept += payload.len();
            let (at, after) = (self.start.elapsed(), entry.sent_frames);
            entry.frames.push(Seen {
                at,
                after,
                head,
                payload,
                hash,
            });
        }
    }

    /// Notes that the client ended TCP.
    pub(crate) fn client_ended(&self, how: &'static str) {
        let mut entry = self.entry();
        entry.client_end.get_or_insert(how);
        entry.first.get_or_insert("client");
    }

    /// Notes that the peer ended TCP.
    pub(crate) fn peer_ended(&self, how: &'static str) {
        let mut entry = self.entry();
        entry.peer_end = Some(how);
        entry.first.get_or_insert("peer");
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.entry().duration = Some(self.start.elapsed());
        // The lock makes sure that nobody is between looking and waiting.
        drop(lock(&self.store.entries));
        self.store.changed.notify_all();
    }
}

impl Store {
    /// Takes a turn: how many connections came before with the same `turn`, or else with
    /// the same id.
    pub(crate) fn turn(&self, request: &Request) -> usize {
        let key = request
            .parameter("turn")
            .or_else(|| request.parameter("id"));
        let Some(key) = key else { return 0 };
        let mut turns = lock(&self.turns);
        let turn = turns.entry(key.to_owned()).or_default();
        *turn += 1;
        *turn - 1
    }

    /// Waits until the gate of this id is open, at most for `limit`.
    pub(crate) fn wait_for_gate(&self, id: &str, limit: Duration) {
        let gates = lock(&self.open_gates);
        let is_closed = |open: &mut HashSet<String>| !open.contains(id);
        // Whether it has opened or not, what follows goes on.
        drop(self.gate_opened.wait_timeout_while(gates, limit, is_closed));
    }

    /// Lets the connections with this id pass their gate, those of now and of later.
    pub(crate) fn open_gate(&self, id: &str) {
        lock(&self.open_gates).insert(id.to_owned());
        self.gate_opened.notify_all();
    }

    /// The records of an id as JSON, as soon as there are `count` and all are
    /// done, at the latest after `wait`.
    pub(crate) fn wait(&self, id: &str, count: usize, wait: Duration) -> String {
        let deadline = Instant::now() + wait;
        let mut entries = lock(&self.entries);
        loop {
            let found: Vec<_> = entries.iter().filter(|(known, _)| known == id).collect();
            let done = |entry: &Arc<Mutex<Entry>>| lock(entry).duration.is_some();
            let complete = found.len() >= count && found.iter().all(|(_, entry)| done(entry));
            let left = deadline.saturating_duration_since(Instant::now());
            if complete || left.is_zero() {
                let all: Vec<_> = found
                    .iter()
                    .map(|(_, entry)| lock(entry).to_json())
                    .collect();
                let id = quote(id);
                let all = all.join(",");
                return format!("{{\"id\":{id},\"complete\":{complete},\"connections\":[{all}]}}");
            }
            entries = match self.changed.wait_timeout(entries, left) {
                Ok((entries, _)) => entries,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }
}

impl Entry {
    fn to_json(&self) -> String {
        let pair = |(name, value): &(String, String)| format!("[{},{}]", quote(name), quote(value));
        let headers: Vec<_> = self.headers.iter().map(pair).collect();
        let frames: Vec<_> = self.frames.iter().map(Seen::to_json).collect();
        let text = |text: Option<&str>| text.map_or("null".to_owned(), quote);
        let mut out = String::new();
        let mut put = |name: &str, value: &str| {
            let comma = if out.is_empty() { "" } else { "," };
            let _ = write!(out, "{comma}\"{name}\":{value}");
        };
        put("request", &quote(&self.request));
        put("headers", &format!("[{}]", headers.join(",")));
        put("tls", &self.tls.to_string());
        put("accepted", &self.accepted.to_string());
        put("frames", &format!("[{}]", frames.join(",")));
        put("frame_count", &self.frame_count.to_string());
        put("all_masked", &self.masked.to_string());
        put("partial", &self.partial.to_string());
        put("extra", &self.extra.to_string());
        put("sent_frames", &self.sent_frames.to_string());
        put("sent_bytes", &self.sent_bytes.to_string());
        put("client_end", &text(self.client_end));
        put("peer_end", &text(self.peer_end));
        put("first_end", &text(self.first));
        put("timeout", &self.timeout.to_string());
        put("error", &text(self.error.as_deref()));
        put("done", &self.duration.is_some().to_string());
        put(
            "ms",
            &self.duration.unwrap_or_default().as_millis().to_string(),
        );
        format!("{{{out}}}")
    }
}

impl Seen {
    fn to_json(&self) -> String {
        let Head {
            fin,
            rsv,
            op,
            mask,
            len,
            ..
        } = self.head;
        let mut out = format!(
            "{{\"at\":{},\"after\":{},\"fin\":{fin},\"rsv\":{rsv},\"op\":{op},\"mask\":{},\
             \"len\":{len},\"minimal\":{},\"payload\":\"{}\",\"hash\":\"{:016x}\"",
            self.at.as_millis(),
            self.after,
            mask.map_or("null".to_owned(), |key| format!("\"{}\"", hex(&key))),
            self.head.is_minimal(),
            hex(&self.payload),
            self.hash
        );
        if op == op::TEXT && self.payload.len() as u64 == len {
            if let Ok(text) = std::str::from_utf8(&self.payload) {
                let _ = write!(out, ",\"text\":{}", quote(text));
            }
        }
        if op == op::CLOSE && self.payload.len() >= 2 {
            let code = u16::from_be_bytes([self.payload[0], self.payload[1]]);
            let reason = quote(&String::from_utf8_lossy(&self.payload[2..]));
            let _ = write!(out, ",\"code\":{code},\"reason\":{reason}");
        }
        out + "}"
    }
}

/// The start value of `hash`.
pub(crate) const HASH_START: u64 = 0xcbf2_9ce4_8422_2325;

/// Goes on with a hash (FNV-1a, 64 bits), which stands for payloads too large
/// to be kept.
pub(crate) fn hash(start: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(start, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    })
}

/// Locks even what a panicking thread held: a record is plain data.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

fn quote(text: &str) -> String {
    let mut out = String::from('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(character));
            }
            _ => out.push(character),
        }
    }
    out.push('"');
    out
}
