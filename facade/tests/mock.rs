//! Portable programs, tested without a network on every target: the same tests
//! run natively and, by wasm-bindgen's runner, on JavaScript hosts, also on those
//! without a WebSocket.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isosocket::mock::Network;
use isosocket::{Event, EventKind, ReadyState, Reconnecting, Retry, SendError, Status, WebSocket};
use wasm_bindgen_test::wasm_bindgen_test;

const HOUR: Duration = Duration::from_secs(3600);

/// A program of `await`.
async fn sum(url: &str, numbers: &[u32]) -> Result<u32, Box<dyn std::error::Error>> {
    let socket = WebSocket::open(url).await?;
    let mut events = socket.events();
    for number in numbers {
        socket.send_ready().await;
        socket.send(number.to_string())?;
    }
    socket.send("=")?;
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                socket.close();
                return Ok(message.as_text().unwrap_or_default().parse()?);
            }
            Event::Close(close) => return Err(close.to_string().into()),
            Event::Open | Event::Error(_) => {}
        }
    }
    Err("no answer".into())
}

#[wasm_bindgen_test(unsupported = test)]
fn a_program_of_futures_is_tested_as_it_is() {
    const URL: &str = "wss://example.org/adder";
    let network = Network::new();
    let peer = network.peer(URL);
    peer.expect("1").expect("2").expect("=").send("3");
    assert_eq!(network.block_on(sum(URL, &[1, 2])).unwrap(), 3);

    network.peer(URL).refuse("not today");
    assert!(network.block_on(sum(URL, &[])).is_err());
    network.peer(URL).expect("=").close_with(1011, "tired");
    let error = network.block_on(sum(URL, &[])).unwrap_err().to_string();
    assert_eq!(error, "closed with code 1011 (clean): tired");
    network.finish();
}

/// A program of handlers, which connects again.
fn subscribe(log: Arc<Mutex<Vec<String>>>) -> Reconnecting {
    let (news, course) = (log.clone(), log.clone());
    Reconnecting::builder("ws://peer/feed")
        .retry(|loss| match loss.close.code {
            4000 => Retry::GiveUp,
            _ => Retry::Backoff,
        })
        .on_open(|socket| {
            let _ = socket.send("subscribe");
        })
        .on_message(move |_, message| {
            news.lock()
                .unwrap()
                .extend(message.as_text().map(str::to_owned));
        })
        .on_status(move |_, status| {
            if let Status::Waiting { attempt, .. } = status {
                course.lock().unwrap().push(format!("again: {attempt}"));
            }
        })
        .on_close(move |_, close| log.lock().unwrap().push(close.to_string()))
        .connect()
        .unwrap()
}

#[wasm_bindgen_test(unsupported = test)]
fn hours_of_connecting_again_take_no_time() {
    let network = Network::new();
    for news in ["monday", "tuesday"] {
        let peer = network.peer("ws://peer/feed");
        peer.expect("subscribe").send(news);
        peer.delay(HOUR).drop_connection();
        network.peer("ws://peer/feed").refuse("not yet");
    }
    let last = network.peer("ws://peer/feed");
    last.expect("subscribe").close_with(4000, "enough");
    let log = Arc::default();
    let socket = subscribe(Arc::clone(&log));
    network.advance(3 * HOUR);
    assert_eq!(
        *log.lock().unwrap(),
        [
            "monday",
            "again: 1",
            "again: 2",
            "tuesday",
            "again: 1",
            "again: 2",
            "closed with code 4000 (clean): enough",
        ]
    );
    assert_eq!(socket.ready_state(), ReadyState::Closed);
    assert_eq!(network.timers(), 0);
    network.finish();
}

#[wasm_bindgen_test(unsupported = test)]
fn a_frame_loop_reads_once_a_frame() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    peer.send("a").delay(HOUR).send([1u8]).close();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let screen = Rc::new(RefCell::new(Vec::new()));
    let mut events = socket.events();
    let mut frame = || {
        while let Some(event) = events.try_next() {
            screen.borrow_mut().push(event.kind());
        }
        screen.take()
    };
    assert_eq!(frame(), []);
    network.run();
    assert_eq!(frame(), [EventKind::Open, EventKind::Message]);
    network.advance(HOUR);
    assert_eq!(frame(), [EventKind::Message, EventKind::Close]);
    let refused = socket.send("late");
    assert_eq!(refused, Err(SendError::Closed("late".into())));
}

/// A feature that one crate of a program enables must change no type that another
/// crate uses.
#[wasm_bindgen_test(unsupported = test)]
fn the_mock_changes_the_type_of_no_socket() {
    for name in [
        std::any::type_name::<WebSocket>(),
        std::any::type_name::<Reconnecting>(),
        std::any::type_name::<isosocket::Events>(),
    ] {
        assert!(!name.to_lowercase().contains("mock"), "{name}");
    }
}

/// On a page a hook may hold what stays on its thread, like a handler; elsewhere it
/// need not be `Sync`.
#[wasm_bindgen_test(unsupported = test)]
fn a_frame_loop_sleeps_until_a_hook_wakes_it() {
    let network = Network::new();
    network.peer("ws://game/").send("north").close();
    let socket = Reconnecting::builder("ws://game/")
        .retry(|_| Retry::GiveUp)
        .connect()
        .unwrap();
    let (mut events, mut statuses) = (socket.events(), socket.statuses());
    let (sender, frames) = std::sync::mpsc::channel();
    let mut count = 0;
    let repaint = sender.clone();
    events.set_wake_hook(move || {
        count += 1;
        repaint.send(count).unwrap();
    });
    statuses.set_wake_hook(hook(move || sender.send(0).unwrap()));
    network.run();
    assert!(frames.try_iter().count() >= 4);
    let seen = std::iter::from_fn(|| events.try_next().map(|event| event.kind()));
    use EventKind::{Close, Message, Open};
    assert_eq!(seen.collect::<Vec<_>>(), [Open, Message, Close]);
    let last = std::iter::from_fn(|| statuses.try_next()).last();
    assert!(matches!(last, Some(Status::GaveUp(_))));
}

/// A hook that holds what no other thread may have, where that is allowed.
#[cfg(all(target_family = "wasm", not(target_feature = "atomics")))]
fn hook(call: impl Fn() + 'static) -> impl isosocket::MaybeSend + Fn() + 'static {
    let kept = Rc::new(());
    move || {
        let _ = &kept;
        call();
    }
}

#[cfg(not(all(target_family = "wasm", not(target_feature = "atomics"))))]
fn hook(call: impl Fn() + Send + 'static) -> impl Fn() + Send + 'static {
    call
}

#[wasm_bindgen_test(unsupported = test)]
fn a_network_is_there_also_where_the_host_has_no_websocket() {
    let before = isosocket::supported();
    let network = Network::new();
    assert!(isosocket::supported());
    drop(network);
    assert_eq!(isosocket::supported(), before);
}
