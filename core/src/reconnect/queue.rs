//! Keeps what the program sends while there is no connection, for the next connection.

use std::collections::VecDeque;

use crate::Data;
use crate::message::weight;
use crate::socket::carrier::Carrier;
use crate::socket::stats::Tally;
use crate::{Message, MessageRef, Refusal, Transport};

/// Messages in their order, bounded in bytes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    messages: VecDeque<Message>,
    bytes: usize,
    /// How many bytes they count for. A short message counts for more than its payload, because
    /// it uses memory, too.
    weight: usize,
    /// Counts what connections were given, from this queue or directly.
    pub(crate) tally: Tally,
}

impl Queue {
    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// The payload bytes that wait here, or waited at the end.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What these messages count for.
    pub(crate) fn weight(&self) -> usize {
        self.weight
    }

    pub(crate) fn push(
        &mut self,
        message: MessageRef<'_>,
        limit: Option<usize>,
    ) -> Result<(), Refusal> {
        let limit = limit.ok_or(Refusal::Connecting)?;
        let bytes = self.bytes.saturating_add(message.as_bytes().len());
        let weight = self.weight.saturating_add(weight(message.as_bytes().len()));
        // The first message counts for its payload only, however low the limit is.
        if bytes > limit || (weight > limit && !self.is_empty()) {
            return Err(Refusal::Full);
        }
        self.weight = weight;
        self.bytes = bytes;
        self.messages.push_back(message.to_message());
        Ok(())
    }

    /// Gives messages to a connection until it refuses one. That one was not sent, and stays the
    /// first.
    pub(crate) fn flush<T: Transport>(&mut self, carrier: &Carrier<T>) {
        while let Some(message) = self.messages.front() {
            if carrier.send(message.as_message()).is_err() {
                return;
            }
            self.tally.add_sent(|| message.len());
            self.bytes -= message.len();
            self.weight -= message.weight();
            self.messages.pop_front();
        }
    }

    /// At the end: nothing will be sent, and the buffered amount stays (S51).
    pub(crate) fn discard(&mut self) {
        self.messages = VecDeque::new();
    }
}
