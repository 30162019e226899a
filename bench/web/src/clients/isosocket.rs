//! isosocket, by handler, by stream, and by stream with a receive limit.

use isosocket::web::{BuilderExt, supports_receive_limit};
use isosocket::{Event, Events, SendError, WebSocket};
use js_sys::Reflect;

use crate::Outcome;
use crate::clients::DOES_NOT_APPLY;
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

/// The same over the host's `WebSocketStream`, which waits for a program that does not read.
pub struct Limited(Stream);

impl Pull for Limited {
    async fn open(url: &str) -> Outcome<Self> {
        // The mock stands in for a `WebSocket` only. Only the mock has this function.
        let host = Reflect::get(&js_sys::global(), &"WebSocket".into()).unwrap_or_default();
        let is_mock = Reflect::has(&host, &"expect".into()).unwrap_or_default();
        if is_mock || !supports_receive_limit() {
            return Err(DOES_NOT_APPLY.into());
        }
        let builder = WebSocket::builder(url).receive_limit(4 << 20);
        let socket = builder.open().await?;
        let events = socket.events();
        Ok(Limited(Stream { socket, events }))
    }

    async fn send(&mut self, payload: &Payload) -> Outcome<()> {
        self.0.send(payload).await
    }

    async fn receive(&mut self) -> Outcome<usize> {
        self.0.receive().await
    }
}
