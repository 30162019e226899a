//! Random bytes, from a cryptographically secure generator (RFC 6455, 5.3).
//!
//! Each thread has a generator. While a thread ends, its generator may be destroyed already.
//! Then the operating system supplies the bytes, so that a destructor may still send.

#![cfg_attr(
    isosocket_simulation,
    allow(
        dead_code,
        unused_imports,
        reason = "a simulation has random bytes of its own"
    )
)]

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};

use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng, TryRng};

thread_local! {
    static GENERATOR: RefCell<Option<Box<StdRng>>> = const { RefCell::new(None) };
}

/// Random bytes.
#[inline]
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    fill(&mut bytes);
    bytes
}

#[cfg(isosocket_simulation)]
use crate::system::random as fill;

#[cfg(not(isosocket_simulation))]
#[inline]
fn fill(bytes: &mut [u8]) {
    let filled = GENERATOR.try_with(|generator| {
        let mut generator = generator.borrow_mut();
        let generator = generator.get_or_insert_with(|| Box::new(seeded()));
        generator.fill_bytes(bytes);
    });
    if filled.is_err() {
        from_system(bytes);
    }
}

fn seeded() -> StdRng {
    let mut seed = <StdRng as SeedableRng>::Seed::default();
    from_system(&mut seed);
    StdRng::from_seed(seed)
}

/// Random bytes of the system. In the unlikely case that it has none, they come from the
/// random keys of the standard library's hash maps.
fn from_system(bytes: &mut [u8]) {
    if SysRng.try_fill_bytes(bytes).is_err() {
        for (number, piece) in bytes.chunks_mut(8).enumerate() {
            let random = RandomState::new().hash_one(number).to_ne_bytes();
            piece.copy_from_slice(&random[..piece.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_differ_from_call_to_call() {
        let mut all: Vec<[u8; 16]> = (0..100).map(|_| bytes()).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 100);
    }

    #[test]
    fn the_system_fills_every_byte() {
        let mut seen = [0; 33];
        for _ in 0..20 {
            let mut bytes = [0; 33];
            from_system(&mut bytes);
            seen.iter_mut()
                .zip(bytes)
                .for_each(|(seen, byte)| *seen |= byte);
        }
        assert!(seen.iter().all(|byte| *byte != 0));
    }
}
