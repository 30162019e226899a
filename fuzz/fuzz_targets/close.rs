//! The target `close`: see `src/targets/close.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::close::run(data));
