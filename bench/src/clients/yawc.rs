//! yawc. Its default limit for a message is just below 1 MiB.

use bytes::Bytes;
use futures_util::SinkExt;
use yawc::{DeflateOptions, Frame, MaybeTlsStream, OpCode, Options, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;

type Inner = WebSocket<MaybeTlsStream<tokio::net::TcpStream>>;

pub struct Client(Inner);

/// The same with compression, at its default level and as flate2 here does it:
/// by zlib-rs. Small messages are sent as they are, as isosocket sends them.
pub struct Deflating(Inner);

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        Ok(Client(open(url, options()).await?))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        send(&mut self.0, payload).await
    }

    async fn receive(&mut self) -> Outcome<usize> {
        receive(&mut self.0).await
    }
}

impl Socket for Deflating {
    async fn open(url: &str) -> Outcome<Self> {
        let mut options = options();
        options.compression = Some(DeflateOptions {
            compression_threshold: 64,
            ..DeflateOptions::default()
        });
        Ok(Deflating(open(url, options).await?))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        send(&mut self.0, payload).await
    }

    async fn receive(&mut self) -> Outcome<usize> {
        receive(&mut self.0).await
    }
}

fn options() -> Options {
    Options::default()
        .with_limits(64 << 20, 64 << 20)
        .with_no_delay()
}

async fn open(url: &str, options: Options) -> Outcome<Inner> {
    Ok(WebSocket::connect(url.parse()?)
        .with_options(options)
        .await?)
}

async fn send(socket: &mut Inner, payload: &Bytes) -> Outcome<()> {
    Ok(socket.send(Frame::binary(payload.clone())).await?)
}

async fn receive(socket: &mut Inner) -> Outcome<usize> {
    let frame = socket.next_frame().await?;
    match frame.opcode() {
        OpCode::Binary => Ok(frame.payload().len()),
        other => Err(format!("a frame {other:?} came").into()),
    }
}
