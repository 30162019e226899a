//! `isosocket`: a WebSocket client for the terminal. It sends lines, prints events, and
//! says at which step a server refuses.

mod args;
mod report;

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use clap::{CommandFactory, Parser};
use isosocket::native::{BuilderExt, ConnectStep, Deflate, Proxy};
use isosocket::{Event, Heartbeat, Message, NewError, Reconnecting, Retry, SendError, Status};

use args::Args;
use report::Report;

/// What the main thread waits for.
enum News {
    /// `try_next` has something.
    Events,
    Step(ConnectStep, Duration),
    Status(Status),
    /// All input was sent, or it cannot be.
    InputEnded(Result<(), String>),
}

fn main() -> ExitCode {
    let args = Args::parse();
    if let Some(shell) = args.completions {
        clap_complete::generate(shell, &mut Args::command(), "isosocket", &mut io::stdout());
        return ExitCode::SUCCESS;
    }
    let (news, mailbox) = channel();
    let (code, reason) = match connect(&args, &news) {
        Err(error) => (report::USAGE, format!("{error:#}")),
        Ok(socket) => match converse(socket, args, news, mailbox) {
            Ok(code) => return ExitCode::from(code),
            Err(error) => (report::INPUT_OR_OUTPUT, error.to_string()),
        },
    };
    eprintln!("isosocket: {reason}");
    ExitCode::from(code)
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
        Some(0) => builder,
        Some(attempts) => builder.max_attempts(attempts),
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
    if let Some(seconds) = args.keep_alive {
        let interval = Duration::from_secs(seconds);
        builder = builder.heartbeat(Heartbeat::new(interval, interval));
    }
    builder.connect()
}

/// Sends the input and prints the events, until the end. Returns the exit code.
fn converse(
    socket: Reconnecting,
    args: Args,
    news: Sender<News>,
    mailbox: Receiver<News>,
) -> io::Result<u8> {
    let mut events = socket.events();
    let hook = news.clone();
    events.set_wake_hook(move || drop(hook.send(News::Events)));
    let (sender, args) = (socket.clone(), Arc::new(args));
    let for_input = args.clone();
    thread::spawn(move || {
        isosocket::run(async move {
            let sent = send_input(&sender, &for_input).await;
            let _ = news.send(News::InputEnded(sent));
        });
    });
    let mut report = Report::new(&args, socket.url().starts_with("wss:"));
    let mut count = args.count;
    // When to close: some time after the last message that follows the input.
    let mut deadline: Option<Instant> = None;
    loop {
        let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
        let next = match left {
            Some(left) => mailbox.recv_timeout(left),
            None => mailbox.recv().map_err(RecvTimeoutError::from),
        };
        match next {
            Ok(News::Step(step, time)) => report.step(step, time)?,
            Ok(News::Status(status)) => report.status(&status)?,
            Ok(News::InputEnded(Err(reason))) => {
                return Err(io::Error::other(reason));
            }
            Ok(News::InputEnded(Ok(()))) if args.stay => {}
            Ok(News::InputEnded(Ok(()))) => deadline = Some(Instant::now() + args.wait),
            Err(_) => {
                deadline = None;
                socket.close();
            }
            Ok(News::Events) => {
                while let Some(event) = events.try_next() {
                    match event {
                        Event::Open => report.open(&socket)?,
                        Event::Message(message) => {
                            report.message(&message)?;
                            deadline = deadline.map(|_| Instant::now() + args.wait);
                            count = count.map(|count| count.saturating_sub(1));
                            if count == Some(0) {
                                socket.close();
                                deadline = None;
                            }
                        }
                        Event::Error(error) => report.error(&error)?,
                        Event::Close(close) => return report.close(&close),
                    }
                }
            }
        }
    }
}

/// Sends what the arguments say, no faster than the network.
async fn send_input(socket: &Reconnecting, args: &Args) -> Result<(), String> {
    let mut input: Box<dyn BufRead> = match &args.file {
        _ if !args.messages.is_empty() => Box::new(io::Cursor::new(args.messages.join("\n"))),
        Some(path) => {
            let file = File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
            Box::new(BufReader::new(file))
        }
        None => Box::new(io::stdin().lock()),
    };
    for number in 1.. {
        let mut line = Vec::new();
        let read = input.read_until(b'\n', &mut line);
        // Also at the end of the input: it has ended when the socket is open.
        socket.send_ready().await;
        if read.map_err(|error| format!("cannot read the input: {error}"))? == 0 {
            break;
        }
        while line.pop_if(|end| matches!(end, b'\n' | b'\r')).is_some() {}
        let message = parse(line, args.hex).map_err(|what| format!("line {number}: {what}"))?;
        match socket.send(message) {
            Err(SendError::Full(_)) => return Err(format!("line {number}: too long")),
            // Closing or closed, and the main thread is going to hear of it.
            Err(_) => break,
            Ok(()) => {}
        }
    }
    Ok(())
}

fn parse(line: Vec<u8>, hex: bool) -> Result<Message, &'static str> {
    let text = String::from_utf8(line).map_err(|_| "not UTF-8; use --hex for binary messages")?;
    if !hex {
        return Ok(text.into());
    }
    let digits: Vec<char> = text.chars().filter(|c| !c.is_whitespace()).collect();
    let byte = |pair: &[char]| u8::from_str_radix(&String::from_iter(pair), 16).ok();
    let bytes: Option<Vec<u8>> = digits.chunks(2).map(byte).collect();
    let bytes = bytes.filter(|_| digits.len().is_multiple_of(2));
    Ok(bytes.ok_or("not pairs of hexadecimal digits")?.into())
}
