//! The platform-free half of isosocket: what a program may observe, decided once.
//!
//! A backend implements [`Transport`] and *reports facts* ([`Report`]) through
//! its [`Link`]; this crate turns them into [`Event`]s. So no backend can
//! deliver a message after `close`, two `Close` events, or an `Error` without
//! its `Close`. This crate knows no platform: no I/O, no clock, no threads, no
//! JavaScript. Numbers such as `S60` name the rules of observable behaviour
//! that the conformance suite checks.
//!
//! Programs use the crate `isosocket`, which re-exports what they need. For
//! backends there are [`Transport`], with an example of one, [`Link`] and
//! [`Turn`], [`Report`], [`Request`], [`Host`] and [`Home`].

#![forbid(unsafe_code)]

mod accepted;
mod binary;
mod bind;
mod builder;
mod carrier;
mod catch;
mod closed;
mod conversions;
mod data;
mod delivery;
mod error;
mod event;
mod events;
mod guard;
mod handlers;
mod host;
mod interface;
mod into_url;
#[cfg(feature = "json")]
mod json;
mod line;
mod link;
mod machine;
mod maybe_send;
mod message;
#[cfg(feature = "mock")]
pub mod mock;
mod open;
mod reconnect;
mod request;
mod send_ready;
mod sender;
mod shared;
mod socket;
mod text;
mod thin;
mod transport;
mod unsupported;
mod wake;

pub use binary::Binary;
pub use bind::{Bind, Binding};
pub use builder::Builder;
#[doc(hidden)]
pub use carrier::supported;
#[doc(hidden)]
pub use catch::{Catch, catch_with};
pub use closed::Closed;
pub use data::Data;
pub use error::{CloseError, NewError, NotText, OpenError, SendError, SyntaxError, UnknownEvent};
pub use event::{CloseEvent, ErrorEvent, Event, EventKind};
pub use events::{Events, Next};
#[doc(hidden)]
pub use guard::{drop_each, drop_guarded, guard, logging};
pub use host::Host;
pub use interface::Socket;
pub use into_url::IntoUrl;
#[cfg(feature = "json")]
pub use json::{JsonError, JsonEvents, SendJsonError};
pub use link::{Link, Turn};
pub use machine::ReadyState;
pub use maybe_send::{Home, MaybeSend};
#[doc(hidden)]
pub use message::weight;
pub use message::{Message, MessageRef};
pub use open::Open;
pub use reconnect::{Loss, Reconnect, ReconnectOptions, Retry, Status, Statuses};
pub use request::{Options, Request};
pub use send_ready::SendReady;
pub use sender::Sender;
pub use socket::WebSocket;
pub use text::Text;
pub use transport::{Refusal, Report, Transport};
pub use unsupported::{Unsupported, run_unsupported};
