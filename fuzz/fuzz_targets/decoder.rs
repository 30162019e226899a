//! The target `decoder`: see `src/targets/decoder.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::decoder::run(data));
