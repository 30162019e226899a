//! Wakers are the program's code. They may come back into the library when they are
//! woken or dropped, and they may panic: nothing hangs, and nobody else notices.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Wake, Waker};
use std::thread;
use std::time::Duration;

use isosocket_core::mock::{Mock, Network, Peer};
use isosocket_core::{Event, Reconnect, Status, Statuses, Transport, WebSocket};

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);

type Plain = WebSocket<Mock>;
type Again = WebSocket<Reconnect<Mock>>;

/// Runs a test on a thread of its own, as one that hangs would hang for ever.
fn without_hanging(test: impl FnOnce() + Send + 'static) {
    let (done, waits) = mpsc::channel();
    let running = thread::spawn(move || {
        test();
        done.send(()).unwrap();
    });
    if waits.recv_timeout(60 * SECOND) == Err(mpsc::RecvTimeoutError::Timeout) {
        panic!("it hangs");
    }
    if let Err(panic) = running.join() {
        std::panic::resume_unwind(panic);
    }
}

thread_local! {
    /// For wakers, which cannot hold it.
    static NETWORK: RefCell<Option<Network>> = const { RefCell::new(None) };
}

fn network<R>(f: impl FnOnce(&Network) -> R) -> R {
    NETWORK.with(|network| f(network.borrow().as_ref().unwrap()))
}

fn peer(url: &str) -> Peer {
    network(|network| network.peer(url))
}

fn set_up() {
    NETWORK.with(|network| *network.borrow_mut() = Some(Network::new()));
}

/// A waker that calls a function when it is woken, and another when its last clone
/// is dropped.
struct Task {
    wake: Box<dyn Fn() + Send + Sync>,
    drop: Box<dyn Fn() + Send + Sync>,
}

impl Wake for Task {
    fn wake(self: Arc<Self>) {
        (self.wake)();
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        (self.drop)();
    }
}

fn waker(
    wake: impl Fn() + Send + Sync + 'static,
    drop: impl Fn() + Send + Sync + 'static,
) -> Waker {
    Waker::from(Arc::new(Task {
        wake: Box::new(wake),
        drop: Box::new(drop),
    }))
}

fn on_wake(wake: impl Fn() + Send + Sync + 'static) -> Waker {
    waker(wake, || {})
}

fn on_drop(drop: impl Fn() + Send + Sync + 'static) -> Waker {
    waker(|| {}, drop)
}

/// A waker that counts.
fn counting() -> (Waker, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    let waker = on_wake(move || {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    (waker, count)
}

fn poll<F: Future + Unpin>(mut future: F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(&mut future).poll(&mut Context::from_waker(waker))
}

/// A future that owns a pending `send_ready` of `socket`.
fn waits_for_room<T: Transport>(
    socket: &WebSocket<T>,
) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> {
    let socket = socket.clone();
    let mut waits = Box::pin(async move { socket.send_ready().await });
    assert!(poll(&mut waits, Waker::noop()).is_pending());
    waits
}

#[test]
fn a_waker_of_a_future_may_own_another_that_waits() {
    without_hanging(|| {
        set_up();
        peer(URL).hang();
        let socket = Plain::new(URL).unwrap();
        let owned = Mutex::new(Some(waits_for_room(&socket)));
        let mut ready = socket.send_ready();
        {
            let waker = on_drop(move || drop(owned.lock().unwrap().take()));
            assert!(poll(&mut ready, &waker).is_pending());
        }
        // Another waker takes its place, so it is dropped.
        assert!(poll(&mut ready, Waker::noop()).is_pending());
        let owned = Mutex::new(Some(waits_for_room(&socket)));
        {
            let waker = on_drop(move || drop(owned.lock().unwrap().take()));
            assert!(poll(&mut ready, &waker).is_pending());
        }
        drop(ready);
    });
}

#[test]
fn a_waker_of_a_stream_may_come_back_when_it_is_dropped() {
    without_hanging(|| {
        set_up();
        let feed = peer(URL);
        let socket = Plain::new(URL).unwrap();
        let mut events = socket.events();
        network(Network::run);
        assert_eq!(events.try_next(), Some(Event::Open));
        let send = |text: &'static str| {
            let feed = feed.clone();
            on_drop(move || {
                feed.send(text);
                network(Network::run);
            })
        };
        let first = send("replaced");
        assert!(poll(events.next(), &first).is_pending());
        drop(first);
        assert!(poll(events.next(), Waker::noop()).is_pending());
        assert_eq!(events.try_next(), Some(Event::Message("replaced".into())));
        let last = send("with the stream");
        assert!(poll(events.next(), &last).is_pending());
        drop(last);
        drop(events);
        assert!(feed.is_done());
    });
}

#[test]
fn a_waker_of_statuses_may_come_back_when_it_is_dropped() {
    without_hanging(|| {
        set_up();
        peer(URL).refuse("no");
        peer(URL).refuse("no");
        let socket = Again::new(URL).unwrap();
        let mut statuses = socket.statuses();
        network(Network::run);
        while statuses.try_next().is_some() {}
        let own = socket.clone();
        let waker = on_drop(move || {
            own.retry_now();
            network(Network::run);
        });
        let poll = |statuses: &mut Statuses, waker: &Waker| {
            pin!(statuses.next()).poll(&mut Context::from_waker(waker))
        };
        assert!(poll(&mut statuses, &waker).is_pending());
        drop(waker);
        assert!(poll(&mut statuses, Waker::noop()).is_pending());
        let second = Status::Connecting { attempt: 2 };
        assert_eq!(statuses.try_next(), Some(second));
    });
}

#[test]
fn a_waker_of_statuses_may_ask_for_the_status() {
    without_hanging(|| {
        set_up();
        peer(URL);
        let socket = Again::new(URL).unwrap();
        let mut statuses = socket.statuses();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (own, log) = (socket.clone(), seen.clone());
        let waker = on_wake(move || log.lock().unwrap().push(own.status()));
        assert!(
            pin!(statuses.next())
                .poll(&mut Context::from_waker(&waker))
                .is_pending()
        );
        network(Network::run);
        assert_eq!(seen.lock().unwrap().len(), 1);
    });
}

#[test]
fn a_task_that_lives_by_its_waker_is_freed_with_its_stream() {
    // The task owns the stream, the stream the waker, and the waker the task.
    without_hanging(|| {
        set_up();
        peer(URL);
        let socket = Again::new(URL).unwrap();
        let mut statuses = socket.statuses();
        while statuses.try_next().is_some() {}
        let (waker, count) = counting();
        let _ = pin!(statuses.next()).poll(&mut Context::from_waker(&waker));
        drop(waker);
        drop(statuses);
        assert_eq!(Arc::strong_count(&count), 1, "the waker is gone");
    });
}

#[test]
fn a_waker_that_panics_wakes_the_others() {
    set_up();
    peer(URL).accept();
    let socket = Plain::new(URL).unwrap();
    peer("ws://other/");
    let other = Plain::new("ws://other/").unwrap();
    let mut other_events = other.events();
    let (good, count) = counting();
    let panics = waker(
        || panic!("on purpose, in wake"),
        || panic!("on purpose, in a destructor"),
    );
    let (mut first, mut second) = (socket.send_ready(), socket.send_ready());
    let mut events = socket.events();
    assert!(poll(&mut first, &panics).is_pending());
    assert!(poll(&mut second, &good).is_pending());
    assert!(poll(events.next(), &panics).is_pending());
    std::mem::forget(panics);
    network(Network::run);
    assert_eq!(count.load(Ordering::Relaxed), 1);
    assert_eq!(events.try_next(), Some(Event::Open));
    assert_eq!(other_events.try_next(), Some(Event::Open));
}

#[test]
fn a_waker_that_panics_when_it_is_dropped_is_dropped_in_peace() {
    set_up();
    peer(URL).hang();
    let socket = Again::new(URL).unwrap();
    let bomb = || on_drop(|| panic!("on purpose, in a destructor"));
    let give = |poll: &mut dyn FnMut(&Waker)| {
        // The library has the only clone.
        for _ in 0..2 {
            let waker = bomb();
            poll(&waker);
            let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(waker)));
            assert!(caught.is_ok(), "it was kept");
        }
    };
    let mut ready = socket.send_ready();
    give(&mut |waker| assert!(poll(&mut ready, waker).is_pending()));
    drop(ready);
    let mut events = socket.events();
    give(&mut |waker| assert!(poll(events.next(), waker).is_pending()));
    drop(events);
    let mut statuses = socket.statuses();
    network(Network::run);
    while statuses.try_next().is_some() {}
    give(&mut |waker| {
        let polled = pin!(statuses.next()).poll(&mut Context::from_waker(waker));
        assert!(polled.is_pending());
    });
    drop(statuses);
    network(Network::run);
}

/// A waker that nobody can clone.
fn uncloneable() -> Waker {
    static TABLE: RawWakerVTable =
        RawWakerVTable::new(|_| panic!("on purpose, in clone"), drop, drop, drop);
    #[allow(unsafe_code, reason = "the safe wakers do not panic in clone")]
    // SAFETY: the functions use no data.
    unsafe {
        Waker::from_raw(RawWaker::new(std::ptr::null(), &TABLE))
    }
}

#[test]
fn a_waker_that_panics_when_it_is_cloned_is_not_kept() {
    set_up();
    peer(URL).accept();
    let socket = Plain::new(URL).unwrap();
    let waker = uncloneable();
    let (mut events, mut ready) = (socket.events(), socket.send_ready());
    let mut closed = pin!(socket.closed());
    for _ in 0..2 {
        assert!(poll(events.next(), &waker).is_pending());
        assert!(poll(&mut ready, &waker).is_pending());
        let mut context = Context::from_waker(&waker);
        assert!(closed.as_mut().poll(&mut context).is_pending());
    }
    // Nothing was locked for ever, and nothing is lost.
    network(Network::run);
    assert_eq!(events.try_next(), Some(Event::Open));
    assert!(poll(&mut ready, &waker).is_ready());

    let again = Again::new(URL).unwrap();
    let mut statuses = again.statuses();
    while statuses.try_next().is_some() {}
    assert!(poll(statuses.next(), &waker).is_pending());
    network(Network::run);
    assert!(statuses.try_next().is_some());
}
