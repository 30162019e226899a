//! What is printed, as text or as JSON, and the exit code that follows from it.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use isosocket::native::{ConnectStep, ErrorEventExt};
use isosocket::{CloseEvent, ErrorEvent, ErrorKind, Message, Socket, Status};
use serde_json::{Value, json};

use crate::args::Args;
use crate::fail;

pub const USAGE: u8 = 2;
pub const INPUT_OR_OUTPUT: u8 = 9;

pub struct Report {
    args: &'static Args,
    /// The step after those of TCP and of a proxy.
    behind_tcp: Step,
    /// When the step before was done.
    before: Duration,
    under_way: Step,
}

/// The exit code if the connection ends in this step, and the step's name.
type Step = (u8, &'static str);

const NAME: Step = (3, "name");
const TCP: Step = (4, "TCP");
const PROXY: Step = (5, "proxy");
const TLS: Step = (6, "TLS");
const HANDSHAKE: Step = (7, "handshake");
const OPEN: Step = (1, "open");

impl Report {
    pub fn new(args: &'static Args, secure: bool) -> Self {
        Report {
            args,
            behind_tcp: if secure { TLS } else { HANDSHAKE },
            before: Duration::ZERO,
            under_way: NAME,
        }
    }

    pub fn step(&mut self, step: ConnectStep, time: Duration) {
        let (name, next) = match step {
            ConnectStep::Name => ("name", TCP),
            ConnectStep::Tcp(_) => ("TCP", self.behind_tcp),
            ConnectStep::Tunnel => ("proxy", self.behind_tcp),
            ConnectStep::Tls => ("TLS", HANDSHAKE),
            _ => ("101", OPEN),
        };
        self.under_way = next;
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let (took, total) = (ms(time.saturating_sub(self.before)), ms(time));
        self.before = time;
        let mut json = json!({"event": "step", "step": name, "ms": took, "total_ms": total});
        let mut text = format!("{name:5} {took:9.3} ms");
        if let ConnectStep::Tcp(address) = step {
            json["address"] = address.to_string().into();
            text += &format!("  {address}");
        }
        if self.args.timings || self.args.json {
            self.note(io::stderr(), &json, &text);
        }
    }

    pub fn open(&self, socket: &impl Socket) {
        let (url, protocol, added) = (socket.url(), socket.protocol(), socket.extensions());
        let named = [("subprotocol", protocol), ("extensions", added)];
        let named = named.iter().filter(|(_, value)| !value.is_empty());
        let named: String = named.map(|(name, it)| format!("; {name}: {it}")).collect();
        let json = json!({"event": "open", "url": url, "protocol": protocol, "extensions": added});
        self.note(io::stderr(), &json, &format!("open{named}"));
    }

    pub fn message(&self, message: &Message) {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (kind, text) = match message.as_text() {
            Some(text) => ("text", text.to_owned()),
            None => ("hex", hex(message.as_bytes())),
        };
        let json = json!({"event": "message", kind: text});
        self.note(io::stdout(), &json, &text);
    }

    pub fn status(&mut self, status: &Status) {
        if let Status::Waiting { delay, loss, .. } = status {
            // The next step is the first one of the next attempt.
            (self.before, self.under_way) = (Duration::ZERO, NAME);
            let (why, delay) = (format!("{loss:#}"), delay.as_millis());
            let json = json!({"event": "waiting", "failures": loss.attempt, "delay_ms": delay, "loss": why});
            self.note_with_response(loss.error.as_ref(), json, format!("{status:#}"));
        }
    }

    pub fn error(&mut self, error: &ErrorEvent) {
        if matches!(error.kind(), ErrorKind::Proxy | ErrorKind::ProxyRefused(_)) {
            self.under_way = PROXY;
        }
        let causes = std::iter::successors(error.source(), |&cause| cause.source());
        let causes: Vec<String> = causes.map(ToString::to_string).collect();
        let step = self.under_way.1;
        let text = format!("error ({step}): {}", causes.join(": "));
        let json = json!({"event": "error", "step": step, "causes": causes});
        self.note_with_response(Some(error), json, text);
    }

    /// The last event. Returns the exit code.
    pub fn close(&self, close: &CloseEvent) -> u8 {
        let (code, reason, clean) = (close.code, &close.reason, close.was_clean);
        let json = json!({"event": "close", "code": code, "reason": reason, "clean": clean});
        self.note(io::stderr(), &json, &close.to_string());
        match code {
            1000 | 1001 | 1005 if clean => 0,
            _ if clean => 8,
            _ => self.under_way.0,
        }
    }

    /// With the server's answer, if it refused: its headers and the start of its body.
    fn note_with_response(&self, error: Option<&ErrorEvent>, mut json: Value, mut text: String) {
        if let Some(response) = error.and_then(ErrorEventExt::response) {
            let headers: Vec<_> = response.headers().collect();
            let body = String::from_utf8_lossy(response.body());
            let line = |(name, value): &(&str, &str)| format!("\n  {name}: {value}");
            text.extend(headers.iter().map(line));
            text.extend(body.lines().map(|line| format!("\n  | {line}")));
            json["response"] =
                json!({"status": response.status(), "headers": headers, "body": body});
        }
        self.note(io::stderr(), &json, &text);
    }

    /// As JSON, or as text to this place.
    fn note(&self, mut to: impl Write, json: &Value, text: &str) {
        let written = match self.args.json {
            true => writeln!(io::stdout(), "{json}"),
            false => writeln!(to, "{text}"),
        };
        written.unwrap_or_else(|error| fail(INPUT_OR_OUTPUT, &error));
    }
}
