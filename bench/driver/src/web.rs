//! `cargo xtask bench web`: builds the bench page, drives it round by round in
//! each browser, and writes the results.
//!
//! Invariant: the page measures, with the browser's own clock; between two
//! rounds nobody talks to the browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::circumstances::{self, Circumstances};
use crate::page_size::{self, PageSize, Programs};
use crate::plan::{self, Client, Step, WEB};
use crate::results::{Outcome, Results, StepResults, circumstances_to_json};
use crate::server::Server;
use crate::{Options, TARGET, cargo, plot, save, table};
use xtask_kit::browser::http::{self, Site};
use xtask_kit::browser::marionette::FirefoxDriver;
use xtask_kit::browser::webdriver::{Browser, wait_until};
use xtask_kit::run::{progress, workspace};
use xtask_kit::tools::{
    CHROMIUM, FIREFOX, NODE_ANY, Tool, WASM_BINDGEN, WASM_OPT, WASM_TARGET, WASM_TRIPLE,
};

const PACKAGE: &str = "isosocket-bench-web";
const STATIC: &str = "bench/web/static";
const BUILD_LIMIT: Duration = Duration::from_secs(10 * 60);
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// What the results name in addition to the browsers.
const CLIENTS: &[&str] = &[
    "isosocket",
    "ewebsock",
    "gloo-net",
    "tokio-tungstenite-wasm",
    "wasm-bindgen",
    "web-sys",
    "ws_stream_wasm",
    "yawc",
];

/// A browser that is measured.
struct Engine {
    id: &'static str,
    /// The browser, or its driver.
    tool: &'static Tool,
    /// Without it there is no run.
    is_required: bool,
    capabilities: fn() -> Value,
}

static ENGINES: &[Engine] = &[
    Engine {
        id: "chromium",
        tool: &CHROMIUM,
        is_required: true,
        capabilities: || {
            // The sandbox refuses to start as root and in most containers; the
            // only page is ours. `gc` lets nobody pay for another's garbage.
            let arguments = [
                "headless=new",
                "no-sandbox",
                "disable-dev-shm-usage",
                "js-flags=--expose-gc",
            ];
            json!({
                "browserName": "chrome",
                "goog:chromeOptions": { "args": arguments },
                "timeouts": { "script": SCRIPT_LIMIT },
            })
        },
    },
    Engine {
        id: "firefox",
        tool: &FIREFOX,
        is_required: false,
        capabilities: || {
            json!({
                "browserName": "firefox",
                "moz:firefoxOptions": {
                    "args": ["-headless"],
                    "prefs": {
                        "network.websocket.delay-failed-reconnects": false,
                        // A clock that is exact to 20 µs instead of 1 ms.
                        "privacy.reduceTimerPrecision": false,
                    },
                },
                "timeouts": { "script": SCRIPT_LIMIT },
            })
        },
    },
];

/// One round of a step takes no longer than this, in milliseconds.
const SCRIPT_LIMIT: u64 = 55_000;

/// What one browser did.
struct Report {
    id: &'static str,
    name: String,
    results: Results,
    /// For each client the bytes of wasm memory before and after all steps.
    memory: Vec<(String, f64, f64)>,
}

pub fn main(options: &Options) -> Result<bool, String> {
    let began = Instant::now();
    let folder = workspace::folder("target/xtask/bench")?;
    let log = folder.join("web.log");
    fs::write(&log, "").map_err(|error| format!("cannot write the log: {error}"))?;
    let engines = engines(options)?;
    WASM_TARGET.provide(options.install)?;
    let wasm_bindgen = WASM_BINDGEN.provide(options.install)?;
    let wasm_opt = WASM_OPT.provide(options.install)?;
    NODE_ANY.provide(false)?;
    let (binaries, page) = build(&wasm_bindgen, &log).inspect_err(|_| progress::show_tail(&log))?;
    let mut circumstances = circumstances::collect("web", options, PACKAGE, CLIENTS);
    circumstances::warn_if_busy();
    let server = Server::start(&binaries, "any", &folder, &log)?;
    let mut reports = Vec::new();
    let only_size = matches!(options.only.as_slice(), [only] if only == plan::SIZE);
    let mut clients = Vec::new();
    for (engine, driver) in engines {
        let report = measure(engine, &driver, &server, &page, options, only_size, &log)?;
        clients.clone_from(&report.results.clients);
        reports.push(report);
    }
    let programs = Programs {
        wasm_bindgen: &wasm_bindgen,
        wasm_opt: &wasm_opt,
        log: &log,
    };
    let sizes = page_size::measure(options, &clients, &programs)?;
    let minutes = format!("{:.1} minutes", began.elapsed().as_secs_f64() / 60.0);
    circumstances.push(("duration", minutes));
    write(&circumstances, &reports, &sizes, &folder)
}

/// The browsers that are asked for and there, each with its driver.
fn engines(options: &Options) -> Result<Vec<(&'static Engine, PathBuf)>, String> {
    let named = |engine: &&Engine| options.only.iter().any(|name| name == engine.id);
    let some = ENGINES.iter().any(|engine| named(&engine));
    let mut there = Vec::new();
    for engine in ENGINES.iter().filter(|engine| !some || named(engine)) {
        match engine.tool.provide(options.install) {
            Ok(path) => there.push((engine, path)),
            Err(reason) if engine.is_required || some => return Err(reason),
            Err(reason) => eprintln!("without {}: {reason}", engine.id),
        }
    }
    Ok(there)
}

/// Builds the server and the page; the folders of both.
fn build(wasm_bindgen: &Path, log: &Path) -> Result<(PathBuf, PathBuf), String> {
    let binaries = Server::build("building the server", &[], log)?;
    let build = cargo("build")
        .args(["--release", "--target", WASM_TRIPLE])
        .args(["--target-dir", TARGET, "--package", PACKAGE]);
    progress::run("building the clients", &build, log, BUILD_LIMIT)?;
    let module = page_size::module(PACKAGE, "release");
    let page = page_size::bind(wasm_bindgen, &module, "target/xtask/bench/page", log)?;
    let files = workspace::root().join(STATIC);
    let files = fs::read_dir(files).map_err(|error| format!("cannot read {STATIC}: {error}"))?;
    for file in files.flatten() {
        fs::copy(file.path(), page.join(file.file_name()))
            .map_err(|error| format!("cannot copy {}: {error}", file.path().display()))?;
    }
    Ok((binaries, page))
}

fn measure(
    engine: &'static Engine,
    driver: &Path,
    server: &Server,
    page: &Path,
    options: &Options,
    only_size: bool,
    log: &Path,
) -> Result<Report, String> {
    let echo = server
        .address
        .parse()
        .map_err(|_| format!("the server's address is `{}`", server.address))?;
    let site = Site {
        folder: page.to_owned(),
        echo,
    };
    let address = http::serve(site, 0).map_err(|error| format!("cannot serve: {error}"))?;
    let capabilities = (engine.capabilities)();
    let browser = match engine.id {
        "firefox" => Browser::firefox(FirefoxDriver::start(driver, log)?, capabilities)?,
        _ => Browser::start(driver, capabilities, log)?,
    };
    browser.go(&format!("http://{address}/"))?;
    wait_until("the bench page is ready", LOAD_LIMIT, || {
        Ok(browser.script("return 'bench' in globalThis")? == true)
    })?;
    let all = browser.script("return bench.list()")?;
    let all: Vec<Client> = entries(&all).collect();
    let others: Vec<&str> = ENGINES.iter().map(|engine| engine.id).collect();
    plan::check(options, &all, WEB, &[&others[..], &[plan::SIZE]].concat())?;
    let clients: Vec<Client> = plan::clients(options, &all).into_iter().cloned().collect();
    let ids: Vec<&str> = clients.iter().map(|client| client.id.as_str()).collect();
    let before = browser.script(&format!("return bench.load({})", json!(ids)))?;
    let steps = match only_size {
        true => Vec::new(),
        false => plan::steps(options, WEB),
    };
    let mut all_results = Vec::new();
    for (index, step) in steps.iter().enumerate() {
        let place = (index + 1, steps.len());
        eprintln!("[{}/{}] {}, {}", place.0, place.1, step.id(), engine.id);
        all_results.push(measure_step(&browser, server, &clients, step)?);
    }
    let after = browser.script("return bench.memory()")?;
    let memory = clients
        .iter()
        .filter_map(|client| {
            let (before, after) = (before[&client.id].as_f64()?, after[&client.id].as_f64()?);
            Some((client.name.clone(), before, after))
        })
        .collect();
    let version = engine.tool.find();
    let version = version.and_then(|path| engine.tool.version(&path));
    Ok(Report {
        id: engine.id,
        name: version.unwrap_or_else(|| engine.id.to_owned()),
        results: Results {
            circumstances: Vec::new(),
            clients,
            steps: all_results,
            sizes: Vec::new(),
            builds: Vec::new(),
        },
        memory,
    })
}

fn entries(list: &Value) -> impl Iterator<Item = Client> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let entries = list.as_array().into_iter().flatten();
    entries.map(move |entry| Client {
        id: text(&entry["id"]),
        name: text(&entry["name"]),
        has_thread_each: false,
        is_for_compression: false,
    })
}

fn measure_step(
    browser: &Browser,
    server: &Server,
    clients: &[Client],
    step: &Step,
) -> Result<StepResults, String> {
    let name = step.workload.name;
    let is_mock = name.starts_with("mock-");
    let task = name.trim_start_matches("mock-").trim_end_matches("-text");
    let job = json!({
        "id": step.id(),
        "task": task,
        "size": step.number,
        "text": name.ends_with("-text"),
        "mock": is_mock,
        "server": server.address,
        "milliseconds": step.milliseconds,
    });
    let mut outcomes: Vec<Outcome> = clients.iter().map(|_| Outcome::default()).collect();
    for round in 0..step.rounds {
        let said = browser.script(&format!("return bench.measure({job}, {round})"))?;
        for (client, outcome) in clients.iter().zip(&mut outcomes) {
            let nanoseconds = said[&client.id].as_f64();
            if said[&client.id] == "n/a" {
                outcome.missing = Some("n/a".to_owned());
            } else if nanoseconds.is_none() {
                eprintln!("      {} failed: {}", client.id, said[&client.id]);
                outcome.missing = Some("failed".to_owned());
            }
            outcome.rounds.push(nanoseconds);
        }
    }
    Ok(StepResults {
        step: *step,
        outcomes,
    })
}

fn write(
    circumstances: &Circumstances,
    reports: &[Report],
    sizes: &[PageSize],
    folder: &Path,
) -> Result<bool, String> {
    let mut page = table::head("Benchmarks, web", circumstances);
    for report in reports {
        page.push_str(&format!("\n## {}\n", report.name));
        table::sections(&mut page, &report.results, "###");
        memory_table(&mut page, report);
        for (name, picture) in plot::render(&report.results, &format!("web-{}", report.id)) {
            save(folder, &name, &picture)?;
        }
    }
    page_size::table(&mut page, sizes);
    if let Some(picture) = plot::sizes(&page_size::bars(sizes)) {
        save(folder, "web-size.svg", &picture)?;
    }
    save(folder, "web.md", &page)?;
    let json = to_json(circumstances, reports, sizes);
    save(folder, "web.json", &format!("{json:#}\n"))?;
    println!("{page}");
    let place = workspace::relative(folder);
    println!("Tables, figures and pictures: {place}");
    let steps = reports.iter().flat_map(|report| &report.results.steps);
    let mut outcomes = steps.flat_map(|step| &step.outcomes);
    Ok(!outcomes.any(|outcome| outcome.missing.as_deref() == Some("failed")))
}

fn memory_table(page: &mut String, report: &Report) {
    if report.results.steps.is_empty() {
        return;
    }
    page.push_str(
        "\n### Wasm memory\n\nOf each client's own instance of the program, which contains all \
         clients, when it was loaded and after all of the above.\n\n\
         | client | loaded | after |\n| --- | ---: | ---: |\n",
    );
    let mebi = |bytes: f64| format!("{:.2} MiB", bytes / 1_048_576.0);
    for (name, before, after) in report.memory.iter().filter(|(_, before, _)| *before > 0.0) {
        page.push_str(&format!(
            "| {name} | {} | {} |\n",
            mebi(*before),
            mebi(*after)
        ));
    }
}

fn to_json(circumstances: &Circumstances, reports: &[Report], sizes: &[PageSize]) -> Value {
    let browsers: Map<String, Value> = reports
        .iter()
        .map(|report| {
            let memory: Map<String, Value> = report
                .memory
                .iter()
                .map(|(name, before, after)| (name.clone(), json!([before, after])))
                .collect();
            let figures = json!({
                "browser": report.name,
                "workloads": report.results.steps_to_json(),
                "memory": memory,
            });
            (report.id.to_owned(), figures)
        })
        .collect();
    json!({
        "circumstances": circumstances_to_json(circumstances),
        "browsers": browsers,
        "sizes": page_size::to_json(sizes),
    })
}

#[cfg(test)]
mod tests {
    use super::entries;
    use crate::plan::{FLOOR, Kind, WEB};
    use serde_json::json;

    #[test]
    fn the_page_lists_its_clients() {
        let list = json!([{ "id": FLOOR, "name": "raw JavaScript" }]);
        let names: Vec<String> = entries(&list).map(|client| client.name).collect();
        assert_eq!(names, ["raw JavaScript"]);
    }

    #[test]
    fn a_client_s_own_cost_is_measured_with_a_mock_alone() {
        for workload in WEB {
            let is_mock = workload.name.starts_with("mock-");
            assert_eq!(workload.kind == Kind::Added, is_mock, "{}", workload.name);
        }
    }
}
