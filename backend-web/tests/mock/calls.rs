//! The host of sockets: later calls, the time, random numbers, and how it notices that a
//! page woke up.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::host::{Host, check, js, settle};
use isosocket_core::{Host as _, HostEvent, Subscription};
use isosocket_web::{WebHost, WebTimer};
use wasm_bindgen_test::wasm_bindgen_test;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Counts calls, and whether the last one was before or after something else.
fn counter() -> (Rc<Cell<u32>>, impl Fn() + 'static) {
    let calls = Rc::new(Cell::new(0));
    let own = calls.clone();
    (calls, move || own.set(own.get() + 1))
}

fn after(delay: Duration) -> (Rc<Cell<u32>>, WebTimer) {
    let (calls, call) = counter();
    let timer = WebHost::default().after(delay, call);
    (calls, timer.expect("there are timers"))
}

fn left(timer: &WebTimer) -> Duration {
    WebHost::time_left(timer).expect("this thread knows")
}

/// The events that a listener hears.
fn listen() -> (Arc<Mutex<Vec<HostEvent>>>, Subscription) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let own = heard.clone();
    let listener = move |event| own.lock().expect("no panic").push(event);
    (heard, WebHost::default().listen(Arc::new(listener)))
}

#[wasm_bindgen_test]
async fn soon_is_after_this_call() {
    let (calls, call) = counter();
    WebHost::default().soon(call);
    assert_eq!(calls.get(), 0);
    settle().await;
    assert_eq!(calls.get(), 1);
}

#[wasm_bindgen_test]
fn a_later_call_comes_once_and_not_before_its_time() {
    let _host = Host::new();
    let (calls, timer) = after(Duration::from_micros(1500));
    assert_eq!(left(&timer), 2 * MILLISECOND);
    js("advance(1)");
    assert_eq!((calls.get(), left(&timer)), (0, MILLISECOND));
    js("advance(1)");
    assert_eq!((calls.get(), left(&timer)), (1, Duration::ZERO));
    js("advance(1000)");
    assert_eq!((calls.get(), left(&timer)), (1, Duration::ZERO));
    check("timers.size === 0");
}

#[wasm_bindgen_test]
fn a_call_may_be_later_than_a_timer_can_be() {
    let _host = Host::new();
    let longest = Duration::from_millis(i32::MAX as u64);
    let whole = 2 * longest + 5 * MILLISECOND;
    let (calls, timer) = after(whole);
    check("[...timers.values()].map((it) => it.at).join() === '2147483647'");
    assert_eq!(left(&timer), whole);
    js("advance(2147483647)");
    assert_eq!((calls.get(), left(&timer)), (0, longest + 5 * MILLISECOND));
    js("advance(2147483647 + 4)");
    assert_eq!((calls.get(), left(&timer)), (0, MILLISECOND));
    js("advance(1)");
    assert_eq!(calls.get(), 1);
    check("timers.size === 0");

    // Of exactly that length it is one timer.
    let (calls, _timer) = after(longest);
    js("advance(2147483647)");
    assert_eq!(calls.get(), 1);
}

#[wasm_bindgen_test]
fn a_call_is_cancelled_by_dropping_its_timer() {
    let _host = Host::new();
    let (calls, timer) = after(5 * MILLISECOND);
    check("timers.size === 1");
    drop(timer);
    check("timers.size === 0");
    js("advance(100)");
    assert_eq!(calls.get(), 0);
}

/// R47: a timer that is two seconds late says that the machine slept.
#[wasm_bindgen_test]
async fn a_late_call_announces_that_the_host_woke_up() {
    let _host = Host::new();
    let (heard, _subscription) = listen();
    let (calls, _timer) = after(1000 * MILLISECOND);
    js("late(2999); advance(0)");
    assert_eq!(calls.get(), 1, "in the timer's own job");
    settle().await;
    assert!(heard.lock().expect("no panic").is_empty());

    let (calls, _timer) = after(1000 * MILLISECOND);
    js("late(3000); advance(0)");
    assert_eq!(calls.get(), 0, "behind those who listen");
    settle().await;
    assert_eq!(calls.get(), 1);
    assert_eq!(*heard.lock().expect("no panic"), [HostEvent::WokeUp]);

    // Between both it can be cancelled.
    let (calls, timer) = after(1000 * MILLISECOND);
    js("late(9000); advance(0)");
    drop(timer);
    settle().await;
    assert_eq!(calls.get(), 0);
}

#[wasm_bindgen_test]
async fn waking_up_is_announced_to_all_who_listen() {
    let _host = Host::new();
    let (first, subscription) = listen();
    let (second, _kept) = listen();
    WebHost::wake_up();
    drop(subscription);
    WebHost::wake_up();
    assert!(first.lock().expect("no panic").is_empty());
    settle().await;
    assert_eq!(*first.lock().expect("no panic"), [HostEvent::WokeUp]);
    assert_eq!(*second.lock().expect("no panic"), [HostEvent::WokeUp; 2]);
}

/// R47, R48: the events of a page and of a worker.
#[wasm_bindgen_test]
async fn events_of_the_host_are_told_apart() {
    let _host = Host::new();
    js("
        const target = () => ({
            on: {},
            addEventListener(type, f) { this.on[type] = f; },
            removeEventListener(type, f) { if (this.on[type] === f) delete this.on[type]; },
        });
        globalThis.document = target();
        Object.assign(globalThis, target());
        globalThis.fire = (it, type, more) => it.on[type]({ type, ...more });
    ");
    let (heard, subscription) = listen();
    let (also_heard, other) = listen();
    check("Object.keys(on).sort().join() === 'offline,online,pageshow'");
    check("Object.keys(document.on).sort().join() === 'resume,visibilitychange'");
    for (event, expected) in [
        ("globalThis, 'online'", Some(HostEvent::WokeUp)),
        ("globalThis, 'offline'", Some(HostEvent::Offline)),
        ("globalThis, 'pageshow', { persisted: false }", None),
        (
            "globalThis, 'pageshow', { persisted: true }",
            Some(HostEvent::WokeUp),
        ),
        ("document, 'resume'", Some(HostEvent::WokeUp)),
    ] {
        js(&format!("fire({event})"));
        settle().await;
        let seen = std::mem::take(&mut *heard.lock().expect("no panic"));
        assert_eq!(seen, Vec::from_iter(expected), "{event}");
    }
    for (hidden, events) in [(true, 0), (false, 1)] {
        js(&format!(
            "document.hidden = {hidden}; fire(document, 'visibilitychange')"
        ));
        settle().await;
        assert_eq!(heard.lock().expect("no panic").len(), events);
    }
    drop(subscription);
    check("Object.keys(on).length === 3");
    js("fire(globalThis, 'online')");
    settle().await;
    assert_eq!(heard.lock().expect("no panic").len(), 1);
    assert_eq!(also_heard.lock().expect("no panic").len(), 6);
    drop(other);
    check("Object.keys(on).length === 0 && Object.keys(document.on).length === 0");
    js("
        for (const it of ['document', 'on', 'addEventListener', 'removeEventListener', 'fire'])
            delete globalThis[it];
    ");
}

#[wasm_bindgen_test]
fn random_numbers_use_all_bits_that_there_are() {
    let host = WebHost::default();
    let (mut all, mut none) = (0, u64::MAX);
    for _ in 0..200 {
        let random = host.random();
        all |= random;
        none &= random;
    }
    // One bit fewer where the host has only 52.
    assert_eq!((all | 1 << 11, none), (u64::MAX << 11, 0));
}

#[wasm_bindgen_test]
fn the_time_is_that_of_the_hosts_clock() {
    let clock = || js("return performance.now()").as_f64().expect("a number");
    let (before, now, after) = (clock(), WebHost::default().now(), clock());
    let now = now.as_secs_f64() * 1e3;
    assert!(
        before - 0.002 <= now && now <= after,
        "{before} {now} {after}"
    );
}
