//! Futures on the host's loop: `run`, streams, and waiting for a drain.

use std::cell::Cell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use crate::host::{Host, Socket, check, js, settle};
use isosocket_core::Event;
use isosocket_web::run;
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
                    context.waker().wake_by_ref();
                    context.waker().wake_by_ref();
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
