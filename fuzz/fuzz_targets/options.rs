//! The target `options`: see `src/targets/options.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::options::run(data));
