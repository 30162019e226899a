//! What reaches whom, and in which order, on a transport that does nothing by
//! itself: the rules of core, without any backend.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use futures::stream::FusedStream;
use futures::{FutureExt, Sink, StreamExt};
use isosocket_core::{
    CloseEvent, Configure, DirectTurn, ErrorEvent, ErrorKind, Event, EventKind, Events, Link,
    Message, MessageRef, NewError, ReadyState, Refusal, Report, Request, SendError, Transport,
    WebSocket,
};

/// What the transport was asked for, shared with the test.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    calls: Vec<String>,
    link: Option<Link>,
    scheduled: Vec<Link>,
    buffered: usize,
    /// A turn that another thread takes while the transport is being closed.
    meanwhile: Option<Link>,
}

/// A transport that only notes what it is asked.
#[derive(Debug)]
struct Script(Log);

impl Script {
    fn note(&self, call: impl Into<String>) {
        self.0.0.lock().unwrap().calls.push(call.into());
    }
}

impl Transport for Script {
    type Options = Log;
    type Host = ();

    fn host() {}

    fn supported() -> bool {
        true
    }

    fn new(request: Request<Log>) -> Result<(Self, String), NewError> {
        Ok((Script(request.native), request.url))
    }

    fn start(&self, link: Link) {
        self.0.0.lock().unwrap().link = Some(link);
    }

    fn send(&self, message: MessageRef<'_>) -> Result<(), Refusal> {
        let mut inner = self.0.0.lock().unwrap();
        if inner.buffered + message.as_bytes().len() > 100 {
            return Err(Refusal::Full);
        }
        inner.buffered += message.as_bytes().len();
        inner.calls.push(format!("send {message:?}"));
        Ok(())
    }

    fn abort(&self) {
        self.note("abort");
    }

    fn close(&self, frame: Option<(u16, &str)>) {
        let meanwhile = self.0.0.lock().unwrap().meanwhile.take();
        drop(meanwhile.as_ref().map(Link::turn));
        self.note(format!("close {frame:?}"));
    }

    fn buffered_amount(&self) -> usize {
        self.0.0.lock().unwrap().buffered
    }

    fn schedule(&self, link: Link) {
        self.0.0.lock().unwrap().scheduled.push(link);
    }

    fn watch_drain(&self, _: Link, _: usize) {}

    fn resume(&self) {
        self.note("resume");
    }

    fn detach(&self) {
        self.note("detach");
        self.0.0.lock().unwrap().link = None;
    }
}

/// A socket, and the test's hand on its transport.
fn socket() -> (WebSocket<Script>, Log) {
    let log = Log::default();
    let mut builder = WebSocket::<Script>::builder("ws://peer/");
    *builder.native_mut() = log.clone();
    (builder.connect().unwrap(), log)
}

impl Log {
    /// Reports in one turn.
    fn report(&self, reports: impl IntoIterator<Item = Report>) {
        let link = self.0.lock().unwrap().link.clone();
        if let Some(mut turn) = link.as_ref().and_then(Link::turn) {
            reports.into_iter().for_each(|report| turn.report(report));
        }
    }

    /// Takes the turns that were asked for.
    fn run(&self) {
        loop {
            let links = std::mem::take(&mut self.0.lock().unwrap().scheduled);
            if links.is_empty() {
                return;
            }
            links.iter().for_each(|link| drop(link.turn()));
        }
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }
}

/// What a stream has for now.
fn kinds(events: &mut Events<Script>) -> Vec<EventKind> {
    std::iter::from_fn(|| events.try_next())
        .map(|event| event.kind())
        .collect()
}

fn established() -> Report {
    Report::Established {
        protocol: "chat".to_owned(),
        extensions: String::new(),
    }
}

fn message(text: &str) -> Report {
    Report::Message(text.into())
}

fn closed() -> Report {
    Report::Closed(CloseEvent::new(4000, "bye", true))
}

/// Handlers that note what they get.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn note(&self, text: impl Into<String>) {
        self.0.lock().unwrap().push(text.into());
    }

    fn bind(&self, socket: &WebSocket<Script>, kinds: &[EventKind]) {
        for kind in kinds {
            let seen = self.clone();
            socket.bind(*kind, move |socket, event| {
                let what = match event {
                    Event::Message(message) => message.as_text().unwrap().to_owned(),
                    event => event.kind().name().to_owned(),
                };
                seen.note(format!("{what} {}", socket.ready_state() as u8));
            });
        }
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn events_come_in_order_and_close_is_the_last() {
    let (socket, log) = socket();
    let seen = Seen::default();
    seen.bind(&socket, &EventKind::ALL);
    assert_eq!(
        (socket.ready_state(), socket.protocol()),
        (ReadyState::Connecting, "")
    );
    log.report([
        established(),
        message("a"),
        message("b"),
        closed(),
        message("late"),
        closed(),
    ]);
    assert_eq!(seen.take(), ["open 1", "a 1", "b 1", "close 3"]);
    assert_eq!(
        (socket.ready_state(), socket.protocol()),
        (ReadyState::Closed, "chat")
    );
}

#[test]
fn a_failure_is_an_error_and_then_an_abnormal_close() {
    let (socket, log) = socket();
    let mut events = socket.events();
    log.report([
        Report::Failed(ErrorEvent::new("why")),
        established(),
        message("x"),
    ]);
    assert!(matches!(events.try_next(), Some(Event::Error(_))));
    assert_eq!(
        events.try_next(),
        Some(Event::Close(CloseEvent::abnormal()))
    );
    assert_eq!(events.try_next(), None);
    assert_eq!(socket.ready_state(), ReadyState::Closed);
}

#[test]
fn no_message_is_delivered_after_close_was_called() {
    let (socket, log) = socket();
    let seen = Seen::default();
    seen.bind(&socket, &EventKind::ALL);
    socket.on_message(|socket, _| socket.close());
    log.report([established(), message("a"), message("b"), closed()]);
    assert_eq!(seen.take(), ["open 1", "a 1", "close 3"]);
    assert_eq!(log.calls(), ["close None"]);
}

#[test]
fn an_early_event_waits_for_the_first_handler_of_its_kind() {
    let (socket, log) = socket();
    log.report([established(), message("a")]);
    let seen = Seen::default();
    for (kind, expected) in [(EventKind::Message, "a 1"), (EventKind::Open, "open 1")] {
        seen.bind(&socket, &[kind]);
        assert_eq!(seen.take(), [""; 0], "S98: not inside bind");
        log.run();
        assert_eq!(seen.take(), [expected]);
        seen.bind(&socket, &[kind]);
        log.run();
        assert_eq!(seen.take(), [""; 0], "the second handler has missed it");
    }
    log.report([closed()]);
    seen.bind(&socket, &[EventKind::Close]);
    log.run();
    assert_eq!(seen.take(), ["close 3"]);
}

#[test]
fn the_first_stream_gets_what_nobody_has_seen_and_ends_after_close() {
    let (socket, log) = socket();
    log.report([established(), message("a"), closed()]);
    let mut first = socket.events();
    log.run();
    assert_eq!(
        kinds(&mut first),
        [EventKind::Open, EventKind::Message, EventKind::Close]
    );
    let mut late = socket.events();
    log.run();
    for events in [&mut first, &mut late] {
        let next = pin!(events.next()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(next, Poll::Ready(None));
    }
}

/// A socket that keeps a MiB of messages while nobody listens.
fn keeping() -> (WebSocket<Script>, Log) {
    let log = Log::default();
    let mut builder = WebSocket::<Script>::builder("ws://peer/").backlog_limit(1 << 20);
    *builder.native_mut() = log.clone();
    (builder.connect().unwrap(), log)
}

/// More messages than it keeps: the third and all after it are dropped.
fn too_many() -> [Report; 4] {
    let large = || Report::Message(vec![0; 400 << 10].into());
    [large(), large(), large(), message("small")]
}

fn dropped_two() -> Event {
    let cause = "2 messages were dropped: nobody listened, and more arrived than the backlog \
                 limit; listen earlier, or raise `backlog_limit`";
    Event::Error(ErrorEvent::with_kind(ErrorKind::OutOfResources, cause))
}

/// S101: never a gap that nobody reports.
#[test]
fn who_listens_too_late_gets_what_was_kept_and_a_failure() {
    let (socket, log) = keeping();
    log.report([established()]);
    log.report(too_many());
    assert_eq!(socket.ready_state(), ReadyState::Open);
    assert_eq!(log.calls(), [""; 0]);
    let mut events = socket.events();
    log.run();
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(log.calls(), ["close None", "detach"]);
    let mut seen: Vec<_> = std::iter::from_fn(|| events.try_next()).collect();
    let end = seen.split_off(3);
    assert_eq!(end, [dropped_two(), Event::Close(CloseEvent::abnormal())]);
    assert_eq!(seen[0], Event::Open);
    assert!(
        seen[1..]
            .iter()
            .all(|event| event.kind() == EventKind::Message)
    );
    assert!(events.is_terminated());
    assert_eq!(socket.close_event(), Some(&CloseEvent::abnormal()));
}

/// S101: the failure waits for its own handlers, like any event.
#[test]
fn a_failure_for_dropped_messages_is_kept_as_well() {
    let (socket, log) = keeping();
    log.report([established()]);
    log.report(too_many());
    let seen = Seen::default();
    seen.bind(&socket, &[EventKind::Open]);
    log.run();
    assert_eq!(seen.take(), ["open 1"], "nobody listens for messages yet");
    let woken = Arc::new(Count::default());
    let waker = Waker::from(woken.clone());
    let mut ended = pin!(socket.closed());
    let mut poll = || ended.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    socket.on_message(move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    log.run();
    assert_eq!(count.load(Ordering::Relaxed), 2);
    assert_eq!(
        woken.0.load(Ordering::Relaxed),
        1,
        "whoever waits for the end"
    );
    assert!(poll().is_ready());
    seen.bind(&socket, &[EventKind::Error, EventKind::Close]);
    log.run();
    assert_eq!(seen.take(), ["error 3", "close 3"]);
}

/// S101: it stands in for an end that nobody has seen.
#[test]
fn who_listens_after_the_end_hears_of_dropped_messages() {
    let (socket, log) = keeping();
    log.report([established()]);
    log.report(too_many());
    log.report([closed()]);
    let mut events = socket.events();
    log.run();
    let seen: Vec<_> = std::iter::from_fn(|| events.try_next()).skip(3).collect();
    assert_eq!(seen, [dropped_two(), Event::Close(CloseEvent::abnormal())]);
    assert_eq!(log.calls(), [""; 0]);
}

/// S101: a program that never listens for messages notices nothing.
#[test]
fn who_never_listens_for_messages_notices_nothing() {
    let (socket, log) = keeping();
    let seen = Seen::default();
    let kinds = [EventKind::Open, EventKind::Error, EventKind::Close];
    seen.bind(&socket, &kinds);
    log.report([established()]);
    log.report(too_many());
    socket.send("still open").unwrap();
    log.report([closed()]);
    assert_eq!(seen.take(), ["open 1", "close 3"]);
}

/// S101: what is listened for is freed, so there is room for more.
#[test]
fn a_listener_makes_room_for_more() {
    let (socket, log) = keeping();
    log.report([established()]);
    for _ in 0..10 {
        let large = || Report::Message(vec![0; 400 << 10].into());
        log.report([large(), large()]);
        let mut events = socket.events();
        log.run();
        let heard = std::iter::from_fn(|| events.try_next());
        assert_eq!(
            heard
                .filter(|event| event.kind() == EventKind::Message)
                .count(),
            2
        );
        drop(events);
        log.run();
    }
    assert_eq!(socket.ready_state(), ReadyState::Open);
}

/// S101: the limit itself is still kept.
#[test]
fn as_much_is_kept_as_the_limit_says() {
    for (extra, state) in [(0, ReadyState::Open), (1, ReadyState::Closed)] {
        let (socket, log) = keeping();
        let message = Report::Message(vec![0; (1 << 20) + extra].into());
        log.report([established(), message]);
        socket.on_message(|_, _| {});
        log.run();
        assert_eq!(socket.ready_state(), state, "{extra} bytes too many");
    }
}

/// What waits for somebody to listen is looked at again before the turn ends.
#[test]
fn the_end_of_a_turn_sees_what_was_bound_in_it() {
    struct BindsLate(Option<WebSocket<Script>>, Seen);

    impl Drop for BindsLate {
        fn drop(&mut self) {
            if let Some(socket) = self.0.take() {
                self.1.bind(&socket, &[EventKind::Close]);
            }
        }
    }

    let (socket, log) = socket();
    let seen = Seen::default();
    let late = BindsLate(Some(socket.clone()), seen.clone());
    socket.on_open(move |_| {
        let _ = &late;
    });
    // No handler is left after the end, so this one is dropped, which binds another.
    log.report([established(), closed()]);
    assert_eq!(seen.take(), ["close 3"], "in the same turn");
}

#[test]
fn handlers_run_in_the_order_bound_and_one_may_unbind_another() {
    let (socket, log) = socket();
    let seen = Seen::default();
    let slot = Arc::new(Mutex::new(None));
    let (first, taken) = (seen.clone(), slot.clone());
    socket.on_message(move |_, _| {
        first.note("first");
        if let Some(binding) = Option::take(&mut *taken.lock().unwrap()) {
            isosocket_core::Binding::unbind(binding);
        }
    });
    let second = seen.clone();
    *slot.lock().unwrap() = Some(socket.on_message(move |_, _| second.note("second")));
    let third = seen.clone();
    socket.on_message(move |_, _| third.note("third"));
    log.report([established(), message("a"), message("b")]);
    assert_eq!(seen.take(), ["first", "third", "first", "third"]);
}

#[test]
fn a_handler_bound_by_a_handler_hears_the_next_event() {
    let (socket, log) = socket();
    let seen = Seen::default();
    let inner = seen.clone();
    socket.on_open(move |socket| inner.bind(socket, &[EventKind::Message]));
    log.report([established(), message("a")]);
    assert_eq!(seen.take(), ["a 1"]);
}

#[test]
fn a_panic_in_a_handler_stops_nothing() {
    let (socket, log) = socket();
    socket.on_message(|_, _| panic!("on purpose"));
    let seen = Seen::default();
    seen.bind(&socket, &EventKind::ALL);
    log.report([established(), message("a"), closed()]);
    assert_eq!(seen.take(), ["open 1", "a 1", "close 3"]);
}

#[test]
fn dropping_the_last_handle_closes_and_lets_go() {
    let (socket, log) = socket();
    log.report([established()]);
    let held = Arc::new(());
    let captured = held.clone();
    socket.on_message(move |_, _| drop(captured.clone()));
    let other = socket.clone();
    drop(socket);
    assert_eq!(log.calls(), [""; 0], "another handle is alive");
    drop(other);
    log.run();
    assert_eq!(log.calls(), ["close None", "detach"]);
    assert_eq!(Arc::strong_count(&held), 1, "the handler is gone");
}

#[test]
fn a_turn_on_another_thread_detaches_only_what_is_closed() {
    let (socket, log) = socket();
    log.report([established()]);
    // So that the turn has something to look at.
    socket.on_message(|_, _| {});
    let link = log.0.lock().unwrap().link.clone();
    log.0.lock().unwrap().meanwhile = link;
    drop(socket);
    log.run();
    assert_eq!(log.calls(), ["close None", "detach"]);
}

#[test]
fn a_handle_dropped_in_a_handler_closes_before_the_next_event() {
    let (socket, log) = socket();
    let mut events = socket.events();
    let holder = Arc::new(Mutex::new(Some(socket.clone())));
    let held = holder.clone();
    socket.on_message(move |_, _| drop(held.lock().unwrap().take()));
    drop(socket);
    log.report([established(), message("a"), message("b"), closed()]);
    assert_eq!(log.calls()[0], "close None");
    assert_eq!(
        kinds(&mut events),
        [EventKind::Open, EventKind::Message, EventKind::Close]
    );
}

#[test]
fn dropping_a_connecting_socket_gives_it_up() {
    let (socket, log) = socket();
    drop(socket);
    log.run();
    assert_eq!(log.calls(), ["abort", "detach"]);
}

#[test]
fn the_end_is_delivered_to_those_who_still_listen_after_the_last_handle() {
    let (socket, log) = socket();
    let mut events = socket.events();
    let seen = Seen::default();
    seen.bind(&socket, &[EventKind::Message, EventKind::Close]);
    log.report([established()]);
    drop(socket);
    log.run();
    assert_eq!(log.calls(), ["close None"]);
    log.report([message("late"), closed()]);
    assert_eq!(seen.take(), ["close 3"]);
    assert_eq!(kinds(&mut events), [EventKind::Open, EventKind::Close]);
    assert_eq!(log.calls(), [""; 0]);
}

#[test]
fn a_stream_that_is_dropped_last_lets_go_too() {
    let (socket, log) = socket();
    let events = socket.events();
    log.report([established()]);
    drop(socket);
    log.run();
    drop(events);
    log.run();
    assert_eq!(log.calls(), ["close None", "detach"]);
}

#[test]
fn a_handler_that_owns_its_socket_is_freed_by_the_end() {
    let (socket, log) = socket();
    let held = Arc::new(());
    let (captured, own) = (held.clone(), socket.clone());
    socket.on_close(move |_, _| drop((captured.clone(), own.clone())));
    log.report([established(), closed()]);
    assert_eq!(Arc::strong_count(&held), 1);
}

#[test]
fn sending_is_refused_outside_open_and_counts_while_closing() {
    let (socket, log) = socket();
    assert_eq!(socket.send("a"), Err(SendError::Connecting("a".into())));
    assert_eq!(socket.buffered_amount(), 0, "S42: nothing is queued");
    log.report([established()]);
    assert_eq!(socket.send("grüße"), Ok(()));
    assert_eq!(socket.buffered_amount(), 7, "S48");
    assert_eq!(
        socket.send(vec![0; 99]),
        Err(SendError::Full(vec![0; 99].into()))
    );
    socket.close();
    let refused = socket.send("b").unwrap_err();
    assert_eq!(refused, SendError::Closing("b".into()));
    assert_eq!(refused.into_message(), Message::from("b"));
    assert_eq!(socket.buffered_amount(), 8, "S50");
    log.report([closed()]);
    assert_eq!(
        socket.send([1u8, 2]),
        Err(SendError::Closed([1u8, 2].into()))
    );
    assert_eq!(socket.buffered_amount(), 10, "S51");
}

#[test]
fn close_checks_first_and_acts_once() {
    let (socket, log) = socket();
    for code in [0, 999, 1001, 1005, 2999, 5000] {
        assert!(socket.close_with(code, "").is_err(), "{code}");
    }
    assert!(
        socket.close_with(3000, &"é".repeat(62)).is_err(),
        "124 bytes"
    );
    assert_eq!(socket.ready_state(), ReadyState::Connecting);
    log.report([established()]);
    socket.close_with(3000, &"x".repeat(123)).unwrap();
    socket.close_with(4000, "again").unwrap();
    socket.close();
    assert_eq!(socket.ready_state(), ReadyState::Closing);
    assert!(socket.close_with(1, "").is_err(), "S65");
    assert_eq!(
        log.calls(),
        [format!("close {:?}", Some((3000, "x".repeat(123))))]
    );
}

/// A waker that counts.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn a_stream_is_woken_once_for_a_turn() {
    let (socket, log) = socket();
    let mut events = socket.events();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let polled = pin!(events.next()).poll(&mut Context::from_waker(&waker));
    assert!(polled.is_pending());
    log.report([established(), message("a"), message("b")]);
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 3);
}

#[test]
fn open_resolves_at_open_or_with_why_not() {
    let start = || {
        let log = Log::default();
        let mut builder = WebSocket::<Script>::builder("ws://peer/");
        *builder.native_mut() = log.clone();
        (builder.open(), log)
    };
    let context = &mut Context::from_waker(Waker::noop());

    let (open, log) = start();
    let mut open = pin!(open);
    assert!(open.as_mut().poll(context).is_pending());
    log.report([established()]);
    let Poll::Ready(Ok(socket)) = open.poll(context) else {
        panic!("it is open");
    };
    let mut events = socket.events();
    log.run();
    assert_eq!(
        events.try_next(),
        Some(Event::Open),
        "S101: nobody has seen it yet"
    );

    let (open, log) = start();
    let mut open = pin!(open);
    assert!(open.as_mut().poll(context).is_pending());
    log.report([Report::Failed(ErrorEvent::unknown())]);
    let failed = open.poll(context).map(|result| result.map(drop));
    assert_eq!(
        failed,
        Poll::Ready(Err(
            isosocket_core::OpenError::Failed(ErrorEvent::unknown())
        ))
    );
}

#[test]
fn open_loses_nothing_of_a_connection_that_ended_at_once() {
    let log = Log::default();
    let mut builder = WebSocket::<Script>::builder("ws://peer/");
    *builder.native_mut() = log.clone();
    let mut open = pin!(builder.open());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(open.as_mut().poll(context).is_pending());
    log.report([established(), message("a"), closed()]);
    let Poll::Ready(Ok(socket)) = open.poll(context) else {
        panic!("it was open");
    };
    let mut events = socket.events();
    log.run();
    assert_eq!(
        kinds(&mut events),
        [EventKind::Open, EventKind::Message, EventKind::Close]
    );
}

#[test]
fn send_ready_waits_for_open_and_for_room() {
    let (socket, log) = socket();
    let context = &mut Context::from_waker(Waker::noop());
    assert!(pin!(socket.send_ready()).poll(context).is_pending());
    log.report([established()]);
    assert!(pin!(socket.send_ready()).poll(context).is_ready());
    log.0.lock().unwrap().buffered = 2 << 20;
    assert!(pin!(socket.send_ready()).poll(context).is_pending());
    log.report([closed()]);
    assert!(pin!(socket.send_ready()).poll(context).is_ready());
}

/// An open socket with a send limit of 100 bytes.
fn narrow() -> (WebSocket<Script>, Log) {
    let log = Log::default();
    let mut builder = WebSocket::<Script>::builder("ws://peer/").send_limit(100);
    *builder.native_mut() = log.clone();
    let socket = builder.connect().unwrap();
    log.report([established()]);
    (socket, log)
}

#[test]
fn send_ready_knows_the_send_limit_and_what_was_refused() {
    let (socket, log) = narrow();
    let context = &mut Context::from_waker(Waker::noop());
    let mut is_ready = |buffered| {
        log.0.lock().unwrap().buffered = buffered;
        pin!(socket.send_ready()).poll(context).is_ready()
    };
    assert!(is_ready(50) && !is_ready(51), "half of the limit");
    assert!(matches!(socket.send([0; 80]), Err(SendError::Full(_))));
    assert!(is_ready(20) && !is_ready(21), "until 80 bytes fit");
    log.0.lock().unwrap().buffered = 20;
    socket.send([0; 80]).unwrap();
    assert!(is_ready(50) && !is_ready(51), "half of the limit again");
}

#[test]
fn a_sender_holds_what_does_not_fit_and_sends_it_first() {
    let (socket, log) = narrow();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let context = &mut Context::from_waker(&waker);
    let mut sender = pin!(socket.sender());
    let mut woken = 0;
    log.0.lock().unwrap().buffered = 50;
    assert!(sender.as_mut().poll_ready(context).is_ready());
    sender.as_mut().start_send(vec![1; 80].into()).unwrap();
    assert_eq!(log.calls(), [""; 0], "held");
    assert!(sender.as_mut().poll_ready(context).is_pending());
    assert!(sender.as_mut().poll_flush(context).is_pending());
    let mut drain = |to| {
        log.0.lock().unwrap().buffered = to;
        let link = log.0.lock().unwrap().link.clone().unwrap();
        link.drained();
        woken += 1;
        assert_eq!(count.0.load(Ordering::Relaxed), woken, "it was woken");
    };
    drain(20);
    assert_eq!(
        sender.as_mut().poll_ready(context),
        Poll::Pending,
        "100 now"
    );
    assert_eq!(log.calls().len(), 1);
    drain(0);
    assert_eq!(sender.as_mut().poll_flush(context), Poll::Ready(Ok(())));
    assert_eq!(sender.as_mut().poll_close(context), Poll::Pending);
    assert_eq!(log.calls(), ["close None"]);
    log.report([closed()]);
    assert_eq!(sender.as_mut().poll_close(context), Poll::Ready(Ok(())));
}

#[test]
fn a_sender_gives_back_what_it_held_when_the_socket_ends() {
    let (socket, log) = narrow();
    let context = &mut Context::from_waker(Waker::noop());
    let mut sender = pin!(socket.sender());
    log.0.lock().unwrap().buffered = 50;
    sender.as_mut().start_send(vec![1; 80].into()).unwrap();
    log.report([closed()]);
    let refused = Err(SendError::Closed(vec![1; 80].into()));
    assert_eq!(sender.as_mut().poll_close(context), Poll::Ready(refused));
    let unsent = Err(SendError::Unsent(50));
    assert_eq!(
        sender.as_mut().poll_flush(context),
        Poll::Ready(unsent.clone())
    );
    assert_eq!(sender.as_mut().poll_close(context), Poll::Ready(unsent));
    let refused = sender.start_send("late".into());
    assert_eq!(refused, Err(SendError::Closed("late".into())));
}

#[test]
fn a_wake_hook_is_called_once_for_a_turn_when_the_events_can_be_read() {
    let (socket, log) = socket();
    let events = Arc::new(Mutex::new(socket.events()));
    let read = Arc::new(Mutex::new(Vec::new()));
    let (reader, seen) = (events.clone(), read.clone());
    let hook = move || {
        let mut events = reader.lock().unwrap();
        let batch = std::iter::from_fn(|| events.try_next()).count();
        seen.lock().unwrap().push(batch);
    };
    events.lock().unwrap().set_wake_hook(hook);
    log.report([established(), message("a")]);
    log.report([message("b")]);
    log.run();
    log.report([closed()]);
    assert_eq!(*read.lock().unwrap(), [2, 1, 1]);
}

#[test]
fn a_wake_hook_that_is_set_late_is_called_for_what_waits() {
    for ends in [false, true] {
        let (socket, log) = socket();
        let mut events = socket.events();
        log.report([established()]);
        if ends {
            log.report([closed()]);
        }
        let count = Arc::new(AtomicUsize::new(0));
        let hooked = count.clone();
        events.set_wake_hook(move || {
            hooked.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(count.load(Ordering::Relaxed), 0, "not inside the call");
        log.run();
        assert_eq!(count.load(Ordering::Relaxed), 1);
        drop(events);
        log.run();
        assert_eq!(Arc::strong_count(&count), 1, "the hook is gone");
    }
}

#[test]
fn a_panic_in_a_wake_hook_stops_nothing() {
    let (socket, log) = socket();
    let mut events = socket.events();
    events.set_wake_hook(|| panic!("on purpose"));
    let seen = Seen::default();
    seen.bind(&socket, &EventKind::ALL);
    log.report([established(), message("a"), closed()]);
    assert_eq!(seen.take(), ["open 1", "a 1", "close 3"]);
    assert_eq!(std::iter::from_fn(|| events.try_next()).count(), 3);
}

/// A hook that was replaced during its call is not put back.
#[test]
fn a_wake_hook_may_set_another_one() {
    let (socket, log) = socket();
    let events = Arc::new(Mutex::new(socket.events()));
    let calls = Arc::new(Mutex::new(Vec::new()));
    let (first, other) = (calls.clone(), calls.clone());
    let own = events.clone();
    events.lock().unwrap().set_wake_hook(move || {
        first.lock().unwrap().push("first");
        let other = other.clone();
        let next = move || other.lock().unwrap().push("other");
        own.lock().unwrap().set_wake_hook(next);
    });
    log.report([established()]);
    log.report([message("a")]);
    log.run();
    let calls = calls.lock().unwrap();
    assert_eq!(calls.iter().filter(|call| **call == "first").count(), 1);
    assert!(calls.contains(&"other"));
}

#[test]
fn a_stream_is_terminated_after_its_last_event_and_not_before() {
    let (socket, log) = socket();
    let mut events = socket.events();
    log.report([established(), message("a"), closed()]);
    for _ in 0..3 {
        assert!(!events.is_terminated());
        let event = StreamExt::next(&mut events).now_or_never();
        assert!(matches!(event, Some(Some(_))), "{event:?}");
    }
    assert!(events.is_terminated());
    assert_eq!(StreamExt::next(&mut events).now_or_never(), Some(None));
    let end = CloseEvent::new(4000, "bye", true);
    assert_eq!(events.close_event(), Some(&end));
}

/// What a backend asks of a link.
#[test]
fn a_link_knows_the_url_and_who_waits() {
    let (socket, log) = socket();
    let link = log.0.lock().unwrap().link.clone().unwrap();
    let mut turn = link.turn();
    let direct = DirectTurn::<Script>::new(turn.as_mut());
    assert_eq!(direct.url(), "ws://peer/");
    drop(turn);
    assert!(!link.is_awaited());
    let mut closed = Box::pin(socket.closed());
    let context = &mut Context::from_waker(Waker::noop());
    assert!(closed.as_mut().poll(context).is_pending());
    assert!(link.is_awaited());
    drop(closed);
    assert!(!link.is_awaited());
}

/// S105: the thread of the socket's turns ended within a turn.
#[test]
fn a_socket_whose_turn_never_ends_is_closed_without_events() {
    let (socket, log) = socket();
    let seen = Seen::default();
    seen.bind(&socket, &EventKind::ALL);
    let link = log.0.lock().unwrap().link.clone().unwrap();
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut closed = pin!(socket.closed());
    let mut poll = || closed.as_mut().poll(&mut Context::from_waker(&waker));
    assert!(poll().is_pending());
    let turn = link.turn();
    link.end_without_events(ErrorEvent::new("the thread ended"));
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(poll(), Poll::Ready(CloseEvent::abnormal()));
    assert_eq!(count.0.load(Ordering::Relaxed), 1);
    drop(turn);
    assert_eq!(seen.take(), [""; 0]);
}

/// R55: core counts for a transport that does not.
#[test]
fn what_a_transport_takes_is_counted() {
    let (socket, log) = socket();
    let _ = socket.send("too early");
    log.report([established(), message("abc")]);
    socket.send("four").unwrap();
    socket.send([1; 50]).unwrap();
    assert!(socket.send([1; 60]).is_err(), "it is full");
    let stats = socket.stats();
    assert_eq!((stats.messages_sent, stats.bytes_sent), (2, 54));
    assert_eq!((stats.messages_received, stats.bytes_received), (1, 3));
}

/// A heartbeat by pings needs a backend that can send some.
#[test]
fn a_transport_without_pings_has_no_heartbeat_by_pings() {
    let second = std::time::Duration::from_secs(1);
    let heartbeat = isosocket_core::Heartbeat::new(30 * second, 10 * second);
    let builder = WebSocket::<Script>::builder("ws://peer/").heartbeat(heartbeat);
    let refused = builder.connect().map(drop).unwrap_err();
    assert!(
        matches!(refused, NewError::OptionNotSupported(_)),
        "{refused:?}"
    );
}

#[test]
fn a_socket_of_a_transport_gives_it_to_its_backend() {
    let (socket, log) = socket();
    let script = socket.transport().expect("no mock is in its place");
    assert!(Arc::ptr_eq(&script.0.0, &log.0));
}

#[test]
fn a_stream_that_begins_after_the_end_is_terminated() {
    let (socket, log) = socket();
    let mut first = socket.events();
    log.report([established(), closed()]);
    assert!(!first.is_terminated());
    assert_eq!(std::iter::from_fn(|| first.try_next()).count(), 2);
    assert!(first.is_terminated());
    let late = socket.events();
    log.run();
    assert!(late.is_terminated());
}
