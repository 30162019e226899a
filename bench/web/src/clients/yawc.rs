//! yawc.

use futures_util::SinkExt;
use yawc::WebSocket;
use yawc::frame::Frame;

use crate::Outcome;
use crate::payload::Payload;
use crate::pull::Pull;

pub struct Client(WebSocket);

impl Pull for Client {
    async fn open(url: &str) -> Outcome<Self> {
        Ok(Client(WebSocket::connect(url.parse()?).await?))
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        let frame = match payload {
            Payload::Text(text) => Frame::text(text.clone()),
            Payload::Binary(data) => Frame::binary(data.clone()),
        };
        Ok(self.0.send(frame).await?)
    }

    async fn receive(&mut self) -> Outcome<usize> {
        Ok(self.0.next_frame().await?.payload().len())
    }
}
