//! S97 to S101: what holds whatever happens.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use isosocket::{Builder, CloseEvent, Event, EventKind, SendError, WebSocket};

use crate::probe::{
    Log, Probe, Via, check_sequence, fresh_id, socket_builder, trace, url, with_id,
};
use crate::record::{ports, record};
use crate::suite::{Seen, ensure, ensure_eq};

/// S97: ends of every kind; see [`at_most_one_of_each`].
pub const ENDINGS: &[&str] = &[
    "/script?do=cork;text:a;text:b;close:1000",
    "/script?do=cork;text:a;text:b;frame:3:x",
    "/script?do=text:a;text:b;fin",
    "/script?do=text:a;wait:close",
    "/script?do=text:a;text:%ff;close:1000",
    "/script?do=cork;close:1000;close:1001;text:a",
    "/refuse/500",
    "/drop",
];

/// With `close` called once more from the handler of each kind.
pub async fn at_most_one_of_each(path: &'static str) -> Seen {
    let mut seen = Vec::new();
    for kind in EventKind::ALL {
        let mut probe = Probe::with(Via::Handlers, path, |builder| {
            builder.bind(kind, |socket, _| {
                socket.close();
                // That the arguments are good is shown elsewhere.
                let _ = socket.close_with(4000, "again");
            })
        })?;
        // Some of them end only if somebody closes.
        if path.ends_with("wait:close") && matches!(kind, EventKind::Error | EventKind::Close) {
            probe.opened().await?;
            probe.socket.close();
        }
        // The probe looks at the sequence.
        seen.push(probe.finish().await?);
    }
    Ok(seen.join(" | "))
}

thread_local! {
    /// A call of the library is under way on this thread.
    static INSIDE: Cell<bool> = const { Cell::new(false) };
}

/// Calls something of the library.
fn call<T>(function: impl FnOnce() -> T) -> T {
    INSIDE.set(true);
    let result = function();
    INSIDE.set(false);
    result
}

/// Notes of handlers, in order.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn push(&self, note: impl Into<String>) {
        let mut notes = self.0.lock().unwrap_or_else(|error| error.into_inner());
        notes.push(note.into());
    }

    fn take(&self) -> Vec<String> {
        let mut notes = self.0.lock().unwrap_or_else(|error| error.into_inner());
        std::mem::take(&mut notes)
    }
}

/// S98: what is called, and to which path.
pub const CALLS: &[(&str, &str)] = &[
    ("new, blocked", "blocked"),
    ("new, refused", "refused"),
    ("close while connecting", "/no-reply"),
    ("close before connecting", "refused"),
    ("close while open", "/echo"),
    ("send while open", "/echo"),
    ("close in open", "/echo"),
    (
        "send in message",
        "/script?do=text:a;wait:message;close:1000",
    ),
    (
        "close in message",
        "/script?do=cork;text:a;text:b;close:1000",
    ),
    ("bind in open", "/script?do=with101;text:a;close:1000"),
];

pub async fn no_event_inside_a_call((what, path): (&'static str, &'static str)) -> Seen {
    let address = match path {
        "blocked" => "ws://127.0.0.1:1/".to_owned(),
        "refused" => format!("ws://127.0.0.1:{}/", ports().await?["refused"]),
        path => url(path),
    };
    let notes = Notes::default();
    let mut builder = socket_builder(address);
    for kind in EventKind::ALL {
        let notes = notes.clone();
        builder = builder.bind(kind, move |socket, event| {
            if INSIDE.get() {
                notes.push(format!("{} inside {what}", event.kind()));
            }
            let result = match (what, event) {
                ("close in open", Event::Open) => call(|| socket.close_with(4000, "")).is_ok(),
                ("send in message", Event::Message(_)) => call(|| socket.send("b")).is_ok(),
                ("close in message", Event::Message(message)) => {
                    message.as_text() == Some("a") && call(|| socket.close_with(4000, "")).is_ok()
                }
                ("bind in open", Event::Open) => {
                    let inner = notes.clone();
                    call(|| {
                        socket.on_message(move |_, _| {
                            if INSIDE.get() {
                                inner.push("message inside bind");
                            }
                        });
                    });
                    true
                }
                _ => true,
            };
            if !result {
                notes.push(format!("{what} failed"));
            }
        });
    }
    let probe = call(|| Probe::from_builder(Via::Handlers, builder));
    let mut probe = probe.map_err(|error| error.to_string())?;
    match what {
        "close while connecting" | "close before connecting" => call(|| probe.socket.close()),
        "close while open" => {
            probe.opened().await?;
            call(|| probe.socket.close());
        }
        "send while open" => {
            probe.opened().await?;
            let sent = call(|| probe.socket.send("a"));
            sent.map_err(|error| error.to_string())?;
            probe.message().await?;
            call(|| probe.socket.close());
        }
        _ => {}
    }
    let seen = probe.finish().await?;
    ensure_eq!(notes.take(), [""; 0], "events inside calls");
    Ok(seen)
}

/// A whole life of another socket: whatever was still to come has come.
async fn settle() -> Result<(), String> {
    let mut probe = Probe::path("/close/1000")?;
    probe.finish().await.map(drop)
}

/// S99.
pub const ENDED: &[&str] = &[
    "/close/4000/bye",
    "/script?do=text:a;fin",
    "/script?do=text:a;frame:3:x",
    "/refuse/500",
];

pub async fn the_close_handler_may_call_anything(path: &'static str) -> Seen {
    let notes = Notes::default();
    let inner = notes.clone();
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.on_close(move |socket, _| {
            let sent = socket.send("late");
            if sent != Err(SendError::Closed("late".into())) {
                inner.push(format!("send gave {sent:?}"));
            }
            socket.close();
            if let Err(error) = socket.close_with(3000, "late") {
                inner.push(error.to_string());
            }
            if socket.buffered_amount() != 4 {
                inner.push(format!("{} buffered", socket.buffered_amount()));
            }
            inner.push("called");
        })
    })?;
    let seen = probe.finish().await?;
    settle().await?;
    let after = probe.next().await;
    ensure_eq!(after, None, "after all that");
    ensure_eq!(notes.take(), ["called"], "notes");
    Ok(seen)
}

/// S100: three handlers of each kind, the last of them bound when the connection is open.
pub async fn handlers_run_in_order_one_at_a_time() -> Seen {
    let notes = Notes::default();
    let running = Arc::new(AtomicBool::new(false));
    let handler = |number: u8| {
        let (notes, running) = (notes.clone(), running.clone());
        move |_: &WebSocket, event: &Event| {
            if running.swap(true, Ordering::SeqCst) {
                notes.push("two at a time");
            }
            notes.push(format!("{} {number}", event.kind()));
            running.store(false, Ordering::SeqCst);
        }
    };
    // Nothing comes before a message was sent, so that all are bound by then.
    let path = "/script?do=wait:message;cork;text:a;text:b;close:1000";
    let mut builder = socket_builder(url(path));
    for number in [1, 2] {
        for kind in EventKind::ALL {
            builder = builder.bind(kind, handler(number));
        }
    }
    let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
    probe.opened().await?;
    // Another thread may still be at the event, and would call a new handler for it, too.
    settle().await?;
    for kind in EventKind::ALL {
        probe.socket.bind(kind, handler(3));
    }
    let sent = probe.socket.send("go");
    sent.map_err(|error| error.to_string())?;
    let seen = probe.finish().await?;
    settle().await?;
    let mut expected = Vec::new();
    for (kind, last) in [("open", 2), ("message", 3), ("message", 3), ("close", 3)] {
        expected.extend((1..=last).map(|number| format!("{kind} {number}")));
    }
    ensure_eq!(notes.take(), expected, "the order");
    Ok(seen)
}

/// The panics of this case show in its output; they are meant.
pub async fn a_panicking_handler_stops_nobody() -> Seen {
    let path = "/script?do=text:a;text:b;close:1000";
    let mut probe = Probe::with(Via::Handlers, path, |mut builder| {
        for kind in EventKind::ALL {
            builder = builder.bind(kind, |_, event| panic!("on purpose, in {}", event.kind()));
        }
        builder
    })?;
    let seen = probe
        .ends(r#"open text("a") text("b") close(1000 "" clean)"#)
        .await?;
    // The loop itself goes on.
    settle().await?;
    Ok(seen)
}

/// A handler that another one unbound is not called, even for the same event.
pub async fn an_unbound_handler_is_not_called() -> Seen {
    let notes = Notes::default();
    let path = "/script?do=wait:message;cork;text:a;text:b;uncork;wait:close;answer";
    let mut probe = Probe::path(path)?;
    probe.opened().await?;
    let slot = Arc::new(Mutex::new(None));
    let (first, taken) = (notes.clone(), slot.clone());
    probe.socket.on_message(move |_, message| {
        first.push(format!("first {}", message.as_text().unwrap_or_default()));
        let binding: Option<isosocket::Binding> =
            taken.lock().ok().and_then(|mut slot| slot.take());
        if let Some(binding) = binding {
            binding.unbind();
        }
    });
    let second = notes.clone();
    let binding = probe.socket.on_message(move |_, _| second.push("second"));
    if let Ok(mut slot) = slot.lock() {
        *slot = Some(binding);
    }
    let third = notes.clone();
    let early = probe.socket.on_message(move |_, _| third.push("third"));
    early.unbind();
    let sent = probe.socket.send("go");
    sent.map_err(|error| error.to_string())?;
    probe.message().await?;
    probe.message().await?;
    probe.socket.close();
    let seen = probe.finish().await?;
    ensure_eq!(notes.take(), ["first a", "first b"], "the handlers");
    Ok(seen)
}

/// Bound in the handler of an earlier event, though the later one is here.
pub async fn a_handler_bound_in_a_handler_is_in_time() -> Seen {
    let notes = Notes::default();
    let inner = notes.clone();
    let path = "/script?do=with101;text:a;text:b;close:1000";
    let mut probe = Probe::with(Via::Handlers, path, |builder| {
        builder.on_open(move |socket| {
            let notes = inner.clone();
            socket.on_message(move |_, message| {
                notes.push(message.as_text().unwrap_or_default());
            });
        })
    })?;
    let seen = probe.finish().await?;
    ensure_eq!(notes.take(), ["a", "b"], "messages");
    Ok(seen)
}

/// A socket that nobody listens to, whose life is over. Where it opens, the
/// peer waits for a word from it before it goes on.
async fn unheard(path: &str) -> Result<WebSocket, String> {
    unheard_with(path, |builder| builder).await
}

async fn unheard_with(path: &str, configure: fn(Builder) -> Builder) -> Result<WebSocket, String> {
    let id = fresh_id();
    let address = url(&with_id(path, &id));
    let socket = if path.contains("wait:message") {
        let socket = configure(socket_builder(&address)).open().await;
        let socket = socket.map_err(|error| error.to_string())?;
        let sent = socket.send("go on");
        sent.map_err(|error| error.to_string())?;
        socket
    } else {
        let socket = configure(socket_builder(&address)).connect();
        socket.map_err(|error| error.to_string())?
    };
    // By now the client has answered the peer's last word.
    record(&id).await?;
    Ok(socket)
}

const LIFE: &str = "/script?do=wait:message;text:a;binary:b;close:4000:bye";
const BAD_LIFE: &str = "/script?do=wait:message;text:a;binary:b;delay:20;frame:3:x;wait:end";

/// S101: such a life, and in which order handlers are bound afterwards.
pub const LATE: &[(&str, &str, &[EventKind])] = &[
    ("open", LIFE, &[EventKind::Open]),
    ("message", LIFE, &[EventKind::Message]),
    ("error", "/refuse/500", &[EventKind::Error]),
    ("close", LIFE, &[EventKind::Close]),
    ("close of a failure", "/refuse/500", &[EventKind::Close]),
    (
        "all, backwards",
        BAD_LIFE,
        &[
            EventKind::Close,
            EventKind::Error,
            EventKind::Message,
            EventKind::Open,
        ],
    ),
];

pub async fn what_came_before_its_handler_is_delivered(
    (_, path, kinds): (&'static str, &'static str, &'static [EventKind]),
) -> Seen {
    let socket = unheard(path).await?;
    let mut all = Vec::new();
    for kind in kinds {
        let log = Arc::new(Log::default());
        let (inner, notes) = (log.clone(), Notes::default());
        let inside = notes.clone();
        call(|| {
            socket.bind(*kind, move |socket, event| {
                if INSIDE.get() {
                    inside.push("inside bind");
                }
                inner.push(event.clone(), socket.ready_state());
            })
        });
        let count = if *kind == EventKind::Message { 2 } else { 1 };
        for _ in 0..count {
            let (event, _) = log.next_with_state().await;
            ensure_eq!(event.kind(), *kind, "the kind");
            all.push(event);
        }
        settle().await?;
        ensure_eq!(log.take(), None, "more of {kind}");
        ensure_eq!(notes.take(), [""; 0], "S98");
    }
    Ok(trace(&all))
}

/// A stream that begins after the end gets all of it.
pub async fn a_late_stream_gets_everything() -> Seen {
    let lives = [
        (LIFE, r#"open text("a") binary(62) close(4000 "bye" clean)"#),
        (
            BAD_LIFE,
            r#"open text("a") binary(62) error close(1006 "" unclean)"#,
        ),
        ("/refuse/500", r#"error close(1006 "" unclean)"#),
    ];
    for (path, expected) in lives {
        let socket = unheard(path).await?;
        let mut events = call(|| socket.events());
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        ensure_eq!(trace(&seen), expected, "the stream");
        check_sequence(&seen)?;
        let mut second = socket.events();
        ensure_eq!(second.next().await, None, "a second stream");
    }
    Ok("everything".into())
}

/// After the first handler, a second one gets only what comes.
pub async fn what_was_delivered_is_not_kept() -> Seen {
    let mut probe = Probe::with(Via::Handlers, "/echo", |builder| builder)?;
    probe.opened().await?;
    let sent = probe.socket.send("one");
    sent.map_err(|error| error.to_string())?;
    probe.message().await?;
    let notes = Notes::default();
    for kind in EventKind::ALL {
        let notes = notes.clone();
        probe
            .socket
            .bind(kind, move |_, event| notes.push(event.kind().name()));
    }
    let sent = probe.socket.send("two");
    sent.map_err(|error| error.to_string())?;
    probe.message().await?;
    probe.socket.close();
    let seen = probe.finish().await?;
    settle().await?;
    ensure_eq!(notes.take(), ["message", "close"], "the second handler");
    Ok(seen)
}

/// A hundred messages of 64 bytes, of which a kilobyte is kept.
const FLOOD: &str = "/script?do=wait:message;repeat:100;binary:*64;next;close:4000:bye";

/// There is no gap that nobody reports.
pub async fn who_listens_too_late_gets_what_was_kept_and_a_failure() -> Seen {
    let socket = unheard_with(FLOOD, |builder| builder.backlog_limit(1000)).await?;
    let mut events = call(|| socket.events());
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
    }
    check_sequence(&seen)?;
    let kept = seen
        .iter()
        .filter(|event| event.kind() == EventKind::Message)
        .count();
    ensure!((1..=15).contains(&kept), "{kept} messages were kept");
    let [.., Event::Error(error), Event::Close(close)] = &seen[..] else {
        return Err(format!("no failure at the end: {}", trace(&seen)));
    };
    let missing = 100 - kept;
    let text = format!("{error:#}");
    ensure!(text.contains(&format!("{missing} messages")), "{text}");
    ensure_eq!(close, &CloseEvent::abnormal(), "the end");
    Ok("what was kept, and a failure".into())
}

/// Whoever does not listen for messages is not disturbed by them.
pub async fn who_never_listens_for_messages_notices_nothing() -> Seen {
    let socket = unheard_with(FLOOD, |builder| builder.backlog_limit(1000)).await?;
    let log = Arc::new(Log::default());
    for kind in [EventKind::Open, EventKind::Error, EventKind::Close] {
        let inner = log.clone();
        call(|| {
            socket.bind(kind, move |socket, event| {
                inner.push(event.clone(), socket.ready_state());
            })
        });
    }
    let mut seen = Vec::new();
    while !matches!(seen.last(), Some(Event::Close(_))) {
        seen.push(log.next_with_state().await.0);
    }
    let expected = r#"open close(4000 "bye" clean)"#;
    ensure_eq!(trace(&seen), expected, "the events");
    Ok(trace(&seen))
}

/// The state was Open when it was awaited; the event is still delivered.
pub async fn open_is_delivered_after_awaiting_open() -> Seen {
    let path = "/script?do=with101;text:a;close:1000";
    let socket = socket_builder(url(path)).connect();
    let socket = socket.map_err(|error| error.to_string())?;
    settle().await?;
    let mut events = socket.events();
    ensure_eq!(events.next().await, Some(Event::Open), "the first event");
    ensure!(
        matches!(events.next().await, Some(Event::Message(_))),
        "no message"
    );
    Ok("open, then the message".into())
}
