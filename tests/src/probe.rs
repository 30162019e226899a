//! A socket under observation: its events by a stream or by handlers, what a
//! handler saw of it, and the peer's record of it.
//!
//! Invariant: every sequence of events that a case looks at is also checked
//! against S97 and S34, whatever the case is about.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Poll, Waker};

use isosocket::transport::Open;
use isosocket::{
    Builder, ErrorKind, Event, EventKind, Events, IntoUrl, Message, NewError, ReadyState, Socket,
    WebSocket,
};

use crate::harness;
use crate::record::{Record, record};
use crate::suite::{Seen, ensure, ensure_eq};

/// How a socket's events are gathered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Via {
    /// By a handler of each kind.
    Handlers,
    /// As a stream.
    Stream,
}

/// A socket under observation.
pub struct Probe {
    /// The socket.
    pub socket: WebSocket,
    /// The token that its record is filed under.
    pub id: String,
    source: Source,
    seen: Vec<Event>,
}

enum Source {
    Handlers(Arc<Log>),
    Stream(Events),
}

/// The URL of a behaviour of the peer.
pub fn url(path: &str) -> String {
    format!("ws://{}{path}", harness::peer())
}

/// A builder of a socket that is opened in this run's way. Cases make all sockets by it.
pub fn socket_builder(url: impl IntoUrl) -> Builder {
    harness::chosen(WebSocket::builder(url))
}

/// The same without options.
pub fn new_socket(url: impl IntoUrl) -> Result<WebSocket, NewError> {
    socket_builder(url).connect()
}

/// The same, and waits until it is open.
pub fn open_socket(url: impl IntoUrl) -> Open<<WebSocket as Socket>::Transport> {
    socket_builder(url).open()
}

/// A token that no other connection has, of this run or another.
pub fn fresh_id() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Two hosts may run at a time, and have begun in the same millisecond.
    format!("{count}-{:x}", harness::salt())
}

/// A path with an id.
pub fn with_id(path: &str, id: &str) -> String {
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}id={id}")
}

impl Probe {
    /// A socket to a script, observed by a stream.
    pub fn script(steps: &str) -> Result<Probe, String> {
        Probe::path(&format!("/script?do={steps}"))
    }

    /// A socket to a path of the peer, observed by a stream.
    pub fn path(path: &str) -> Result<Probe, String> {
        Probe::with(Via::Stream, path, |builder| builder)
    }

    /// A socket to a path of the peer.
    pub fn with(
        via: Via,
        path: &str,
        configure: impl FnOnce(Builder) -> Builder,
    ) -> Result<Probe, String> {
        let id = fresh_id();
        let builder = configure(socket_builder(url(&with_id(path, &id))));
        let mut probe = Probe::from_builder(via, builder).map_err(|error| error.to_string())?;
        probe.id = id;
        Ok(probe)
    }

    /// A socket to anywhere, without a record.
    pub fn from_builder(via: Via, mut builder: Builder) -> Result<Probe, NewError> {
        let log = Arc::new(Log::default());
        if via == Via::Handlers {
            for kind in EventKind::ALL {
                let log = log.clone();
                builder = builder.bind(kind, move |socket, event| {
                    log.push(event.clone(), socket.ready_state());
                });
            }
        }
        let socket = builder.connect()?;
        let source = match via {
            Via::Handlers => Source::Handlers(log),
            Via::Stream => Source::Stream(socket.events()),
        };
        Ok(Probe {
            socket,
            id: String::new(),
            source,
            seen: Vec::new(),
        })
    }

    /// The next event; `None` after `Close`.
    pub async fn next(&mut self) -> Option<Event> {
        let event = match &mut self.source {
            Source::Stream(events) => events.next().await,
            Source::Handlers(log) if matches!(self.seen.last(), Some(Event::Close(_))) => {
                log.take().map(|(event, _)| event)
            }
            Source::Handlers(log) => Some(log.next().await),
        };
        self.seen.extend(event.clone());
        event
    }

    /// Waits for the `Open` event.
    pub async fn opened(&mut self) -> Result<(), String> {
        match self.next().await {
            Some(Event::Open) => Ok(()),
            event => Err(format!("instead of open: {event:?}")),
        }
    }

    /// Waits for a message.
    pub async fn message(&mut self) -> Result<Message, String> {
        match self.next().await {
            Some(Event::Message(message)) => Ok(message),
            event => Err(format!("instead of a message: {event:?}")),
        }
    }

    /// Waits for the end and gives the trace of all events, in words.
    pub async fn finish(&mut self) -> Seen {
        while !matches!(self.seen.last(), Some(Event::Close(_))) {
            let event = self.next().await;
            ensure!(event.is_some(), "the stream ended without close");
        }
        let after = self.next().await;
        ensure_eq!(after, None, "after the close event");
        ensure_eq!(
            self.socket.ready_state(),
            ReadyState::Closed,
            "the state in the end"
        );
        if let Source::Handlers(log) = &self.source {
            log.check_states()?;
        }
        check_sequence(&self.seen)?;
        Ok(trace(&self.seen))
    }

    /// As [`finish`](Self::finish), and the trace is as expected.
    pub async fn ends(&mut self, expected: &str) -> Seen {
        let seen = self.finish().await?;
        ensure_eq!(seen, expand(expected), "events");
        Ok(seen)
    }

    /// The kind of the error, if there was one.
    pub fn kind(&self) -> Option<ErrorKind> {
        self.seen.iter().find_map(|event| match event {
            Event::Error(error) => Some(error.kind()),
            _ => None,
        })
    }

    /// What the peer saw, once the connection has ended.
    pub async fn record(&self) -> Result<Record, String> {
        record(&self.id).await
    }
}

/// Runs a script twice, by a stream and by handlers, and compares the traces.
pub async fn check(steps: &str, expected: &str) -> Seen {
    check_path(&format!("/script?do={steps}"), expected).await
}

/// The same for any path of the peer.
pub async fn check_path(path: &str, expected: &str) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let mut probe = Probe::with(via, path, |builder| builder)?;
        seen = probe
            .ends(expected)
            .await
            .map_err(|error| format!("by {via:?}: {error}"))?;
    }
    Ok(seen)
}

/// Like [`check`], but the script waits until the client has seen it open: a
/// browser does not open at all where the end comes on the heels of the 101.
pub async fn check_opened(steps: &str, expected: &str) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        // A client that goes on as if nothing were wrong is not waited for long.
        let path = format!("/script?do=wait:message;limit:2000;{steps}");
        let mut probe = Probe::with(via, &path, |builder| builder)?;
        probe.opened().await?;
        let sent = probe.socket.send("go on");
        sent.map_err(|error| error.to_string())?;
        seen = probe
            .ends(expected)
            .await
            .map_err(|error| format!("by {via:?}: {error}"))?;
    }
    Ok(seen)
}

/// Events in words: `open`, `text("..")`, `binary(hex)`, `error`,
/// `close(CODE "REASON" clean)`; of long payloads only the length, in brackets.
pub fn trace(events: &[Event]) -> String {
    let words: Vec<String> = events
        .iter()
        .map(|event| match event {
            Event::Open => "open".to_owned(),
            Event::Message(Message::Text(text)) if text.len() > 128 => {
                format!("text[{}]", text.len())
            }
            Event::Message(Message::Text(text)) => format!("text({text:?})"),
            Event::Message(Message::Binary(data)) if data.len() > 32 => {
                format!("binary[{}]", data.len())
            }
            Event::Message(Message::Binary(data)) => format!("binary({})", hex(data)),
            Event::Error(_) => "error".to_owned(),
            Event::Close(close) => format!(
                "close({} {:?} {})",
                close.code,
                close.reason,
                if close.was_clean { "clean" } else { "unclean" }
            ),
        })
        .collect();
    words.join(" ")
}

/// The abbreviations of expected traces: FAIL as the rules have it, and DROP,
/// the same without its error event (S96).
fn expand(expected: &str) -> String {
    const DROP: &str = r#"close(1006 "" unclean)"#;
    expected
        .replace("FAIL", &format!("error {DROP}"))
        .replace("DROP", DROP)
}

/// Bytes in hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// S97, and S55: no message before `Open` or after an error.
pub fn check_sequence(events: &[Event]) -> Result<(), String> {
    let position = |kind| events.iter().position(|event| event.kind() == kind);
    let count = |kind| events.iter().filter(|event| event.kind() == kind).count();
    let words = trace(events);
    ensure!(count(EventKind::Open) <= 1, "S97, two opens: {words}");
    ensure!(count(EventKind::Error) <= 1, "S97, two errors: {words}");
    ensure_eq!(count(EventKind::Close), 1, "S97, closes: {words}");
    ensure!(
        matches!(events.last(), Some(Event::Close(_))),
        "S97, close is not the last: {words}"
    );
    ensure!(
        position(EventKind::Open).unwrap_or(0) == 0,
        "open is not the first: {words}"
    );
    if let Some(error) = position(EventKind::Error) {
        ensure_eq!(error + 2, events.len(), "after an error: {words}");
    }
    ensure!(
        count(EventKind::Message) == 0 || position(EventKind::Open).is_some(),
        "S55, a message without open: {words}"
    );
    Ok(())
}

/// What handlers saw: events, and the state in which each was delivered.
#[derive(Default)]
pub struct Log(Mutex<Inner>);

#[derive(Default)]
struct Inner {
    events: VecDeque<(Event, ReadyState)>,
    ends: Vec<(EventKind, ReadyState)>,
    waker: Option<Waker>,
}

impl Log {
    /// For a handler: notes an event.
    pub fn push(&self, event: Event, state: ReadyState) {
        let waker = {
            let mut inner = self.lock();
            if matches!(event, Event::Error(_) | Event::Close(_)) {
                inner.ends.push((event.kind(), state));
            }
            inner.events.push_back((event, state));
            inner.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Waits for the next event and the state that a handler saw in it.
    pub async fn next_with_state(&self) -> (Event, ReadyState) {
        std::future::poll_fn(|context| {
            let mut inner = self.lock();
            match inner.events.pop_front() {
                Some(entry) => Poll::Ready(entry),
                None => {
                    inner.waker = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }

    async fn next(&self) -> Event {
        self.next_with_state().await.0
    }

    /// What is there now.
    pub fn take(&self) -> Option<(Event, ReadyState)> {
        self.lock().events.pop_front()
    }

    /// S34, S80: the state is Closed inside the handlers for error and close.
    fn check_states(&self) -> Result<(), String> {
        for (kind, state) in &self.lock().ends {
            ensure_eq!(*state, ReadyState::Closed, "the state inside {kind}");
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
