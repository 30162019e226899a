//! web-socket. It has no opening handshake, so the request is written by hand.

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use web_socket::{DataType, Event, MessageType, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

/// Its documentation reads through a `BufReader`.
pub struct Client(WebSocket<BufReader<TcpStream>>);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let (server, path) = url
            .strip_prefix("ws://")
            .and_then(|rest| rest.split_once('/'))
            .ok_or("the URL has no path")?;
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let mut stream = BufReader::new(stream);
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {server}\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await?;
        let mut reply = Vec::new();
        while !reply.ends_with(b"\r\n\r\n") {
            reply.push(stream.read_u8().await?);
        }
        let mut socket = WebSocket::client(stream);
        socket.max_payload_len = 64 << 20;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        Ok(self.0.send(&payload[..]).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        match self.0.recv_event().await? {
            Event::Data {
                ty: DataType::Complete(MessageType::Binary),
                data,
            } => Ok(data.len()),
            other => Err(format!("{other:?} came").into()),
        }
    }
}
