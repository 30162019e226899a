//! A chat with Leptos: a page, `?url=..&name=..`.
//!
//! Its handlers keep an element of the page, which is not `Send`. On a page they need not
//! be. The server sends each message to everybody, such as `apps/hub`.

use std::time::Duration;

use isosocket::{NewError, Reconnecting, Status};
use leptos::ev::SubmitEvent;
use leptos::prelude::*;
use leptos::{component, html, mount::mount_to_body, view};
use web_sys::{HtmlOListElement, UrlSearchParams};

const URL: &str = "ws://127.0.0.1:9000/";

/// What the handlers change, and the page shows.
#[derive(Clone, Copy)]
struct Shown {
    lines: RwSignal<Vec<String>>,
    status: RwSignal<Status>,
    /// Seconds until the next attempt.
    left: RwSignal<u64>,
}

impl Shown {
    fn connect(self, url: &str, list: HtmlOListElement) -> Result<Reconnecting, NewError> {
        Reconnecting::builder(url)
            .backoff(Duration::from_secs(2), Duration::from_secs(20))
            .on_status(move |socket, status| {
                self.count_down(socket);
                self.status.set(status.clone());
            })
            .on_message(move |_, message| {
                self.lines.update(|lines| lines.push(message.to_string()));
                let list = list.clone();
                // Once the line is there.
                request_animation_frame(move || list.set_scroll_top(list.scroll_height()));
            })
            .connect()
    }

    /// Called for each status, and once a second.
    fn count_down(self, socket: &Reconnecting) {
        let left = socket.time_left().unwrap_or_default();
        self.left.set(left.as_secs_f64().ceil() as u64);
    }

    fn text(self) -> String {
        match self.status.get() {
            Status::Open => "connected".to_owned(),
            Status::Waiting { loss, .. } => format!("{loss}; again in {} s", self.left.get()),
            other => other.to_string(),
        }
    }

    fn is_open(self) -> bool {
        self.status.get() == Status::Open
    }

    fn is_waiting(self) -> bool {
        matches!(self.status.get(), Status::Waiting { .. })
    }
}

#[component]
fn Chat(url: String, name: String) -> impl IntoView {
    let shown = Shown {
        lines: RwSignal::default(),
        status: RwSignal::new(Status::Connecting { attempt: 1 }),
        left: RwSignal::default(),
    };
    let (list, draft) = (NodeRef::<html::Ol>::new(), NodeRef::<html::Input>::new());
    // Once the list is on the page. The socket closes when the page drops it.
    let socket = StoredValue::new(None);
    Effect::new(move || {
        if let Some(list) = list.get() {
            match shown.connect(&url, list) {
                Ok(connected) => socket.set_value(Some(connected)),
                Err(error) => shown.lines.update(|lines| lines.push(format!("{error:#}"))),
            }
        }
    });
    let with_socket = move |act: &dyn Fn(&Reconnecting)| {
        socket.with_value(|socket| socket.iter().for_each(act));
    };
    set_interval(
        move || with_socket(&|socket| shown.count_down(socket)),
        Duration::from_secs(1),
    );
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        let draft = draft.get().expect("the form has the field");
        with_socket(&|socket| {
            // A refused draft stays in the field.
            if socket.send(format!("{name}: {}", draft.value())).is_ok() {
                draft.set_value("");
            }
        });
    };
    let lines = move || shown.lines.get().into_iter().enumerate();
    view! {
        <p>
            <span id="status" role="status">{move || shown.text()}</span>
            <Show when=move || shown.is_waiting()>
                <button id="now" on:click=move |_| with_socket(&Reconnecting::retry_now)>"Now"</button>
            </Show>
        </p>
        <ol id="lines" node_ref=list>
            <For each=lines key=|(number, _)| *number children=|(_, line)| view! { <li>{line}</li> } />
        </ol>
        <form on:submit=send>
            <label for="draft">"Message"</label>
            <input id="draft" autocomplete="off" node_ref=draft />
            <button id="send" disabled=move || !shown.is_open()>"Send"</button>
        </form>
    }
}

fn main() {
    console_error_panic_hook::set_once();
    let search = location().search().unwrap_or_default();
    let query = UrlSearchParams::new_with_str(&search).expect("a query is text");
    let url = query.get("url").unwrap_or_else(|| URL.to_owned());
    let name = query.get("name").unwrap_or_else(|| "me".to_owned());
    mount_to_body(move || view! { <Chat url=url name=name /> });
}
