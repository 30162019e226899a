//! reqwest-websocket, with one reqwest client for all sockets.

use std::sync::OnceLock;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use reqwest_websocket::{Message, Upgrade, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocket);

static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let client = CLIENT.get_or_init(|| {
            let builder = reqwest::Client::builder().http1_only().no_proxy();
            builder.build().expect("nothing in it can fail")
        });
        let response = client.get(url).upgrade().send().await?;
        Ok(Client(response.into_websocket().await?))
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
