//! The target `reply`: see `src/targets/reply.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::reply::run(data));
