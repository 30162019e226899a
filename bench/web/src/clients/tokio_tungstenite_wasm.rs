//! tokio-tungstenite-wasm.

use futures_util::{SinkExt, StreamExt};
use tokio_tungstenite_wasm::{Message, WebSocketStream, connect};

use crate::Outcome;
use crate::payload::Payload;
use crate::pull::Pull;

pub struct Client(WebSocketStream);

impl Pull for Client {
    async fn open(url: &str) -> Outcome<Self> {
        Ok(Client(connect(url).await?))
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        let message = match payload {
            Payload::Text(text) => Message::text(text.clone()),
            Payload::Binary(data) => Message::Binary(data.clone()),
        };
        Ok(self.0.send(message).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        Ok(self.0.next().await.ok_or("closed")??.len())
    }
}
