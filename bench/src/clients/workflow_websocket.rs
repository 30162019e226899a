//! workflow-websocket, by `post`, which does not wait for the network.

use bytes::Bytes;
use workflow_websocket::client::{ConnectOptions, ConnectStrategy, Message, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocket);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let socket = WebSocket::new(Some(url), None)?;
        let options = ConnectOptions {
            strategy: ConnectStrategy::Fallback,
            ..ConnectOptions::default()
        };
        socket.connect(options).await?;
        match socket.recv().await? {
            Message::Open => Ok(Client(socket)),
            other => Err(format!("{other:?} came").into()),
        }
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        self.0.post(Message::Binary(payload.to_vec())).await?;
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<usize> {
        match self.0.recv().await? {
            Message::Binary(data) => Ok(data.len()),
            other => Err(format!("{other:?} came").into()),
        }
    }
}
