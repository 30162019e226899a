//! tokio-websockets, on a stream of one's own: it sets no `TCP_NODELAY`.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_websockets::{ClientBuilder, Message, WebSocketStream};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocketStream<TcpStream>);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let builder = ClientBuilder::new().uri(url)?;
        let host = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split('/').next())
            .ok_or("the URL has no host")?;
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let (socket, _) = builder.connect_on(stream).await?;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        Ok(self.0.send(Message::binary(payload.clone())).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        let message = self.0.next().await.ok_or("closed")??;
        match message.is_binary() {
            true => Ok(message.as_payload().len()),
            false => Err(format!("{message:?} came").into()),
        }
    }
}
