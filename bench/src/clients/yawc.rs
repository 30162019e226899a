//! yawc. Its default limit for a message is just below 1 MiB.

use bytes::Bytes;
use futures_util::SinkExt;
use yawc::{Frame, MaybeTlsStream, OpCode, Options, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(WebSocket<MaybeTlsStream<tokio::net::TcpStream>>);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let options = Options::default()
            .with_limits(64 << 20, 64 << 20)
            .with_no_delay();
        let socket = WebSocket::connect(url.parse()?)
            .with_options(options)
            .await?;
        Ok(Client(socket))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        Ok(self.0.send(Frame::binary(payload.clone())).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        let frame = self.0.next_frame().await?;
        match frame.opcode() {
            OpCode::Binary => Ok(frame.payload().len()),
            other => Err(format!("a frame {other:?} came").into()),
        }
    }
}
