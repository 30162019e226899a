//! One WebSocket for every target: the browser's WebSocket API, natively and on the web.

#![forbid(unsafe_code)]

mod sys;

pub use isosocket_core::{
    Bind, Binding, CloseError, CloseEvent, Data, ErrorEvent, Event, EventKind, MaybeSend, Message,
    MessageRef, NewError, OpenError, ReadyState, SendError, SyntaxError, Text, UnknownEvent,
};

use sys::Backend;
pub use sys::*;

/// A WebSocket; see [`isosocket_core::WebSocket`].
pub type WebSocket = isosocket_core::WebSocket<Backend>;

/// A socket to be opened; see [`isosocket_core::Builder`].
pub type Builder = isosocket_core::Builder<Backend>;

/// A socket's events as a stream; see [`isosocket_core::Events`].
pub type Events = isosocket_core::Events<Backend>;

/// Whether there is a WebSocket here (S103).
pub fn supported() -> bool {
    <Backend as isosocket_core::Transport>::supported()
}
