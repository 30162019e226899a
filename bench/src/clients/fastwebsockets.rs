//! fastwebsockets, over hyper's upgrade as in its documentation.

use std::future::Future;

use bytes::Bytes;
use fastwebsockets::{FragmentCollector, Frame, OpCode, Payload, handshake};
use http_body_util::Empty;
use hyper::Request;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::job::Outcome;
use crate::pull::Socket;

pub struct Client(FragmentCollector<TokioIo<Upgraded>>);

struct SpawnExecutor;

impl<F> hyper::rt::Executor<F> for SpawnExecutor
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, future: F) {
        tokio::task::spawn(future);
    }
}

impl Socket for Client {
    async fn open(url: &str) -> Outcome<Self> {
        let uri: hyper::Uri = url.parse()?;
        let host = uri.authority().ok_or("the URL has no host")?.as_str();
        let stream = TcpStream::connect(host).await?;
        stream.set_nodelay(true)?;
        let request = Request::builder()
            .method("GET")
            .uri(uri.path())
            .header("Host", host)
            .header("Upgrade", "websocket")
            .header("Connection", "upgrade")
            .header("Sec-WebSocket-Key", handshake::generate_key())
            .header("Sec-WebSocket-Version", "13")
            .body(Empty::<Bytes>::new())?;
        let (socket, _) = handshake::client(&SpawnExecutor, request, stream).await?;
        Ok(Client(FragmentCollector::new(socket)))
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        let frame = Frame::binary(Payload::Borrowed(payload));
        Ok(self.0.write_frame(frame).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        let frame = self.0.read_frame().await?;
        match frame.opcode {
            OpCode::Binary => Ok(frame.payload.len()),
            other => Err(format!("a frame {other:?} came").into()),
        }
    }
}
