//! The script of a peer: its steps, and which of them are done.

use std::collections::VecDeque;
use std::fmt;
use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use super::connection::Connection;
use crate::{ErrorEvent, Message};

/// One thing that a peer does or waits for.
pub(crate) enum Step {
    /// The opening handshake; without a subprotocol the client's first.
    Accept {
        protocol: Option<String>,
        extensions: String,
    },
    Refuse(ErrorEvent),
    Delay(Duration),
    /// Nothing, for ever.
    Hang,
    Expect(Message),
    ExpectWhere(String, Box<dyn Fn(&Message) -> bool + Send + Sync>),
    /// A Close frame: any, or this one.
    ExpectClose(Option<(u16, String)>),
    Send(Message),
    Close(Option<(u16, String)>),
    Drop,
    Fail(ErrorEvent),
    /// What the client sends is not taken any more.
    Stall,
    /// It is again.
    Drain,
}

/// What the client sent.
#[derive(Debug)]
pub(crate) enum Sent {
    Message(Message),
    Close(Option<(u16, String)>),
}

impl Step {
    /// Whether the client must do something for it.
    pub(crate) fn matches(&self, sent: &Sent) -> bool {
        match (self, sent) {
            (Step::Expect(expected), Sent::Message(message)) => expected == message,
            (Step::ExpectWhere(_, test), Sent::Message(message)) => test(message),
            (Step::ExpectClose(None), Sent::Close(_)) => true,
            (Step::ExpectClose(expected), Sent::Close(frame)) => expected == frame,
            _ => false,
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Accept { .. } => f.write_str("accept"),
            Step::Refuse(_) => f.write_str("refuse"),
            Step::Delay(delay) => write!(f, "delay {delay:?}"),
            Step::Hang => f.write_str("hang"),
            Step::Expect(message) => write!(f, "expect {}", words(message)),
            Step::ExpectWhere(what, _) => write!(f, "expect {what}"),
            Step::ExpectClose(None) => f.write_str("expect a Close frame"),
            Step::ExpectClose(frame) => write!(f, "expect {}", frame_words(frame)),
            Step::Send(message) => write!(f, "send {}", words(message)),
            Step::Close(frame) => write!(f, "send {}", frame_words(frame)),
            Step::Drop => f.write_str("drop the connection"),
            Step::Fail(_) => f.write_str("fail the connection"),
            Step::Stall => f.write_str("stall"),
            Step::Drain => f.write_str("drain"),
        }
    }
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sent::Message(message) => f.write_str(&words(message)),
            Sent::Close(frame) => f.write_str(&frame_words(frame)),
        }
    }
}

/// A message in a line of a report: long ones by their length.
fn words(message: &Message) -> String {
    const LONGEST: usize = 200;
    match message {
        _ if message.len() > LONGEST => {
            let kind = if message.is_text() { "text" } else { "binary" };
            format!("{kind} of {} bytes", message.len())
        }
        Message::Text(text) => format!("text {text:?}"),
        Message::Binary(data) => format!("binary {:02x?}", &data[..]),
    }
}

fn frame_words(frame: &Option<(u16, String)>) -> String {
    match frame {
        None => "an empty Close frame".to_owned(),
        Some((code, reason)) => format!("a Close frame with {code} {reason:?}"),
    }
}

/// A step, and where in the test it was written.
pub(crate) type Placed = (Step, &'static Location<'static>);

/// A peer's script.
pub(crate) struct Script {
    pub(crate) url: String,
    place: &'static Location<'static>,
    progress: Mutex<Progress>,
}

#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) steps: VecDeque<Placed>,
    /// How many steps were taken.
    pub(crate) taken: usize,
    /// The connection that follows it; its number says whether there was one.
    pub(crate) connection: Weak<Connection>,
    pub(crate) number: Option<usize>,
    /// It went wrong, and its other steps do not matter.
    pub(crate) failed: bool,
}

impl Progress {
    pub(crate) fn take(&mut self) -> Option<Placed> {
        let step = self.steps.pop_front()?;
        self.taken += 1;
        Some(step)
    }
}

impl Script {
    pub(crate) fn new(url: String, place: &'static Location<'static>) -> Self {
        Script {
            url,
            place,
            progress: Mutex::default(),
        }
    }

    pub(crate) fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    pub(crate) fn connection(&self) -> Option<Arc<Connection>> {
        self.progress().connection.upgrade()
    }

    /// What is left to be done, if anything.
    pub(crate) fn left(&self) -> Option<String> {
        let progress = self.progress();
        if progress.number.is_none() {
            let Script { url, place, .. } = self;
            return Some(format!(
                "expected a connection to {url} ({place}): none came"
            ));
        }
        let (step, place) = progress.steps.front().filter(|_| !progress.failed)?;
        let name = self.name(&progress);
        let (number, all) = (progress.taken + 1, progress.taken + progress.steps.len());
        Some(format!(
            "{name}: stands before step {number} of {all}, {step} ({place})"
        ))
    }

    /// How its connection is called in reports.
    pub(crate) fn name(&self, progress: &Progress) -> String {
        let number = progress.number.unwrap_or_default();
        format!("connection {number} to {}", self.url)
    }
}
