//! The chat in a page: a form, and a log.

use futures::Stream;
use futures::channel::mpsc;
use wasm_bindgen::JsCast;
use wasm_bindgen::prelude::Closure;
use web_sys::{Document, Element, Event, HtmlInputElement};

fn document() -> Document {
    let window = web_sys::window().expect("this is a page");
    window.document().expect("a page has a document")
}

fn element(id: &str) -> Element {
    document()
        .get_element_by_id(id)
        .expect("it is in index.html")
}

/// The server, from the page's address, behind the `#`.
pub fn server() -> String {
    let location = document().location().expect("a page has an address");
    let hash = location.hash().unwrap_or_default();
    hash.trim_start_matches('#').to_owned()
}

/// Shows a line.
pub fn show(line: &str) {
    let shown = document().create_element("p").expect("the name is good");
    shown.set_text_content(Some(line));
    let _ = element("log").append_child(&shown);
}

/// The lines that are typed into the form.
pub fn typed() -> impl Stream<Item = String> + Unpin {
    let (sender, lines) = mpsc::unbounded();
    let on_submit = Closure::<dyn FnMut(Event)>::new(move |event: Event| {
        event.prevent_default();
        let field: HtmlInputElement = element("line").unchecked_into();
        let _ = sender.unbounded_send(field.value());
        field.set_value("");
    });
    let form = element("form");
    let _ = form.add_event_listener_with_callback("submit", on_submit.as_ref().unchecked_ref());
    // The page listens as long as it lives.
    on_submit.forget();
    lines
}
