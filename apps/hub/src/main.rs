//! A server that sends each message to everybody: `hub [ADDRESS]`. The chats and the game
//! meet here. isosocket has no server, so this one is tokio-tungstenite's.

use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_tungstenite::tungstenite::{Error, Message};

/// How many messages a guest may be behind. After that it misses some.
const BEHIND: usize = 4096;

#[tokio::main(flavor = "current_thread")]
async fn main() -> io::Result<()> {
    let address = std::env::args().nth(1);
    let address = address.as_deref().unwrap_or("127.0.0.1:9000");
    let listener = TcpListener::bind(address).await?;
    println!("ws://{}/", listener.local_addr()?);
    let (everybody, _) = broadcast::channel(BEHIND);
    loop {
        let (tcp, _) = listener.accept().await?;
        let everybody = everybody.clone();
        // A guest that leaves without a Close frame is no news.
        tokio::spawn(async move { drop(welcome(tcp, everybody).await) });
    }
}

/// Serves a guest to its end.
async fn welcome(tcp: TcpStream, everybody: broadcast::Sender<Message>) -> Result<(), Error> {
    tcp.set_nodelay(true)?;
    let mut socket = tokio_tungstenite::accept_async(tcp).await?;
    let mut said = everybody.subscribe();
    loop {
        tokio::select! {
            message = socket.next() => match message {
                Some(Ok(message)) if message.is_text() || message.is_binary() => {
                    // This guest listens, too. So there is always somebody.
                    let _ = everybody.send(message);
                }
                // Pings and the Close frame are answered by `next`.
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error),
                None => return Ok(()),
            },
            message = said.recv() => match message {
                Ok(message) => {
                    socket.feed(message).await?;
                    // What came together goes out together.
                    while let Ok(message) = said.try_recv() {
                        socket.feed(message).await?;
                    }
                    socket.flush().await?;
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return Ok(()),
            },
        }
    }
}
