//! ws_stream_wasm.

use futures_util::{SinkExt, StreamExt};
use ws_stream_wasm::{WsMessage, WsMeta, WsStream};

use crate::Outcome;
use crate::payload::Payload;
use crate::pull::Pull;

pub struct Client {
    socket: WsStream,
    /// Without it the socket's observers end.
    _meta: WsMeta,
}

impl Pull for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let (meta, socket) = WsMeta::connect(url, None).await?;
        Ok(Client {
            socket,
            _meta: meta,
        })
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        let message = match payload {
            Payload::Text(text) => WsMessage::Text(text.clone()),
            Payload::Binary(data) => WsMessage::Binary(data.to_vec()),
        };
        Ok(self.socket.send(message).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        let message = self.socket.next().await.ok_or("closed")?;
        Ok(message.as_ref().len())
    }
}
