//! A chat that survives a day in the life of an app: see docs/reconnecting.md.

mod ui;

use std::collections::HashSet;
use std::time::Duration;

use futures::future::Either::{Left, Right};
use futures::{StreamExt, stream};
use isosocket::{Event, Heartbeat, NewError, Reconnecting};

fn main() {
    isosocket::run(async {
        if let Err(error) = chat(ui::server()).await {
            ui::show(&format!("* {error}"));
        }
    });
}

async fn chat(server: String) -> Result<(), NewError> {
    let heartbeat = Heartbeat::new(Duration::from_secs(5), Duration::from_secs(3));
    let socket = Reconnecting::builder(&server)
        .each_attempt(move |next| {
            let server = server.clone();
            async { Ok::<_, NewError>(next.url(server + &ui::token().await)) }
        })
        .heartbeat(heartbeat.message("ping").answer("ping"))
        .connect_timeout(Duration::from_secs(4))
        .backoff(Duration::from_millis(500), Duration::from_secs(5))
        .refuse_while_down() // Whatever is not confirmed is sent again below.
        .on_status(|_, status| ui::show(&format!("* {status:#}")))
        .connect()?;
    let (mut unconfirmed, mut shown) = (Vec::new(), HashSet::new());
    let mut inputs = stream::select(ui::typed().map(Left), socket.events().map(Right));
    while let Some(input) = inputs.next().await {
        match input {
            Left(line) if line == "/quit" => socket.close(),
            Left(line) => {
                let _ = socket.send(&line);
                unconfirmed.push(line);
            }
            Right(Event::Open) => {
                for line in &unconfirmed {
                    let _ = socket.send(line);
                }
            }
            // The server sends to all what one has said: so it has arrived.
            Right(Event::Message(message)) => {
                unconfirmed.retain(|line| message != *line);
                if shown.insert(message.clone()) {
                    ui::show(&message.to_string()); // Not shown again if it was sent twice.
                }
            }
            Right(Event::Error(error)) => ui::show(&format!("* {error:#}")),
            Right(_) => break,
        }
    }
    ui::show(&format!("* {:?}", socket.stats()));
    Ok(())
}
