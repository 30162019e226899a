//! The streams among a socket's listeners.
//!
//! Invariant: only [`Join`]s make a list of streams. So a program without streams has
//! none of their code.

use crate::{Event, MaybeSend};

/// A stream's end at the delivering thread. It collects the events of a turn.
pub(crate) trait Stream: MaybeSend {
    /// Whether somebody may still read it.
    fn is_live(&self) -> bool;

    fn push(&mut self, event: Event);

    /// The turn ends.
    fn flush(&mut self);

    /// `Close` was delivered.
    fn end(&mut self);

    /// Whether it holds more than `limit` bytes that nobody has read. If so, it resumes
    /// the transport when somebody reads them.
    fn pause_above(&mut self, limit: usize) -> bool;
}

/// What a letter does with the streams of a socket: one joins them, for instance.
pub(crate) trait Join: MaybeSend {
    fn join(self: Box<Self>, streams: &mut Option<Box<dyn Streams>>);
}

/// All streams of a socket: at least one.
pub(crate) trait Streams: MaybeSend {
    fn add(&mut self, stream: Box<dyn Stream>);

    /// The last stream gets the value, the others a clone.
    fn push(&mut self, event: Event);

    fn flush(&mut self);

    fn end(&mut self);

    /// Whether one of them is above the limit.
    fn pause_above(&mut self, limit: usize) -> bool;

    /// Drops those that nobody can read any more. Returns whether some are left.
    fn sweep(&mut self) -> bool;
}

impl Streams for Vec<Box<dyn Stream>> {
    fn add(&mut self, stream: Box<dyn Stream>) {
        self.push(stream);
    }

    fn push(&mut self, event: Event) {
        if let Some((last, others)) = self.split_last_mut() {
            for stream in others {
                stream.push(event.clone());
            }
            last.push(event);
        }
    }

    fn flush(&mut self) {
        for stream in self {
            stream.flush();
        }
    }

    fn end(&mut self) {
        for stream in self {
            stream.end();
        }
    }

    fn pause_above(&mut self, limit: usize) -> bool {
        let mut full = false;
        for stream in self {
            full |= stream.pause_above(limit);
        }
        full
    }

    fn sweep(&mut self) -> bool {
        self.retain(|stream| stream.is_live());
        !self.is_empty()
    }
}

/// Adds a stream to those of a socket.
pub(crate) fn add(streams: &mut Option<Box<dyn Streams>>, stream: Box<dyn Stream>) {
    let new = || Box::new(Vec::<Box<dyn Stream>>::with_capacity(1)) as Box<dyn Streams>;
    streams.get_or_insert_with(new).add(stream);
}
