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
//! (the target feature `atomics`) a socket may be used on any thread all the
//! same: what is asked of it elsewhere is handed over to the thread that made
//! it, which is woken by `Atomics.waitAsync`, and done there, in order.
//! - `send` copies the message and answers at once, by the state and by the
//!   send limit. The buffered amount is what was handed over, and what that
//!   thread last saw of its host's; to ask for it has it look again.
//! - Handlers are `Send`, and run on the thread that made the socket.
//! - What is dropped elsewhere is handed over to be freed.
//!
//! So that thread must come back to its host's loop, as every page's does. It
//! never waits for another one.

mod catch;
mod connection;
mod drain;
mod host;
mod js;
mod memory;
mod microtask;
mod ports;
mod receive;
mod run;
mod threads;
mod timer;
mod web;

pub use host::{WebHost, WebTimer};
pub use run::run;
pub use web::Web;
