//! A turn whose messages need no virtual call, for backends with many short messages: by one,
//! receiving 32 bytes takes a tenth longer.
//!
//! Invariant: it does what the [`Turn`] does.

use std::fmt;

use crate::contract::link::{Receiver, use_pauses};
use crate::socket::turn::SocketTurn;
use crate::{Binary, Event, Message, Report, Transport, Turn, WebSocket};

/// A constant, because a value that is put together here would be moved: see
/// [`Binary::copy_prefix`].
const EMPTY: Event = Event::Message(Message::Binary(Binary::EMPTY));

/// A turn of a backend with the transport `T`, if there is one. That of a plain socket, which is
/// the usual one, is called directly.
#[doc(hidden)]
pub struct DirectTurn<'a, T: Transport> {
    plain: Option<&'a mut SocketTurn<T>>,
    /// If there is no such turn: that of a connection inside another transport.
    other: Option<&'a mut Turn>,
}

impl<'a, T: Transport> DirectTurn<'a, T> {
    #[doc(hidden)]
    pub fn new(mut turn: Option<&'a mut Turn>) -> Self {
        let receiver = turn.as_mut().and_then(|turn| turn.0.as_mut());
        let any = receiver.and_then(|receiver| receiver.as_any());
        if !any.is_some_and(|any| any.is::<SocketTurn<T>>()) {
            return DirectTurn {
                plain: None,
                other: turn,
            };
        }
        // Asked once more, because the compiler takes the first answer for a loan of the turn.
        let receiver = turn.and_then(|turn| turn.0.as_mut());
        let any = receiver.and_then(|receiver| receiver.as_any());
        DirectTurn {
            plain: any.and_then(|any| any.downcast_mut()),
            other: None,
        }
    }

    /// See [`Turn::message`].
    #[doc(hidden)]
    #[inline(always)]
    pub fn message(&mut self, message: Message) {
        self.message_in(Event::Message(message), |_| {});
    }

    #[inline(never)]
    fn other_message(&mut self, event: &mut Event) {
        if let Some(turn) = &mut self.other {
            turn.message_in(event);
        }
    }

    /// The same for binary data that `write` puts into its place in the event.
    #[doc(hidden)]
    #[inline(always)]
    pub fn binary(&mut self, write: impl FnOnce(&mut Binary)) {
        self.message_in(EMPTY, |event| {
            if let Event::Message(Message::Binary(binary)) = event {
                write(binary);
            }
        });
    }

    #[inline(always)]
    fn message_in(&mut self, mut event: Event, write: impl FnOnce(&mut Event)) {
        write(&mut event);
        match &mut self.plain {
            Some(turn) => turn.message_inlined(&mut event),
            None => self.other_message(&mut event),
        }
        // Dropped here and not by the event's own glue, which is a call.
        if let Event::Message(message) = event {
            drop(message);
        }
    }

    /// See [`Turn::report`].
    #[doc(hidden)]
    #[inline(never)]
    pub fn report(&mut self, report: Report) {
        match (&mut self.plain, &mut self.other) {
            (Some(turn), _) => turn.report(report),
            (None, Some(turn)) => turn.report(report),
            (None, None) => {}
        }
    }

    /// See [`Turn::is_backlogged`].
    #[doc(hidden)]
    pub fn is_backlogged(&mut self, limit: usize) -> bool {
        match (&mut self.plain, &mut self.other) {
            (Some(turn), _) => {
                use_pauses();
                turn.is_backlogged(limit)
            }
            (None, Some(turn)) => turn.is_backlogged(limit),
            (None, None) => false,
        }
    }

    /// The socket's URL, for a log. Empty for a connection inside another transport.
    #[doc(hidden)]
    pub fn url(&self) -> &str {
        let socket = self.plain.as_ref().and_then(|turn| turn.socket());
        socket.map_or("", WebSocket::url)
    }
}

impl<T: Transport> fmt::Debug for DirectTurn<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DirectTurn")
    }
}
