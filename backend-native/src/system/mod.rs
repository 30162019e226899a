//! The operating system, as event loops use it: the clock, TCP streams and their
//! readiness.
//!
//! In a build with `--cfg isosocket_simulation` a model replaces the system, and the same code
//! runs in simulated time: see `tests/simulation`.

use std::sync::OnceLock;
use std::time::Instant;

#[cfg(not(isosocket_simulation))]
mod asleep;
#[cfg(not(isosocket_simulation))]
mod real;
#[cfg(isosocket_simulation)]
pub(crate) mod simulated;

#[cfg(not(isosocket_simulation))]
pub(crate) use asleep::{Alarm, slept};
#[cfg(not(isosocket_simulation))]
pub(crate) use real::*;
#[cfg(isosocket_simulation)]
pub(crate) use simulated::*;

/// A moment in the past, from which times that are stored are counted.
pub(crate) fn clock_base() -> Instant {
    static BASE: OnceLock<Instant> = OnceLock::new();
    *BASE.get_or_init(now)
}
