//! Futures on the host's loop: `run`, streams, and waiting for a drain.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use futures_sink::Sink;

use crate::host::{Host, Socket, check, js, settle};
use isosocket_core::{Event, Reconnect, Transport, WebSocket};
use isosocket_web::{Web, run};
use wasm_bindgen_test::wasm_bindgen_test;

#[wasm_bindgen_test]
async fn a_future_runs_after_the_call_and_to_its_end() {
    let steps = Rc::new(Cell::new(0));
    let seen = steps.clone();
    run(async move {
        for _ in 0..3 {
            seen.set(seen.get() + 1);
            let mut first = true;
            poll_fn(|context| match std::mem::take(&mut first) {
                true => {
                    // As often as it has run: one poll follows.
                    (0..seen.get()).for_each(|_| context.waker().wake_by_ref());
                    Poll::Pending
                }
                false => Poll::Ready(()),
            })
            .await;
        }
    });
    assert_eq!(steps.get(), 0);
    settle().await;
    settle().await;
    assert_eq!(steps.get(), 3);
    assert_eq!(Rc::strong_count(&steps), 1, "a completed future is dropped");
}

#[wasm_bindgen_test]
async fn a_completed_future_is_dropped_though_it_can_be_woken() {
    let witness = Rc::new(());
    let held = witness.clone();
    let waker = Rc::new(Cell::new(None));
    let place = waker.clone();
    // Not a block, whose variables are dropped when it is complete.
    run(poll_fn(move |context| {
        let _held = &held;
        place.set(Some(context.waker().clone()));
        Poll::Ready(())
    }));
    settle().await;
    assert_eq!(Rc::strong_count(&witness), 1);
    waker.take().expect("it was polled").wake();
    settle().await;
}

#[wasm_bindgen_test]
async fn a_future_that_nobody_can_wake_is_dropped() {
    let witness = Rc::new(());
    let held = witness.clone();
    run(async move {
        let _held = held;
        std::future::pending::<()>().await;
    });
    settle().await;
    assert_eq!(Rc::strong_count(&witness), 1);
}

#[wasm_bindgen_test]
async fn a_stream_gets_every_event_and_ends() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    let mut events = socket.events();
    let count = Rc::new(Cell::new(0));
    let seen = count.clone();
    run(async move {
        while let Some(event) = events.next().await {
            if let Event::Message(message) = event {
                seen.set(seen.get() + message.len());
            }
        }
        seen.set(seen.get() + 1000);
    });
    settle().await;
    js("socket.open(); for (let i = 0; i < 9; i++) socket.receive('abc')");
    settle().await;
    assert_eq!(count.get(), 27);
    js("socket.end(1000, '', true)");
    settle().await;
    assert_eq!(count.get(), 1027);
    drop(socket);
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_task_runs_at_the_end_of_the_event_but_in_no_call_of_the_program() {
    let _host = Host::new();
    check_when_a_task_runs(Socket::new("ws://h/").expect("a good URL")).await;
    let again = WebSocket::<Reconnect<Web>>::new("ws://h/");
    check_when_a_task_runs(again.expect("a good URL")).await;
}

async fn check_when_a_task_runs<T: Transport>(socket: WebSocket<T>) {
    let mut events = socket.events();
    let count = Rc::new(Cell::new(0));
    let in_call = Rc::new(Cell::new(false));
    let (seen, was_in_call) = (count.clone(), in_call.clone());
    run(async move {
        while let Some(event) = events.next().await {
            if let Event::Message(_) = event {
                seen.set(seen.get() + 1 + u32::from(was_in_call.get()) * 1000);
            }
        }
    });
    // A socket that connects again begins by itself.
    settle().await;
    js("Mock.first = socket; socket.open()");
    settle().await;
    js("socket.receive('a')");
    assert_eq!(count.get(), 1, "before any microtask");
    // A stand-in's event may come inside a call: here inside another task, and inside a handler.
    let receive = move || {
        in_call.set(true);
        js("Mock.first.receive('b')");
        in_call.set(false);
    };
    let inside = receive.clone();
    run(async move { inside() });
    settle().await;
    assert_eq!(count.get(), 2);
    let other = Socket::new("ws://h/").expect("a good URL");
    other.on_message(move |_, _| receive());
    js("socket.open(); socket.receive('c')");
    settle().await;
    assert_eq!(count.get(), 3);
    // One that connects again listens to the host until its end.
    drop((socket, other));
    js("Mock.first.end(1000, '', true); socket.end(1000, '', true)");
    settle().await;
}

#[wasm_bindgen_test]
async fn a_task_may_cause_the_event_that_it_waits_for() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    let mut events = socket.events();
    let done = Rc::new(Cell::new(false));
    let seen = done.clone();
    run(async move {
        let opened = events.next();
        js("socket.open()");
        assert!(matches!(opened.await, Some(Event::Open)));
        let mut next = pin!(events.next());
        poll_fn(|context| {
            // It waits already.
            let _ = next.as_mut().poll(context);
            js("socket.receive('a')");
            Poll::Ready(())
        })
        .await;
        assert!(matches!(next.await, Some(Event::Message(_))));
        seen.set(true);
    });
    settle().await;
    assert!(done.get());
}

#[wasm_bindgen_test]
async fn waiting_for_a_drain_looks_also_when_anything_arrives() {
    // In a hidden tab a timer comes once in a second, or in a minute.
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    js("socket.open(); socket.bufferedAmount = 2 ** 21");
    let woken = Rc::new(Cell::new(0));
    let count = woken.clone();
    let waiting = socket.clone();
    run(async move {
        for _ in 0..2 {
            waiting.send_ready().await;
            count.set(count.get() + 1);
            js("socket.bufferedAmount = 2 ** 21");
        }
    });
    settle().await;
    js("socket.receive('x')");
    settle().await;
    assert_eq!(woken.get(), 0, "nothing was sent");
    for round in 1..3 {
        check("timers.size === 1");
        js("socket.bufferedAmount = 0; socket.receive('x')");
        settle().await;
        assert_eq!(woken.get(), round);
    }
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn waiting_for_a_drain_looks_ever_more_rarely_and_only_meanwhile() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    js("socket.open(); socket.bufferedAmount = 2 ** 21");
    let woken = Rc::new(Cell::new(0));
    let wait = || {
        let (socket, woken) = (socket.clone(), woken.clone());
        run(async move {
            socket.send_ready().await;
            woken.set(woken.get() + 1);
        });
    };
    wait();
    wait();
    settle().await;
    check("timers.size === 1");
    // Looks after 1, 2, 4, 8, 16, 16 .. ms.
    js(
        "globalThis.looks = 0; Object.defineProperty(socket, 'bufferedAmount', { get: () => (looks++, amount) })",
    );
    js("globalThis.amount = 2 ** 21");
    for (time, looks) in [
        (1, 1),
        (1, 1),
        (1, 2),
        (4, 3),
        (8, 4),
        (15, 4),
        (1, 5),
        (16, 6),
    ] {
        js(&format!("advance({time})"));
        check(&format!("looks === {looks} && timers.size === 1"));
    }
    js("advance(1000)");
    check("looks > 60 && looks < 70 && timers.size === 1");
    js("amount = 2 ** 20; advance(16)");
    settle().await;
    assert_eq!(woken.get(), 2);
    check("timers.size === 0");

    // Nothing to wait for.
    wait();
    settle().await;
    assert_eq!(woken.get(), 3);

    // The end of the connection ends the wait.
    js("amount = 2 ** 21");
    wait();
    settle().await;
    check("timers.size === 1");
    js("socket.end(1006, '', false)");
    settle().await;
    assert_eq!(woken.get(), 4);
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn who_waits_for_room_is_not_kept_by_who_waits_until_all_is_sent() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    js("socket.open(); socket.bufferedAmount = 2 ** 21");
    let (flushed, ready) = (Rc::new(Cell::new(false)), Rc::new(Cell::new(false)));
    let (seen, mut sender) = (flushed.clone(), socket.sender());
    run(async move {
        let sent = poll_fn(|context| Pin::new(&mut sender).poll_flush(context)).await;
        seen.set(sent.is_ok());
    });
    settle().await;
    let (seen, waiting) = (ready.clone(), socket.clone());
    run(async move {
        waiting.send_ready().await;
        seen.set(true);
    });
    settle().await;
    js("socket.bufferedAmount = 2 ** 20; advance(1)");
    settle().await;
    assert_eq!((ready.get(), flushed.get()), (true, false));
    js("socket.bufferedAmount = 0; advance(16)");
    settle().await;
    assert!(flushed.get());
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn a_wait_for_a_drain_that_is_given_up_leaves_no_timer() {
    let _host = Host::new();
    let socket = Socket::new("ws://h/").expect("a good URL");
    js("socket.open(); socket.bufferedAmount = 2 ** 21");
    wait_and_give_up(&socket);

    // The last who gives up ends it, and nobody before.
    let mut waits = [socket.send_ready(), socket.send_ready()].map(Box::pin);
    let context = &mut Context::from_waker(Waker::noop());
    for wait in &mut waits {
        assert!(wait.as_mut().poll(context).is_pending());
    }
    let [one, mut other] = waits;
    drop(one);
    js("advance(100)");
    check("timers.size === 1");
    assert!(other.as_mut().poll(context).is_pending());
    drop(other);
    js("advance(16)");
    check("timers.size === 0");
}

#[wasm_bindgen_test]
async fn so_does_one_of_a_socket_that_connects_again() {
    let _host = Host::new();
    let builder = WebSocket::<Reconnect<Web>>::builder("ws://h/");
    let socket = builder.connect().expect("a good URL");
    settle().await;
    js("socket.open(); socket.bufferedAmount = 2 ** 21");
    settle().await;
    wait_and_give_up(&socket);
}

fn wait_and_give_up<T: Transport>(socket: &WebSocket<T>) {
    js("globalThis.before = timers.size");
    {
        let ready = pin!(socket.send_ready());
        let context = &mut Context::from_waker(Waker::noop());
        assert!(ready.poll(context).is_pending());
        check("timers.size === before + 1");
    }
    js("advance(16)");
    check("timers.size === before");
}
