//! isosocket, by handler and by stream; by handler also with other options of
//! compression than its own. The stream is awaited in three ways: inside
//! `isosocket::run`, on tokio, and where the shared thread serves the socket.

use std::marker::PhantomData;

use bytes::Bytes;
use isosocket::native::{BuilderExt, Deflate};
use isosocket::{Event, Events, SendError, WebSocket};

use crate::job::Outcome;
use crate::pull::Socket;
use crate::push::Handle;

/// By handler.
pub struct Handler<W: Way = Default>(PhantomData<W>);

/// How to compress.
pub trait Way: 'static {
    fn deflate() -> Deflate {
        Deflate::default()
    }
}

/// As the library does by itself.
pub struct Default;

impl Way for Default {}

/// Not at all.
pub struct Plain;

impl Way for Plain {
    fn deflate() -> Deflate {
        Deflate::off()
    }
}

/// With little effort.
pub struct Fast;

impl Way for Fast {
    fn deflate() -> Deflate {
        Deflate::default().level(1)
    }
}

/// Each message by itself.
pub struct Alone;

impl Way for Alone {
    fn deflate() -> Deflate {
        Deflate::default()
            .client_no_context_takeover(true)
            .server_no_context_takeover(true)
    }
}

impl<W: Way> Handle for Handler<W> {
    type Socket = WebSocket;

    fn open(
        url: &str,
        mut on_open: impl FnMut(&WebSocket) + Send + 'static,
        mut on_message: impl FnMut(&WebSocket, usize) + Send + 'static,
    ) -> Outcome<WebSocket> {
        let socket = WebSocket::builder(url)
            .deflate(W::deflate())
            .on_open(move |socket| on_open(socket))
            .on_message(move |socket, message| on_message(socket, message.len()))
            .on_error(|_, error| panic!("{error}"))
            .connect()?;
        Ok(socket)
    }

    fn construct(url: &str) -> Outcome<WebSocket> {
        Ok(WebSocket::new(url)?)
    }

    fn send(socket: &WebSocket, payload: &Bytes) {
        while let Err(error) = socket.send(payload) {
            match error {
                SendError::Full(_) => pollster::block_on(socket.send_ready()),
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

    fn construct(url: &str) -> Option<Outcome<impl Sized + 'static>> {
        Some(WebSocket::new(url).map_err(Into::into))
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
