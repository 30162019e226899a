//! The platform-free half of isosocket: what a program may observe, decided once.
//!
//! A backend implements [`Transport`] and *reports facts* ([`Report`]) through
//! its [`Link`]; this crate turns them into [`Event`]s. So no backend can
//! deliver a message after `close`, two `Close` events, or an `Error` without
//! its `Close`. This crate knows no platform: no I/O, no clock, no threads, no
//! JavaScript. What a program may rely on is a [list of rules][parity], which the
//! conformance suite checks. Comments and tests cite them by number, such as
//! [S60](https://github.com/isosocket/isosocket/blob/main/docs/parity.md#s60).
//!
//! Programs use the crate `isosocket`, which re-exports what they need. For
//! backends there are [`Transport`], with an example of one, [`Link`] and
//! [`Turn`], [`Report`], [`Request`], [`Host`] and [`SharedCell`].
//!
//! [parity]: https://github.com/isosocket/isosocket/blob/main/docs/parity.md#the-rules

#![forbid(unsafe_code)]

mod base;
mod contract;
mod delivery;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing {
    //! What `fuzz/` calls: parts that are private otherwise.

    #[doc(hidden)]
    /// The check of a URL that every target has, before a backend sees it.
    pub fn check_url(url: &str) -> Result<String, crate::SyntaxError> {
        crate::contract::request::check_url(url)
    }
}
mod heartbeat;
mod message;
#[cfg(feature = "mock")]
pub mod mock;
mod program;
mod reconnect;
mod socket;
mod wake;

#[doc(hidden)]
pub use base::catch::{Catch, catch_with};
#[doc(hidden)]
pub use base::guard::{drop_each, drop_guarded, guard, logging};
#[doc(hidden)]
pub use base::maybe_send::Flag;
pub use base::maybe_send::{MaybeSend, SharedCell, memory_pages};
#[doc(hidden)]
pub use base::rare::{Feature, Rare, is_used};
#[cfg(isosocket_loom)]
#[doc(hidden)]
pub use base::sync;
pub use contract::host::{Host, HostEvent, HostListener, Subscription};
pub use contract::link::{Link, Turn};
pub use contract::request::{OptionValues, Options, Request, Subprotocols, asks_for_subprotocols};
#[doc(hidden)]
pub use contract::traffic::Traffic;
pub use contract::transport::Transport;
pub use contract::unsupported::{Unsupported, run_unsupported};
pub use delivery::bind::{Bind, Binding};
#[doc(hidden)]
pub use delivery::watches_life;
pub use event::error::{CloseError, NewError, OpenError, SendError, SyntaxError, UnknownEvent};
pub use event::error_event::ErrorEvent;
pub use event::kind::{ErrorKind, Timeout};
pub use event::report::{Refusal, Report};
pub use event::tls::TlsFailure;
pub use event::{CloseEvent, Event, EventKind};
pub use heartbeat::Heartbeat;
#[doc(hidden)]
pub use heartbeat::test_timeout;
pub use message::binary::Binary;
pub use message::data::Data;
pub use message::not_text::NotText;
pub use message::text::Text;
#[doc(hidden)]
pub use message::weight;
pub use message::{Message, MessageRef};
pub use program::builder::Builder;
#[doc(hidden)]
pub use program::builder::Configure;
pub use program::closed::Closed;
pub use program::events::{Events, Next};
pub use program::interface::Socket;
pub use program::into_url::IntoUrl;
#[cfg(feature = "json")]
pub use program::json::{JsonError, JsonEvents, SendJsonError};
pub use program::open::Open;
pub use program::send_ready::SendReady;
pub use program::sender::Sender;
#[doc(hidden)]
pub use reconnect::retry_after;
pub use reconnect::{Loss, NextAttempt, Reconnect, ReconnectOptions, Retry, Status, Statuses};
pub use socket::WebSocket;
#[doc(hidden)]
pub use socket::accepted::reads_accepted;
#[doc(hidden)]
pub use socket::carrier::{supported, wake_up};
#[doc(hidden)]
pub use socket::direct::DirectTurn;
pub use socket::machine::ReadyState;
pub use socket::stats::Stats;
pub use wake::trust_wakers_like;
