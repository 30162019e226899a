//! The backend against a JavaScript host under the test's command.
#![cfg(target_family = "wasm")]

mod calls;
mod connection;
#[cfg(feature = "web-sys")]
mod existing;
mod futures;
mod host;
mod standins;
mod streams;
mod throwing;
