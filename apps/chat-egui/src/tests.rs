//! What the chat shows, as a screen reader would read it (AccessKit), against the peer.
//!
//! A frame is drawn only when the program asks for one. So the tests also fail if a wake
//! hook does not call.

use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use eframe::egui::{Key, Ui};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT, Queryable};
use isosocket_peer::{Peer, PeerOptions};

use crate::chat::{Chat, Script};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(30);

struct Window {
    harness: Harness<'static, Option<Chat>>,
    /// The frames that were asked for, by how soon.
    asked: Receiver<Duration>,
    start: Instant,
}

impl Window {
    fn open(url: String) -> Self {
        let draw = move |ui: &mut Ui, chat: &mut Option<Chat>| {
            let new = || Chat::new(ui.ctx(), &url, "ann", Script::default()).unwrap();
            chat.get_or_insert_with(new).ui(ui);
        };
        let harness = Harness::new_ui_state(draw, None);
        let (sender, asked) = channel();
        harness
            .ctx
            .set_request_repaint_callback(move |info| sender.send(info.delay).unwrap_or_default());
        Window {
            harness,
            asked,
            start: Instant::now(),
        }
    }

    /// Draws frames, as asked for, until a text like this is shown. Gives the text.
    #[track_caller]
    fn until(&mut self, part: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            self.harness.input_mut().time = Some(self.start.elapsed().as_secs_f64());
            self.harness.step();
            if let Some(node) = self.harness.query_all_by_label_contains(part).next() {
                let node = node.accesskit_node();
                return node.label().or(node.value()).unwrap_or_default();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let delay = match self.asked.recv_timeout(left) {
                Ok(delay) => delay,
                Err(_) => panic!("no frame was asked for, and {part:?} is not shown"),
            };
            // It may be asked for an earlier one meanwhile.
            let _ = self.asked.recv_timeout(delay.min(left));
            while self.asked.try_recv().is_ok() {}
        }
    }

    fn say(&mut self, text: &str) {
        self.harness.get_by_label("Message").focus();
        self.harness.step();
        self.harness.get_by_label("Message").type_text(text);
        self.harness.step();
    }
}

#[test]
fn what_is_sent_is_shown_when_the_server_sends_it_to_all() {
    let peer = Peer::start(PeerOptions::default()).unwrap();
    let mut window = Window::open(peer.url("/echo"));
    window.until("connected to ws://127.0.0.1:");
    window.say("hello");
    window.harness.get_by_label("Send").click();
    window.until("ann: hello");
    window.say("again");
    window.harness.key_press(Key::Enter);
    window.until("ann: again");
}

#[test]
fn a_message_that_comes_while_nothing_moves_is_drawn() {
    let peer = Peer::start(PeerOptions::default()).unwrap();
    let mut window = Window::open(peer.url("/script?do=delay:700;text:two%20words"));
    window.until("connected");
    window.until("two words");
}

#[test]
fn a_restart_of_the_server_is_survived_and_the_seconds_are_counted() {
    // Below the ports that the system gives to others, so that they stay free.
    let on = |base_port| {
        Peer::start(PeerOptions {
            base_port,
            ..PeerOptions::default()
        })
    };
    let (base, peer) = (21_000..29_000)
        .step_by(8)
        .find_map(|base| Some((base, on(base).ok()?)))
        .unwrap();
    let mut window = Window::open(peer.url("/echo"));
    window.until("connected");
    drop(peer);
    let text = window.until("again in ");
    assert!(text.ends_with(" s"), "{text}");
    // The countdown goes on by itself.
    window.until("again in 1 s");
    let peer = on(base).unwrap();
    // There is none while it connects.
    if let Some(button) = window.harness.query_by_label("Now") {
        button.click();
    }
    window.until("connected");
    window.say("back");
    window.harness.get_by_label("Send").click();
    window.until("ann: back");
    drop(peer);
}
