//! The target `deflate`: see `src/targets/deflate.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::deflate::run(data));
