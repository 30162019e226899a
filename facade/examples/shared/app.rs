//! What the echo program does, on the terminal and in the browser alike: it
//! opens a socket, sends what was typed, shows what happens, and closes.
//!
//! Only reading a line and drawing differ; see `Screen`.

use std::error::Error;

use isosocket::{MaybeSend, NewError, ReadyState, WebSocket};

/// Where the program shows things.
pub trait Screen: Clone + MaybeSend + 'static {
    /// Shows an event, or another line of the given kind.
    fn log(&self, kind: &str, text: &str);

    /// The state changed, and with it what the user can do.
    fn update(&self, state: ReadyState);
}

/// The program.
pub struct App<S> {
    screen: S,
    socket: Option<WebSocket>,
}

impl<S: Screen> App<S> {
    pub fn new(screen: S) -> Self {
        screen.update(ReadyState::Closed);
        App {
            screen,
            socket: None,
        }
    }

    /// "Open connection"
    pub fn open(&mut self, url: &str) -> Result<(), NewError> {
        let socket = WebSocket::new(url)?;
        let screen = self.screen.clone();
        socket.on_open(move |socket| {
            screen.log("open", socket.url());
            screen.update(ReadyState::Open);
        });
        let screen = self.screen.clone();
        socket.on_message(move |_, message| match message.as_text() {
            Some(text) => screen.log("message", text),
            None => screen.log("message", &format!("{} bytes", message.len())),
        });
        let screen = self.screen.clone();
        socket.on_error(move |_, error| screen.log("error", &reasons(error)));
        let screen = self.screen.clone();
        socket.on_close(move |_, close| {
            let (code, clean) = (close.code, close.was_clean);
            let text = format!("code={code} reason={:?} clean={clean}", close.reason);
            screen.log("close", &text);
            screen.update(ReadyState::Closed);
        });
        self.screen.update(socket.ready_state());
        self.socket = Some(socket);
        Ok(())
    }

    /// "Send"
    pub fn send(&self, text: &str) {
        let Some(socket) = &self.socket else { return };
        if let Err(error) = socket.send(text) {
            self.screen.log("error", &format!("not sent: {error}"));
        }
    }

    /// "Close connection"
    pub fn close(&self) {
        if let Some(socket) = &self.socket {
            socket.close();
            self.screen.update(socket.ready_state());
        }
    }
}

/// What went wrong, in one line, with its causes as far as the target tells them.
fn reasons(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
