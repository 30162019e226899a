//! isosocket, by handler and by stream.

use bytes::Bytes;
use isosocket::{Event, Events, SendError, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;
use crate::push::Handle;

pub type Handler = WebSocket;

impl Handle for WebSocket {
    fn open(
        url: &str,
        mut on_open: impl FnMut(&Self) + Send + 'static,
        mut on_message: impl FnMut(&Self, usize) + Send + 'static,
    ) -> Outcome<Self> {
        let socket = WebSocket::builder(url)
            .on_open(move |socket| on_open(socket))
            .on_message(move |socket, message| on_message(socket, message.len()))
            .on_error(|_, error| panic!("{error}"))
            .connect()?;
        Ok(socket)
    }

    fn construct(url: &str) -> Outcome<Self> {
        Ok(WebSocket::new(url)?)
    }

    fn send(&self, payload: &Bytes) {
        while let Err(error) = WebSocket::send(self, payload) {
            match error {
                SendError::Full(_) => pollster::block_on(self.send_ready()),
                error => panic!("{error}"),
            }
        }
    }
}

pub struct Stream {
    socket: WebSocket,
    events: Events,
}

impl Socket for Stream {
    async fn open(url: &str) -> Outcome<Self> {
        let socket = WebSocket::open(url).await?;
        let events = socket.events();
        Ok(Stream { socket, events })
    }

    async fn send(&mut self, payload: &Bytes) -> Outcome<()> {
        while let Err(error) = self.socket.send(payload) {
            match error {
                SendError::Full(_) => self.socket.send_ready().await,
                error => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn receive(&mut self) -> Outcome<usize> {
        loop {
            match self.events.next().await {
                Some(Event::Message(message)) => return Ok(message.len()),
                Some(Event::Open) => {}
                Some(Event::Error(error)) => return Err(error.to_string().into()),
                Some(Event::Close(_)) | None => return Err("closed".into()),
            }
        }
    }
}
