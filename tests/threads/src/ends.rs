//! A worker that is terminated while it has sockets: what the other threads see.

use futures::channel::mpsc;
use futures::future::{Either, select};
use futures::{FutureExt, StreamExt};
use isosocket::{Event, Events, ReadyState, Reconnecting, Retry, SendError, Status, WebSocket};
use isosocket_tests::harness;
use isosocket_tests::probe::{fresh_id, trace, url, with_id};
use isosocket_tests::record::record;
use isosocket_tests::suite::{Seen, within};
use std::pin::pin;
use std::time::Duration;

use crate::cases::{ensure, same, text};
use crate::worker::{
    elsewhere, end_second, has_locks, in_overtaken, in_second, refuse_locks, refused_locks,
    second_is_free, second_look,
};

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

/// A socket of the second worker goes on: it gets its echo, and ends as this thread asks.
async fn lives(socket: &WebSocket, mut events: Events) -> Result<(), String> {
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
    same(trace(&seen), expected.to_owned(), "the stream here")
}

/// This thread gets the lock before the worker has asked for it, as can happen in browsers.
pub async fn a_socket_of_a_worker_that_gets_its_lock_late_lives() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let url = echo(&fresh_id());
    let socket = in_overtaken(|| async { WebSocket::open(url).await.map_err(text) }).await?;
    let events = socket.events();
    match select(pin!(socket.closed()), pin!(second_look())).await {
        Either::Left((close, _)) => return Err(format!("it ended: {close}")),
        Either::Right((looked, _)) => looked?,
    }
    lives(&socket, events).await?;
    Ok("after a second look".into())
}

/// It ends while a handler runs, so nobody gives its turn back.
pub async fn a_socket_of_a_worker_that_ends_in_a_handler_fails() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let url = echo(&fresh_id());
    let (begun, mut began) = mpsc::unbounded();
    let socket = in_second(|| async move {
        let socket = WebSocket::open(url).await.map_err(text)?;
        socket.on_message(move |_, _| {
            let _ = begun.unbounded_send(());
            while !begun.is_closed() {
                std::hint::spin_loop();
            }
        });
        Ok(socket)
    })
    .await?;
    socket.send("hello").map_err(text)?;
    began.next().await;
    end_second(1).await?;
    let close = socket.closed().await;
    same(close.code, 1006, "the end")?;
    same(socket.ready_state(), ReadyState::Closed, "the state")?;
    Ok("it fails".into())
}

/// Another thread only sends, and listens to nothing.
pub async fn who_only_sends_notices_that_a_worker_was_terminated() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let url = echo(&fresh_id());
    let socket = in_second(|| async { WebSocket::open(url).await.map_err(text) }).await?;
    socket.send("hello").map_err(text)?;
    end_second(1).await?;
    while socket.ready_state() == ReadyState::Open {
        harness::sleep(5).await;
    }
    same(socket.ready_state(), ReadyState::Closed, "the state")?;
    Ok("closed".into())
}

/// The host does not tell this thread whether a lock is free. So it does not know whether the
/// worker has ended, and its socket goes on.
pub async fn a_socket_lives_where_locks_are_refused() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    for throws in [true, false] {
        let url = echo(&fresh_id());
        let socket = in_second(|| async { WebSocket::open(url).await.map_err(text) }).await?;
        refuse_locks(throws);
        let events = socket.events();
        refused_locks().await?;
        lives(&socket, events).await?;
    }
    Ok("exceptions and rejections".into())
}

/// S102: a thread holds its lock only while somebody can ask something of it.
pub async fn a_worker_without_sockets_holds_no_lock() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let url = echo(&fresh_id());
    let socket = in_second(|| async { WebSocket::open(url).await.map_err(text) }).await?;
    let mut events = socket.events();
    socket.close();
    while events.next().await.is_some() {}
    drop((socket, events));
    second_is_free().await?;
    end_second(0).await?;
    Ok("it is free".into())
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

/// It waits for its next attempt when its worker ends, and has no connection. A stream of
/// statuses waits here, or a handler does.
pub async fn a_socket_that_waits_for_an_attempt_goes_on_without_its_worker() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    for by_handler in [false, true] {
        let refusing = url("/refuse/503");
        let socket = in_second(move || async move {
            let builder = Reconnecting::builder(refusing);
            let second = Duration::from_secs(1);
            builder.backoff(second, second).connect().map_err(text)
        })
        .await?;
        let (sender, mut statuses) = mpsc::unbounded();
        match by_handler {
            true => drop(socket.on_status(move |_, status| {
                let _ = sender.unbounded_send(status.clone());
            })),
            false => {
                let stream = socket.statuses();
                isosocket::run(stream.map(Ok).forward(sender).map(drop));
            }
        }
        let attempt = |status| match status {
            Some(Status::Waiting { attempt, .. }) => Ok(attempt),
            Some(_) => Ok(0),
            None => Err("it ended".to_owned()),
        };
        while attempt(statuses.next().await)? < 2 {}
        end_second(1).await?;
        while attempt(statuses.next().await)? < 3 {}
        socket.close();
        while statuses.next().await.is_some() {}
    }
    Ok("the next attempt is made here".into())
}

/// It was too busy to do it. The thread that notices the worker's end does it.
pub async fn what_a_terminated_worker_has_not_done_is_done_elsewhere() -> Seen {
    if !has_locks() {
        return Ok(NO_LOCKS.into());
    }
    let (made, mut sockets) = mpsc::unbounded();
    let refusing = url("/refuse/503");
    let busy = in_second(move || async move {
        let an_hour = Duration::from_secs(3600);
        let builder = Reconnecting::builder(refusing).retry(move |_| Retry::After(an_hour));
        let socket = builder.connect().map_err(text)?;
        let mut statuses = socket.statuses();
        while !matches!(statuses.next().await, Some(Status::Waiting { .. })) {}
        let _ = made.unbounded_send(socket);
        while !made.is_closed() {
            std::hint::spin_loop();
        }
        Ok(())
    });
    let ends = async {
        let socket: Reconnecting = sockets.next().await.ok_or("no socket")?;
        let mut statuses = socket.statuses();
        socket.retry_now();
        end_second(1).await?;
        loop {
            match statuses.next().await {
                Some(Status::Waiting { attempt: 3, .. }) => return Ok::<_, String>(()),
                Some(_) => {}
                None => return Err("it ended".into()),
            }
        }
    };
    match select(pin!(busy), pin!(ends)).await {
        Either::Left((answer, _)) => Err(format!("the worker answered: {answer:?}")),
        Either::Right((ended, _)) => ended.map(|()| "an attempt that was asked for".to_owned()),
    }
}
