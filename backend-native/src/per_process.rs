//! A value that each process makes for itself. A forked child makes its own (S114).
//!
//! In a forked child only the thread that forked exists. If another thread of the parent held
//! a lock at that moment, no thread of the child will ever release it.
//! Invariant: a process never uses the value of another process. So it never takes a lock of
//! its parent, and never waits for an initialisation that its parent has begun.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// A value for a `static`, made on first use in each process.
pub(crate) struct PerProcess<T: 'static> {
    make: fn() -> T,
    first: Generation<T>,
}

/// The value of one process. Its forked child, which has a copy, uses `child`.
struct Generation<T: 'static> {
    /// The process that owns `value`; zero before the first use.
    process: AtomicU32,
    value: OnceLock<T>,
    child: OnceLock<Box<Generation<T>>>,
}

impl<T> PerProcess<T> {
    pub(crate) const fn new(make: fn() -> T) -> Self {
        PerProcess {
            make,
            first: Generation::new(),
        }
    }

    /// The value of this process.
    pub(crate) fn get(&'static self) -> &'static T {
        self.get_in(process())
    }

    fn get_in(&'static self, process: u32) -> &'static T {
        let mut generation = &self.first;
        while !generation.belongs_to(process) {
            // Only a child reads this. So its parent cannot have begun to write it.
            generation = generation.child.get_or_init(|| Generation::new().into());
        }
        generation.value.get_or_init(self.make)
    }
}

/// Tells processes apart. Where there is only one, its number cannot be asked for.
pub(crate) fn process() -> u32 {
    match cfg!(any(unix, windows)) {
        true => std::process::id(),
        false => 1,
    }
}

impl<T> Generation<T> {
    const fn new() -> Self {
        Generation {
            process: AtomicU32::new(0),
            value: OnceLock::new(),
            child: OnceLock::new(),
        }
    }

    /// Whether this is the value of `process`. If it has no owner yet, `process` becomes the owner.
    fn belongs_to(&self, process: u32) -> bool {
        let claim = self
            .process
            .compare_exchange(0, process, Ordering::Relaxed, Ordering::Relaxed);
        match claim {
            Ok(_) => true,
            Err(owner) => owner == process,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_process_has_a_value_of_its_own() {
        static VALUE: PerProcess<AtomicU32> = PerProcess::new(|| AtomicU32::new(7));
        let value = |process| VALUE.get_in(process).load(Ordering::Relaxed);
        VALUE.get_in(100).store(1, Ordering::Relaxed);
        assert_eq!((value(100), value(200), value(300)), (1, 7, 7));
        VALUE.get_in(200).store(2, Ordering::Relaxed);
        assert_eq!((value(100), value(200), value(300)), (1, 2, 7));
    }
}
