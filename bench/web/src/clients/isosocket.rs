//! isosocket, by handler and by stream.

use isosocket::{Event, Events, SendError, WebSocket};

use crate::Outcome;
use crate::payload::Payload;
use crate::pull::Pull;
use crate::push::Push;

pub type Handler = WebSocket;

fn send(socket: &WebSocket, payload: &Payload) -> Result<(), SendError> {
    match payload {
        Payload::Text(text) => socket.send(text),
        Payload::Binary(data) => socket.send(data),
    }
}

impl Push for WebSocket {
    fn open(
        url: &str,
        on_open: impl Fn() + 'static,
        on_message: impl Fn(usize) + 'static,
    ) -> Outcome<Self> {
        let socket = WebSocket::builder(url)
            .on_open(move |_| on_open())
            .on_message(move |_, message| on_message(message.len()))
            .connect()?;
        Ok(socket)
    }

    fn send(&self, payload: &Payload) {
        send(self, payload).expect("no batch fills the buffer");
    }
}

pub struct Stream {
    socket: WebSocket,
    events: Events,
}

impl Pull for Stream {
    async fn open(url: &str) -> Outcome<Self> {
        let socket = WebSocket::open(url).await?;
        let events = socket.events();
        Ok(Stream { socket, events })
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        Ok(send(&self.socket, payload)?)
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
