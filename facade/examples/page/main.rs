//! The echo client for the browser: `cargo xtask demo` builds and serves it.
//!
//! The program for the terminal, `examples/echo`, shares everything but this
//! file.

#[path = "../shared/app.rs"]
mod app;

use std::cell::RefCell;
use std::rc::Rc;

use isosocket::ReadyState;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Document, Event, HtmlButtonElement, HtmlElement, HtmlInputElement};

use crate::app::{App, Screen};

/// The page's elements.
#[derive(Clone)]
struct Page {
    document: Document,
}

impl Page {
    fn element<E: JsCast>(&self, id: &str) -> E {
        let element = self.document.get_element_by_id(id);
        let element = element.unwrap_or_else(|| panic!("the page has no element #{id}"));
        element
            .dyn_into()
            .unwrap_or_else(|_| panic!("#{id} is of another kind"))
    }

    fn value(&self, id: &str) -> String {
        self.element::<HtmlInputElement>(id).value()
    }

    fn enable(&self, id: &str, enabled: bool) {
        self.element::<HtmlButtonElement>(id).set_disabled(!enabled);
    }
}

impl Screen for Page {
    fn log(&self, kind: &str, text: &str) {
        let span = |class: &str, text: &str| {
            let span = self.document.create_element("span").ok()?;
            span.set_class_name(class);
            span.set_text_content(Some(text));
            Some(span)
        };
        let (Ok(line), Some(kind), Some(text)) = (
            self.document.create_element("li"),
            span(kind, kind),
            span("text", text),
        ) else {
            return;
        };
        let _ = line.append_with_node_2(&kind, &text);
        let log: HtmlElement = self.element("log");
        let _ = log.append_child(&line);
        log.set_scroll_top(log.scroll_height());
    }

    fn update(&self, state: ReadyState) {
        let open = state == ReadyState::Open;
        self.enable("open", state == ReadyState::Closed);
        self.enable("send", open);
        self.enable("close", open);
        let name = format!("{state:?}").to_lowercase();
        let label: HtmlElement = self.element("state");
        label.set_text_content(Some(&name));
        label.set_class_name(&name);
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

fn main() {
    let document = web_sys::window()
        .and_then(|window| window.document())
        .expect("this program runs in a page: see `cargo xtask demo`");
    let page = Page { document };
    if !isosocket::supported() {
        page.element::<HtmlElement>("unsupported").set_hidden(false);
        return;
    }
    let app = Rc::new(RefCell::new(App::new(page.clone())));

    let (opener, screen) = (app.clone(), page.clone());
    on(&page.element("opener"), "submit", move |event| {
        event.prevent_default();
        let url = screen.value("url");
        if let Err(error) = opener.borrow_mut().open(&url) {
            screen.log("error", &error.to_string());
        }
    });

    let (sender, screen) = (app.clone(), page.clone());
    on(&page.element("sender"), "submit", move |event| {
        event.prevent_default();
        sender.borrow().send(&screen.value("message"));
        screen.element::<HtmlInputElement>("message").set_value("");
    });

    let closer = app;
    on(&page.element("close"), "click", move |_| {
        closer.borrow().close()
    });
}
