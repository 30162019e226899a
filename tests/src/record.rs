//! What the peer saw of a connection: the bytes on the wire, where the other
//! cases look at events.

use serde_json::Value;

use crate::harness;
use crate::suite::{ensure, ensure_eq};

/// The peer's record of one connection.
#[derive(Debug)]
pub struct Record(Value);

/// A frame that the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The opcode.
    pub op: u64,
    /// The payload in hex, its first 4 KiB.
    pub payload: String,
    /// The length of the payload.
    pub len: u64,
    /// The mask's key in hex.
    pub mask: Option<String>,
    /// The code and reason of a Close frame with a body.
    pub close: Option<(u64, String)>,
    /// How many frames the peer had sent when it came.
    pub after: u64,
}

impl Frame {
    /// Whether it is text, binary or a continuation.
    pub fn is_data(&self) -> bool {
        self.op < 8
    }
}

/// How long the peer waits for connections to end, in milliseconds. A busy machine takes
/// long; a case has its own limit.
const WAIT: u32 = 50_000;

/// Lets the connections with this id begin whose path has `gate` in its query.
pub async fn open_gate(id: &str) -> Result<(), String> {
    harness::get(&format!("/open-gate?id={id}")).await.map(drop)
}

/// The records of all connections with this id, once `count` have ended.
pub async fn records(id: &str, count: usize) -> Result<Vec<Record>, String> {
    fetch(&format!("/record?id={id}&count={count}&wait={WAIT}")).await
}

/// The records of all connections with this id that there are by now.
pub async fn records_now(id: &str) -> Result<Vec<Record>, String> {
    fetch(&format!("/record?id={id}&when=now")).await
}

/// The record of the only connection with this id, once it has ended.
pub async fn record(id: &str) -> Result<Record, String> {
    let mut all = records(id, 1).await?;
    ensure_eq!(all.len(), 1, "connections");
    let record = all.remove(0);
    ensure!(
        record.0["done"] == true,
        "the client does not end the connection"
    );
    Ok(record)
}

/// The peer's ports, by name.
pub async fn ports() -> Result<Value, String> {
    let text = harness::get("/ports").await?;
    serde_json::from_str(&text).map_err(|error| format!("{error} in {text:?}"))
}

async fn fetch(path: &str) -> Result<Vec<Record>, String> {
    let text = harness::get(path).await?;
    let mut value: Value =
        serde_json::from_str(&text).map_err(|error| format!("{error} in {text:?}"))?;
    let Value::Array(all) = value["connections"].take() else {
        return Err(format!("no record: {text}"));
    };
    let all: Vec<Record> = all.into_iter().map(Record).collect();
    for record in &all {
        let value = &record.0;
        ensure!(value["error"].is_null(), "the peer refused: {value}");
        // Of every connection: RFC 6455, 5.2 and 5.3.
        ensure!(value["all_masked"] == true, "a frame without mask: {value}");
        let frames = value["frames"].as_array().map_or(&[][..], Vec::as_slice);
        // Where compression was accepted, RSV1 means something.
        let rsv1 = if record.request().contains("deflate") {
            4
        } else {
            0
        };
        for frame in frames {
            ensure!(frame["minimal"] == true, "a length too long: {frame}");
            let rsv = frame["rsv"].as_u64().unwrap_or(7);
            ensure!(rsv == 0 || rsv == rsv1, "a reserved bit: {frame}");
        }
    }
    Ok(all)
}

impl Record {
    /// The request line.
    pub fn request(&self) -> &str {
        self.0["request"].as_str().unwrap_or_default()
    }

    /// All values of a header, in order.
    pub fn header(&self, name: &str) -> Vec<String> {
        let lines = self.0["headers"].as_array().map_or(&[][..], Vec::as_slice);
        let pair =
            |line: &Value| Some((line[0].as_str()?.to_owned(), line[1].as_str()?.to_owned()));
        lines
            .iter()
            .filter_map(pair)
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The frames that the client sent.
    pub fn frames(&self) -> Vec<Frame> {
        let frames = self.0["frames"].as_array().map_or(&[][..], Vec::as_slice);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        frames
            .iter()
            .map(|frame| Frame {
                op: frame["op"].as_u64().unwrap_or(99),
                payload: text(&frame["payload"]).unwrap_or_default(),
                len: frame["len"].as_u64().unwrap_or_default(),
                mask: text(&frame["mask"]),
                close: frame["code"]
                    .as_u64()
                    .map(|code| (code, text(&frame["reason"]).unwrap_or_default())),
                after: frame["after"].as_u64().unwrap_or_default(),
            })
            .collect()
    }

    /// The frames with this opcode.
    pub fn frames_of(&self, op: u64) -> Vec<Frame> {
        let mut frames = self.frames();
        frames.retain(|frame| frame.op == op);
        frames
    }

    /// The data messages: opcode, length, and the beginning in hex. A client may
    /// send one in several frames.
    pub fn messages(&self) -> Vec<(u64, u64, String)> {
        let mut messages: Vec<(u64, u64, String)> = Vec::new();
        for frame in self.frames().into_iter().filter(Frame::is_data) {
            match messages.last_mut() {
                Some(last) if frame.op == 0 => last.1 += frame.len,
                _ => messages.push((frame.op, frame.len, frame.payload)),
            }
        }
        messages
    }

    /// The Close frames, in words: `none`, `empty`, or `CODE "REASON"`.
    pub fn closes(&self) -> String {
        let closes = self.frames_of(8);
        let words: Vec<String> = closes
            .iter()
            .map(|frame| match &frame.close {
                Some((code, reason)) => format!("{code} {reason:?}"),
                None => "empty".to_owned(),
            })
            .collect();
        match words.is_empty() {
            true => "none".to_owned(),
            false => words.join(", "),
        }
    }

    /// Who ended TCP first: `client` or `peer`.
    pub fn first_end(&self) -> &str {
        self.0["first_end"].as_str().unwrap_or("nobody")
    }

    /// How the client ended TCP: `fin`, `rst`, or `none`.
    pub fn client_end(&self) -> &str {
        self.0["client_end"].as_str().unwrap_or("none")
    }

    /// Whether the peer's patience ended it.
    pub fn timed_out(&self) -> bool {
        self.0["timeout"] == true
    }

    /// How many bytes the peer has handed to its system.
    pub fn sent_bytes(&self) -> u64 {
        self.0["sent_bytes"].as_u64().unwrap_or_default()
    }

    /// Whether the peer sent a 101.
    pub fn accepted(&self) -> bool {
        self.0["accepted"] == true
    }
}
