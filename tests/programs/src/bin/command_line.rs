//! A command-line tool on tokio: it sends lines, prints answers, has a token, and connects
//! again.

use futures::SinkExt;
use isosocket::Reconnecting;
use isosocket::native::BuilderExt;
use tokio::io::{AsyncBufReadExt, BufReader, stdin};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("usage: command_line URL")?;
    let token = std::env::var("TOKEN").unwrap_or_default();
    let socket = Reconnecting::builder(url)
        .header("Authorization", &format!("Bearer {token}"))
        .on_status(|_, status| eprintln!("{status:#}"))
        .on_message(|_, message| println!("{message}"))
        .connect()?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        socket.send(line)?;
    }
    socket.sender().close().await?;
    eprintln!("{}", socket.closed().await);
    Ok(())
}
