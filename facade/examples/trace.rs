//! A probe for a server that misbehaves: prints what a program would observe,
//! one JSON object a line.
//!
//! ```text
//! cargo run --example trace -- URL [--subprotocol P]...
//!     [--at now|open|message|close ACTION]... [--limit SECONDS]
//! ```
//!
//! ACTION is `send:TEXT`, `send-hex:HEX`, `send-size:BYTES`, `close`,
//! `close:CODE` or `close:CODE:REASON`. Actions for one moment run in the order
//! given, those at `message` on the first message. Exits with 0 once the socket
//! is closed, 1 if it could not be made, 2 for bad arguments, 3 when the limit
//! (30 s unless given) ran out.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::Duration;

use isosocket::{CloseError, EventKind, Message, NewError, SendError, WebSocket};

const USAGE: &str = "usage: trace URL [--subprotocol P]... \
    [--at now|open|message|close ACTION]... [--limit SECONDS]\n\
    ACTION: send:TEXT | send-hex:HEX | send-size:BYTES | close | close:CODE | close:CODE:REASON";

/// What to do, and what it was called on the command line.
#[derive(Clone)]
struct Action {
    given: String,
    deed: Deed,
}

#[derive(Clone)]
enum Deed {
    Send(Message),
    Close,
    /// The code may be none that a `u16` can hold, and then is no valid one.
    CloseWith(Result<u16, String>, String),
}

/// When to do it: at once, or at an event.
type Moment = Option<EventKind>;

struct Arguments {
    url: String,
    subprotocols: Vec<String>,
    actions: Vec<(Moment, Action)>,
    limit: Duration,
}

impl Arguments {
    fn actions_at(&self, moment: Moment) -> Vec<Action> {
        let at = self.actions.iter().filter(|(when, _)| *when == moment);
        at.map(|(_, action)| action.clone()).collect()
    }
}

fn main() -> ExitCode {
    let arguments = match parse(std::env::args().skip(1)) {
        Ok(arguments) => arguments,
        Err(error) => {
            eprintln!("trace: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let limit = arguments.limit;
    let (sender, results) = mpsc::channel();
    if let Err(error) = in_a_handler(move || observe(&arguments, sender)) {
        return not_made(&error);
    }
    match results.recv_timeout(limit) {
        Ok(Ok(_socket)) => match results.recv_timeout(limit) {
            Ok(_) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(3),
        },
        Ok(Err(error)) => not_made(&error),
        Err(_) => ExitCode::from(3),
    }
}

fn not_made(error: &NewError) -> ExitCode {
    let kind = match error {
        NewError::Syntax(_) => "syntax",
        NewError::NotSupported => "not_supported",
        _ => "other",
    };
    let message = json(&error.to_string());
    print(&format!(r#"{{"new":"{kind}","message":{message}}}"#));
    ExitCode::FAILURE
}

/// Calls `task` inside a handler: as in a page, nothing can happen then until
/// it returns, so what it sees does not depend on which thread is faster. A
/// blocked port gives an event without any network.
fn in_a_handler(task: impl FnOnce() + Send + 'static) -> Result<(), NewError> {
    let mut task = Some(task);
    let helper = WebSocket::new("ws://127.0.0.1:1/")?;
    helper.on_error(move |_, _| {
        if let Some(task) = task.take() {
            task();
        }
    });
    // The handler still gets the error after this handle is gone.
    Ok(())
}

/// Opens the socket, does what is to be done at once, and binds the rest. Sends
/// the socket, or why there is none, and a second time at the end.
fn observe(arguments: &Arguments, results: mpsc::Sender<Result<WebSocket, NewError>>) {
    let [at_open, at_message, at_close] = [EventKind::Open, EventKind::Message, EventKind::Close]
        .map(|kind| arguments.actions_at(Some(kind)));
    let mut first = true;
    let closed = results.clone();
    let socket = WebSocket::builder(&arguments.url)
        .subprotocols(&arguments.subprotocols)
        .on_open(move |socket| {
            print(&format!(
                r#"{{"event":"open","state":{},"protocol":{},"extensions":{}}}"#,
                socket.ready_state() as u8,
                json(socket.protocol()),
                json(socket.extensions()),
            ));
            perform(socket, &at_open);
        })
        .on_message(move |socket, message| {
            print(&describe(message, socket.ready_state() as u8));
            if std::mem::take(&mut first) {
                perform(socket, &at_message);
            }
        })
        .on_error(|socket, _| {
            let state = socket.ready_state() as u8;
            print(&format!(r#"{{"event":"error","state":{state}}}"#));
        })
        .on_close(move |socket, close| {
            print(&format!(
                r#"{{"event":"close","code":{},"reason":{},"clean":{},"state":{}}}"#,
                close.code,
                json(&close.reason),
                close.was_clean,
                socket.ready_state() as u8,
            ));
            perform(socket, &at_close);
            let _ = closed.send(Ok(socket.clone()));
        })
        .connect();
    if let Ok(socket) = &socket {
        print(&format!(
            r#"{{"new":"ok","state":{},"url":{}}}"#,
            socket.ready_state() as u8,
            json(socket.url()),
        ));
        perform(socket, &arguments.actions_at(None));
    }
    let _ = results.send(socket);
}

fn perform(socket: &WebSocket, actions: &[Action]) {
    for action in actions {
        let result = match &action.deed {
            Deed::Send(message) => match socket.send(message) {
                Ok(()) => "ok",
                Err(SendError::Connecting(_)) => "connecting",
                Err(SendError::Closing(_)) => "closing",
                Err(SendError::Closed(_)) => "closed",
                Err(SendError::Full(_)) => "full",
                Err(_) => "other",
            },
            Deed::Close => {
                socket.close();
                "ok"
            }
            Deed::CloseWith(Err(_), _) => "invalid_code",
            Deed::CloseWith(Ok(code), reason) => match socket.close_with(*code, reason) {
                Ok(()) => "ok",
                Err(CloseError::InvalidCode(_)) => "invalid_code",
                Err(CloseError::ReasonTooLong(_)) => "reason_too_long",
                Err(_) => "other",
            },
        };
        print(&format!(
            r#"{{"action":{},"result":"{result}","buffered":{},"state":{}}}"#,
            json(&action.given),
            socket.buffered_amount(),
            socket.ready_state() as u8,
        ));
    }
}

fn describe(message: &Message, state: u8) -> String {
    let (kind, data) = match message {
        Message::Text(text) => ("text", text.chars().take(64).collect()),
        Message::Binary(data) => ("binary", hex(&data[..data.len().min(32)])),
    };
    let (bytes, data) = (message.len(), json(&data));
    format!(
        r#"{{"event":"message","kind":"{kind}","bytes":{bytes},"data":{data},"state":{state}}}"#
    )
}

fn print(line: &str) {
    // A reader that went away is no reason to fail.
    let _ = writeln!(io::stdout().lock(), "{line}");
}

fn json(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted + "\""
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

// Arguments.

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Arguments, String> {
    let mut parsed = Arguments {
        url: String::new(),
        subprotocols: Vec::new(),
        actions: Vec::new(),
        limit: Duration::from_secs(30),
    };
    let mut url = None;
    while let Some(argument) = arguments.next() {
        let mut value = |what: &str| arguments.next().ok_or(format!("{argument} needs {what}"));
        match argument.as_str() {
            "--subprotocol" => parsed.subprotocols.push(value("a name")?),
            "--limit" => {
                let seconds = value("a number of seconds")?;
                let limit = seconds.parse().map_err(|_| bad("limit", &seconds))?;
                parsed.limit =
                    Duration::try_from_secs_f64(limit).map_err(|_| bad("limit", &seconds))?;
            }
            "--at" => {
                let moment = value("a moment and an action")?;
                let action = value("a moment and an action")?;
                parsed
                    .actions
                    .push((parse_moment(&moment)?, parse_action(action)?));
            }
            option if option.starts_with("--") => return Err(bad("option", option)),
            _ if url.is_none() => url = Some(argument),
            _ => return Err(bad("argument", &argument)),
        }
    }
    parsed.url = url.ok_or("no URL given")?;
    Ok(parsed)
}

fn parse_moment(moment: &str) -> Result<Moment, String> {
    match moment {
        "now" => Ok(None),
        name => match name.parse() {
            Ok(EventKind::Error) | Err(_) => Err(bad("moment", name)),
            Ok(kind) => Ok(Some(kind)),
        },
    }
}

fn parse_action(given: String) -> Result<Action, String> {
    let (verb, rest) = match given.split_once(':') {
        Some((verb, rest)) => (verb, Some(rest)),
        None => (given.as_str(), None),
    };
    let deed = match (verb, rest) {
        ("send", Some(text)) => Deed::Send(text.into()),
        ("send-hex", Some(digits)) => Deed::Send(parse_hex(digits)?.into()),
        ("send-size", Some(size)) => {
            let size: usize = size.parse().map_err(|_| bad("size", size))?;
            Deed::Send(vec![0x2A; size].into())
        }
        ("close", None) => Deed::Close,
        ("close", Some(rest)) => {
            let (code, reason) = rest.split_once(':').unwrap_or((rest, ""));
            let number: i64 = code.parse().map_err(|_| bad("close code", code))?;
            let code = u16::try_from(number).map_err(|_| code.to_owned());
            Deed::CloseWith(code, reason.to_owned())
        }
        _ => return Err(bad("action", &given)),
    };
    Ok(Action { given, deed })
}

fn parse_hex(digits: &str) -> Result<Vec<u8>, String> {
    let digit = |c: u8| char::from(c).to_digit(16).map(|digit| digit as u8);
    let pairs = digits.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs
        .collect::<Option<_>>()
        .ok_or_else(|| bad("hex", digits))
}

fn bad(what: &str, given: &str) -> String {
    format!("not a valid {what}: {given:?}")
}
