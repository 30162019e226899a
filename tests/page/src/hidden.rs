//! A page that nobody sees: its window is minimized, and Chromium lets its timers run once
//! in a second.
//!
//! Invariant: a case waits for what was sent to arrive, and never for a time.

use serde_json::{Value, json};
use xtask_kit::browser::webdriver::{Browser, wait_until};

use super::situations::{ECHO, NOTHING, fresh, load, record, run, url};
use super::{Place, READY_LIMIT, expect};

/// The length of each message that a wait for room follows: as much as a socket holds
/// without a wait.
const LENGTH: usize = 1 << 20;

/// The peer answers each message. No timer of the program rings, so only the answers can
/// end a wait for room to send.
pub(super) fn answers_end_waits(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let seen = while_hidden(browser, || {
        let send = format!(
            "globalThis.client = new program.Client({ECHO});
             await until(() => client.trace() === 'open');
             stopTimers();
             client.send_when_ready(30, {LENGTH});
             await until(() => client.payloads().split(' ').length === 30);
             const seen = [client.payloads(), client.sent(), document.hidden];
             client.close();
             await until(() => client.trace().includes('close('));
             client.free();
             return [...seen, left(), problems.join()];"
        );
        run(browser, &send)
    })?;
    let echoes: Vec<String> = (0..30).map(|value| format!("{value}x{LENGTH}")).collect();
    let expected = json!([echoes.join(" "), 30, true, NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

/// The peer is silent, so timers end the waits: late ones. Once while the page stays hidden,
/// and once the page is shown again meanwhile.
pub(super) fn late_timers_end_waits(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    const COUNT: usize = 5;
    for shown in [false, true] {
        load(browser, &format!("{}index.html", place.servers.pages))?;
        let id = fresh("hidden");
        let silent = format!("/script?do=wait:message:{COUNT};text:all;wait:close;answer&id={id}");
        let begin = format!(
            "globalThis.client = new program.Client({});
             await until(() => client.trace() === 'open');
             client.send_when_ready({COUNT}, {LENGTH});
             await until(() => client.sent() === 2);",
            url(place, &silent)
        );
        let end = "await until(() => client.trace().includes('all'));
             const seen = [client.sent(), document.hidden];
             client.close();
             await until(() => client.trace().includes('close('));
             client.free();
             return [...seen, left(), problems.join()];";
        let seen = while_hidden(browser, || {
            run(browser, &begin)?;
            match shown {
                true => Ok(Value::Null),
                false => run(browser, end),
            }
        })?;
        let seen = match shown {
            true => run(browser, end)?,
            false => seen,
        };
        let expected = json!([COUNT, !shown, NOTHING, ""]);
        expect(seen == expected, &format!("{seen} is {expected}"))?;
        let (firsts, bytes) = arrived(&record(place, &id)?);
        let expected: Vec<u64> = (0..COUNT as u64).collect();
        let is_all = firsts == expected && bytes == COUNT * LENGTH;
        expect(is_all, &format!("{bytes} bytes in messages of {firsts:?}"))?;
    }
    Ok(())
}

/// The first byte of each binary message that the peer got, and how many bytes there were.
fn arrived(record: &Value) -> (Vec<u64>, usize) {
    let frames = record["connections"][0]["frames"].as_array();
    let (mut firsts, mut bytes) = (Vec::new(), 0);
    for frame in frames.into_iter().flatten() {
        let op = frame["op"].as_u64();
        if op == Some(2) {
            let payload = frame["payload"].as_str().and_then(|hex| hex.get(..2));
            firsts.extend(payload.and_then(|hex| u64::from_str_radix(hex, 16).ok()));
        }
        if matches!(op, Some(0 | 2)) {
            bytes += frame["len"].as_u64().unwrap_or_default() as usize;
        }
    }
    (firsts, bytes)
}

/// Runs something while the window is minimized.
fn while_hidden(
    browser: &Browser,
    f: impl FnOnce() -> Result<Value, String>,
) -> Result<Value, String> {
    let window = browser.devtools("Browser.getWindowForTarget", &json!({}))?;
    let set = |state: &str, hidden: bool| {
        let bounds = json!({ "windowId": window["windowId"], "bounds": { "windowState": state } });
        browser.devtools("Browser.setWindowBounds", &bounds)?;
        wait_until(&format!("the window is {state}"), READY_LIMIT, || {
            Ok(browser.script("return document.hidden")? == hidden)
        })
    };
    set("minimized", true)?;
    let seen = f();
    // Also after a failure: other cases follow.
    set("normal", false)?;
    seen
}
