//! tokio-tungstenite-wasm. Its interface has no `TCP_NODELAY`.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite_wasm::{Message, WebSocketStream, connect};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocketStream);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        Ok(Client(connect(url).await?))
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
