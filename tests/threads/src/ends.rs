//! A worker that is terminated while it has sockets: what the other threads see.

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::{Either, select};
use isosocket::{Event, ReadyState, Reconnecting, SendError, Status, WebSocket};
use isosocket_tests::harness;
use isosocket_tests::probe::{fresh_id, trace, url, with_id};
use isosocket_tests::record::record;
use isosocket_tests::suite::{Seen, within};
use std::pin::pin;
use std::time::Duration;

use crate::cases::{ensure, same, text};
use crate::worker::{elsewhere, end_second, has_locks, in_overtaken, in_second, second_look};

const NO_LOCKS: &str = "there are no Web Locks here, so nobody notices";
const FAIL: &str = r#"error close(1006 "" unclean)"#;

/// Echoes, and says nothing where the client goes.
fn echo(id: &str) -> String {
    url(&with_id("/echo", id))
}

// S97, S105
pub async fn sockets_of_a_terminated_worker_fail() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let ids = [fresh_id(), fresh_id()];
    let urls = ids.clone().map(|id| echo(&id));
    let silent = url("/script?do=nohandshake;limit:20000;wait:end");
    let (first, other, connecting) = in_second(move || async move {
        let [first, other] = urls;
        let first = WebSocket::open(first).await.map_err(text)?;
        let other = WebSocket::open(other).await.map_err(text)?;
        let connecting = WebSocket::new(silent).map_err(text)?;
        Ok((first, other, connecting))
    })
    .await?;
    // A stream here, one in another worker, which only waits, and a handler.
    let (mut here, mut there) = (first.events(), other.events());
    let (sender, mut notes) = mpsc::unbounded();
    first.on_close(move |_, close| drop(sender.unbounded_send(close.code)));
    first.send("hello").map_err(text)?;
    let mut seen = Vec::new();
    while seen.len() < 2 {
        seen.extend(here.next().await);
    }
    let (begun, mut began) = mpsc::unbounded();
    let waits = elsewhere(move || async move {
        let mut seen = Vec::new();
        let _ = begun.unbounded_send(());
        while let Some(event) = there.next().await {
            seen.push(event);
        }
        Ok(trace(&seen))
    });
    let ends = async {
        began.next().await;
        end_second(2).await?;
        while let Some(event) = here.next().await {
            seen.push(event);
        }
        same(
            trace(&seen),
            format!(r#"open text("hello") {FAIL}"#),
            "the stream here",
        )?;
        same(notes.next().await, Some(1006), "the handler")?;
        let close = connecting.closed().await;
        same(close.code, 1006, "the one that was connecting")?;
        Ok::<_, String>(())
    };
    let (waited, ended) = futures::future::join(waits, ends).await;
    same(waited?, format!("open {FAIL}"), "the stream elsewhere")?;
    ended?;
    for socket in [&first, &other, &connecting] {
        same(socket.ready_state(), ReadyState::Closed, "the state")?;
        let late = socket.send("late");
        same(late, Err(SendError::Closed("late".into())), "a late one")?;
        socket.close();
    }
    for id in &ids {
        let record = record(id).await?;
        ensure(record.closes() != "4000", "no Close frame of ours")?;
    }
    Ok("streams, a handler, and one that was connecting".into())
}

/// The worker is busy from the moment in which it has made its socket. So it never hears
/// that the lock is its own.
pub async fn sockets_of_a_worker_that_never_got_its_lock_fail() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let (made, mut sockets) = mpsc::unbounded();
    let url = echo(&fresh_id());
    let busy = in_second(move || async move {
        let _ = made.unbounded_send(WebSocket::new(url).map_err(text)?);
        while !made.is_closed() {
            std::hint::spin_loop();
        }
        Ok(())
    });
    let ends = async {
        let socket = sockets.next().await.ok_or("no socket")?;
        let mut events = socket.events();
        end_second(0).await?;
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        same(trace(&seen), FAIL.to_owned(), "the stream here")?;
        same(socket.ready_state(), ReadyState::Closed, "the state")
    };
    // The worker never answers.
    match select(pin!(busy), pin!(ends)).await {
        Either::Left((answer, _)) => Err(format!("the worker answered: {answer:?}")),
        Either::Right((ended, _)) => ended.map(|()| "it fails".to_owned()),
    }
}

/// This thread gets the lock before the worker has asked for it, as can happen in browsers.
pub async fn a_socket_of_a_worker_that_gets_its_lock_late_lives() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let url = echo(&fresh_id());
    let socket = in_overtaken(|| async { WebSocket::open(url).await.map_err(text) }).await?;
    let mut events = socket.events();
    match select(pin!(socket.closed()), pin!(second_look())).await {
        Either::Left((close, _)) => return Err(format!("it ended: {close}")),
        Either::Right((looked, _)) => looked?,
    }
    socket.send("hello").map_err(text)?;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        if matches!(event, Event::Message(_)) {
            socket.close();
        }
        seen.push(event);
    }
    end_second(0).await?;
    let expected = r#"open text("hello") close(1005 "" clean)"#;
    same(trace(&seen), expected.to_owned(), "the stream here")?;
    Ok("after a second look".into())
}

pub async fn what_is_asked_of_a_terminated_worker_does_not_pile_up() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let made = echo(&fresh_id());
    let socket = in_second(|| async { WebSocket::open(made).await.map_err(text) }).await?;
    let mut events = socket.events();
    end_second(1).await?;
    let mut taken = 0;
    // Until the end is known the socket takes what its limit allows.
    while socket.send(vec![0; 1000]).is_ok() && taken < 100 {
        taken += 1;
    }
    while events.next().await.is_some() {}
    let before = harness::memory();
    for _ in 0..2000 {
        let refused = socket.send(vec![0; 10_000]);
        ensure(refused.is_err(), "it takes more")?;
        drop(socket.events());
        drop(socket.on_message(|_, _| ()));
    }
    let grown = harness::memory() - before;
    ensure(grown < 1 << 20, format!("the memory grew by {grown} bytes"))?;
    Ok(format!("{taken} before the end was known"))
}

pub async fn a_socket_that_reconnects_moves_away_from_a_terminated_worker() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let made = echo(&fresh_id());
    let socket = in_second(move || async move {
        let builder = Reconnecting::builder(made);
        let short = Duration::from_millis(1);
        builder.backoff(short, short).open().await.map_err(text)
    })
    .await?;
    let (mut events, mut statuses) = (socket.events(), socket.statuses());
    let mut seen = Vec::new();
    for round in 0..2 {
        let opens = async {
            while seen.last() != Some(&Status::Open) {
                seen.extend(statuses.next().await);
            }
        };
        let opened = within(8_000, opens).await;
        opened.ok_or_else(|| {
            let state = socket.ready_state();
            format!("round {round}: not open, but {state:?}, after {seen:?}")
        })?;
        seen.clear();
        if round == 0 {
            end_second(1).await?;
        }
    }
    socket.send("hello").map_err(text)?;
    while !matches!(events.next().await, Some(Event::Message(_))) {}
    socket.close();
    while events.next().await.is_some() {}
    Ok("it goes on here".into())
}
