//! What is printed, as text or as JSON, and the exit code that follows from it.

use std::error::Error;
use std::io::{self, Write};
use std::time::Duration;

use isosocket::native::ConnectStep;
use isosocket::{CloseEvent, ErrorEvent, ErrorKind, Message, Socket, Status};
use serde_json::{Value, json};

use crate::args::Args;

pub const LOST: u8 = 1;
pub const USAGE: u8 = 2;
pub const OTHER_CODE: u8 = 8;
pub const INPUT_OR_OUTPUT: u8 = 9;

pub struct Report<'a> {
    args: &'a Args,
    /// Whether there is TLS.
    secure: bool,
    /// When the step before was done.
    before: Duration,
    /// The exit code if the connection ends now, and what that step is called.
    under_way: (u8, &'static str),
}

const NAME: (u8, &str) = (3, "name");
const TCP: (u8, &str) = (4, "TCP");
const PROXY: (u8, &str) = (5, "proxy");
const TLS: (u8, &str) = (6, "TLS");
const HANDSHAKE: (u8, &str) = (7, "handshake");
const OPEN: (u8, &str) = (LOST, "open");

impl<'a> Report<'a> {
    pub fn new(args: &'a Args, secure: bool) -> Self {
        Report {
            args,
            secure,
            before: Duration::ZERO,
            under_way: NAME,
        }
    }

    pub fn step(&mut self, step: ConnectStep, time: Duration) -> io::Result<()> {
        let behind_tcp = if self.secure { TLS } else { HANDSHAKE };
        let (name, next) = match step {
            ConnectStep::Name => ("name", TCP),
            ConnectStep::Tcp(_) => ("TCP", behind_tcp),
            ConnectStep::Tunnel => ("proxy", behind_tcp),
            ConnectStep::Tls => ("TLS", HANDSHAKE),
            _ => ("101", OPEN),
        };
        self.under_way = next;
        if step == ConnectStep::Name {
            self.before = Duration::ZERO;
        }
        let ms = |time: Duration| (time.as_secs_f64() * 1e6).round() / 1e3;
        let (took, total) = (ms(time.saturating_sub(self.before)), ms(time));
        self.before = time;
        let mut json = json!({"event": "step", "step": name, "ms": took, "total_ms": total});
        let mut text = format!("{name:5} {took:9.3} ms");
        if let ConnectStep::Tcp(address) = step {
            json["address"] = address.to_string().into();
            text += &format!("  {address}");
        }
        self.note(json, self.args.timings.then_some(text))
    }

    pub fn open(&mut self, socket: &impl Socket) -> io::Result<()> {
        let (protocol, extensions) = (socket.protocol(), socket.extensions());
        let mut text = "open".to_owned();
        for (name, value) in [("subprotocol", protocol), ("extensions", extensions)] {
            if !value.is_empty() {
                text += &format!("; {name}: {value}");
            }
        }
        let json = json!({"event": "open", "url": socket.url(), "protocol": protocol, "extensions": extensions});
        self.note(json, Some(text))
    }

    pub fn message(&mut self, message: &Message) -> io::Result<()> {
        let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
        let (kind, text) = match message.as_text() {
            Some(text) => ("text", text.to_owned()),
            None => ("hex", hex(message.as_bytes())),
        };
        match self.args.json {
            true => writeln!(io::stdout(), "{}", json!({"event": "message", kind: text})),
            false => writeln!(io::stdout(), "{text}"),
        }
    }

    pub fn status(&mut self, status: &Status) -> io::Result<()> {
        let Status::Waiting {
            attempt,
            delay,
            loss,
        } = status
        else {
            return Ok(());
        };
        self.under_way = NAME;
        let json = json!({"event": "waiting", "attempt": attempt, "delay_ms": delay.as_millis(), "loss": format!("{loss:#}")});
        self.note(json, Some(format!("{status:#}")))
    }

    pub fn error(&mut self, error: &ErrorEvent) -> io::Result<()> {
        let mut causes = Vec::new();
        let mut cause = error.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        if matches!(error.kind(), ErrorKind::Proxy | ErrorKind::ProxyRefused(_)) {
            self.under_way = PROXY;
        }
        let step = self.under_way.1;
        let text = format!("error ({step}): {}", causes.join(": "));
        let json = json!({"event": "error", "step": step, "causes": causes});
        match self.args.json {
            true => self.note(json, None),
            // Also if everything else is to be quiet.
            false => writeln!(io::stderr(), "{text}"),
        }
    }

    /// The last event. Returns the exit code.
    pub fn close(&mut self, close: &CloseEvent) -> io::Result<u8> {
        let (code, reason, clean) = (close.code, &close.reason, close.was_clean);
        let json = json!({"event": "close", "code": code, "reason": reason, "clean": clean});
        self.note(json, Some(close.to_string()))?;
        Ok(match code {
            1000 | 1001 | 1005 if clean => 0,
            _ if clean => OTHER_CODE,
            _ => self.under_way.0,
        })
    }

    /// What is no message: as JSON, or as text unless it is not wanted.
    fn note(&self, json: Value, text: Option<String>) -> io::Result<()> {
        match text {
            _ if self.args.json => writeln!(io::stdout(), "{json}"),
            Some(text) if !self.args.quiet => writeln!(io::stderr(), "{text}"),
            _ => Ok(()),
        }
    }
}
