//! The target `proxy`: see `src/targets/proxy.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::proxy::run(data));
