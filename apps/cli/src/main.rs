//! `isosocket`: a WebSocket client for the terminal. It sends lines, prints events, and
//! says at which step a server refuses.

mod args;
mod report;

use std::fmt::Display;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;

use clap::{CommandFactory, Parser};
use clap_complete::generate;
use isosocket::native::{BuilderExt, ConnectStep, Deflate, Proxy, SocketExt};
use isosocket::{Event, Heartbeat, Message, NewError, Reconnecting, Retry, SendError, Status};

use args::Args;
use report::Report;

/// What the main thread waits for.
enum News {
    /// `try_next` has something.
    Events,
    Step(ConnectStep, Duration),
    Status(Status),
    InputEnded,
}

fn main() {
    // To the end of the program, because the thread that reads the input may last as long.
    let args: &'static Args = Box::leak(Box::new(Args::parse()));
    if let Some(shell) = args.completions {
        return generate(shell, &mut Args::command(), "isosocket", &mut io::stdout());
    }
    std::process::exit(converse(args).into());
}

fn connect(args: &Args, news: &Sender<News>) -> Result<Reconnecting, NewError> {
    let (steps, statuses) = (news.clone(), news.clone());
    let mut builder = Reconnecting::builder(args.url.as_deref().unwrap_or_default())
        .subprotocols(args.subprotocols.iter().cloned())
        .connect_timeout(Duration::from_secs(args.timeout))
        .allow_blocked_ports()
        .on_step(move |step, time| drop(steps.send(News::Step(step, time))))
        .on_status(move |_, status| drop(statuses.send(News::Status(status.clone()))));
    builder = match args.reconnect {
        None => builder.retry(|_| Retry::GiveUp),
        Some(attempts) => builder.max_attempts((attempts > 0).then_some(attempts)),
    };
    builder = match args.proxy.as_deref() {
        None => builder.proxy_from_environment(),
        Some("none") => builder,
        Some(proxy) => builder.proxy(Proxy::new(proxy)?),
    };
    for (name, value) in &args.headers {
        builder = builder.header(name, value);
    }
    if args.no_compression {
        builder = builder.deflate(Deflate::off());
    }
    if let Some(interval) = args.keep_alive.map(Duration::from_secs) {
        builder = builder.heartbeat(Heartbeat::new(interval, interval));
    }
    builder.connect()
}

/// Sends the input and prints the events, until the end. Returns the exit code.
fn converse(args: &'static Args) -> u8 {
    let (news, mailbox) = channel();
    let socket = connect(args, &news).unwrap_or_else(|error| fail(report::USAGE, &error));
    let mut events = socket.events();
    let (hook, sender) = (news.clone(), socket.clone());
    events.set_wake_hook(move || drop(hook.send(News::Events)));
    std::thread::spawn(move || {
        let sent = send_input(&sender, args);
        sent.unwrap_or_else(|reason| fail(report::INPUT_OR_OUTPUT, &reason));
        drop(news.send(News::InputEnded));
    });
    let mut report = Report::new(args, socket.url().starts_with("wss:"));
    let mut left = args.count.unwrap_or(u64::MAX);
    // How long to wait for the next message. It is limited from the end of the input on.
    let mut patience = Duration::MAX;
    loop {
        match mailbox.recv_timeout(patience) {
            Ok(News::Step(step, time)) => report.step(step, time),
            Ok(News::Status(status)) => report.status(&status),
            Ok(News::InputEnded) if args.stay => {}
            Ok(News::InputEnded) => patience = Duration::from_secs(args.wait),
            Ok(News::Events) => {
                while let Some(event) = events.try_next() {
                    match event {
                        Event::Open => report.open(&socket),
                        Event::Message(message) => {
                            report.message(&message);
                            left -= 1;
                            if left == 0 {
                                socket.close();
                            }
                        }
                        Event::Error(error) => report.error(&error),
                        Event::Close(close) => return report.close(&close),
                    }
                }
            }
            Err(_) => {
                patience = Duration::MAX;
                socket.close();
            }
        }
    }
}

/// Sends what the arguments say, no faster than the network.
fn send_input(socket: &Reconnecting, args: &Args) -> Result<(), String> {
    let open = |path| File::open(path).map_err(|error| format!("{path:?}: {error}"));
    let mut lines: Box<dyn Iterator<Item = io::Result<String>>> = match &args.file {
        _ if !args.messages.is_empty() => Box::new(args.messages.iter().cloned().map(Ok)),
        None => Box::new(io::stdin().lines()),
        Some(path) => Box::new(BufReader::new(open(path)?).lines()),
    };
    for number in 1.. {
        let line = lines.next().transpose();
        let failed = |why: &dyn Display| format!("line {number} of the input: {why}");
        // Also at the end of the input, which counts as ended only once the socket is open.
        let ready = socket.send_ready_blocking();
        ready.map_err(|error| failed(&error))?;
        let Some(line) = line.map_err(|error| failed(&error))? else {
            break;
        };
        let message = if args.hex {
            bytes(&line)
        } else {
            Some(line.into())
        };
        let message = message.ok_or_else(|| failed(&"not pairs of hexadecimal digits"))?;
        // If the socket is closing or closed, the main thread gets the event.
        if let Err(SendError::Full(_)) = socket.send(message) {
            return Err(failed(&"too long"));
        }
    }
    Ok(())
}

fn bytes(line: &str) -> Option<Message> {
    let digits = line.replace(char::is_whitespace, "");
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..digits.len()).step_by(2).map(byte).collect();
    bytes.map(Message::from)
}

fn fail(code: u8, reason: &dyn Display) -> ! {
    eprintln!("isosocket: {reason:#}");
    std::process::exit(code.into())
}
