//! The backend against a JavaScript host under the test's command.
#![cfg(target_family = "wasm")]

mod connection;
mod futures;
mod host;
mod standins;
mod throwing;
