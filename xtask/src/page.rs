//! The demo's page, used in a real browser as a person uses it.
//!
//! Invariant: a case loads the page anew and depends on no other case.

mod leaks;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::webdriver::{Browser, wait_until};
use crate::{demo, peer, workspace};

/// The window on a desk and on a phone, in CSS pixels.
const DESKTOP: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

/// Compiling a debug build's module takes a moment on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(30);

type Case = fn(&Browser, &Place) -> Result<(), String>;

/// The cases; those that change the browser for good stand last.
const CASES: &[(&str, Case)] = &[
    ("one_can_open_send_receive_and_close", conversation),
    ("a_closed_connection_can_be_opened_again", again),
    ("a_refused_handshake_is_an_error_and_a_close", refused),
    ("a_malformed_address_is_said_to_be_one", malformed),
    ("the_page_fits_a_phone", phone),
    ("a_thousand_sockets_leave_nothing", leaks::thousand),
    ("without_websocket_the_page_says_so", unsupported),
];

/// Where things are during a run.
struct Place {
    page: String,
    refusing: String,
}

/// Serves the built demo, runs the cases in Chromium, and writes to the log
/// what libtest would: a line for each case and a result line.
///
/// # Errors
/// If the cases could not be run, or did not end; failed cases are only counted.
pub fn run(
    driver: &Path,
    folder: PathBuf,
    peer: &peer::Running,
    filter: Option<&str>,
    log: &Path,
) -> Result<(), String> {
    let page = demo::start(folder, peer, 0)?;
    let place = Place {
        page: format!("http://{page}/"),
        refusing: format!("ws://{}/refuse/403", peer.address),
    };
    let browser = Browser::start(driver, chromium(), log)?;
    let mut out = File::options()
        .append(true)
        .open(log)
        .map_err(|error| format!("cannot open the log: {error}"))?;
    let start = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES {
        if filter.is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        eprintln!("the demo's page: {name} ..");
        let line = match case(&browser, &place) {
            Ok(()) => {
                passed += 1;
                format!("test {name} ... ok")
            }
            Err(error) => {
                failed += 1;
                format!("test {name} ... FAILED\n    {error}")
            }
        };
        writeln!(out, "{line}").map_err(|error| error.to_string())?;
    }
    let word = if failed == 0 { "ok" } else { "FAILED" };
    let seconds = start.elapsed().as_secs_f64();
    writeln!(
        out,
        "test result: {word}. {passed} passed; {failed} failed; finished in {seconds:.2}s"
    )
    .map_err(|error| error.to_string())
}

fn chromium() -> serde_json::Value {
    // Chromium's sandbox refuses to start as root and in most containers; the
    // only page it loads is ours.
    let arguments = ["headless=new", "no-sandbox", "disable-dev-shm-usage"];
    json!({
        "browserName": "chrome",
        "goog:chromeOptions": { "args": arguments },
    })
}

fn conversation(browser: &Browser, place: &Place) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    expect_buttons(browser, "at first", [true, false, false])?;
    expect(!browser.is_shown("unsupported")?, "#unsupported is hidden")?;
    open(browser)?;
    expect_buttons(browser, "when open", [false, true, true])?;
    say(browser, "hello, world: \u{00e9}, \u{03bb}")?;
    picture(browser, "page-desktop.png")?;
    browser.click("close")?;
    browser.wait_for_text("log", "the log shows a clean close", |log| {
        let log = log.to_lowercase();
        log.contains("close") && log.contains("clean=true")
    })?;
    state(browser, "closed")?;
    expect_buttons(browser, "after the close", [true, false, false])
}

fn again(browser: &Browser, place: &Place) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    for round in ["first round", "second round"] {
        open(browser)?;
        say(browser, round)?;
        browser.click("close")?;
        state(browser, "closed")?;
        expect_buttons(browser, round, [true, false, false])?;
    }
    Ok(())
}

fn refused(browser: &Browser, place: &Place) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    browser.type_into("url", &place.refusing)?;
    browser.click("open")?;
    browser.wait_for_text("log", "the log shows an error, then a close", |log| {
        let log = log.to_lowercase();
        let error = log.find("error");
        error.is_some_and(|error| log[error..].contains("clean=false"))
    })?;
    state(browser, "closed")?;
    expect_buttons(browser, "after the refusal", [true, false, false])
}

fn malformed(browser: &Browser, place: &Place) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    browser.type_into("url", "ftp://example.org/")?;
    browser.click("open")?;
    browser.wait_for_text("log", "the log says something", |log| {
        !log.trim().is_empty()
    })?;
    expect_buttons(browser, "after a bad address", [true, false, false])
}

fn phone(browser: &Browser, place: &Place) -> Result<(), String> {
    load(browser, place, PHONE)?;
    open(browser)?;
    say(browser, "hello from a phone")?;
    let long = "a-word-of-two-hundred-letters-".repeat(7);
    say(browser, &long)?;
    picture(browser, "page-phone.png")?;
    let body = "const e = document.scrollingElement; return [e.scrollWidth, e.clientWidth];";
    let widths = browser.script(body)?;
    let fits = widths[0].as_u64() <= widths[1].as_u64() && widths[1] == json!(PHONE.0);
    expect(fits, &format!("nothing is wider than the screen: {widths}"))?;
    browser.click("close")?;
    state(browser, "closed")
}

fn unsupported(browser: &Browser, place: &Place) -> Result<(), String> {
    browser.devtools(
        "Page.addScriptToEvaluateOnNewDocument",
        &json!({ "source": "delete globalThis.WebSocket" }),
    )?;
    load(browser, place, DESKTOP)?;
    let absent = browser.script("return typeof WebSocket")? == "undefined";
    expect(absent, "the page has no WebSocket")?;
    expect(browser.is_shown("unsupported")?, "#unsupported is shown")?;
    expect_buttons(browser, "without WebSocket", [false, false, false])
}

/// Loads the page in a window of a size, and waits until its program runs.
fn load(browser: &Browser, place: &Place, (width, height): (u32, u32)) -> Result<(), String> {
    browser.devtools(
        "Emulation.setDeviceMetricsOverride",
        &json!({
            "width": width,
            "height": height,
            "deviceScaleFactor": 1,
            "mobile": width < 600,
        }),
    )?;
    browser.go(&place.page)?;
    wait_until("the page's program has started", READY_LIMIT, || {
        Ok(browser.is_enabled("open")? || browser.is_shown("unsupported")?)
    })
}

fn open(browser: &Browser) -> Result<(), String> {
    browser.click("open")?;
    state(browser, "open")
}

/// Sends a message and waits until the echo shows.
fn say(browser: &Browser, text: &str) -> Result<(), String> {
    let count = |log: &str| log.matches(text).count();
    let before = count(&browser.text("log")?);
    browser.type_into("message", text)?;
    browser.click("send")?;
    // The log shows what was sent as well, or does not; the echo is in the
    // line that names the message event.
    browser.wait_for_text("log", "the log shows the echo", |log| {
        let echoed = |line: &str| line.to_lowercase().contains("message") && line.contains(text);
        count(log) > before && log.lines().any(echoed)
    })
}

fn state(browser: &Browser, wanted: &str) -> Result<(), String> {
    browser.wait_for_text("state", &format!("the state is {wanted}"), |text| {
        text.trim().to_lowercase() == wanted
    })
}

/// Whether #open, #send and #close can be clicked.
fn expect_buttons(browser: &Browser, when: &str, wanted: [bool; 3]) -> Result<(), String> {
    let mut found = [false; 3];
    for (found, id) in found.iter_mut().zip(["open", "send", "close"]) {
        *found = browser.is_enabled(id)?;
    }
    let message = format!("{when}, #open #send #close are {wanted:?}; found {found:?}");
    expect(found == wanted, &message)
}

fn expect(condition: bool, what: &str) -> Result<(), String> {
    if condition {
        Ok(())
    } else {
        Err(format!("not so: {what}"))
    }
}

fn picture(browser: &Browser, name: &str) -> Result<(), String> {
    let file = workspace::output()?.join(name);
    fs::write(&file, browser.screenshot()?).map_err(|error| format!("cannot write {name}: {error}"))
}
