//! The target `tungstenite`: see `src/targets/tungstenite.rs`.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| isosocket_fuzz::targets::tungstenite::run(data));
