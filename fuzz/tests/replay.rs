//! Every target with its seeds, and with all inputs that ever found something.
//!
//! With `FUZZ_INPUTS` set to a folder it runs the inputs of that instead, which is how
//! `cargo xtask fuzz --coverage` measures.

use std::fs;
use std::path::{Path, PathBuf};

use isosocket_fuzz::targets::TARGETS;

#[test]
fn inputs_of_the_repository_hold() {
    let folder = std::env::var_os("FUZZ_INPUTS");
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders = match folder {
        Some(folder) => vec![PathBuf::from(folder)],
        None => vec![root.join("corpus"), root.join("findings")],
    };
    for (name, target) in TARGETS {
        let mut count = 0;
        for folder in &folders {
            let Ok(inputs) = fs::read_dir(folder.join(name)) else {
                continue;
            };
            for input in inputs.flatten() {
                let bytes = fs::read(input.path()).expect("it can be read");
                eprintln!("{name} {}", input.file_name().to_string_lossy());
                target(&bytes);
                count += 1;
            }
        }
        assert!(count > 0, "{name} has no inputs");
    }
}
