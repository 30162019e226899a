//! Running programs: where things are, how a child is started, watched and ended, and how
//! long each part took.
//!
//! Nothing here knows what is run, or why.

pub mod process;
pub mod progress;
pub mod times;
pub mod workspace;

pub use process::Invocation;
