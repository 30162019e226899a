//! The JavaScript backend of isosocket: the host's own `WebSocket`, in windows,
//! workers of every kind, Node, Deno and Bun.
//!
//! Everything is looked up in the global scope, whatever that is; nothing here
//! names `window`, and nothing is left behind: listeners, closures and timers
//! belong to a connection and go with it (S102).
//!
//! The crate compiles for every target, and does something only where there is
//! JavaScript: elsewhere wasm-bindgen panics at the first call.
//!
//! ## Threads
//! A JavaScript object cannot leave its thread. In a program with shared memory
//! a [`Web`] may be anywhere, but a socket is used on the thread that made it:
//! elsewhere `send` refuses as if the buffer were full, `close` does nothing,
//! the buffered amount is 0, and an error is logged.

mod connection;
mod drain;
mod host;
mod js;
mod local;
mod microtask;
mod ports;
mod receive;
mod run;
mod timer;
mod web;

pub use host::{WebHost, WebTimer};
pub use run::run;
pub use web::Web;
