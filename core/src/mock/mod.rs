//! A network for tests: peers that follow scripts, in simulated time.
//!
//! While a [`Network`] exists, sockets that are made on its thread connect to
//! its peers, and to nothing else. Nothing happens by itself: the test lets it
//! happen, by [`Network::run`], [`Network::advance`] or [`Network::block_on`].
//! So a test of many seconds takes microseconds, and goes the same way each
//! time, on every target.
//!
//! It reports through the same [`Link`](crate::Link) as the backends, so events
//! come in the order, and with the values, that the rules ask for.
//!
#![doc = concat!(
    "Guide: [testing without a network](https://docs.rs/isosocket/",
    env!("CARGO_PKG_VERSION"),
    "/isosocket/guide/testing/)."
)]

mod connection;
mod mockable;
mod network;
mod peer;
mod script;
mod transport;
mod url;
mod world;

pub(crate) use mockable::MockableHost;
pub use network::{Network, Unmet};
pub use peer::Peer;
// What no program names.
#[doc(hidden)]
pub use transport::Mock;
#[doc(hidden)]
pub use world::{MockHost, MockTimer};
