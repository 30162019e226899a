//! S102: dropping the last handle, and what is left of a socket after it.

use std::future::poll_fn;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use isosocket::{Event, EventKind, ReadyState, WebSocket};

use crate::harness;
use crate::probe::{
    Probe, Via, check_sequence, fresh_id, new_socket, open_socket, trace, url, with_id,
};
use crate::record::{open_gate, record, records_now};
use crate::suite::{Seen, ensure, ensure_eq};

async fn open(id: &str, path: &str) -> Result<WebSocket, String> {
    let socket = open_socket(url(&with_id(path, id))).await;
    socket.map_err(|error| error.to_string())
}

/// S102: what else there is of the socket when the handle is dropped.
pub const DROPPED: &[&str] = &[
    "nothing",
    "handlers",
    "a stream",
    "a binding",
    "unsent data",
];

pub async fn dropping_the_last_handle_closes(what: &'static str) -> Seen {
    let id = fresh_id();
    let socket = open(&id, "/echo").await?;
    let mut events = None;
    let mut binding = None;
    match what {
        "handlers" => {
            for kind in EventKind::ALL {
                socket.bind(kind, |_, _| {});
            }
        }
        "a stream" => events = Some(socket.events()),
        "a binding" => binding = Some(socket.on_message(|_, _| {})),
        "unsent data" => {
            for _ in 0..20 {
                let sent = socket.send(vec![0u8; 100_000]);
                sent.map_err(|error| error.to_string())?;
            }
        }
        _ => {}
    }
    drop(socket);
    let record = record(&id).await?;
    ensure_eq!(record.closes(), "empty", "the Close frame");
    let data = if what == "unsent data" { 20 } else { 0 };
    ensure_eq!(record.messages().len(), data, "messages");
    if let Some(mut events) = events {
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        let end = trace(&seen);
        ensure!(
            end.ends_with(r#"close(1005 "" clean)"#),
            "the stream: {end}"
        );
    }
    drop(binding);
    Ok("an empty Close frame".into())
}

pub async fn a_clone_keeps_the_socket_open() -> Seen {
    let id = fresh_id();
    let socket = open(&id, "/echo").await?;
    let clone = socket.clone();
    let mut events = clone.events();
    drop(socket);
    ensure_eq!(clone.ready_state(), ReadyState::Open, "the state");
    let sent = clone.send("still here");
    sent.map_err(|error| error.to_string())?;
    ensure_eq!(events.next().await, Some(Event::Open), "the kept event");
    let echo = events.next().await;
    ensure_eq!(echo, Some(Event::Message("still here".into())), "the echo");
    ensure_eq!(records_now(&id).await?[0].closes(), "none", "Close frames");
    drop(clone);
    ensure_eq!(record(&id).await?.closes(), "empty", "the Close frame");
    Ok("closed with the last one".into())
}

/// The handlers for the end still run; those for messages do not.
pub async fn the_end_is_reported_after_the_drop() -> Seen {
    let log = Arc::new(crate::probe::Log::default());
    let id = fresh_id();
    let socket = open(&id, "/script?do=echo;text:late;answer").await?;
    for kind in [EventKind::Message, EventKind::Error, EventKind::Close] {
        let log = log.clone();
        socket.bind(kind, move |socket, event| {
            log.push(event.clone(), socket.ready_state());
        });
    }
    drop(socket);
    let (event, state) = log.next_with_state().await;
    ensure_eq!(trace(&[event]), r#"close(1005 "" clean)"#, "the event");
    ensure_eq!(state, ReadyState::Closed, "the state");
    Ok("close".into())
}

/// A peer that does not reply. It gives up itself in the end, as Firefox does
/// not, and lets no other socket connect to the host meanwhile.
const NO_REPLY: &str = "/script?do=nohandshake;hold:1500;fin";

/// No Close frame can be sent then; the peer sees TCP end. Firefox keeps TCP
/// until a reply comes, so on the web this is recorded.
pub async fn dropping_while_connecting_gives_up() -> Seen {
    let probe = Probe::path(NO_REPLY)?;
    let Probe { socket, id, .. } = probe;
    // Until the request is there, there would be nothing to see.
    while records_now(&id).await?.is_empty() {
        harness::sleep(5).await;
    }
    drop(socket);
    let record = record(&id).await?;
    ensure!(
        !record.accepted() && record.frames().is_empty(),
        "{record:?}"
    );
    ensure_eq!(record.first_end(), "client", "who ended TCP");
    Ok(record.client_end().to_owned())
}

pub async fn dropping_the_future_of_open_gives_up() -> Seen {
    let id = fresh_id();
    let mut opening = Box::pin(open_socket(url(&with_id(NO_REPLY, &id))));
    poll_fn(|context| {
        let pending = opening.as_mut().poll(context).is_pending();
        Poll::Ready(pending)
    })
    .await;
    while records_now(&id).await?.is_empty() {
        harness::sleep(5).await;
    }
    drop(opening);
    let record = record(&id).await?;
    ensure_eq!(record.first_end(), "client", "who ended TCP");
    Ok(record.client_end().to_owned())
}

/// Whether something was dropped.
#[derive(Clone, Default)]
pub(crate) struct Flag(Arc<Mutex<(bool, Option<Waker>)>>);

/// What a handler owns: its flag goes up when it is dropped.
pub(crate) struct Owned(Flag);

impl Flag {
    /// A flag, and what raises it when it is dropped.
    pub(crate) fn with_owner() -> (Flag, Owned) {
        let flag = Flag::default();
        (flag.clone(), Owned(flag))
    }

    pub(crate) async fn wait(&self) {
        poll_fn(|context| {
            let mut inner = self.lock();
            match inner.0 {
                true => Poll::Ready(()),
                false => {
                    inner.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
    }

    fn lock(&self) -> MutexGuard<'_, (bool, Option<Waker>)> {
        self.0.lock().unwrap_or_else(|error| error.into_inner())
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        let waker = {
            let mut inner = self.0.lock();
            inner.0 = true;
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// Binds a handler of each kind that owns something.
fn bind_owners(socket: &WebSocket) -> Vec<Flag> {
    let owner = |kind| {
        let flag = Flag::default();
        let owned = Owned(flag.clone());
        socket.bind(kind, move |_, _| {
            let _keep = &owned;
        });
        flag
    };
    EventKind::ALL.into_iter().map(owner).collect()
}

pub async fn handlers_are_freed_after_close() -> Seen {
    let mut probe = Probe::with(Via::Stream, "/echo", |builder| builder)?;
    let flags = bind_owners(&probe.socket);
    probe.opened().await?;
    probe.socket.close();
    probe.finish().await?;
    for flag in &flags {
        flag.wait().await;
    }
    Ok("freed, with the handle alive".into())
}

/// How the socket is, and what becomes of it after the drop.
pub const LIVES: &[(&str, bool)] = &[
    ("/echo", true),
    // A reply that never came would delay Firefox's next connection (S41).
    ("/echo?gate", false),
    ("/refuse/500", false),
    ("/script?do=text:a;fin", false),
    ("/on-close/late/100", true),
];

pub async fn handlers_are_freed_after_the_drop((path, opens): (&'static str, bool)) -> Seen {
    let id = fresh_id();
    let address = url(&with_id(path, &id));
    let socket = match opens {
        true => open_socket(&address).await.map_err(|e| e.to_string())?,
        false => new_socket(&address).map_err(|error| error.to_string())?,
    };
    let flags = bind_owners(&socket);
    drop(socket);
    open_gate(&id).await?;
    for flag in &flags {
        flag.wait().await;
    }
    Ok("freed".into())
}

/// When the last handle is dropped, the path, and the events that a stream of
/// the socket then sees.
pub const MOMENTS: &[(&str, &str, &str)] = &[
    ("at once", "/echo?gate", "error"),
    ("a moment later", "/echo?gate", "error"),
    ("in the handshake", "/echo?gate", "error"),
    ("when open", "/echo", "open"),
    ("in the open handler", "/echo", "open"),
    (
        "in the message handler",
        "/script?do=text:a;text:b;answer&gate",
        "open message",
    ),
    ("in the error handler", "/refuse/403", "error"),
    ("in the close handler", "/close/4000/bye", "open"),
    ("when closing", "/on-close/late/100", "open"),
    ("after sending", "/echo", "open"),
    ("when closed", "/close/4000/bye", "open"),
];

/// S97 holds whenever it happens, and nothing that handlers own is left.
pub async fn dropping_at_any_moment_ends_and_frees(
    (moment, path, expected): (&'static str, &'static str, &'static str),
) -> Seen {
    let id = fresh_id();
    let socket = new_socket(url(&with_id(path, &id))).map_err(|error| error.to_string())?;
    let mut events = socket.events();
    let flags = bind_owners(&socket);
    let holder = Arc::new(Mutex::new(None));
    for kind in EventKind::ALL {
        let holder = holder.clone();
        if moment == format!("in the {kind} handler") {
            socket.bind(kind, move |_, _| {
                let held: Option<WebSocket> = lock(&holder).take();
                drop(held);
            });
        }
    }
    let is_later = ["when open", "when closing", "after sending", "when closed"];
    let mut seen = Vec::new();
    if moment.ends_with("handler") {
        *lock(&holder) = Some(socket);
    } else {
        if moment == "a moment later" {
            harness::sleep(5).await;
        }
        while moment == "in the handshake" && records_now(&id).await?.is_empty() {
            harness::sleep(5).await;
        }
        if is_later.contains(&moment) {
            seen.extend(events.next().await);
        }
        match moment {
            "when closing" => socket.close(),
            "after sending" => {
                let sent = socket.send(vec![0u8; 3 << 20]);
                sent.map_err(|error| error.to_string())?;
            }
            "when closed" => {
                while !matches!(seen.last(), Some(Event::Close(_))) {
                    seen.extend(events.next().await);
                }
            }
            _ => {}
        }
        drop(socket);
    }
    open_gate(&id).await?;
    while let Some(event) = events.next().await {
        seen.push(event);
    }
    check_sequence(&seen)?;
    let kinds: Vec<_> = seen.iter().map(|event| event.kind().name()).collect();
    ensure_eq!(kinds.join(" "), format!("{expected} close"), "events");
    for flag in &flags {
        flag.wait().await;
    }
    Ok(trace(&seen))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|error| error.into_inner())
}

/// Five hundred sockets are opened and closed, a case for each hundred.
pub const HUNDREDS: &[usize] = &[1, 2, 3, 4, 5];

/// How many are open at a time.
const BATCH: usize = 20;

/// The memory of a program with many sockets behind it is that of one with few:
/// what the first hundred took is enough for all.
pub async fn memory_stays_flat_over_many_sockets(hundred: usize) -> Seen {
    static FIRST: AtomicUsize = AtomicUsize::new(0);
    for _ in 0..100 / BATCH {
        let mut sockets = Vec::new();
        // One after the other, and none given up on its way: Chromium makes a
        // page that has many on their way wait for seconds.
        for _ in 0..BATCH {
            let mut probe = Probe::with(Via::Handlers, "/echo", |builder| builder)?;
            bind_owners(&probe.socket);
            let events = probe.socket.events();
            probe.opened().await?;
            let sent = probe.socket.send("a");
            sent.map_err(|error| error.to_string())?;
            probe.message().await?;
            sockets.push((probe, events));
        }
        for (probe, _) in &sockets {
            probe.socket.close();
        }
        for (mut probe, _events) in sockets {
            probe.finish().await?;
        }
    }
    let now = harness::memory();
    if hundred == HUNDREDS[0] {
        FIRST.store(now, Ordering::Relaxed);
    }
    let first = FIRST.load(Ordering::Relaxed);
    ensure!(
        first == 0 || now == first,
        "{now} bytes of memory, {first} before"
    );
    Ok(format!("{hundred} hundred sockets, {} KiB", now >> 10))
}

pub async fn an_unbound_handler_is_freed() -> Seen {
    let socket = open(&fresh_id(), "/echo").await?;
    let flag = Flag::default();
    let owned = Owned(flag.clone());
    let binding = socket.on_message(move |_, _| {
        let _keep = &owned;
    });
    binding.unbind();
    flag.wait().await;
    ensure_eq!(socket.ready_state(), ReadyState::Open, "the state");
    Ok("freed while open".into())
}

/// Threads and file descriptors, counted in a process of its own.
pub async fn neither_thread_nor_descriptor_is_left() -> Seen {
    let name = "S102::neither_thread_nor_descriptor_is_left";
    if !harness::is_alone() {
        return harness::run_alone(name);
    }
    let before = harness::resources();
    for path in ["/echo", "/refuse/500", "/no-reply", "/script?do=text:a;fin"] {
        let mut sockets = Vec::new();
        for _ in 0..20 {
            sockets.push(new_socket(url(path)).map_err(|error| error.to_string())?);
        }
        let mut probe = Probe::path("/echo")?;
        probe.opened().await?;
        let during = harness::resources();
        ensure!(during > before, "{during:?} while open, {before:?} before");
        probe.socket.close();
        probe.finish().await?;
    }
    // Nothing reports that a thread has ended; the case's own deadline bounds this.
    while harness::resources() != before {
        harness::sleep(5).await;
    }
    Ok(format!("{before:?} threads and descriptors again"))
}
