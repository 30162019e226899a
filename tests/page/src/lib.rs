//! Pages in a real browser: the demo's, used as a person uses them, and pages in unusual
//! situations.
//!
//! Invariant: a case loads its page again and depends on no other case. Who built and
//! serves the pages is not known here.

mod cycles;
mod hidden;
mod languages;
mod leaks;
mod situations;

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use xtask_kit::browser::Engine;
use xtask_kit::browser::webdriver::{Browser, wait_until};
use xtask_kit::run::workspace;

pub use languages::add_page_without_websocket;

/// The window on a desk and on a phone, in CSS pixels.
const DESKTOP: (u32, u32) = (1280, 800);
const PHONE: (u32, u32) = (390, 844);

/// Compiling a debug build's module takes a moment on a busy machine.
const READY_LIMIT: Duration = Duration::from_secs(30);

/// The languages that the browser prefers: the first that the page has is
/// Spanish.
const PREFERRED: &str = "de-AT,es-MX,fr";

/// A state is reached within this, also on a busy machine.
const STATE_LIMIT: Duration = Duration::from_secs(20);

type Case = fn(&Browser, &Place<'_>) -> Result<(), String>;

/// The cases for every browser.
const CASES: &[(&str, Case)] = &[
    ("one_can_open_send_receive_and_close", conversation),
    ("a_closed_connection_can_be_opened_again", again),
    ("a_refused_handshake_is_an_error_and_a_close", refused),
    ("a_malformed_address_is_said_to_be_one", malformed),
    ("the_english_page_takes_clicks_and_keys", languages::english),
    ("the_french_page_takes_clicks_and_keys", languages::french),
    ("the_spanish_page_takes_clicks_and_keys", languages::spanish),
    (
        "the_portuguese_page_takes_clicks_and_keys",
        languages::portuguese,
    ),
    ("the_older_page_takes_clicks_and_keys", languages::older),
    ("the_switch_leads_to_each_page", languages::switch),
    (
        "the_browsers_preference_chooses_the_language",
        languages::preference,
    ),
    (
        "without_websocket_each_page_says_so",
        languages::unsupported,
    ),
    (
        "sockets_opened_and_closed_leave_heap_and_memory_flat",
        cycles::flat,
    ),
];

/// The cases that need Chromium's DevTools.
const CHROMIUM_CASES: &[(&str, Case)] = &[
    ("the_page_fits_a_phone", phone),
    (
        "each_page_is_good_in_light_in_dark_and_on_a_phone",
        languages::looks,
    ),
    ("a_thousand_sockets_leave_nothing", leaks::thousand),
    (
        "in_a_hidden_page_answers_end_waits_for_room",
        hidden::answers_end_waits,
    ),
    (
        "in_a_hidden_page_late_timers_end_waits_for_room",
        hidden::late_timers_end_waits,
    ),
];

/// Where things are during a run.
struct Place<'a> {
    /// The folder that is served; `/` is the page.
    site: String,
    /// The page in English.
    page: String,
    refusing: String,
    /// The source of axe-core, which looks for what keeps people out.
    axe: String,
    /// Whether the browser has Chromium's DevTools.
    devtools: bool,
    servers: &'a Servers<'a>,
}

/// Who serves what a run needs.
#[allow(missing_debug_implementations, reason = "it has a function")]
pub struct Servers<'a> {
    /// The demo's pages: `http://HOST:PORT/`.
    pub demo: String,
    /// The pages in unusual situations: `http://HOST:PORT/`.
    pub pages: String,
    /// The same by `https:`.
    pub secure: String,
    /// The scripted peer: `HOST:PORT`.
    pub peer: &'a str,
    /// Its echo over TLS, as a URL.
    pub secure_echo: String,
    /// What it saw of the connection with an id, once that has ended, as JSON.
    pub record: &'a dyn Fn(&str) -> String,
    /// How many sockets one page opens and closes: a multiple of a thousand.
    pub cycles: u32,
}

/// Runs the cases in a browser. Writes to the log what libtest would: a line for each case
/// and a result line.
///
/// # Errors
/// If the cases could not be run, or did not end; failed cases are only counted.
pub fn run(
    engine: Engine,
    servers: &Servers<'_>,
    axe: &Path,
    filter: Option<&str>,
    log: &Path,
) -> Result<(), String> {
    let axe = fs::read_to_string(axe).map_err(|error| format!("cannot read axe-core: {error}"))?;
    let place = Place {
        page: format!("{}?lang=en", servers.demo),
        site: servers.demo.clone(),
        refusing: format!("ws://{}/refuse/403", servers.peer),
        axe,
        devtools: matches!(engine, Engine::Chromium(_)),
        servers,
    };
    let (browser, more) = match engine {
        Engine::Chromium(driver) => (Browser::start(&driver, chromium(), log)?, CHROMIUM_CASES),
        Engine::Firefox(driver) => (Browser::firefox(driver, firefox())?, &[][..]),
    };
    let mut out = File::options()
        .append(true)
        .open(log)
        .map_err(|error| format!("cannot open the log: {error}"))?;
    let start = Instant::now();
    let (mut passed, mut failed) = (0, 0);
    for (name, case) in CASES.iter().chain(situations::CASES).chain(more) {
        if filter.is_some_and(|filter| !name.contains(filter)) {
            continue;
        }
        eprintln!("pages: {name} ..");
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
    let arguments = [
        "headless=new",
        "no-sandbox",
        "disable-dev-shm-usage",
        &format!("accept-lang={PREFERRED}"),
    ];
    json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:chromeOptions": {
            "args": arguments,
            // The driver's own, by which a hidden page would not differ from one that is shown.
            "excludeSwitches": ["disable-background-timer-throttling"],
        },
    })
}

fn firefox() -> serde_json::Value {
    json!({
        "browserName": "firefox",
        "acceptInsecureCerts": true,
        "moz:firefoxOptions": {
            // For what `about:memory` shows.
            "args": ["-headless", "--remote-allow-system-access"],
            "prefs": {
                "intl.accept_languages": PREFERRED,
                // Else a page waits before it connects again to a host that refused.
                "network.websocket.delay-failed-reconnects": false,
            },
        },
    })
}

fn conversation(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    expect_buttons(browser, "at first", [true, false, false])?;
    open(browser)?;
    expect_buttons(browser, "when open", [false, true, true])?;
    say(browser, "hello, world: \u{00e9}, \u{03bb}")?;
    picture(browser, "page-desktop.png")?;
    browser.click("close")?;
    browser.wait_for_text("log", "the log shows the close", |log| {
        log.ends_with("Connection is closed (1005)")
    })?;
    state(browser, "closed")?;
    expect_buttons(browser, "after the close", [true, false, false])
}

fn again(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
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

fn refused(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    browser.type_into("url", &place.refusing)?;
    browser.click("open")?;
    browser.wait_for_text("log", "the log shows an error, then a close", |log| {
        let lines: Vec<&str> = log.lines().collect();
        matches!(lines[..], [_, "Connection is closed (1006)"])
    })?;
    let kinds = "return [...document.querySelectorAll('#log p')].map((it) => it.className)";
    let kinds = browser.script(kinds)?;
    expect(
        kinds == json!(["error", "close"]),
        &format!("an error, then a close: {kinds}"),
    )?;
    state(browser, "closed")?;
    expect_buttons(browser, "after the refusal", [true, false, false])
}

fn malformed(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, place, DESKTOP)?;
    browser.type_into("url", "ftp://example.org/")?;
    browser.click("open")?;
    browser.wait_for_text("log", "the log says something", |log| {
        !log.trim().is_empty()
    })?;
    expect_buttons(browser, "after a bad address", [true, false, false])
}

fn phone(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
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

/// Loads the page in a window of a size, and waits until its program runs.
fn load(browser: &Browser, place: &Place<'_>, size: (u32, u32)) -> Result<(), String> {
    load_at(browser, place, &place.page, size)
}

/// The same for any of the pages.
fn load_at(
    browser: &Browser,
    place: &Place<'_>,
    address: &str,
    (width, height): (u32, u32),
) -> Result<(), String> {
    if place.devtools {
        browser.devtools(
            "Emulation.setDeviceMetricsOverride",
            &json!({
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": width < 600,
            }),
        )?;
    }
    browser.go(address)?;
    // The program names the state and adds its listeners in one go.
    wait_until("the page's program has started", READY_LIMIT, || {
        Ok(!browser.text("state")?.is_empty())
    })
}

fn open(browser: &Browser) -> Result<(), String> {
    browser.click("open")?;
    state(browser, "open")
}

/// Sends a message and waits until the echo shows.
fn say(browser: &Browser, text: &str) -> Result<(), String> {
    browser.type_into("message", text)?;
    browser.click("send")?;
    let echo = format!("Message received : {text}");
    browser.wait_for_text("log", "the log shows the echo", |log| {
        log.lines().any(|line| line == echo)
    })
}

/// Waits for a state, by its name in the library.
fn state(browser: &Browser, wanted: &str) -> Result<(), String> {
    wait_until(&format!("the state is {wanted}"), STATE_LIMIT, || {
        Ok(browser.script("return document.getElementById('state').className")? == wanted)
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
