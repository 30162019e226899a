//! The events that are kept until somebody listens (S101).

use std::mem;

use crate::Event;
use crate::base::guard::logging;

/// Events that wait for a first listener.
#[derive(Default)]
pub(super) struct Backlog {
    pub(super) events: Vec<Event>,
    /// So many of these were taken out.
    taken: usize,
    pub(super) bytes: usize,
    /// How many messages came after these and were dropped.
    pub(super) dropped: usize,
}

// Not a `VecDeque`, whose code is larger.
impl Backlog {
    /// Takes out the oldest event.
    pub(super) fn take(&mut self) -> Option<Event> {
        let event = self.events.get_mut(self.taken)?;
        self.taken += 1;
        Some(mem::replace(event, Event::Open))
    }

    /// Puts back those that nobody wanted of the ones that were taken out last.
    pub(super) fn put_back(&mut self, mut passed: Vec<Event>) {
        if self.taken == self.events.len() {
            self.taken = 0;
            self.events = passed;
            return;
        }
        while let Some(event) = passed.pop() {
            self.taken -= 1;
            if let Some(place) = self.events.get_mut(self.taken) {
                *place = event;
            }
        }
    }
}

/// Keeps an event until somebody listens (S101).
#[inline(never)]
#[cold]
pub(super) fn keep(backlog: &mut Option<Box<Backlog>>, limit: usize, event: &mut Event) {
    let weight = event.weight();
    let backlog = backlog.get_or_insert_default();
    let bytes = backlog.bytes.saturating_add(weight);
    // Only messages count. After the first message that is dropped all others are
    // dropped too, so that the kept messages have no gap.
    if weight > 0 && (backlog.dropped > 0 || bytes > limit) {
        backlog.dropped += 1;
        if backlog.dropped == 1 {
            logging(|| log::warn!("nobody listens for messages: dropping them from now on"));
        }
        return;
    }
    // A socket that connects again has an `Open` for each connection: without a limit,
    // if all were kept.
    if let (Event::Open, Some(Event::Open)) = (&event, backlog.events.last()) {
        return;
    }
    backlog.bytes = bytes;
    let event = mem::replace(event, Event::Open);
    match backlog.events.is_empty() {
        // Often it stays the only one: `Open`.
        true => backlog.events = vec![event],
        false => backlog.events.push(event),
    }
}
