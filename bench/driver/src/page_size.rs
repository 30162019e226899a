//! How large a minimal page's program is with each client, wasm and JavaScript.
//!
//! Invariant: all are built in the same way, for size. The size of a program that
//! does nothing is subtracted.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};

use crate::plan::{self, Client};
use crate::{Options, TARGET, cargo};
use xtask_kit::run::Invocation;
use xtask_kit::run::{progress, workspace};
use xtask_kit::tools::{NODE_ANY, WASM_TRIPLE};

const PACKAGE: &str = "isosocket-bench-web-echo";
/// A build may wait for another one in the same folder.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// The programs: a feature, and what it is called.
const PROGRAMS: &[(&str, &str)] = &[
    ("isosocket", "isosocket, handlers"),
    ("isosocket-close", "isosocket, handlers, close and errors"),
    ("isosocket-stream", "isosocket, stream"),
    ("isosocket-reconnecting", "isosocket, reconnecting"),
    ("web-sys", "web-sys by hand"),
    ("ewebsock", "ewebsock"),
    ("gloo-net", "gloo-net"),
    ("ws_stream_wasm", "ws_stream_wasm"),
    ("tokio-tungstenite-wasm", "tokio-tungstenite-wasm"),
    ("yawc", "yawc"),
];

/// Prints the lengths of files, of their gzip and of their brotli together.
const COMPRESS: &str = "\
    const zlib = require('zlib');
    const files = process.argv.slice(1).map((file) => require('fs').readFileSync(file));
    const sum = (f) => files.reduce((sum, file) => sum + f(file).length, 0);
    console.log(JSON.stringify([
        ...files.map((file) => file.length),
        sum((file) => zlib.gzipSync(file, { level: 9 })),
        sum((file) => zlib.brotliCompressSync(file)),
    ]));";

/// What builds and binds them.
pub struct Programs<'a> {
    pub wasm_bindgen: &'a Path,
    pub wasm_opt: &'a Path,
    pub log: &'a Path,
}

/// A program's bytes: the wasm file's, the script's, and both compressed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bytes {
    wasm: u64,
    script: u64,
    gzip: u64,
    brotli: u64,
}

#[derive(Debug)]
pub struct PageSize {
    id: &'static str,
    name: &'static str,
    bytes: Bytes,
}

/// The empty program first, then all that the options leave.
pub fn measure(
    options: &Options,
    clients: &[Client],
    programs: &Programs<'_>,
) -> Result<Vec<PageSize>, String> {
    let asked = options.only.iter().any(|name| name == plan::SIZE);
    let some_asked = !options.only.is_empty();
    if !asked && (options.quick || some_asked) {
        return Ok(Vec::new());
    }
    let mut sizes = vec![measure_one("", "nothing", programs)?];
    for (id, name) in PROGRAMS {
        // Ours has more programs than one.
        let wanted =
            |client: &Client| client.id == *id || id.starts_with(&format!("{}-", client.id));
        if clients.iter().any(wanted) {
            sizes.push(measure_one(id, name, programs)?);
        }
    }
    Ok(sizes)
}

/// The bytes of one program, compressed by brotli.
pub fn brotli(
    id: &'static str,
    name: &'static str,
    programs: &Programs<'_>,
) -> Result<u64, String> {
    Ok(measure_one(id, name, programs)?.bytes.brotli)
}

fn measure_one(
    id: &'static str,
    name: &'static str,
    programs: &Programs<'_>,
) -> Result<PageSize, String> {
    let log = programs.log;
    let title = format!("building a page with {name}");
    let build = cargo("build")
        .args(["--profile", "small", "--target", WASM_TRIPLE])
        .args(["--target-dir", TARGET, "--package", PACKAGE])
        .args(["--features", id]);
    progress::run(&title, &build, log, LIMIT).inspect_err(|_| progress::show_tail(log))?;
    let module = module(PACKAGE, "small");
    let folder = bind(
        programs.wasm_bindgen,
        &module,
        "target/xtask/bench/size",
        log,
    )?;
    let bound = folder.join("program_bg.wasm");
    let small = folder.join("small.wasm");
    let optimize = Invocation::new(programs.wasm_opt)
        .arg("-Oz")
        .arg(&bound)
        .arg("-o")
        .arg(&small);
    progress::run("optimizing it", &optimize, log, LIMIT)
        .inspect_err(|_| progress::show_tail(log))?;
    let node = NODE_ANY.provide(false)?;
    let printed = Invocation::new(node)
        .args(["-e", COMPRESS])
        .arg(&small)
        .arg(folder.join("program.js"))
        .output(Duration::from_secs(60))
        .ok_or("node does not compress")?;
    let bytes: [u64; 4] = serde_json::from_str(&printed)
        .map_err(|error| format!("what node printed is no list of sizes: {error}"))?;
    let [wasm, script, gzip, brotli] = bytes;
    let bytes = Bytes {
        wasm,
        script,
        gzip,
        brotli,
    };
    // For whoever wants to look inside.
    let kept = folder.join(format!(
        "{}.wasm",
        if id.is_empty() { "nothing" } else { id }
    ));
    fs::rename(&small, kept).map_err(|error| format!("cannot keep {name}: {error}"))?;
    Ok(PageSize { id, name, bytes })
}

/// Where cargo puts a package's module.
pub fn module(package: &str, profile: &str) -> PathBuf {
    workspace::root()
        .join(TARGET)
        .join(WASM_TRIPLE)
        .join(profile)
        .join(package.replace('-', "_"))
        .with_extension("wasm")
}

/// Binds a module for browsers into a folder, as `program`.
pub fn bind(
    wasm_bindgen: &Path,
    module: &Path,
    folder: &str,
    log: &Path,
) -> Result<PathBuf, String> {
    let folder = workspace::folder(folder)?;
    let bind = Invocation::new(wasm_bindgen)
        .args(["--target", "web", "--no-typescript"])
        .args(["--out-name", "program", "--out-dir"])
        .arg(&folder)
        .arg(module);
    progress::run("binding it", &bind, log, LIMIT).inspect_err(|_| progress::show_tail(log))?;
    Ok(folder)
}

pub fn to_json(sizes: &[PageSize]) -> Value {
    let entry = |size: &PageSize| {
        let bytes = size.bytes;
        let figures = json!({
            "wasm": bytes.wasm,
            "script": bytes.script,
            "gzip": bytes.gzip,
            "brotli": bytes.brotli,
        });
        (size.name.to_owned(), figures)
    };
    sizes
        .iter()
        .map(entry)
        .collect::<serde_json::Map<_, _>>()
        .into()
}

pub fn table(page: &mut String, sizes: &[PageSize]) {
    let Some((nothing, programs)) = sizes.split_first() else {
        return;
    };
    page.push_str(
        "\n## A minimal echo page\n\nWhat each adds to a program of wasm-bindgen that does \
         nothing: wasm and JavaScript, built for size, after `wasm-opt -Oz`; the scripts are not \
         minified.\n\n| client | wasm | JavaScript | both, gzip | both, brotli |\n\
         | --- | ---: | ---: | ---: | ---: |\n",
    );
    for size in programs {
        let _ = writeln!(
            page,
            "| {} | {} |",
            size.name,
            row(size.bytes, nothing.bytes)
        );
    }
    let zero = Bytes {
        wasm: 0,
        script: 0,
        gzip: 0,
        brotli: 0,
    };
    let _ = writeln!(page, "| nothing, in all | {} |", row(nothing.bytes, zero));
}

fn row(bytes: Bytes, less: Bytes) -> String {
    let kilo = |bytes: u64, less: u64| format!("{:.1} kB", (bytes as f64 - less as f64) / 1e3);
    [
        kilo(bytes.wasm, less.wasm),
        kilo(bytes.script, less.script),
        kilo(bytes.gzip, less.gzip),
        kilo(bytes.brotli, less.brotli),
    ]
    .join(" | ")
}

/// The lengths of the bars of a picture: what is loaded, compressed by brotli.
pub fn bars(sizes: &[PageSize]) -> Vec<(&'static str, &'static str, f64)> {
    let Some((nothing, programs)) = sizes.split_first() else {
        return Vec::new();
    };
    let added = |size: &PageSize| size.bytes.brotli as f64 - nothing.bytes.brotli as f64;
    programs
        .iter()
        .map(|size| (size.id, size.name, added(size)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Bytes, PageSize, bars, table};

    #[test]
    fn sizes_are_shown_less_the_empty_program() {
        let size = |id, bytes| PageSize {
            id,
            name: id,
            bytes: Bytes {
                wasm: bytes * 2,
                script: bytes,
                gzip: bytes,
                brotli: bytes,
            },
        };
        let sizes = [size("nothing", 1_000), size("isosocket", 3_500)];
        let mut page = String::new();
        table(&mut page, &sizes);
        assert!(
            page.contains("| isosocket | 5.0 kB | 2.5 kB | 2.5 kB | 2.5 kB |"),
            "{page}"
        );
        assert_eq!(bars(&sizes), [("isosocket", "isosocket", 2_500.0)]);
    }
}
