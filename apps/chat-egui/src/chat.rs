//! The chat: its connection, and what it draws. The same code on desktops and in pages.
//!
//! A frame is drawn only when something has happened. The wake hooks of the two streams
//! ask for one, and so does the countdown, once a second.

use std::time::Duration;

use eframe::egui::{Button, CentralPanel, Context, Key, Panel, ScrollArea, TextEdit, Ui};
use isosocket::{Event, NewError, Reconnecting, ReconnectingEvents, SendError, Status, Statuses};

/// What the program does without a person, for tests and pictures.
#[derive(Default)]
pub struct Script {
    /// Sent on the first connection.
    pub say: Vec<String>,
    /// Prints each text that is shown, when it is new.
    pub print: Option<fn(&str)>,
}

pub struct Chat {
    socket: Reconnecting,
    events: ReconnectingEvents,
    statuses: Statuses,
    status: Status,
    name: String,
    draft: String,
    lines: Vec<String>,
    script: Script,
    /// The texts of this frame, and of the one before.
    shown: [Vec<String>; 2],
}

impl Chat {
    pub fn new(context: &Context, url: &str, name: &str, script: Script) -> Result<Chat, NewError> {
        let socket = Reconnecting::builder(url)
            .backoff(Duration::from_secs(2), Duration::from_secs(20))
            .connect()?;
        let (mut events, mut statuses) = (socket.events(), socket.statuses());
        let (one, other) = (context.clone(), context.clone());
        events.set_wake_hook(move || one.request_repaint());
        statuses.set_wake_hook(move || other.request_repaint());
        Ok(Chat {
            status: socket.status(),
            socket,
            events,
            statuses,
            name: name.to_owned(),
            draft: String::new(),
            lines: Vec::new(),
            script,
            shown: [Vec::new(), Vec::new()],
        })
    }

    /// One frame: what has happened since the last one, and then everything is drawn.
    pub fn ui(&mut self, ui: &mut Ui) {
        self.update();
        self.shown.swap(0, 1);
        self.shown[0].clear();
        Panel::top("status").show(ui, |ui| ui.horizontal(|ui| self.draw_status(ui)));
        Panel::bottom("draft").show(ui, |ui| ui.horizontal(|ui| self.draw_draft(ui)));
        CentralPanel::default().show(ui, |ui| {
            ScrollArea::vertical()
                .auto_shrink(false)
                .stick_to_bottom(true)
                .show(ui, |ui| {
                    for line in self.lines.clone() {
                        self.label(ui, &line);
                    }
                });
        });
        if let Some(print) = self.script.print {
            let [now, before] = &self.shown;
            now.iter()
                .filter(|text| !before.contains(text))
                .for_each(|text| print(text));
        }
    }

    fn update(&mut self) {
        while let Some(status) = self.statuses.try_next() {
            self.status = status;
        }
        while let Some(event) = self.events.try_next() {
            match event {
                Event::Open => {
                    for text in std::mem::take(&mut self.script.say) {
                        self.send(&text);
                    }
                }
                Event::Message(message) => self.lines.push(message.to_string()),
                Event::Error(error) => self.lines.push(format!("{error:#}")),
                Event::Close(close) => self.lines.push(close.to_string()),
            }
        }
    }

    fn draw_status(&mut self, ui: &mut Ui) {
        let text = match &self.status {
            Status::Open => format!("connected to {}", self.socket.url()),
            Status::Waiting { loss, .. } => {
                let left = self.socket.time_left().unwrap_or_default().as_secs_f64();
                // Not at once: the number changes once a second.
                let next = Duration::from_secs_f64(left.fract() + 0.01);
                ui.request_repaint_after(next);
                format!("{loss}; again in {} s", left.ceil())
            }
            other => other.to_string(),
        };
        self.label(ui, &text);
        if matches!(self.status, Status::Waiting { .. }) && ui.button("Now").clicked() {
            self.socket.retry_now();
        }
    }

    fn draw_draft(&mut self, ui: &mut Ui) {
        let label = ui.label("Message");
        let edit = ui
            .add(TextEdit::singleline(&mut self.draft).desired_width(ui.available_width() - 60.0));
        let edit = edit.labelled_by(label.id);
        let entered = edit.lost_focus() && ui.input(|input| input.key_pressed(Key::Enter));
        let open = self.status == Status::Open;
        let clicked = ui.add_enabled(open, Button::new("Send")).clicked();
        if (entered || clicked) && open && !self.draft.is_empty() {
            let draft = std::mem::take(&mut self.draft);
            self.send(&draft);
            edit.request_focus();
        }
    }

    fn send(&mut self, text: &str) {
        let line = format!("{}: {text}", self.name);
        // The server sends it to all, and so to us.
        if let Err(SendError::Full(_)) = self.socket.send(line) {
            self.lines
                .push("the network is too slow for this".to_owned());
        }
    }

    fn label(&mut self, ui: &mut Ui, text: &str) {
        self.shown[0].push(text.to_owned());
        ui.label(text);
    }

    /// Whether a text that contains this is on the screen.
    #[allow(dead_code, reason = "a page has no `--until`")]
    pub fn shows(&self, part: &str) -> bool {
        self.shown[0].iter().any(|text| text.contains(part))
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        self.socket.close();
    }
}
