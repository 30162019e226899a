//! Everything that can go wrong, and what a program does about it.

use std::process::ExitCode;

use isosocket::{Event, NewError, OpenError, SendError, WebSocket};
use serde::Deserialize;

#[derive(Deserialize)]
struct Price {
    name: String,
    price: f64,
}

async fn prices(url: &str) -> Result<(), Box<dyn std::error::Error>> {
    let socket = match WebSocket::open(url).await {
        Err(OpenError::New(NewError::Syntax(wrong))) => {
            return Err(format!("{url}: {wrong}").into());
        }
        // With all its causes, by `{error:#}` in `main`.
        opened => opened?,
    };
    match socket.send("subscribe") {
        // The message comes back.
        Err(SendError::Full(message)) => {
            socket.send_ready().await;
            socket.send(message)?;
        }
        sent => sent?,
    }
    let mut events = socket.events();
    while let Some(event) = events.next().await {
        match event {
            Event::Open => {}
            Event::Message(message) => match message.json::<Price>() {
                Ok(Price { name, price }) => println!("{name} costs {price}"),
                Err(error) => eprintln!("{error:#}"),
            },
            Event::Error(error) => return Err(error.into()),
            Event::Close(close) if close.was_clean => println!("{close}"),
            Event::Close(close) => return Err(close.to_string().into()),
        }
    }
    Ok(())
}

fn main() -> ExitCode {
    let url = std::env::args().nth(1).unwrap_or_default();
    match pollster::block_on(prices(&url)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

#[test]
fn every_failure_says_what_happened() {
    let network = isosocket::mock::Network::new();
    let fails = |url| format!("{:#}", network.block_on(prices(url)).unwrap_err());
    assert_eq!(
        fails("/prices"),
        "/prices: relative URL: a scheme such as wss: is needed"
    );
    network
        .peer("wss://a.example/")
        .refuse("the server is tired");
    assert_eq!(
        fails("wss://a.example/"),
        "the WebSocket connection could not be established: the server is tired"
    );
    network
        .peer("wss://a.example/")
        .expect("subscribe")
        .send("no JSON")
        .drop_connection();
    assert_eq!(
        fails("wss://a.example/"),
        "closed with code 1006 (not clean)"
    );
    network.finish();
}
