//! Other machines than this one: what is built for each, and what it needs.
//!
//! The suite runs there. Where this machine runs the programs itself, so do the native
//! backend's own tests of the wire format, the engine and URLs, of which some take minutes on
//! an emulated processor.

use crate::tools::{self, Tool};

macro_rules! tests_for {
    ($triple:literal) => {
        concat!(
            "-p isosocket-tests -p isosocket-native --lib --target ",
            $triple
        )
    };
}

macro_rules! suite_for {
    ($triple:literal) => {
        concat!("-p isosocket-tests --lib --target ", $triple)
    };
}

/// Without TLS, whose C code is not written for WASI.
macro_rules! tests_for_wasi {
    ($triple:literal) => {
        concat!(
            "-p isosocket-tests --lib --no-default-features --features native --target ",
            $triple
        )
    };
}

pub const MUSL: &str = tests_for!("x86_64-unknown-linux-musl");
pub const I686: &str = tests_for!("i686-unknown-linux-gnu");
pub const AARCH64: &str = suite_for!("aarch64-unknown-linux-gnu");
pub const ARMV7: &str = suite_for!("armv7-unknown-linux-gnueabihf");
pub const RISCV64: &str = suite_for!("riscv64gc-unknown-linux-gnu");
pub const S390X: &str = suite_for!("s390x-unknown-linux-gnu");

pub const WASIP1: &str = tests_for_wasi!("wasm32-wasip1");
pub const WASIP2: &str = tests_for_wasi!("wasm32-wasip2");

/// A module gets nothing of its host that is not given to it.
pub const WASMTIME: &[&str] = &[
    "wasmtime",
    "run",
    "-Sinherit-network,allow-ip-name-lookup",
    "--env=ISOSOCKET_PEER",
    "--env=ISOSOCKET_ROW",
];

type Tools = &'static [&'static Tool];

pub const FOR_MUSL: Tools = &[&tools::MUSL_TARGET, &tools::MUSL];
pub const FOR_I686: Tools = &[&tools::I686_TARGET, &tools::I686];
// The last tool is what the cases run in.
pub const FOR_AARCH64: Tools = &[&tools::AARCH64_TARGET, &tools::AARCH64];
pub const FOR_ARMV7: Tools = &[&tools::ARMV7_TARGET, &tools::ARMV7];
pub const FOR_RISCV64: Tools = &[&tools::RISCV64_TARGET, &tools::RISCV64];
pub const FOR_S390X: Tools = &[&tools::S390X_TARGET, &tools::S390X];
pub const FOR_WASIP1: Tools = &[&tools::WASIP1_TARGET, &tools::WASMTIME];
pub const FOR_WASIP2: Tools = &[&tools::WASIP2_TARGET, &tools::WASMTIME];
