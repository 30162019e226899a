//! gloo-net.

use futures_util::{SinkExt, StreamExt};
use gloo_net::websocket::Message;
use gloo_net::websocket::futures::WebSocket;

use crate::Outcome;
use crate::payload::Payload;
use crate::pull::Pull;

pub struct Client(WebSocket);

impl Pull for Client {
    async fn open(url: &str) -> Outcome<Self> {
        // Its sink waits until the socket is open.
        let socket = WebSocket::open(url).map_err(|error| error.to_string())?;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        let message = match payload {
            Payload::Text(text) => Message::Text(text.clone()),
            Payload::Binary(data) => Message::Bytes(data.to_vec()),
        };
        Ok(self.0.send(message).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        match self.0.next().await.ok_or("closed")?? {
            Message::Text(text) => Ok(text.len()),
            Message::Bytes(data) => Ok(data.len()),
        }
    }
}
