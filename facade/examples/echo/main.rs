//! An echo client for the terminal: `cargo run --example echo [URL]`.
//!
//! Without a URL it talks to a server of its own. It sends each line that it
//! reads, prints every event, and closes at the end of the input. It speaks the
//! language that `LANG` names: English, French, Spanish or Portuguese. The
//! program for the browser, `examples/page`, shares everything but this file.

#[path = "../shared/app.rs"]
mod app;
mod server;
#[path = "../shared/texts.rs"]
mod texts;

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use isosocket::ReadyState;

use crate::app::{App, Kind, Screen};
use crate::texts::{Form, Texts};

/// What the main thread waits for.
enum Happening {
    State(ReadyState),
    Message,
    Error,
    Line(String),
    EndOfInput,
}

/// Prints, and wakes the main thread.
#[derive(Clone)]
struct Terminal {
    main: Sender<Happening>,
    texts: &'static Texts,
}

impl Screen for Terminal {
    fn log(&self, kind: Kind, text: &str) {
        print(text);
        let _ = match kind {
            Kind::Message => self.main.send(Happening::Message),
            Kind::Error => self.main.send(Happening::Error),
            Kind::Sent | Kind::Close => Ok(()),
        };
    }

    fn update(&self, state: ReadyState) {
        // The log has a line of its own for the end.
        if matches!(state, ReadyState::Connecting | ReadyState::Open) {
            print(&format!("[{}]", self.texts.state(state)));
        }
        let _ = self.main.send(Happening::State(state));
    }
}

fn print(line: &str) {
    // If the reader has gone away, as in `| head`, that is no reason to fail.
    let _ = writeln!(io::stdout(), "{line}");
}

fn main() -> ExitCode {
    let url = match std::env::args().nth(1) {
        Some(url) => url,
        None => match server::start() {
            Ok(address) => format!("ws://{address}/"),
            Err(error) => return fail(&format!("the echo server cannot start: {error}")),
        },
    };
    let lang = std::env::var("LANG").unwrap_or_default();
    let texts = texts::choose([&*lang], Form::Current);
    let (sender, happenings) = channel();
    let terminal = Terminal {
        main: sender.clone(),
        texts,
    };
    let mut app = App::new(terminal, texts);
    if let Err(error) = app.open(&url) {
        return fail(&format!("{error:#}"));
    }
    if io::stdin().is_terminal() {
        print(texts.hint);
    }
    match converse(&app, &happenings, sender) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn fail(what: &str) -> ExitCode {
    eprintln!("error: {what}");
    ExitCode::FAILURE
}

/// Sends what is typed until the input or the connection ends; `false` if
/// something went wrong.
fn converse(
    app: &App<Terminal>,
    happenings: &Receiver<Happening>,
    sender: Sender<Happening>,
) -> bool {
    let (mut sent, mut answered, mut good, mut reader) = (0, 0, true, Some(sender));
    let (mut ending, mut connected) = (false, false);
    loop {
        // After the end of input the answers to what was sent are waited for,
        // but not for ever: another server may not answer.
        let happening = match ending && answered < sent {
            true => happenings.recv_timeout(Duration::from_secs(2)),
            false => happenings
                .recv()
                .map_err(|_| RecvTimeoutError::Disconnected),
        };
        match happening {
            Ok(Happening::State(ReadyState::Open)) => {
                connected = true;
                if let Some(sender) = reader.take() {
                    thread::spawn(move || read_lines(&sender));
                }
            }
            Ok(Happening::State(ReadyState::Closed)) if connected || !good => return good,
            Ok(Happening::State(_)) => {}
            Ok(Happening::Message) => answered += 1,
            Ok(Happening::Error) => good = false,
            Ok(Happening::Line(line)) => {
                app.send(&line);
                sent += 1;
            }
            Ok(Happening::EndOfInput) => ending = true,
            Err(RecvTimeoutError::Timeout) => answered = sent,
            Err(RecvTimeoutError::Disconnected) => return false,
        }
        if ending && answered >= sent {
            // Once; what follows is the close event.
            app.close();
            sent = 0;
        }
    }
}

fn read_lines(sender: &Sender<Happening>) {
    for line in io::stdin().lock().lines() {
        let happening = match line {
            Ok(line) => Happening::Line(line),
            Err(error) => {
                eprintln!("error: the input cannot be read: {error}");
                break;
            }
        };
        if sender.send(happening).is_err() {
            return;
        }
    }
    let _ = sender.send(Happening::EndOfInput);
}
