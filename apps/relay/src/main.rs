//! A tokio service that connects to two servers, and gives each the messages of the other.
//!
//! A server that reads slowly slows down the other one: at most about a MiB waits in each
//! direction. The end of one connection ends the other, with the same code.

use std::error::Error;
use std::process::ExitCode;

use isosocket::native::{BuilderExt, EventLoop};
use isosocket::{CloseEvent, Event, WebSocket};

/// What went in one direction.
#[derive(Default)]
struct Flow {
    messages: u64,
    bytes: usize,
    /// The most that waited for a server to read it.
    most_waiting: usize,
    /// How the connection ended that it came from.
    end: Option<CloseEvent>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [one, other] = &arguments[..] else {
        eprintln!("usage: relay URL URL");
        return ExitCode::from(2);
    };
    match serve(one.clone(), other.clone()).await {
        Ok(flows) => {
            for (name, flow) in ["1 -> 2", "2 -> 1"].into_iter().zip(&flows) {
                show(name, flow);
            }
            let clean = |flow: &Flow| flow.end.as_ref().is_some_and(|end| end.was_clean);
            ExitCode::from(u8::from(!flows.iter().all(clean)))
        }
        Err(error) => {
            eprintln!("relay: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Both sockets belong to a loop that is part of this task: there is no other thread.
async fn serve(one: String, other: String) -> Result<[Flow; 2], Box<dyn Error>> {
    let event_loop = EventLoop::new()?;
    Ok(event_loop.on_tokio(relay(one, other)).await??)
}

async fn relay(one: String, other: String) -> Result<[Flow; 2], String> {
    let (one, other) = tokio::join!(open(&one), open(&other));
    let (one, other) = (one?, other?);
    let both = async { tokio::join!(forward(&one, &other), forward(&other, &one)) };
    tokio::pin!(both);
    let (there, back) = tokio::select! {
        flows = &mut both => flows,
        _ = tokio::signal::ctrl_c() => {
            one.close();
            other.close();
            both.await
        }
    };
    Ok([there, back])
}

async fn open(url: &str) -> Result<WebSocket, String> {
    // What may wait in the stream before the socket stops reading.
    let opening = WebSocket::builder(url).receive_limit(256 << 10).open();
    opening.await.map_err(|error| format!("{url}: {error:#}"))
}

/// Carries messages until the connection ends that they come from.
async fn forward(from: &WebSocket, to: &WebSocket) -> Flow {
    let mut flow = Flow::default();
    let mut events = from.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                let bytes = message.len();
                // Meanwhile nothing is taken from the stream. So its socket stops reading,
                // and the server at its other end has to wait.
                to.send_ready().await;
                if to.send(message).is_ok() {
                    flow.messages += 1;
                    flow.bytes += bytes;
                    flow.most_waiting = flow.most_waiting.max(to.buffered_amount());
                }
            }
            Event::Close(close) => {
                // A program may not send every code that it may receive.
                if to.close_with(close.code, &close.reason).is_err() {
                    to.close();
                }
                flow.end = Some(close);
            }
            Event::Open | Event::Error(_) => {}
        }
    }
    flow
}

fn show(name: &str, flow: &Flow) {
    let Flow {
        messages,
        bytes,
        most_waiting,
        end,
    } = flow;
    let end = end.as_ref().map(CloseEvent::to_string).unwrap_or_default();
    println!("{name}: {messages} messages, {bytes} bytes, at most {most_waiting} waiting; {end}");
}
