//! The example `client` of tokio-tungstenite, after a move: what is typed goes to the
//! server, and what the server sends is printed.

use futures::SinkExt;
use isosocket::WebSocket;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: client URL")?;
    // It was: `connect_async`, `split`, a channel with a task for stdin, and two `forward`s
    // in a `select`.
    let socket = WebSocket::open(url).await?;
    socket.on_message(|_, message| println!("{message}"));
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        socket.send_ready().await;
        socket.send(line)?;
    }
    socket.sender().close().await?;
    println!("{}", socket.closed().await);
    Ok(())
}
