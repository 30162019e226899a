//! The client that the Autobahn Testsuite examines:
//! `cargo run --release --example autobahn -- ws://127.0.0.1:9001 [AGENT]`.
//!
//! It asks a fuzzing server how many cases there are, echoes what each of them
//! sends, and has the reports written. `cargo xtask autobahn` does all of it,
//! server included.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use isosocket::{Event, Message, WebSocket};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(server) = arguments.next() else {
        eprintln!("which server? for example ws://127.0.0.1:9001");
        return ExitCode::from(2);
    };
    let agent = arguments.next().unwrap_or_else(|| "isosocket".to_owned());
    let good = Arc::new(AtomicBool::new(false));
    let done = good.clone();
    isosocket::run(async move {
        match examine(server.trim_end_matches('/'), &agent).await {
            Ok(()) => done.store(true, Ordering::Relaxed),
            Err(error) => eprintln!("error: {error}"),
        }
    });
    match good.load(Ordering::Relaxed) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

async fn examine(server: &str, agent: &str) -> Result<(), Failure> {
    let count: u32 = ask(&format!("{server}/getCaseCount")).await?.parse()?;
    println!("{count} cases");
    for case in 1..=count {
        echo(&format!("{server}/runCase?case={case}&agent={agent}")).await?;
        if case % 50 == 0 || case == count {
            println!("{case} of {count} done");
        }
    }
    ask(&format!("{server}/updateReports?agent={agent}")).await?;
    Ok(())
}

/// What the server says on a connection of its own; empty if it says nothing.
async fn ask(url: &str) -> Result<String, Failure> {
    let socket = WebSocket::new(url)?;
    let mut events = socket.events();
    let mut answer = String::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Message(Message::Text(text)) => answer = text.to_string(),
            Event::Error(error) => return Err(error.into()),
            _ => {}
        }
    }
    Ok(answer)
}

/// Sends back each message until the connection ends, as it may. In a handler,
/// so that the answer is on its way before what follows is looked at: some cases
/// want the echo of what preceded a violation.
async fn echo(url: &str) -> Result<(), Failure> {
    let socket = WebSocket::builder(url)
        .on_message(|socket, message| {
            // It may be closing by now: then nothing is owed.
            let _ = socket.send(message);
        })
        .connect()?;
    let mut events = socket.events();
    while events.next().await.is_some() {}
    Ok(())
}
