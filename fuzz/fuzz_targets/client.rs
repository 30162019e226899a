//! The target `client`: see `src/targets/client.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::client::run(data));
