//! tungstenite, blocking: the program's thread waits in `read`.

use std::net::TcpStream;

use bytes::Bytes;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocket<MaybeTlsStream<TcpStream>>);

impl Socket for Client {
    const BLOCKS: bool = true;

    async fn open(url: &str) -> Outcome<Self> {
        let (socket, _) = tungstenite::connect(url)?;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        Ok(self.0.send(Message::Binary(payload.clone()))?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        match self.0.read()? {
            Message::Binary(data) => Ok(data.len()),
            other => Err(format!("{other:?} came").into()),
        }
    }
}
