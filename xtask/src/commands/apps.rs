//! `cargo xtask apps`: the programs in `apps`, each built, run and tested by what it shows.
//!
//! Invariant: they are a workspace of their own, with a lock file and a `target` of their
//! own. A build of the product does not pay for them.

use std::fs;
use std::time::{Duration, Instant};

use crate::run::{Invocation, progress, workspace};

const MANIFEST: &str = "apps/Cargo.toml";
const WASM: &str = "wasm32-unknown-unknown";
/// For one step. Graphical toolkits take minutes to build.
const LIMIT: Duration = Duration::from_secs(30 * 60);

/// One program.
struct App {
    /// Its folder in `apps`.
    folder: &'static str,
    package: &'static str,
    /// Its tests start it, and look at what it shows.
    tested: bool,
    /// Whether it is also a program for a page.
    page: bool,
}

const APPS: &[App] = &[
    App {
        folder: "chat-egui",
        package: "chat-egui",
        tested: true,
        page: true,
    },
    App {
        folder: "cli",
        package: "isosocket-cli",
        tested: true,
        page: false,
    },
    App {
        folder: "relay",
        package: "relay",
        tested: true,
        page: false,
    },
];

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let chosen = choose(arguments)?;
    let log = workspace::output()?.join("apps.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    let mut rows = Vec::new();
    for app in chosen {
        let start = Instant::now();
        let failed = steps(app).into_iter().find_map(|(name, step)| {
            let title = format!("{}: {name}", app.folder);
            let outcome = progress::run(&title, &step, &log, LIMIT);
            outcome.err().map(|_| name)
        });
        if failed.is_some() {
            progress::show_tail(&log);
        }
        let result = failed.map_or("ok".to_owned(), |name| format!("FAILED: {name}"));
        rows.push((app.folder, result, start.elapsed().as_secs()));
    }
    for (folder, result, seconds) in &rows {
        println!("{folder:12} {seconds:4} s  {result}");
    }
    Ok(rows.iter().all(|(_, result, _)| result == "ok"))
}

fn choose(arguments: &[String]) -> Result<Vec<&'static App>, String> {
    if arguments.is_empty() {
        return Ok(APPS.iter().collect());
    }
    let find = |name: &String| {
        let app = APPS.iter().find(|app| app.folder == name);
        app.ok_or_else(|| format!("there is no app `{name}`"))
    };
    arguments.iter().map(find).collect()
}

/// What is run for an app, in this order.
fn steps(app: &App) -> Vec<(&'static str, Invocation)> {
    let cargo = |command: &str| {
        let arguments = [command, "--manifest-path", MANIFEST, "-p", app.package];
        Invocation::cargo().args(arguments)
    };
    let mut steps = vec![("build", cargo("build"))];
    if app.tested {
        steps.push(("test", cargo("test")));
    }
    if app.page {
        steps.push(("build for a page", cargo("build").args(["--target", WASM])));
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_apps_is_run() {
        let folders = fs::read_dir(workspace::root().join("apps")).unwrap();
        for entry in folders.flatten() {
            if entry.path().join("Cargo.toml").exists() {
                let folder = entry.file_name().to_string_lossy().into_owned();
                assert!(choose(std::slice::from_ref(&folder)).is_ok(), "{folder}");
            }
        }
    }
}
