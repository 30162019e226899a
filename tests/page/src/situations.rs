//! Pages in unusual situations: what a page may not do, where it goes away, and what
//! it does to itself.
//!
//! Invariant: after each case no listener, timer or socket is left, and nothing was
//! thrown that nobody caught, as `tests/pages/js/support.js` counts it.

use std::time::SystemTime;

use serde_json::{Value, json};
use xtask_kit::browser::webdriver::{Browser, wait_until};
use xtask_kit::run::progress;

use super::{Case, Place, READY_LIMIT, expect};

/// The cases for every browser.
pub(super) const CASES: &[(&str, Case)] = &[
    ("a_strict_policy_needs_no_exception", strict_policy),
    ("ws_from_a_page_of_https_is_forbidden", mixed_content),
    ("the_way_back_leads_to_a_page_that_works", back),
    ("two_modules_on_one_page_know_nothing_of_each_other", twice),
    ("a_page_that_goes_away_while_connecting_ends_it", leaving),
    ("in_a_removed_iframe_nothing_throws", removed_frame),
    ("a_handler_that_throws_or_panics_harms_nothing", throwing),
    ("what_arrived_while_the_page_was_busy_is_in_time", busy),
];

/// One echo, and a close without a code.
pub(super) const TALK: &str = r#"open text("hello") close(1005 "" clean)"#;
const FAIL: &str = r#"error close(1006 "" unclean)"#;
pub(super) const NOTHING: &str = "0 timers, 0 listeners, 0 sockets";

/// The address of the echo, as the page has it.
pub(super) const ECHO: &str = "document.getElementById('echo').textContent";

/// The page forbids `eval`, and all connections but one.
fn strict_policy(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}strict.html", place.servers.pages))?;
    talks(browser)?;
    let forbidden = format!(
        "const violations = [];
         document.addEventListener('securitypolicyviolation',
             (event) => violations.push(event.effectiveDirective));
         const client = new program.Client({});
         await until(() => client.trace().includes('close('));
         // Firefox reports it after the failure.
         await until(() => violations.length > 0);
         const seen = [client.trace(), client.error()];
         client.free();
         return [...seen, left(), problems.join(), [...new Set(violations)].join()];",
        json!(format!("ws://{}/echo", place.servers.peer))
    );
    let seen = run(browser, &forbidden)?;
    // Firefox throws in the constructor, Chromium reports a failure as any other.
    let error = seen[1].as_str().unwrap_or_default();
    let is_typed = error.starts_with("Forbidden: ") || error.starts_with("Unknown: ");
    expect(is_typed, &format!("the error is typed: {seen}"))?;
    let expected = json!([FAIL, seen[1], NOTHING, "", "connect-src"]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

/// `ws:` from a page that came by `https:`; `wss:` works there.
fn mixed_content(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.secure))?;
    let seen = run(
        browser,
        // An address for documentation: nobody is there.
        "const client = new program.Client('ws://192.0.2.1/');
         const state = client.state();
         await until(() => client.trace().includes('close('));
         const seen = [state, client.trace(), client.error()];
         client.free();
         return [...seen, left(), problems.join()];",
    )?;
    let error = "Forbidden: the WebSocket connection failed";
    let expected = json!([0, FAIL, error, NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))?;
    talks_by(browser, &json!(place.servers.secure_echo).to_string())
}

/// What became of the sockets of a page to which the way back leads.
const BACK: &str = "await until(() => client.trace().includes('close('));
    const seen = [client.trace(), client.state()];
    client.free();
    return [...seen, left(), problems.join()];";

/// Whether the way back led to the page that was left, and not to a new one. Chromium keeps
/// pages with sockets. When such a page is shown again, its sockets that are connecting or
/// open fail. Firefox gave a new page in each run.
fn is_kept(browser: &Browser, place: &Place<'_>) -> Result<bool, String> {
    browser.back()?;
    ready(browser)?;
    if browser.script("return globalThis.kept === true")? == true {
        return Ok(true);
    }
    let reasons = browser.script(
        "const [entry] = performance.getEntriesByType('navigation');
         return JSON.stringify(entry.notRestoredReasons);",
    )?;
    expect(!place.devtools, &format!("the page is kept: {reasons}"))?;
    progress::say("the way back led to a new page");
    Ok(false)
}

/// A page with a socket is left, and the way back leads to it: to the same page, or to a
/// new one, as the browser likes. In a page that was kept, an open socket has failed.
fn back(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    for is_open in [true, false] {
        load(browser, &format!("{}index.html", place.servers.pages))?;
        let open = format!(
            "globalThis.kept = true;
             globalThis.client = new program.Client({ECHO});
             await until(() => client.trace() === 'open');
             if (!{is_open}) {{
                 client.close();
                 await until(() => client.trace().includes('close('));
             }}"
        );
        run(browser, &open)?;
        browser.go(&format!("{}other.html", place.servers.pages))?;
        if is_kept(browser, place)? {
            let seen = run(browser, BACK)?;
            let trace = match is_open {
                true => r#"open error close(1006 "" unclean)"#,
                false => r#"open close(1005 "" clean)"#,
            };
            let expected = json!([trace, 3, NOTHING, ""]);
            expect(seen == expected, &format!("{seen} is {expected}"))?;
        }
        talks(browser)?;
    }
    Ok(())
}

/// The same program, three times, each with a memory of its own.
fn twice(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let seen = run(
        browser,
        &format!(
            "const modules = [program, await load(1), await load(2)];
             const traces = await Promise.all(modules.map((it) => talk(new it.Client({ECHO}))));
             // Bytes, in turn, while each memory grows.
             const clients = modules.map((it) => new it.Client({ECHO}));
             const all = (fact) => until(() => clients.every(fact));
             await all((client) => client.trace() === 'open');
             for (let round = 1; round <= 3; round++) {{
                 clients.forEach((client, at) => client.send_bytes(10 * at + round, 1000));
                 await all((client) => client.payloads().split(' ').length === round);
                 modules.forEach((it) => it.grow(4 << 20));
             }}
             const bytes = clients.map((client) => client.payloads());
             clients.forEach((client) => client.close());
             await all((client) => client.trace().includes('close('));
             clients.forEach((client) => client.free());
             return [...traces, ...bytes, left(), problems.join()];"
        ),
    )?;
    let bytes = [1, 11, 21].map(|first| {
        let values = [first, first + 1, first + 2];
        values.map(|value| format!("{value}x1000")).join(" ")
    });
    let expected = json!([TALK, TALK, TALK, bytes[0], bytes[1], bytes[2], NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

/// Once for a page that the browser may keep for the way back, and once for one to which no
/// way leads back. The connection of the latter ends at once.
fn leaving(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    for has_way_back in [true, false] {
        load(browser, &format!("{}index.html", place.servers.pages))?;
        let id = fresh("leaving");
        let connect = format!(
            "sessionStorage.clear();
             const note = (problem) => sessionStorage.setItem('problem', problem);
             addEventListener('error', (event) => note(event.message));
             addEventListener('unhandledrejection', (event) => note(event.reason));
             globalThis.kept = true;
             globalThis.client = new program.Client({});
             return client.state();",
            silent(place, &id)
        );
        let state = run(browser, &connect)?;
        expect(state == 0, &format!("it is connecting: {state}"))?;
        let other = format!("{}other.html", place.servers.pages);
        match has_way_back {
            true => browser.go(&other)?,
            false => {
                browser.script(&format!("location.replace({})", json!(other)))?;
                // Firefox waits until the server gives up.
                let by_client = ended(place, &id)?;
                expect(
                    by_client || !place.devtools,
                    "the page ended the connection",
                )?;
            }
        }
        let problem = browser.script("return sessionStorage.getItem('problem')")?;
        expect(problem.is_null(), &format!("nothing is thrown: {problem}"))?;
        if !has_way_back {
            load(browser, &format!("{}index.html", place.servers.pages))?;
        } else if is_kept(browser, place)? {
            let seen = run(browser, BACK)?;
            let expected = json!([FAIL, 3, NOTHING, ""]);
            expect(seen == expected, &format!("{seen} is {expected}"))?;
        }
        talks(browser)?;
    }
    Ok(())
}

/// In Firefox `setTimeout` throws there, and so does what else needs the window.
fn removed_frame(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let id = fresh("frame");
    let script = format!(
        "const frame = document.createElement('iframe');
         frame.src = 'index.html';
         document.body.append(frame);
         await until(() => frame.contentWindow.program);
         const inner = frame.contentWindow;
         const {{ Client }} = inner.program;
         const clients = [new Client({}), new Client({})];
         await until(() => clients[0].trace() === 'open');
         frame.remove();
         const thrown = [];
         const attempt = (call) => {{
             try {{ call(); }} catch (error) {{ thrown.push(`${{call}}: ${{error}}`); }}
         }};
         for (const client of clients) {{
             attempt(() => client.send('x'));
             attempt(() => client.send_bytes(1, 8));
             attempt(() => client.buffered());
             attempt(() => client.close());
             attempt(() => client.state());
             attempt(() => client.trace());
             attempt(() => client.free());
         }}
         attempt(() => new Client({ECHO}).free());
         return [thrown, inner.problems?.join() ?? '', problems.join(), left()];",
        url(place, &format!("/echo?id={id}")),
        silent(place, &fresh("silent")),
    );
    let seen = run(browser, &script)?;
    // The frame's own count is in the frame.
    let expected = json!([[], "", "", NOTHING]);
    expect(seen == expected, &format!("{seen} is {expected}"))?;
    let by_client = ended(place, &id)?;
    expect(by_client, "the frame's open socket has ended")?;
    talks(browser)
}

/// An exception and a panic that aborts: later events come, and the socket closes (S100). The
/// same for a future, on a page that has no socket yet.
fn throwing(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let seen = run(
        browser,
        &format!(
            "const client = new program.Client({ECHO});
             client.throw_at('throw');
             client.panic_at('panic');
             await until(() => client.trace() === 'open');
             for (const text of ['a', 'throw', 'b', 'panic', 'c']) {{
                 client.send(text);
                 await until(() => client.trace().includes(`text(\"${{text}}\")`));
             }}
             client.close();
             await until(() => client.trace().includes('close('));
             const seen = [client.trace(), client.state()];
             client.free();
             return [...seen, left(), problems.join(), shown[0], shown.length];"
        ),
    )?;
    let trace =
        r#"open text("a") text("throw") text("b") text("panic") text("c") close(1005 "" clean)"#;
    let expected = json!([trace, 3, NOTHING, "", "thrown on purpose", 2]);
    expect(seen == expected, &format!("{seen} is {expected}"))?;
    // What aborted was one call, not the program.
    talks(browser)?;
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let seen = run(
        browser,
        "program.run_two();
         await until(() => ran === 2);
         return [problems.join(), shown.join()];",
    )?;
    let expected = json!(["", "thrown on purpose"]);
    expect(seen == expected, &format!("{seen} is {expected}"))?;
    talks(browser)
}

/// The deadlines pass while the page is busy, and the answers have arrived (S106).
fn busy(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, &format!("{}index.html", place.servers.pages))?;
    let seen = run(
        browser,
        &format!(
            "const busy = () => {{
                 const end = performance.now() + 1500;
                 while (performance.now() < end);
             }};
             const traces = [];
             for (let round = 0; round < 3; round++) {{
                 const client = new program.Client({ECHO}, 600, 600);
                 busy();
                 await until(() => client.trace() !== '');
                 client.close();
                 busy();
                 await until(() => client.trace().includes('close('));
                 traces.push(client.trace());
                 client.free();
             }}
             return [...new Set(traces), left(), problems.join()];"
        ),
    )?;
    let expected = json!([r#"open close(1005 "" clean)"#, NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

/// Loads a page and waits until its program runs.
pub(super) fn load(browser: &Browser, address: &str) -> Result<(), String> {
    browser.go(address)?;
    ready(browser)
}

fn ready(browser: &Browser) -> Result<(), String> {
    wait_until("the page's program runs", READY_LIMIT, || {
        // On the way from one page to another there may be neither.
        Ok(browser.script("return !!globalThis.program")? == true)
    })
}

/// Runs the body of an async function in a task of the page. What DevTools runs may use
/// `eval`, whatever the page's policy says.
pub(super) fn run(browser: &Browser, body: &str) -> Result<Value, String> {
    browser.script(&format!(
        "return (async () => {{ await pageTask(); {body} }})()"
    ))
}

/// A new socket of the page works, and nothing is left of it.
fn talks(browser: &Browser) -> Result<(), String> {
    talks_by(browser, ECHO)
}

fn talks_by(browser: &Browser, url: &str) -> Result<(), String> {
    let talk = format!(
        "const trace = await talk(new program.Client({url}));
         return [trace, left(), problems.join()];"
    );
    let seen = run(browser, &talk)?;
    let expected = json!([TALK, NOTHING, ""]);
    expect(seen == expected, &format!("{seen} is {expected}"))
}

/// A behaviour of the peer, as JavaScript.
pub(super) fn url(place: &Place<'_>, path: &str) -> Value {
    json!(format!("ws://{}{path}", place.servers.peer))
}

/// A server that does not answer, until the client has gone.
fn silent(place: &Place<'_>, id: &str) -> Value {
    url(
        place,
        &format!("/script?do=nohandshake;limit:8000;wait:end&id={id}"),
    )
}

/// An id that no other run of a case has.
pub(super) fn fresh(name: &str) -> String {
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    format!("{name}-{}", now.as_nanos())
}

/// The peer's connection has ended. Whether the client ended it, and not the peer, which
/// was tired of waiting.
fn ended(place: &Place<'_>, id: &str) -> Result<bool, String> {
    Ok(record(place, id)?["connections"][0]["timeout"] == false)
}

/// What the peer saw of a connection, which has ended.
pub(super) fn record(place: &Place<'_>, id: &str) -> Result<Value, String> {
    let record = (place.servers.record)(id);
    let record: Value = serde_json::from_str(&record).map_err(|error| error.to_string())?;
    expect(
        record["complete"] == true,
        &format!("{id} has ended: {record}"),
    )?;
    Ok(record)
}
