//! The loop of a program on ewebsock, after a move.

use isosocket::{Event, Events, NewError, WebSocket};

struct Link {
    socket: WebSocket,
    events: Events,
}

impl Link {
    // It was: `ewebsock::connect_with_wakeup(url, options, wake_up)?`.
    fn new(url: &str, wake_up: impl Fn() + Send + 'static) -> Result<Self, NewError> {
        let socket = WebSocket::new(url)?;
        let mut events = socket.events();
        events.set_wake_hook(wake_up);
        Ok(Link { socket, events })
    }

    // It was: `receiver.try_recv()`, `WsEvent::Opened`, `WsMessage::Text(text)` ..
    fn update(&mut self) {
        while let Some(event) = self.events.try_next() {
            match event {
                Event::Open => drop(self.socket.send("hello")),
                Event::Message(message) => println!("{message}"),
                Event::Error(error) => eprintln!("{error:#}"),
                Event::Close(close) => println!("{close}"),
            }
        }
    }
}

fn main() -> Result<(), NewError> {
    Link::new("ws://127.0.0.1:8080/echo", || {})?.update();
    Ok(())
}
