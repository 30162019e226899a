//! The queues between threads, as the library has them (`ours`), and the same with
//! async-channel in their place (`theirs`). `cargo xtask bench queues` runs both programs
//! in `bin`.

pub mod ours;
pub mod theirs;
