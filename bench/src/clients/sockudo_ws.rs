//! sockudo-ws, as its README shows: over a stream of tokio, as a `Sink` and a `Stream`.

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use sockudo_ws::client::WebSocketClient;
use sockudo_ws::{Config, Http1, Message, Stream, WebSocketStream};
use tokio::net::TcpStream;

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocketStream<Stream<Http1>>);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let (host, path) = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or("the URL has no path")?;
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let client = WebSocketClient::<Http1>::new(Config::default());
        let path = format!("/{path}");
        let (socket, _) = client.connect(stream, host, &path, None).await?;
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
