//! The JavaScript backend of isosocket: the host's own `WebSocket`, in windows,
//! workers of every kind, Node, Deno and Bun.
//!
//! Everything is looked up in the global scope, whatever that is; nothing here
//! names `window`, and nothing is left behind: listeners, closures and timers
//! belong to a connection and go with it.
//!
//! The crate compiles for every target, and does something only where there is
//! JavaScript: elsewhere wasm-bindgen panics at the first call.
//!
//! ## Threads
//! A JavaScript object cannot leave its thread. In a program with shared memory (the
//! target feature `atomics`) a socket can still be used on any thread. Requests of other
//! threads go to the thread that made the socket, which `Atomics.waitAsync` wakes. That
//! thread carries them out in order. So it must return to its host's event loop, as the main
//! thread of a page does. It never waits for another thread.
//! - `send` copies the message. It returns at once; the ready state and the send limit
//!   decide. The buffered amount is what that thread has not sent yet, plus what it last
//!   saw of the host's amount. Asking for the amount makes it look again.
//! - Handlers are `Send`, and run on the thread that made the socket.
//! - Values that are dropped on another thread are freed on that thread.
//! - A thread can be terminated by others at any moment. It holds a Web Lock while it has
//!   sockets, for which the other threads wait. So they notice, and the sockets fail.

mod catch;
mod connection;
mod drain;
#[cfg(feature = "web-sys")]
mod existing;
mod host;
mod js;
mod memory;
mod microtask;
mod options;
mod ports;
mod receive;
mod run;
mod stream;
mod threads;
mod timer;
mod waking;
mod web;

#[cfg(feature = "web-sys")]
pub use existing::{WebSocketExt, from_web_sys};
pub use host::{WebHost, WebTimer};
pub use options::{BuilderExt, WebOptions, supports_receive_limit};
pub use run::run;
pub use web::Web;
