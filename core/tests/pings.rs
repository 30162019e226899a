//! What only some transports can do, by themselves and inside a socket that connects again.

use std::cell::RefCell;
use std::time::Duration;

use isosocket_core::{
    Builder, Events, Heartbeat, Host, Link, MaybeSend, MessageRef, NewError, ReadyState, Reconnect,
    Refusal, Report, Request, Transport, WebSocket,
};

type Times = Option<(Duration, Duration)>;
type Task = Box<dyn FnOnce()>;

const INTERVAL: Duration = Duration::from_secs(30);
const TIMEOUT: Duration = Duration::from_secs(10);
const LATENCY: Duration = Duration::from_millis(7);

thread_local! {
    static TASKS: RefCell<Vec<Task>> = const { RefCell::new(Vec::new()) };
    static ATTENDED: RefCell<Vec<&'static str>> = const { RefCell::new(Vec::new()) };
}

fn attended(by: &'static str) {
    ATTENDED.with_borrow_mut(|all| all.push(by));
}

/// Runs what was to be done soon.
fn run() {
    loop {
        let tasks = TASKS.take();
        if tasks.is_empty() {
            return;
        }
        tasks.into_iter().for_each(|task| task());
    }
}

/// The thread of a test.
#[derive(Clone, Debug)]
struct Here;

impl Host for Here {
    type Timer = ();

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        TASKS.with_borrow_mut(|tasks| tasks.push(Box::new(task)));
    }

    fn after(&self, _: Duration, _: impl FnOnce() + MaybeSend + 'static) -> Result<(), NewError> {
        Ok(())
    }

    fn attend(&self) {
        attended("host");
    }

    fn random(&self) -> u64 {
        0
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

/// A transport that has pings, and is established at once.
#[derive(Debug)]
struct Pinging(Times);

impl Transport for Pinging {
    type Options = Times;
    type Host = Here;

    fn host() -> Here {
        Here
    }

    fn supported() -> bool {
        true
    }

    fn new(request: Request<Times>) -> Result<(Self, String), NewError> {
        Ok((Pinging(request.native), request.url))
    }

    fn start(&self, link: Link) {
        Here.soon(move || {
            let mut turn = link.turn().expect("nobody else takes turns");
            turn.report(Report::Established {
                protocol: String::new(),
                extensions: String::new(),
            });
        });
    }

    fn send(&self, _: MessageRef<'_>) -> Result<(), Refusal> {
        Ok(())
    }

    fn close(&self, _: Option<(u16, &str)>) {}

    fn buffered_amount(&self) -> usize {
        0
    }

    fn schedule(&self, link: Link) {
        Here.soon(move || drop(link.turn()));
    }

    fn watch_drain(&self, _: Link, _: usize) {}

    fn detach(&self) {}

    fn attend(&self) {
        attended("transport");
    }

    fn set_pings(options: &mut Times, times: Times) -> bool {
        *options = times;
        true
    }

    fn latency(&self) -> Option<Duration> {
        Some(LATENCY)
    }
}

/// An open socket with a heartbeat by pings, and a stream that was read to its end for now.
fn open<T: Transport>() -> (WebSocket<T>, Events<T>) {
    let builder: Builder<T> = WebSocket::<T>::builder("ws://peer/");
    let builder = builder.heartbeat(Heartbeat::new(INTERVAL, TIMEOUT));
    let socket = builder.connect().expect("it has pings");
    let mut events = socket.events();
    run();
    assert_eq!(socket.ready_state(), ReadyState::Open);
    while events.try_next().is_some() {}
    (socket, events)
}

#[test]
fn a_transport_pings_measures_and_attends_by_itself() {
    let (socket, _events) = open::<Pinging>();
    let transport = socket.transport().expect("no mock is in its place");
    assert_eq!(transport.0, Some((INTERVAL, TIMEOUT)));
    assert_eq!(socket.latency(), Some(LATENCY));
    assert!(ATTENDED.with_borrow(|all| all.contains(&"transport")));
}

#[test]
fn a_transport_does_so_inside_a_socket_that_connects_again() {
    let (socket, _events) = open::<Reconnect<Pinging>>();
    let reconnect = socket.transport().expect("no mock is in its place");
    let times = reconnect.with_connection(|connection| connection.0);
    assert_eq!(times, Some(Some((INTERVAL, TIMEOUT))));
    assert_eq!(socket.latency(), Some(LATENCY));
    assert!(ATTENDED.with_borrow(|all| all.contains(&"host")));
}
