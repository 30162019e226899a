//! The target `url`: see `src/targets/url.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::url::run(data));
