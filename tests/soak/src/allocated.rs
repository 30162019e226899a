//! What the program has allocated and not freed, without what the allocator keeps for later.
//! So it does not depend on how the free blocks lie in memory.
//!
//! Invariant: every block goes through the system's allocator unchanged.

#![allow(
    unsafe_code,
    reason = "an allocator, which only counts and calls the system's"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static BYTES: AtomicUsize = AtomicUsize::new(0);

/// The bytes that are allocated now.
pub fn bytes() -> u64 {
    BYTES.load(Ordering::Relaxed) as u64
}

struct Counting;

// SAFETY: each method calls the same method of the system's allocator with the arguments that
// it got, and returns what that returned.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same promises.
        let block = unsafe { System.alloc(layout) };
        if !block.is_null() {
            BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        }
        block
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller keeps the same promises.
        let block = unsafe { System.alloc_zeroed(layout) };
        if !block.is_null() {
            BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        }
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller keeps the same promises.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller keeps the same promises.
        let moved = unsafe { System.realloc(block, layout, size) };
        if !moved.is_null() {
            BYTES.fetch_add(size, Ordering::Relaxed);
            BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        }
        moved
    }
}

#[cfg(test)]
mod tests {
    use super::bytes;

    /// Much more than what the other tests allocate meanwhile.
    const MUCH: u64 = 64 << 20;

    #[test]
    fn what_is_allocated_counts_until_it_is_freed() {
        let about = |bytes: u64| bytes.div_ceil(MUCH / 2) / 2;
        let before = bytes();
        let since = || about(bytes().saturating_sub(before));
        let mut block = Vec::<u8>::with_capacity(MUCH as usize);
        assert_eq!(since(), 1);
        block.reserve_exact(3 * MUCH as usize);
        assert_eq!(since(), 3);
        block.shrink_to(MUCH as usize);
        assert_eq!(since(), 1);
        let zeros = vec![0u8; 2 * MUCH as usize];
        assert_eq!(since(), 3);
        drop((block, zeros));
        assert_eq!(since(), 0);
    }
}
