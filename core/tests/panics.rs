//! Whatever the program's code does where the library runs it, other handlers and
//! other sockets go on (S105): handlers, hooks, futures and log sinks that panic, and
//! destructors of what they own.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::panic_any;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::task::{Context, Poll};
use std::time::Duration;

use isosocket_core::mock::{Mock, Network};
use isosocket_core::{Event, EventKind, Reconnect, Retry, Status, Transport, WebSocket};

const URL: &str = "ws://peer/";
const OTHER: &str = "ws://other/";
const MINUTE: Duration = Duration::from_secs(60);

type Plain = WebSocket<Mock>;
type Again = WebSocket<Reconnect<Mock>>;

/// A log that uses a socket for each line, and then panics.
struct Sink;

thread_local! {
    static FOR_LOG: std::cell::RefCell<Option<Again>> = const { std::cell::RefCell::new(None) };
}

impl log::Log for Sink {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let text = record.args().to_string();
        FOR_LOG.with(|socket| {
            if let Some(socket) = &*socket.borrow() {
                let _ = (socket.send(text), socket.status(), socket.buffered_amount());
                drop((socket.events(), socket.statuses()));
                socket.on_message(|_, _| {}).unbind();
            }
        });
        panic_any(Bomb::new());
    }

    fn flush(&self) {}
}

fn set_up() -> Network {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Sink).unwrap();
        log::set_max_level(log::LevelFilter::Trace);
    });
    let network = Network::new();
    network.fix_random(u64::MAX);
    network
}

/// Panics when it is dropped, and notes that it was.
struct Bomb(Arc<AtomicBool>);

impl Bomb {
    fn new() -> Self {
        Bomb(Arc::default())
    }

    fn watched() -> (Self, Arc<AtomicBool>) {
        let bomb = Bomb::new();
        let dropped = bomb.0.clone();
        (bomb, dropped)
    }
}

impl Drop for Bomb {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        panic_any(Nested);
    }
}

/// Panics with another one when it is dropped.
struct Nested;

impl Drop for Nested {
    fn drop(&mut self) {
        panic_any(Nested);
    }
}

/// Has a closure own a value.
fn touch<T>(_: &T) {}

#[derive(Default)]
struct Bombs(Vec<Arc<AtomicBool>>);

impl Bombs {
    fn one(&mut self) -> Bomb {
        let (bomb, dropped) = Bomb::watched();
        self.0.push(dropped);
        bomb
    }

    fn check(&self, when: &str) {
        for (number, dropped) in self.0.iter().enumerate() {
            assert!(dropped.load(Ordering::Relaxed), "{when}: number {number}");
        }
    }
}

/// Two handlers of each kind, each with a destructor that panics.
fn bind<T: Transport>(socket: &WebSocket<T>, bombs: &mut Bombs) -> Vec<isosocket_core::Binding> {
    let kinds = [EventKind::ALL, EventKind::ALL].concat();
    let bind = |kind: EventKind| {
        let bomb = bombs.one();
        socket.bind(kind, move |_, _| {
            let _ = &bomb;
            panic_any(Bomb::new());
        })
    };
    kinds.into_iter().map(bind).collect()
}

/// A socket that hears everything, and shows whether others go on.
fn bystander(network: &Network) -> (Plain, Arc<Mutex<Vec<EventKind>>>) {
    network.peer(OTHER).send("a").close();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut builder = Plain::builder(OTHER);
    for kind in EventKind::ALL {
        let log = seen.clone();
        builder = builder.bind(kind, move |_, event| log.lock().unwrap().push(event.kind()));
    }
    (builder.connect().unwrap(), seen)
}

const ALL_WELL: [EventKind; 3] = [EventKind::Open, EventKind::Message, EventKind::Close];

#[test]
fn handlers_with_destructors_that_panic() {
    for how in ["end", "unbound", "dropped", "kept", "never started"] {
        let network = set_up();
        network.peer(URL).send("a").close();
        let mut bombs = Bombs::default();
        if how == "never started" {
            let (first, second) = (bombs.one(), bombs.one());
            drop(
                Plain::builder(URL)
                    .on_open(move |_| touch(&first))
                    .on_close(move |_, _| touch(&second)),
            );
            bombs.check(how);
            continue;
        }
        let socket = Plain::new(URL).unwrap();
        let (_bystander, seen) = bystander(&network);
        if how == "kept" {
            // Bound when all is over.
            network.run();
        }
        let bindings = bind(&socket, &mut bombs);
        let mut events = socket.events();
        match how {
            "unbound" => bindings
                .into_iter()
                .for_each(isosocket_core::Binding::unbind),
            "dropped" => drop(socket),
            _ => {}
        }
        network.run();
        bombs.check(how);
        let last = std::iter::from_fn(|| events.try_next()).last();
        assert!(matches!(last, Some(Event::Close(_))), "{how}");
        assert_eq!(*seen.lock().unwrap(), ALL_WELL, "{how}");
    }
}

#[test]
fn handlers_for_statuses_and_hooks_with_destructors_that_panic() {
    for how in ["end", "unbound", "dropped", "never started"] {
        let network = set_up();
        network.peer(URL).refuse("no");
        network.peer(URL).close();
        let (_bystander, seen) = bystander(&network);
        let mut bombs = Bombs::default();
        let owned = [(); 4].map(|()| bombs.one());
        let [first, second, third, fourth] = owned;
        let builder = Again::builder(URL)
            .max_attempts(2)
            .on_status(move |_, _| {
                let _ = &first;
                panic_any(Bomb::new())
            })
            .on_status(move |_, _| {
                let _ = &second;
                panic_any(Bomb::new())
            })
            .retry(move |_| {
                let _ = &third;
                panic_any(Bomb::new())
            })
            .url_provider(move |_| {
                let _ = &fourth;
                async { Ok::<_, NastyError>(URL.to_owned()) }
            });
        if how == "never started" {
            drop(builder);
            bombs.check(how);
            continue;
        }
        let socket = builder.connect().unwrap();
        let bomb = bombs.one();
        let binding = socket.on_status(move |_, _| touch(&bomb));
        match how {
            "unbound" => binding.unbind(),
            "dropped" => drop(socket),
            _ => {}
        }
        network.advance(MINUTE);
        bombs.check(how);
        assert_eq!(*seen.lock().unwrap(), ALL_WELL, "{how}");
    }
}

/// An error of the program that cannot be dropped in peace.
#[derive(Debug)]
struct NastyError;

impl fmt::Display for NastyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("nasty")
    }
}

impl Error for NastyError {}

impl Drop for NastyError {
    fn drop(&mut self) {
        panic!("on purpose, in the destructor of an error");
    }
}

/// A provider's future that never is ready, and cannot be dropped in peace.
struct Never(Bomb);

impl Future for Never {
    type Output = Result<String, NastyError>;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let _ = &self.0;
        Poll::Pending
    }
}

#[test]
fn providers_whose_futures_and_errors_panic_when_they_are_dropped() {
    let network = set_up();
    network.peer(URL).close();
    let (_bystander, seen) = bystander(&network);
    let (bomb, dropped) = Bomb::watched();
    let mut bomb = Some(bomb);
    let socket = Again::builder(URL)
        .connect_timeout(Duration::from_secs(1))
        .url_provider(move |attempt| {
            let never = bomb.take().map(Never);
            async move {
                if let Some(never) = never {
                    return never.await;
                }
                match attempt {
                    2 => Err(NastyError),
                    _ => Ok(URL.to_owned()),
                }
            }
        })
        .retry(|loss| match loss.was_open {
            true => Retry::GiveUp,
            false => Retry::Backoff,
        })
        .connect()
        .unwrap();
    network.advance(MINUTE);
    assert!(matches!(socket.status(), Status::GaveUp(_)));
    assert!(dropped.load(Ordering::Relaxed));
    assert_eq!(*seen.lock().unwrap(), ALL_WELL);
}

#[test]
fn a_log_may_use_the_socket_that_is_logged_about() {
    let network = set_up();
    network.peer(URL).refuse("no");
    network.peer(URL).send("a").close();
    let (_bystander, seen) = bystander(&network);
    let socket = Again::builder(URL)
        .max_attempts(2)
        .on_status(|_, _| panic!("on purpose"))
        .on_open(|_| panic!("on purpose"))
        .connect()
        .unwrap();
    socket.events().set_wake_hook(|| panic!("on purpose"));
    FOR_LOG.with(|slot| *slot.borrow_mut() = Some(socket.clone()));
    network.advance(MINUTE);
    FOR_LOG.with(|slot| slot.borrow_mut().take());
    assert!(matches!(
        socket.status(),
        Status::GaveUp(_) | Status::Waiting { .. }
    ));
    assert_eq!(*seen.lock().unwrap(), ALL_WELL);
}
