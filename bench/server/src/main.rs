//! The bench server as a program: `isosocket-bench-server CORE` serves on a free
//! loopback port, pinned to the core (`any`: not pinned), and prints the address.

use std::process::ExitCode;

fn main() -> ExitCode {
    let core = std::env::args().nth(1).unwrap_or_default();
    let served = match core == "any" || pin(&core) {
        true => isosocket_bench_server::run(),
        false => Err(std::io::Error::other(format!(
            "cannot stay on core `{core}`"
        ))),
    };
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn pin(core: &str) -> bool {
    let id = core.parse().ok();
    id.is_some_and(|id| core_affinity::set_for_current(core_affinity::CoreId { id }))
}
