//! The echo client for the browser: `cargo xtask demo` builds and serves it.
//!
//! One program is five pages: English, French, Spanish, Portuguese, and an
//! older form of the Portuguese page. The address chooses (`?lang=fr`,
//! `?lang=pt&form=old`), else the browser's preferences. The program for the
//! terminal, `examples/echo`, shares everything but this file.

#[path = "../shared/app.rs"]
mod app;
#[path = "../shared/texts.rs"]
mod texts;

use std::cell::RefCell;
use std::rc::Rc;

use isosocket::ReadyState;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Document, Event, HtmlButtonElement, HtmlElement, HtmlInputElement};
use web_sys::{UrlSearchParams, Window};

use crate::app::{App, Kind, Screen};
use crate::texts::{Form, PAGES, Texts};

/// The page's elements, and what they say.
#[derive(Clone)]
struct Page {
    document: Document,
    texts: &'static Texts,
}

impl Page {
    fn element<E: JsCast>(&self, id: &str) -> E {
        let element = self.document.get_element_by_id(id);
        let element = element.unwrap_or_else(|| panic!("the page has no element #{id}"));
        element
            .dyn_into()
            .unwrap_or_else(|_| panic!("#{id} is of another kind"))
    }

    fn create(&self, name: &str) -> HtmlElement {
        let element = self.document.create_element(name);
        let element = element.expect("the name is a valid one");
        element
            .dyn_into()
            .expect("HTML documents have HTML elements")
    }

    fn value(&self, id: &str) -> String {
        self.element::<HtmlInputElement>(id).value()
    }

    fn enable(&self, id: &str, enabled: bool) {
        self.element::<HtmlButtonElement>(id).set_disabled(!enabled);
    }

    /// Puts the texts into the page, in the page's language.
    fn translate(&self) {
        let texts = self.texts;
        if let Some(root) = self.document.document_element() {
            let _ = root.set_attribute("lang", texts.lang);
        }
        self.document
            .set_title(&format!("isosocket: {}", texts.title));
        for (id, text) in [
            ("title", texts.title),
            ("url-label", texts.server),
            ("open", texts.open),
            ("message-label", texts.message),
            ("send", texts.send),
            ("close", texts.close),
            ("events", texts.events),
        ] {
            self.element::<HtmlElement>(id).set_text_content(Some(text));
        }
        let older = texts.form == Form::Older;
        self.element::<HtmlElement>("opener").set_hidden(older);
        let supported = isosocket::supported().to_string();
        self.element::<HtmlElement>("supported")
            .set_text_content(Some(&supported));
        self.add_switch();
    }

    /// The language switch: a link for each page, so that it needs no more
    /// than the address.
    fn add_switch(&self) {
        let switch: HtmlElement = self.element("languages");
        let _ = switch.set_attribute("aria-label", self.texts.languages);
        for page in &PAGES {
            let form = match page.form {
                Form::Current => "",
                Form::Older => "&form=old",
            };
            let link = self.create("a");
            link.set_text_content(Some(page.name));
            let _ = link.set_attribute("href", &format!("?lang={}{form}", page.lang));
            let _ = link.set_attribute("lang", page.lang);
            let _ = link.set_attribute("hreflang", page.lang);
            if page == self.texts {
                let _ = link.set_attribute("aria-current", "page");
            }
            let _ = switch.append_child(&link);
        }
    }

    /// A button that can no longer be used takes the focus with it, which
    /// leaves those without a mouse nowhere. Moves the focus on.
    fn move_focus(&self, from: &[&str], to: &str) {
        let active = self.document.active_element();
        let id = active.map(|element| element.id()).unwrap_or_default();
        // A browser may have given it to the body already.
        if id.is_empty() || from.contains(&&*id) {
            let _ = self.element::<HtmlElement>(to).focus();
        }
    }
}

impl Screen for Page {
    fn log(&self, kind: Kind, text: &str) {
        let line = self.create("p");
        line.set_text_content(Some(text));
        line.set_class_name(match kind {
            Kind::Sent => "sent",
            Kind::Message => "message",
            Kind::Error => "error",
            Kind::Close => "close",
        });
        let log: HtmlElement = self.element("log");
        let _ = log.append_child(&line);
        log.set_scroll_top(log.scroll_height());
    }

    fn update(&self, state: ReadyState) {
        let label: HtmlElement = self.element("state");
        let name = format!("{state:?}").to_lowercase();
        // At the start there is no state yet, and the focus stays where it is.
        let before = label.class_name();
        let changed = !before.is_empty() && before != name;
        label.set_text_content(Some(self.texts.state(state)));
        label.set_class_name(&name);

        let (open, closed) = (state == ReadyState::Open, state == ReadyState::Closed);
        let opens = match self.texts.form {
            Form::Current => "open",
            Form::Older => "send",
        };
        self.enable("open", closed);
        self.enable("send", open || (closed && opens == "send"));
        self.enable("close", open);
        if changed && open {
            self.move_focus(&["open", "send"], "message");
        } else if changed && closed {
            self.move_focus(&["send", "close"], opens);
        }
    }
}

type Listener = Closure<dyn FnMut(Event)>;

thread_local! {
    /// The page's listeners, which live as long as the page.
    static LISTENERS: RefCell<Vec<Listener>> = const { RefCell::new(Vec::new()) };
}

fn on(element: &HtmlElement, event: &str, handler: impl FnMut(Event) + 'static) {
    let listener: Listener = Closure::new(handler);
    element
        .add_event_listener_with_callback(event, listener.as_ref().unchecked_ref())
        .expect("an element takes listeners");
    LISTENERS.with_borrow_mut(|listeners| listeners.push(listener));
}

/// The page that the address names, else the one that the browser prefers.
fn texts_for(window: &Window) -> &'static Texts {
    let search = window.location().search().unwrap_or_default();
    let parameter = |name: &str| UrlSearchParams::new_with_str(&search).ok()?.get(name);
    let form = match parameter("form").as_deref() {
        Some("old") => Form::Older,
        _ => Form::Current,
    };
    let preferred = window.navigator().languages();
    let preferred = preferred.iter().filter_map(|tag| tag.as_string());
    let tags: Vec<String> = parameter("lang").into_iter().chain(preferred).collect();
    texts::choose(tags.iter().map(String::as_str), form)
}

fn main() {
    let window = web_sys::window().expect("this program runs in a page: see `cargo xtask demo`");
    let page = Page {
        document: window.document().expect("a window has a document"),
        texts: texts_for(&window),
    };
    page.translate();
    let app = Rc::new(RefCell::new(App::new(page.clone(), page.texts)));
    if !isosocket::supported() {
        page.log(Kind::Error, page.texts.unsupported);
    }

    let (opener, screen) = (app.clone(), page.clone());
    on(&page.element("opener"), "submit", move |event| {
        event.prevent_default();
        let url = screen.value("url");
        if let Err(error) = opener.borrow_mut().open(&url) {
            screen.log(Kind::Error, &format!("{error:#}"));
        }
    });

    let (sender, screen) = (app.clone(), page.clone());
    on(&page.element("sender"), "submit", move |event| {
        event.prevent_default();
        let text = screen.value("message");
        match screen.texts.form {
            Form::Current => sender.borrow().send(&text),
            Form::Older => {
                let url = screen.value("url");
                if let Err(error) = sender.borrow_mut().open_and_send(&url, &text) {
                    // What was typed stays, for another try.
                    return screen.log(Kind::Error, &format!("{error:#}"));
                }
            }
        }
        screen.element::<HtmlInputElement>("message").set_value("");
    });

    let closer = app;
    on(&page.element("close"), "click", move |_| {
        closer.borrow().close()
    });
}
