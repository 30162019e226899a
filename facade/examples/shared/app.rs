//! What the echo program does, on the terminal and in the browser alike: it
//! opens a socket, sends what was typed, shows what happens, and closes.
//!
//! Only reading a line and drawing differ; see `Screen`.

use isosocket::{MaybeSend, NewError, ReadyState, WebSocket};

use crate::texts::Texts;

/// Which event a line of the log is about.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    Sent,
    Message,
    Error,
    Close,
}

/// Where the program shows things.
pub trait Screen: Clone + MaybeSend + 'static {
    /// Adds a line to the log.
    fn log(&self, kind: Kind, text: &str);

    /// The state changed, and with it what the user can do.
    fn update(&self, state: ReadyState);
}

/// The program.
pub struct App<S> {
    screen: S,
    texts: &'static Texts,
    socket: Option<WebSocket>,
}

impl<S: Screen> App<S> {
    pub fn new(screen: S, texts: &'static Texts) -> Self {
        screen.update(ReadyState::Closed);
        App {
            screen,
            texts,
            socket: None,
        }
    }

    /// The button "Open connection".
    pub fn open(&mut self, url: &str) -> Result<(), NewError> {
        let socket = self.connect(url)?;
        let screen = self.screen.clone();
        socket.on_open(move |_| screen.update(ReadyState::Open));
        self.keep(socket);
        Ok(())
    }

    /// The button "Send".
    pub fn send(&self, text: &str) {
        if let Some(socket) = &self.socket {
            send(socket, text, self.texts, &self.screen);
        }
    }

    /// "Send" in the older form, which has no button that opens a connection.
    /// It opens one and sends the text then; if one is open, it sends at once.
    #[allow(dead_code, reason = "the terminal has no older form")]
    pub fn open_and_send(&mut self, url: &str, text: &str) -> Result<(), NewError> {
        let is_open = |socket: &WebSocket| socket.ready_state() == ReadyState::Open;
        if self.socket.as_ref().is_some_and(is_open) {
            self.send(text);
            return Ok(());
        }
        let socket = self.connect(url)?;
        let (screen, texts, text) = (self.screen.clone(), self.texts, text.to_owned());
        socket.on_open(move |socket| {
            screen.update(ReadyState::Open);
            send(socket, &text, texts, &screen);
        });
        self.keep(socket);
        Ok(())
    }

    /// The button "Close connection".
    pub fn close(&self) {
        if let Some(socket) = &self.socket {
            socket.close();
            self.screen.update(socket.ready_state());
        }
    }

    /// A socket with every handler but the one for `open`.
    fn connect(&self, url: &str) -> Result<WebSocket, NewError> {
        let socket = WebSocket::new(url)?;
        let (screen, received) = (self.screen.clone(), self.texts.received);
        socket.on_message(move |_, message| {
            let line = match message.as_text() {
                Some(text) => format!("{received} : {text}"),
                None => format!("{received} : [{} B]", message.len()),
            };
            screen.log(Kind::Message, &line);
        });
        let screen = self.screen.clone();
        socket.on_error(move |_, error| screen.log(Kind::Error, &format!("{error:#}")));
        let (screen, closed) = (self.screen.clone(), self.texts.closed);
        socket.on_close(move |_, close| {
            let line = match &*close.reason {
                "" => format!("{closed} ({})", close.code),
                reason => format!("{closed} ({}: {reason})", close.code),
            };
            screen.log(Kind::Close, &line);
            screen.update(ReadyState::Closed);
        });
        Ok(socket)
    }

    fn keep(&mut self, socket: WebSocket) {
        self.screen.update(socket.ready_state());
        self.socket = Some(socket);
    }
}

fn send(socket: &WebSocket, text: &str, texts: &Texts, screen: &impl Screen) {
    match (socket.send(text), texts.sent) {
        (Ok(()), Some(sent)) => screen.log(Kind::Sent, sent),
        (Ok(()), None) => {}
        (Err(error), _) => screen.log(Kind::Error, &error.to_string()),
    }
}
