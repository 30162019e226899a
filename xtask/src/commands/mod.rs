//! The commands that build or run one thing each. A row of test-all may be one of them.
//!
//! A command uses the kit; none uses another but for pages and their server.

pub mod autobahn;
pub mod bench;
pub mod day;
pub mod demo;
pub mod fuzz;
pub mod mutants;
pub mod pages;
pub mod parity;
pub mod races;
pub mod release;
pub mod servers;
pub mod simulate;
pub mod soak;
pub mod standins;
pub mod targets;
pub mod threads;
