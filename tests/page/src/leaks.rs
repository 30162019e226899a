//! A thousand sockets, one after the other, in one page: what is left of them.
//!
//! Invariant: what is counted is what the browser itself has, after it has
//! collected its garbage, and not what the library says.

use std::time::Duration;

use serde_json::{Value, json};

use super::cycles::metric;
use super::{DESKTOP, Place, load};
use xtask_kit::browser::webdriver::{Browser, wait_until};

/// Sockets before anything is counted: by then all caches are filled.
const BEFORE: u32 = 100;
/// And in all.
const IN_ALL: u32 = 1000;
/// Sockets for each command to the browser, which must end within 30 s.
const BATCH: u32 = 100;

/// Garbage is collected within this.
const COLLECTED_LIMIT: Duration = Duration::from_secs(10);

/// Before the page's program: keeps its exports, and counts its timers.
const WATCH: &str = r#"
{
    for (const name of ["instantiate", "instantiateStreaming"]) {
        const original = WebAssembly[name];
        WebAssembly[name] = async (...given) => {
            const result = await original.apply(WebAssembly, given);
            globalThis.program = (result.instance ?? result).exports;
            return result;
        };
    }
    const { setTimeout, clearTimeout } = globalThis;
    globalThis.timers = new Set();
    globalThis.setTimeout = (task, ...rest) => {
        const timer = setTimeout(() => { timers.delete(timer); task(); }, ...rest);
        timers.add(timer);
        return timer;
    };
    globalThis.clearTimeout = (timer) => { timers.delete(timer); clearTimeout(timer); };
}
"#;

/// Opens, sends, gets the echo and closes, by the page's own buttons.
const ROUNDS: &str = r#"
    const element = (id) => document.getElementById(id);
    const until = (id, good) => new Promise((resolve) => {
        const look = () => {
            if (!good(element(id))) return false;
            resolve();
            return true;
        };
        if (look()) return;
        const observer = new MutationObserver(() => { if (look()) observer.disconnect(); });
        observer.observe(element(id), { childList: true, characterData: true, subtree: true });
    });
    const state = (name) => until("state", (label) => label.textContent === name);
    const echoes = () => element("log").querySelectorAll(".message").length;
    const rounds = async () => {
        for (let round = 0; round < COUNT; round++) {
            element("log").replaceChildren();
            element("opener").requestSubmit();
            await state("open");
            element("message").value = "echo";
            element("sender").requestSubmit();
            await until("log", () => echoes() === 1);
            element("close").click();
            await state("closed");
        }
        return COUNT;
    };
    return rounds();
"#;

/// What the program and the browser hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    /// The bytes of the program's memory.
    memory: u64,
    /// The JavaScript values that the program has had at a time.
    references: u64,
    /// Timers that have not fired and were not cleared.
    timers: u64,
    /// Listeners of every kind, in the whole page.
    listeners: u64,
    /// WebSocket objects.
    sockets: u64,
    /// What they have as `onopen`, `onmessage`, `onerror` and `onclose`.
    handlers: u64,
}

/// The program's memory, its timers, and the browser's listeners and sockets
/// are after a thousand sockets what they were after the first hundred (S102).
pub(super) fn thousand(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    let script = json!({ "source": WATCH });
    let added = browser.devtools("Page.addScriptToEvaluateOnNewDocument", &script)?;
    load(browser, place, DESKTOP)?;
    let counted = count(browser);
    browser.devtools(
        "Page.removeScriptToEvaluateOnNewDocument",
        &json!({ "identifier": added["identifier"] }),
    )?;
    counted
}

fn count(browser: &Browser) -> Result<(), String> {
    open_and_close(browser, BEFORE)?;
    let before = held(browser)?;
    open_and_close(browser, IN_ALL - BEFORE)?;
    // A browser may keep for a moment what has just ended.
    let mut after = None;
    let flat = wait_until("nothing is left", COLLECTED_LIMIT, || {
        let held = after.insert(held(browser)?);
        // The page keeps the handle of its last socket.
        let socket = held.sockets.min(1);
        let same = Held {
            sockets: socket,
            ..before
        };
        Ok(*held == same && held.timers == 0 && held.handlers == 0)
    });
    flat.map_err(|error| {
        format!("{error}: after {BEFORE} sockets {before:?}, after {IN_ALL} {after:?}")
    })
}

fn open_and_close(browser: &Browser, sockets: u32) -> Result<(), String> {
    let body = ROUNDS.replace("COUNT", &BATCH.to_string());
    for _ in 0..sockets / BATCH {
        browser.script(&body)?;
    }
    Ok(())
}

fn held(browser: &Browser) -> Result<Held, String> {
    let devtools = |command: &str, parameters: Value| browser.devtools(command, &parameters);
    devtools("HeapProfiler.collectGarbage", json!({}))?;
    let listeners = metric(browser, "JSEventListeners")?;

    let prototype = json!({ "expression": "WebSocket.prototype" });
    let prototype = devtools("Runtime.evaluate", prototype)?;
    let query = json!({ "prototypeObjectId": prototype["result"]["objectId"] });
    let found = devtools("Runtime.queryObjects", query)?;
    let look = json!({
        "objectId": found["objects"]["objectId"],
        "functionDeclaration": "function() {
            const handlers = (it) => [it.onopen, it.onmessage, it.onerror, it.onclose];
            return [this.length, this.flatMap(handlers).filter(Boolean).length];
        }",
        "returnByValue": true,
    });
    let sockets = devtools("Runtime.callFunctionOn", look)?;
    let sockets = &sockets["result"]["value"];
    // Else what was found would be held here.
    let found = json!({ "objectId": found["objects"]["objectId"] });
    devtools("Runtime.releaseObject", found)?;

    let own = browser.script(
        "const tables = Object.values(program).filter((it) => it instanceof WebAssembly.Table);
         const references = tables.map((table) => table.length).reduce((a, b) => a + b, 0);
         return [program.memory.buffer.byteLength, references, timers.size];",
    )?;
    let number = |value: &Value, what: &str| {
        let number = value.as_f64().map(|number| number as u64);
        number.ok_or_else(|| format!("the browser does not report {what}: {value}"))
    };
    Ok(Held {
        memory: number(&own[0], "the program's memory")?,
        references: number(&own[1], "the program's references")?,
        timers: number(&own[2], "its timers")?,
        listeners: number(&listeners, "listeners")?,
        sockets: number(&sockets[0], "its sockets")?,
        handlers: number(&sockets[1], "their handlers")?,
    })
}
