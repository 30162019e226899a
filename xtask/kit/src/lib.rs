//! What the tools of this repository share: running programs, installing what is missing,
//! driving browsers.
//!
//! Invariant: nothing here knows the suite, a row, or a benchmark.

#![allow(
    missing_docs,
    reason = "only tools of this repository use it, and most names say all"
)]

pub mod browser;
pub mod run;
pub mod tools;
