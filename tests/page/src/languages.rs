//! The five pages of the demo: each language, and the older form.
//!
//! Invariant: what a page must say stands here once more, apart from the
//! program's own table, so that a wrong text there is found.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::{DESKTOP, PHONE, Place, READY_LIMIT, expect, load_at, picture, state};
use xtask_kit::browser::webdriver::{Browser, ENTER, SHIFT, SPACE, TAB, wait_until};

/// What one page must say, and where it is.
struct Page {
    query: &'static str,
    lang: &'static str,
    open: Option<&'static str>,
    send: &'static str,
    close: &'static str,
    sent: Option<&'static str>,
    received: &'static str,
    closed: &'static str,
    unsupported: &'static str,
}

const ENGLISH: Page = Page {
    query: "lang=en",
    lang: "en",
    open: Some("Open connection"),
    send: "Send",
    close: "Close connection",
    sent: None,
    received: "Message received : ",
    closed: "Connection is closed",
    unsupported: "WebSocket is not supported by your browser",
};
const FRENCH: Page = Page {
    query: "lang=fr",
    lang: "fr",
    open: Some("Ouvrir la connexion"),
    send: "Envoyer",
    close: "Fermer la connexion",
    sent: None,
    received: "Message reçu : ",
    closed: "La connexion est fermée",
    unsupported: "WebSocket n'est pas pris en charge par votre navigateur",
};
const SPANISH: Page = Page {
    query: "lang=es",
    lang: "es",
    open: Some("Abrir conexión"),
    send: "Enviar",
    close: "Cerrar conexión",
    sent: None,
    received: "Mensaje recibido : ",
    closed: "La conexión está cerrada",
    unsupported: "Tu navegador no admite WebSocket",
};
const PORTUGUESE: Page = Page {
    query: "lang=pt",
    lang: "pt",
    open: Some("Abrir conexão"),
    send: "Enviar",
    close: "Fechar conexão",
    sent: None,
    received: "Mensagem recebida : ",
    closed: "A conexão está fechada",
    unsupported: "WebSocket não é suportado pelo seu navegador",
};
const OLDER: Page = Page {
    query: "lang=pt&form=old",
    open: None,
    sent: Some("Mensagem foi enviada"),
    closed: "Conexão foi fechada",
    ..PORTUGUESE
};

const PAGES: [&Page; 5] = [&ENGLISH, &FRENCH, &SPANISH, &PORTUGUESE, &OLDER];

/// The page whose browser has no WebSocket, for any browser that has one.
const WITHOUT: &str = "without-websocket.html";

pub(super) fn english(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    clicks_and_keys(browser, place, &ENGLISH)
}

pub(super) fn french(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    clicks_and_keys(browser, place, &FRENCH)
}

pub(super) fn spanish(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    clicks_and_keys(browser, place, &SPANISH)
}

pub(super) fn portuguese(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    clicks_and_keys(browser, place, &PORTUGUESE)
}

pub(super) fn older(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    clicks_and_keys(browser, place, &OLDER)
}

fn clicks_and_keys(browser: &Browser, place: &Place<'_>, page: &Page) -> Result<(), String> {
    load(browser, place, page, DESKTOP)?;
    texts(browser, page)?;
    buttons(browser, page, "at first", true, false)?;
    axe(browser, place)?;
    clicks(browser, page)?;
    axe(browser, place)?;
    load(browser, place, page, DESKTOP)?;
    keys(browser, page)
}

/// The page's language, its controls' texts, and what is not there.
fn texts(browser: &Browser, page: &Page) -> Result<(), String> {
    let lang = browser.script("return document.documentElement.lang")?;
    equal("the page's language", &lang, page.lang)?;
    equal("#send", &browser.text("send")?, page.send)?;
    equal("#close", &browser.text("close")?, page.close)?;
    match page.open {
        Some(open) => equal("#open", &browser.text("open")?, open)?,
        None => {
            expect(!browser.is_shown("open")?, "there is no button that opens")?;
            expect(!browser.is_shown("url")?, "there is one input")?;
        }
    }
    let labels = "return [...document.querySelectorAll('input')].every(
        (it) => it.labels.length === 1 && it.labels[0].textContent)";
    let labelled = browser.script(labels)? == true;
    expect(labelled, "each input has a label")?;
    let live = "return document.getElementById('log').ariaLive";
    equal("the log's aria-live", &browser.script(live)?, "polite")?;
    let supported = browser.text("supported")?;
    equal("what supported() gives", &supported, "true")
}

/// Two rounds of a conversation, with the mouse.
fn clicks(browser: &Browser, page: &Page) -> Result<(), String> {
    let mut said = String::new();
    for round in ["first round", "second round: \u{e9}, \u{3bb}"] {
        if page.open.is_some() {
            browser.click("open")?;
            state(browser, "open")?;
            buttons(browser, page, "when open", false, true)?;
        }
        browser.type_into("message", round)?;
        browser.click("send")?;
        echoed(browser, page, &mut said, round)?;
        buttons(browser, page, "after the echo", false, true)?;
        browser.click("close")?;
        closed(browser, page, &mut said)?;
        buttons(browser, page, "after the close", true, false)?;
    }
    Ok(())
}

/// A conversation with the keyboard alone.
fn keys(browser: &Browser, page: &Page) -> Result<(), String> {
    let mut said = String::new();
    // Loading the page moves the focus nowhere.
    has_focus(browser, "")?;
    if page.open.is_some() {
        tab_to(browser, "open", &[])?;
        browser.press(ENTER)?;
        state(browser, "open")?;
        // The button is disabled now, so the focus has moved on.
        has_focus(browser, "message")?;
    } else {
        tab_to(browser, "message", &[])?;
    }
    for text in ["by keys", "and once more"] {
        browser.press_all(&[], text)?;
        browser.press(ENTER)?;
        echoed(browser, page, &mut said, text)?;
        let left = browser.script("return document.getElementById('message').value")?;
        equal("the field after sending", &left, "")?;
        if page.open.is_none() {
            // The older form moves the focus only if it was on a button.
            has_focus(browser, "message")?;
        }
    }
    tab_to(browser, "close", &[])?;
    browser.press(SPACE)?;
    closed(browser, page, &mut said)?;
    has_focus(browser, if page.open.is_some() { "open" } else { "send" })?;
    // The log scrolls by keys as well, and the way back is open.
    tab_to(browser, "log", &[])?;
    tab_to(browser, "message", &[SHIFT])
}

/// Waits until the log holds what was said so far and this echo.
fn echoed(browser: &Browser, page: &Page, said: &mut String, text: &str) -> Result<(), String> {
    if let Some(sent) = page.sent {
        said.push_str(&format!("{sent}\n"));
    }
    said.push_str(&format!("{}{text}\n", page.received));
    the_log_is(browser, said)
}

fn closed(browser: &Browser, page: &Page, said: &mut String) -> Result<(), String> {
    said.push_str(&format!("{} (1005)\n", page.closed));
    the_log_is(browser, said)?;
    state(browser, "closed")
}

fn the_log_is(browser: &Browser, wanted: &str) -> Result<(), String> {
    let what = format!("the log is {wanted:?}");
    browser.wait_for_text("log", &what, |log| log.lines().eq(wanted.lines()))
}

/// Follows each link of the language switch, from the first page.
pub(super) fn switch(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    load(browser, place, &ENGLISH, DESKTOP)?;
    for (index, page) in PAGES.iter().enumerate().rev() {
        let link = format!("document.querySelectorAll('#languages a')[{index}]");
        browser.script(&format!("{link}.focus()"))?;
        browser.press(ENTER)?;
        let current = format!("return {link}?.getAttribute('aria-current') === 'page'");
        let what = format!("the switch shows {}", page.query);
        wait_until(&what, READY_LIMIT, || Ok(browser.script(&current)? == true))?;
        texts(browser, page)?;
        let current = "return document.querySelectorAll('[aria-current]').length";
        expect(browser.script(current)? == 1, "one page is the current one")?;
    }
    Ok(())
}

/// Without `?lang=` the browser's first language that there is.
pub(super) fn preference(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    let languages = browser.script("return navigator.languages.join()")?;
    for (query, page) in [
        ("", &SPANISH),
        ("?form=old", &SPANISH),
        ("?lang=tlh", &SPANISH),
        ("?lang=FR-ca", &FRENCH),
        ("?lang=pt-BR", &PORTUGUESE),
    ] {
        load_at(browser, place, &format!("{}{query}", place.site), DESKTOP)?;
        texts(browser, page).map_err(|error| format!("{query}, {languages}: {error}"))?;
    }
    Ok(())
}

/// Each page says that there is no WebSocket, and shows the constructor's
/// error as it is.
pub(super) fn unsupported(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    for page in PAGES {
        let address = format!("{}{WITHOUT}?{}", place.site, page.query);
        load_at(browser, place, &address, DESKTOP)?;
        let absent = browser.script("return typeof WebSocket")? == "undefined";
        expect(absent, "the page has no WebSocket")?;
        equal("#supported", &browser.text("supported")?, "false")?;
        the_log_is(browser, page.unsupported)?;
        buttons(browser, page, "without WebSocket", true, false)?;
        browser.click(if page.open.is_some() { "open" } else { "send" })?;
        let error = "WebSocket is not supported here";
        the_log_is(browser, &format!("{}\n{error}", page.unsupported))?;
        buttons(browser, page, "after a try", true, false)?;
        axe(browser, place)?;
    }
    Ok(())
}

/// Writes the page that takes `WebSocket` away before the program starts.
pub fn add_page_without_websocket(folder: &Path) -> Result<(), String> {
    let write = || {
        let page = fs::read_to_string(folder.join("index.html"))?;
        let start = "<script type=\"module\">";
        let without = format!("<script>delete globalThis.WebSocket</script>\n{start}");
        fs::write(folder.join(WITHOUT), page.replacen(start, &without, 1))
    };
    write().map_err(|error| format!("cannot write {WITHOUT}: {error}"))
}

/// Pictures of each page, which axe and a phone's width have to pass as well.
pub(super) fn looks(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    for page in PAGES {
        let name = page.query.replace(['=', '&'], "-");
        for (scheme, width, size) in [
            ("light", "desktop", DESKTOP),
            ("dark", "desktop", DESKTOP),
            ("light", "phone", PHONE),
            ("dark", "phone", PHONE),
        ] {
            let scheme_is = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
            browser.devtools(
                "Emulation.setEmulatedMedia",
                &json!({ "features": scheme_is }),
            )?;
            load(browser, place, page, size)?;
            if page.open.is_some() {
                browser.click("open")?;
                state(browser, "open")?;
            }
            browser.type_into("message", "hello, world: \u{e9}, \u{3bb}")?;
            browser.click("send")?;
            let mut said = String::new();
            echoed(browser, page, &mut said, "hello, world: \u{e9}, \u{3bb}")?;
            picture(browser, &format!("page-{name}-{scheme}-{width}.png"))?;
            axe(browser, place).map_err(|error| format!("{name}, {scheme}, {width}: {error}"))?;
            fits(browser)?;
            browser.click("close")?;
            closed(browser, page, &mut said)?;
        }
    }
    browser
        .devtools("Emulation.setEmulatedMedia", &json!({ "features": [] }))
        .map(drop)
}

fn fits(browser: &Browser) -> Result<(), String> {
    let widths = "const it = document.scrollingElement; return [it.scrollWidth, it.clientWidth]";
    let widths = browser.script(widths)?;
    let fits = widths[0].as_u64() <= widths[1].as_u64();
    expect(fits, &format!("nothing is wider than the screen: {widths}"))
}

/// What axe-core finds, which must be nothing.
fn axe(browser: &Browser, place: &Place<'_>) -> Result<(), String> {
    browser.script(&format!("{}; window.axe = window.axe ?? axe", place.axe))?;
    let run = "return axe.run().then((found) => found.violations.map((it) =>
        `${it.id}: ${it.nodes.map((node) => node.html).join(', ')}`))";
    let found = browser.script(run)?;
    expect(
        found == json!([]),
        &format!("axe-core finds nothing: {found}"),
    )
}

/// Whether the buttons can be used: those that open, and those of an open
/// connection. The older form's Send is one of both.
fn buttons(
    browser: &Browser,
    page: &Page,
    when: &str,
    opens: bool,
    talks: bool,
) -> Result<(), String> {
    let mut wanted = vec![("close", talks)];
    match page.open {
        Some(_) => wanted.extend([("open", opens), ("send", talks)]),
        None => wanted.push(("send", opens || talks)),
    }
    for (id, enabled) in wanted {
        let word = if enabled { "enabled" } else { "disabled" };
        let what = format!("{when}, #{id} is {word}");
        expect(browser.is_enabled(id)? == enabled, &what)?;
    }
    Ok(())
}

/// Presses Tab until an element has the focus.
fn tab_to(browser: &Browser, id: &str, held: &[char]) -> Result<(), String> {
    for _ in 0..30 {
        browser.press_all(held, &TAB.to_string())?;
        if active(browser)? == id {
            return Ok(());
        }
    }
    Err(format!("the Tab key does not lead to #{id}"))
}

fn has_focus(browser: &Browser, id: &str) -> Result<(), String> {
    equal("what has the focus", &active(browser)?, id)
}

fn active(browser: &Browser) -> Result<Value, String> {
    browser.script("return document.activeElement?.id ?? ''")
}

fn equal<T: PartialEq<str> + std::fmt::Debug + ?Sized>(
    what: &str,
    found: &T,
    wanted: &str,
) -> Result<(), String> {
    expect(
        found == wanted,
        &format!("{what} is {wanted:?}; found {found:?}"),
    )
}

fn load(browser: &Browser, place: &Place<'_>, page: &Page, size: (u32, u32)) -> Result<(), String> {
    load_at(
        browser,
        place,
        &format!("{}?{}", place.site, page.query),
        size,
    )
}
