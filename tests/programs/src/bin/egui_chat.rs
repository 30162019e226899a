//! A chat in egui: polled once a frame, and a frame for each event.

use isosocket::{Event, Events, NewError, WebSocket};
use isosocket_programs::egui;

struct Chat {
    socket: WebSocket,
    events: Events,
    lines: Vec<String>,
    draft: String,
}

impl Chat {
    fn new(url: &str, context: &egui::Context) -> Result<Self, NewError> {
        let socket = WebSocket::new(url)?;
        let mut events = socket.events();
        let context = context.clone();
        events.set_wake_hook(move || context.request_repaint());
        let (lines, draft) = Default::default();
        Ok(Chat {
            socket,
            events,
            lines,
            draft,
        })
    }

    fn ui(&mut self, ui: &mut egui::Ui) {
        while let Some(event) = self.events.try_next() {
            self.lines.push(match event {
                Event::Open => "connected".to_owned(),
                Event::Message(message) => message.to_string(),
                Event::Error(error) => format!("{error:#}"),
                Event::Close(close) => close.to_string(),
            });
        }
        for line in &self.lines {
            ui.label(line);
        }
        ui.text_edit_singleline(&mut self.draft);
        // A refused draft is kept: the socket is not open yet, or no longer.
        if ui.button("Send").clicked() && self.socket.send(&self.draft).is_ok() {
            self.draft.clear();
        }
    }
}

fn main() {
    match Chat::new("wss://example.org/chat", &egui::Context) {
        Ok(mut chat) => chat.ui(&mut egui::Ui),
        Err(error) => eprintln!("{error}"),
    }
}
