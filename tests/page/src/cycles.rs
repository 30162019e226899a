//! Sockets that a page opens and closes, one batch after the other: the heap of JavaScript
//! and the program's memory stay flat (S102).
//!
//! Invariant: what is measured is what the browser itself says, after it has collected its
//! garbage.

use std::time::Duration;

use serde_json::{Value, json};
use xtask_kit::browser::webdriver::{Browser, wait_until};
use xtask_kit::run::progress;

use super::situations::{ECHO, NOTHING, TALK, load, run};
use super::{Place, expect};

/// Sockets at a time: one in Chromium, where several wait for each other.
const TOGETHER: u32 = 20;
/// Sockets for each command to the browser.
const BATCH: u32 = 100;
/// How many times the memory is measured, the first time after this share of all sockets:
/// by then all caches are filled.
const PARTS: u32 = 10;

/// The heap may grow by so many bytes in all: what the browser itself keeps, such as
/// compiled code, varies by as much.
const SLACK: u64 = 64 << 10;

/// Garbage is collected within this.
const COLLECTED_LIMIT: Duration = Duration::from_secs(30);

/// What a page takes, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// Live objects on the heap of JavaScript.
    heap: u64,
    /// The program's memory.
    memory: u64,
}

pub(super) fn flat(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    browser.script("watchNoSockets()")?;
    let mut seen = Vec::new();
    for part in 1..=PARTS {
        for _ in 0..place.servers.cycles / PARTS / BATCH {
            batch(browser, if place.devtools { 1 } else { TOGETHER })?;
        }
        let Some(&first) = seen.first() else {
            seen.push(held(browser, place)?);
            continue;
        };
        let Held { heap, memory } = first;
        let mut now = first;
        // A browser may keep for a moment what has just ended.
        let is_flat = wait_until("memory is flat", COLLECTED_LIMIT, || {
            now = held(browser, place)?;
            Ok(now.heap <= heap + SLACK && now.memory == memory)
        });
        seen.push(now);
        let cycles = place.servers.cycles / PARTS * part;
        is_flat.map_err(|error| format!("{error}: after {cycles} sockets {seen:?}"))?;
    }
    let kilobytes = |it: &Held| format!("{:.0}", it.heap as f64 / 1e3);
    let heaps: Vec<String> = seen.iter().map(kilobytes).collect();
    progress::say(&format!(
        "{} sockets: heap of JavaScript {} kB, the program's memory {} kB",
        place.servers.cycles,
        heaps.join(", "),
        seen[0].memory / 1000
    ));
    Ok(())
}

/// Opens sockets, gets an echo of each, and closes them.
fn batch(browser: &Browser, together: u32) -> Result<(), String> {
    let body = format!(
        "const traces = new Set();
         for (let round = 0; round < {}; round++) {{
             const clients = Array.from({{ length: {together} }}, () => new program.Client({ECHO}));
             for (const trace of await Promise.all(clients.map(talk))) traces.add(trace);
         }}
         return [...traces, left(), problems.join()];",
        BATCH / together
    );
    let seen = run(browser, &body)?;
    let expected = json!([TALK, NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

fn held(browser: &Browser, place: &Place<'_>) -> Result<Held, String> {
    let heap = match place.devtools {
        true => {
            browser.devtools("HeapProfiler.collectGarbage", &json!({}))?;
            metric(browser, "JSHeapUsedSize")?
        }
        false => browser.privileged(FIREFOX_HEAP)?,
    };
    let memory = run(
        browser,
        "return (await program.default()).memory.buffer.byteLength",
    )?;
    let bytes = |value: &Value, what: &str| {
        let bytes = value.as_f64().filter(|bytes| *bytes > 0.0);
        let bytes = bytes.map(|bytes| bytes as u64);
        bytes.ok_or_else(|| format!("the browser does not tell {what}: {value}"))
    };
    Ok(Held {
        heap: bytes(&heap, "its heap")?,
        memory: bytes(&memory, "the program's memory")?,
    })
}

/// One of the figures that Chromium counts of a page.
pub(super) fn metric(browser: &Browser, name: &str) -> Result<Value, String> {
    browser.devtools("Performance.enable", &json!({}))?;
    let metrics = browser.devtools("Performance.getMetrics", &json!({}))?;
    let metrics = metrics["metrics"].as_array().into_iter().flatten();
    let mut found = metrics.filter(|it| it["name"] == name);
    Ok(found.next().map_or(Value::Null, |it| it["value"].clone()))
}

/// What Firefox reports in `about:memory` of live objects, for the largest of the processes
/// that have pages. All processes collect their garbage first.
const FIREFOX_HEAP: &str = r#"
    const { classes, interfaces } = Components;
    const manager = classes["@mozilla.org/memory-reporter-manager;1"]
        .getService(interfaces.nsIMemoryReporterManager);
    Services.obs.notifyObservers(null, "child-mmu-request");
    return new Promise((resolve) => manager.minimizeMemoryUsage(resolve)).then(() => {
        const used = {};
        const add = (process, path, kind, units, amount) => {
            if (process.startsWith("web") && path.startsWith(GC_HEAP)) {
                used[process] = (used[process] ?? 0) + amount;
            }
        };
        const GC_HEAP = "js-main-runtime-gc-heap-committed/used/gc-things/";
        return new Promise((resolve) => {
            const end = () => resolve(Math.max(0, ...Object.values(used)));
            manager.getReports(add, null, end, null, false);
        });
    });
"#;
