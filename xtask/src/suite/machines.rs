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
pub const WINDOWS: &str = suite_for!("x86_64-pc-windows-gnu");

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

/// What an emulated processor's row builds, needs, and is run by. Its last tool is the emulator.
pub struct Emulated(pub &'static str, pub Tools, pub [&'static str; 3]);

macro_rules! emulated {
    ($($name:ident = $triple:literal, $target:ident, $emulator:literal, $gnu:literal;)+) => {$(
        pub const $name: &Emulated = &Emulated(
            suite_for!($triple),
            &[&tools::$target, &tools::$name],
            [$emulator, "-L", concat!("/usr/", $gnu)],
        );
    )+};
}

emulated! {
    AARCH64 = "aarch64-unknown-linux-gnu", AARCH64_TARGET, "qemu-aarch64", "aarch64-linux-gnu";
    ARMV7 = "armv7-unknown-linux-gnueabihf", ARMV7_TARGET, "qemu-arm", "arm-linux-gnueabihf";
    RISCV64 = "riscv64gc-unknown-linux-gnu", RISCV64_TARGET, "qemu-riscv64", "riscv64-linux-gnu";
    S390X = "s390x-unknown-linux-gnu", S390X_TARGET, "qemu-s390x", "s390x-linux-gnu";
}

type Tools = &'static [&'static Tool];

pub const FOR_MUSL: Tools = &[&tools::MUSL_TARGET, &tools::MUSL];
pub const FOR_I686: Tools = &[&tools::I686_TARGET, &tools::I686];
// The last tool is what the cases run in.
pub const FOR_WINDOWS: Tools = &[&tools::WINDOWS_TARGET, &tools::WINE];
pub const FOR_WASIP1: Tools = &[&tools::WASIP1_TARGET, &tools::WASMTIME];
pub const FOR_WASIP2: Tools = &[&tools::WASIP2_TARGET, &tools::WASMTIME];
