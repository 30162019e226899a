//! What everything else is built on: calls of the program's code whose panics end here, locks,
//! and the one difference between targets.

pub(crate) mod catch;
pub(crate) mod guard;
pub(crate) mod maybe_send;
pub(crate) mod rare;
pub mod sync;
pub(crate) mod thin_vec;
