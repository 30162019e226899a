//! `cargo xtask apps`: the programs in `apps`, each built, run and tested by what it shows.
//!
//! Invariant: they are a workspace of their own, with a lock file and a `target` of their
//! own. A build of the product does not pay for them.

mod place;
mod shows;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::run::{Invocation, progress, workspace};
use crate::tools::{self, Tool};

use place::Place;

const MANIFEST: &str = "apps/Cargo.toml";
/// Where all of them are built, whatever the environment says.
const TARGET: &str = "apps/target";
/// For one step. Graphical toolkits take minutes to build.
const LIMIT: Duration = Duration::from_secs(30 * 60);
/// The most lines of code that a program has, without comments and empty lines.
const MOST_LINES: usize = 299;

/// Uses a program, and says what was seen of interest.
type Check = fn(&mut Place) -> Result<String, String>;

/// One program.
struct App {
    /// Its folder in `apps`.
    folder: &'static str,
    package: &'static str,
    /// Its tests start it, and look at what it shows.
    tested: bool,
    /// Used in a window, on a display that nobody sees.
    desktop: Option<Check>,
    /// Used in a page, in Chromium.
    page: Option<Check>,
    /// A program for pages alone is not built for the desktop.
    only_page: bool,
    /// Its page is built with optimizations, because its frames are counted.
    optimized_page: bool,
}

impl App {
    const fn new(folder: &'static str, package: &'static str) -> App {
        App {
            folder,
            package,
            tested: true,
            desktop: None,
            page: None,
            only_page: false,
            optimized_page: false,
        }
    }
}

const APPS: &[App] = &[
    App {
        desktop: Some(shows::chat_egui_window),
        page: Some(shows::chat_egui_page),
        ..App::new("chat-egui", "chat-egui")
    },
    App {
        tested: false,
        page: Some(shows::chat_leptos_page),
        only_page: true,
        ..App::new("chat-leptos", "chat-leptos")
    },
    App::new("cli", "isosocket-cli"),
    App {
        desktop: Some(shows::game_window),
        page: Some(shows::game_page),
        optimized_page: true,
        ..App::new("game", "game")
    },
    App {
        tested: false,
        ..App::new("hub", "hub")
    },
    App::new("relay", "relay"),
];

pub fn main(arguments: &[String]) -> Result<bool, String> {
    let install = arguments.iter().any(|argument| argument == "--install");
    let lints = arguments.iter().any(|argument| argument == "--lints");
    let chosen = choose(arguments)?;
    let log = workspace::empty_log("apps.log")?;
    let mut rows = Vec::new();
    for app in chosen {
        let start = Instant::now();
        let result = run(app, install, lints, &log);
        if result.is_err() {
            progress::show_tail(&log);
        }
        rows.push((app.folder, result, start.elapsed().as_secs()));
    }
    for (folder, result, seconds) in &rows {
        let (word, what) = match result {
            Ok(seen) => ("ok", seen.join("; ")),
            Err(problem) => ("FAILED", problem.clone()),
        };
        println!("{folder:12} {seconds:4} s  {word}  {what}");
    }
    Ok(rows.iter().all(|(_, result, _)| result.is_ok()))
}

fn choose(arguments: &[String]) -> Result<Vec<&'static App>, String> {
    let find = |name: &String| {
        let app = APPS.iter().find(|app| app.folder == name);
        app.ok_or_else(|| format!("there is no app `{name}`"))
    };
    let names = arguments.iter().filter(|word| !word.starts_with("--"));
    let chosen: Vec<_> = names.map(find).collect::<Result<_, _>>()?;
    match chosen.is_empty() {
        true => Ok(APPS.iter().collect()),
        false => Ok(chosen),
    }
}

/// Builds and tests an app, and uses it. Returns what was seen.
fn run(app: &App, install: bool, lints: bool, log: &Path) -> Result<Vec<String>, String> {
    let mut tools: Vec<&Tool> = Vec::new();
    if app.desktop.is_some() {
        tools.push(&tools::DISPLAY);
    }
    if app.page.is_some() {
        tools.extend([&tools::WASM_TARGET, &tools::WASM_BINDGEN, &tools::CHROMIUM]);
    }
    for tool in tools {
        let found = tool.provide(install);
        found.map_err(|advice| format!("needs {advice}, or --install"))?;
    }
    let lines = lines_of_code(app.folder)?;
    let mut seen = vec![format!("{lines} lines")];
    if lines > MOST_LINES {
        return Err(format!("{lines} lines of code, and {MOST_LINES} at most"));
    }
    for (name, step) in steps(app, lints) {
        let title = format!("{}: {name}", app.folder);
        progress::run(&title, &step, log, LIMIT).map_err(|error| format!("{name}: {error}"))?;
    }
    for (name, check) in [("window", app.desktop), ("page", app.page)] {
        if let Some(check) = check {
            eprintln!("{}: {name} ..", app.folder);
            let mut place = Place::new(app.folder, app.optimized_page, log)?;
            let said = check(&mut place).map_err(|error| format!("{name}: {error}"))?;
            seen.push(format!("{name}: {said}"));
        }
    }
    Ok(seen)
}

/// What is built and tested for an app, in this order.
fn steps(app: &App, lints: bool) -> Vec<(&'static str, Invocation)> {
    let cargo = |command: &str, package: &str| {
        let arguments = [command, "--manifest-path", MANIFEST, "--target-dir", TARGET];
        // Without debug information it takes half the time and a third of the space.
        let cargo = Invocation::cargo().env("CARGO_PROFILE_DEV_DEBUG", "0");
        cargo.args(arguments).args(["-p", package])
    };
    let hub = cargo("build", "hub");
    let cargo = |command: &str| cargo(command, app.package);
    let for_page = |command: Invocation| command.args(["--target", tools::WASM_TRIPLE]);
    let strict = |command: Invocation| command.args(["--", "-D", "warnings"]);
    let mut steps = Vec::new();
    if app.desktop.is_some() || app.page.is_some() {
        steps.push(("build the hub", hub));
    }
    if !app.only_page {
        // With the tests, which may need other features of what both depend on: else all
        // of that is built twice.
        steps.push(("build", cargo("build").arg("--all-targets")));
    }
    if app.tested {
        steps.push(("test", cargo("test")));
    }
    if app.page.is_some() {
        let build = match app.optimized_page {
            true => cargo("build").arg("--release"),
            false => cargo("build"),
        };
        steps.push(("build for a page", for_page(build)));
    }
    if lints && !app.only_page {
        steps.push(("lints", strict(cargo("clippy").arg("--all-targets"))));
    }
    if lints && app.page.is_some() {
        steps.push(("lints for a page", strict(for_page(cargo("clippy")))));
    }
    steps
}

/// Of the program, without its tests.
fn lines_of_code(folder: &str) -> Result<usize, String> {
    let folder = workspace::root().join("apps").join(folder).join("src");
    let files = fs::read_dir(&folder)
        .map_err(|error| format!("cannot read {}: {error}", workspace::relative(&folder)))?;
    let files = files.flatten().map(|entry| entry.path());
    let files = files.filter(|file| file.extension().is_some_and(|end| end == "rs"));
    let files = files.filter(|file| !file.ends_with("tests.rs"));
    let texts = files.map(|file| fs::read_to_string(file).unwrap_or_default());
    Ok(texts.map(|text| code_lines(&text)).sum())
}

fn code_lines(text: &str) -> usize {
    let program = text.split("#[cfg(test)]\nmod tests {").next();
    let lines = program.unwrap_or_default().lines().map(str::trim);
    let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_of_apps_is_run_and_has_few_lines() {
        let folders = fs::read_dir(workspace::root().join("apps")).unwrap();
        for entry in folders.flatten() {
            if entry.path().join("Cargo.toml").exists() {
                let folder = entry.file_name().to_string_lossy().into_owned();
                let words = ["--install".to_owned(), folder.clone()];
                assert_eq!(choose(&words).map(|apps| apps.len()), Ok(1), "{folder}");
                assert!(lines_of_code(&folder).unwrap() <= MOST_LINES, "{folder}");
            }
        }
        assert!(choose(&["none".to_owned()]).is_err());
    }

    #[test]
    fn comments_and_tests_are_no_code() {
        let text = "//! A\n\nfn a() {\n    // b\n    c();\n}\n#[cfg(test)]\nmod tests {\n}\n";
        assert_eq!(code_lines(text), 3);
    }
}
