//! `cargo xtask targets`: whether the library compiles for systems that no machine here
//! can run.
//!
//! Invariant: each is checked with every feature that it can have, and a warning fails it.

use std::time::Duration;

use crate::run::{Invocation, progress, workspace};
use crate::tools::{self, Tool};

/// Each target, and the features of the facade.
const TARGETS: &[(&Tool, &str, &str)] = &[
    (&tools::MACOS_TARGET, "aarch64-apple-darwin", ALL),
    (&tools::IOS_TARGET, "aarch64-apple-ios", ALL),
    (&tools::MSVC_TARGET, "x86_64-pc-windows-msvc", ALL),
    (&tools::ANDROID_TARGET, "aarch64-linux-android", NO_OPENSSL),
    (&tools::FREEBSD_TARGET, "x86_64-unknown-freebsd", NO_OPENSSL),
    (&tools::NETBSD_TARGET, "x86_64-unknown-netbsd", NO_OPENSSL),
    (&tools::EMSCRIPTEN_TARGET, "wasm32-unknown-emscripten", ALL),
];

/// What the row in test-all needs.
pub const NEEDS: &[&Tool] = &[
    &tools::MACOS_TARGET,
    &tools::IOS_TARGET,
    &tools::MSVC_TARGET,
    &tools::ANDROID_TARGET,
    &tools::FREEBSD_TARGET,
    &tools::NETBSD_TARGET,
    &tools::EMSCRIPTEN_TARGET,
];

const ALL: &str = "--all-features";

/// There the system's TLS library is OpenSSL, which is not here for that system.
const NO_OPENSSL: &str = "--features webpki-roots,tokio,web-sys,mock,url,json,stats";

const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Checks all; `--install` gets the targets first. Another argument is a filter.
pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let filter = arguments.iter().find(|word| !word.starts_with("--"));
    let log = workspace::empty_log("targets-run.log")?;
    let (mut passed, mut failed) = (0, 0);
    for (tool, triple, features) in TARGETS {
        if filter.is_some_and(|filter| !triple.contains(filter.as_str())) {
            continue;
        }
        tool.provide(install)?;
        let title = format!("checking {triple}");
        let good = progress::run(&title, &check(triple, features), &log, LIMIT).is_ok();
        *(if good { &mut passed } else { &mut failed }) += 1;
        println!("test {triple} ... {}", if good { "ok" } else { "FAILED" });
        if !good {
            progress::show_tail(&log);
        }
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {word}. {passed} passed; {failed} failed");
    Ok(failed == 0)
}

fn check(triple: &str, features: &str) -> Invocation {
    let stand_in = workspace::root().join("xtask/shims/cc/stand-in");
    Invocation::cargo()
        .args(["check", "-p", "isosocket", "--target", triple])
        // Of its own, so that no other build waits for it.
        .args(["--target-dir", "target/targets"])
        .args(features.split(' '))
        .env("RUSTFLAGS", "-Dwarnings")
        .env("CC", &stand_in)
        .env("AR", &stand_in)
        .env("HOST_CC", "cc")
        // Any folder will do for Apple's SDK, which is not here.
        .env("SDKROOT", workspace::root())
}
