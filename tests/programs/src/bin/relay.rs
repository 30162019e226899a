//! A relay on tokio: what comes from one server goes to another, at the pace of the slower.

use futures::{StreamExt, future};
use isosocket::{Event, SendError, WebSocket};

async fn relay(from: WebSocket, to: WebSocket) -> Result<(), SendError> {
    let messages = from.events().filter_map(|event| {
        future::ready(match event {
            Event::Message(message) => Some(Ok(message)),
            Event::Open | Event::Error(_) | Event::Close(_) => None,
        })
    });
    let sender = to
        .sender()
        .closing_with(1000, "no more")
        .expect("a valid code");
    messages.forward(sender).await
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let urls: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = &urls[..] else {
        return Err("usage: relay FROM TO".into());
    };
    let (from, to) = futures::try_join!(WebSocket::open(from), WebSocket::open(to))?;
    tokio::spawn(relay(from, to)).await??;
    Ok(())
}

#[test]
fn messages_go_on_and_then_the_end() {
    let network = isosocket::mock::Network::new();
    network
        .peer("ws://from.example/")
        .send("one")
        .send([2])
        .close();
    let to = network.peer("ws://to.example/");
    to.expect("one")
        .expect([2])
        .expect_close_with(1000, "no more");
    let open = |url| network.block_on(WebSocket::open(url)).unwrap();
    network
        .block_on(relay(open("ws://from.example/"), open("ws://to.example/")))
        .unwrap();
    network.finish();
}
