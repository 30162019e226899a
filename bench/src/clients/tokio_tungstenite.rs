//! tokio-tungstenite.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        // The last argument is `TCP_NODELAY`.
        let (socket, _) = connect_async_with_config(url, None, true).await?;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        Ok(self.0.send(Message::Binary(payload.clone())).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        match self.0.next().await.ok_or("closed")?? {
            Message::Binary(data) => Ok(data.len()),
            other => Err(format!("{other:?} came").into()),
        }
    }
}
