//! Noticing that a page or a worker woke up: events of the host, and timers that are late.
//!
//! Invariant: the host has our listeners exactly while a socket of this thread wants to
//! know. So a page without heartbeats and reconnecting sockets has none, nor this code.

use std::cell::RefCell;

use isosocket_core::{HostEvent, HostListener, Subscription};
use js_sys::Function;
use wasm_bindgen::prelude::*;
use web_sys::EventTarget;

use crate::js::{self, Listener, MembersExt, Object};
use crate::microtask::Job;
use crate::threads::{Local, Thread};

/// What is listened to, and whether it is an event of a page's document. The other events
/// are those of the global scope; workers have the first two.
const EVENTS: [(&str, bool); 5] = [
    ("online", false),
    ("offline", false),
    ("pageshow", false),
    ("visibilitychange", true),
    ("resume", true),
];

thread_local! {
    static WATCH: RefCell<Watch> = const {
        RefCell::new(Watch {
            number: 0,
            listeners: Vec::new(),
            _events: None,
        })
    };
}

struct Watch {
    number: u32,
    /// In the order in which they came.
    listeners: Vec<(u32, Thread, HostListener)>,
    _events: Option<Events>,
}

/// Adds a listener of a host on this thread.
pub(crate) fn listen(thread: &Thread, listener: HostListener) -> Subscription {
    let place = with(|watch| {
        watch.number += 1;
        let entry = (watch.number, thread.clone(), listener);
        watch.listeners.push(entry);
        if watch._events.is_none() {
            watch._events = Some(Events::new());
        }
        Place(watch.number)
    });
    match place {
        Some(place) => Subscription::new(Local::new(place)),
        None => Subscription::default(),
    }
}

/// Calls the listeners of this thread: soon, and outside every turn.
pub(crate) fn announce(event: HostEvent) {
    with(|watch| {
        for (_, thread, listener) in &watch.listeners {
            let listener = listener.clone();
            thread.push(Job::Call(Box::new(move || listener(event))));
        }
    });
}

/// Nothing of the program runs in `f`, so the borrow never fails.
fn with<R>(f: impl FnOnce(&mut Watch) -> R) -> Option<R> {
    let found = WATCH.try_with(|watch| watch.try_borrow_mut().ok().map(|mut watch| f(&mut watch)));
    found.ok().flatten()
}

/// A listener's place, on its thread.
struct Place(u32);

impl Drop for Place {
    fn drop(&mut self) {
        let gone = with(|watch| {
            watch.listeners.retain(|it| it.0 != self.0);
            watch._events.take_if(|_| watch.listeners.is_empty())
        });
        drop(gone);
    }
}

/// Our listener at the host's objects.
struct Events {
    listener: Listener,
}

impl Events {
    fn new() -> Self {
        let events = Events {
            listener: js::listener(on),
        };
        events.set(true);
        events
    }

    /// Adds the listener, or removes it. An object that a host lacks is `undefined`.
    fn set(&self, is_added: bool) {
        let global = js::global();
        let document = global.member("document");
        let listener: &Function = self.listener.as_ref().unchecked_ref();
        for (name, is_documents) in EVENTS {
            let target = if is_documents { &document } else { &global };
            let target: &EventTarget = target.unchecked_ref();
            let _ = match is_added {
                true => target.add_event_listener_with_callback(name, listener),
                false => target.remove_event_listener_with_callback(name, listener),
            };
        }
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        self.set(false);
    }
}

fn on(event: &Object) {
    let is = |name: &str| event.get("type").as_deref() == Some(name);
    if is("visibilitychange") && js::global().member("document").number("hidden") != 0.0 {
        return;
    }
    // A page that was loaded did not wake up. Other events have no such member.
    if event.number("persisted") == 0.0 {
        return;
    }
    announce(match is("offline") {
        true => HostEvent::Offline,
        false => HostEvent::WokeUp,
    });
}
