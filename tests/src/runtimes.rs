//! The same async program on every executor that authors use: a socket needs
//! no runtime of its own, and loses nothing in any (S47, S54, S59, S97, S101,
//! S102).
//!
//! Invariant: a body knows its executor by [`Runtime`] only, and everything it
//! spawns is `Send`, on every target.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;

use futures::SinkExt;
use futures::channel::oneshot;
use futures::future::{Either, abortable, join, select};
use isosocket::{Event, Message, SendError};

use crate::harness;
use crate::probe::{Probe, Via, check_sequence, fresh_id, open_socket, trace, url, with_id};
use crate::record::record;
use crate::suite::{CASE_LIMIT, Seen, ensure, ensure_eq, within};

/// What a body asks of the executor that it runs on.
pub trait Runtime {
    /// Runs a task at the same time as this one, on any thread.
    fn spawn<T: Send + 'static>(
        task: impl Future<Output = T> + Send + 'static,
    ) -> impl Future<Output = T>;

    /// The future's output, unless it takes longer than so many milliseconds:
    /// by the executor's own timer where it has one.
    fn timeout<F: Future>(milliseconds: u32, future: F) -> impl Future<Output = Option<F::Output>> {
        within(milliseconds, future)
    }
}

/// Runs a body, within a case's time.
///
/// # Panics
/// With what was wrong.
pub async fn check(body: impl Future<Output = Seen>) {
    if !isosocket::supported() {
        harness::print("not run: there is no WebSocket here");
        return;
    }
    match within(CASE_LIMIT, body).await {
        Some(Ok(seen)) => harness::print(&seen),
        Some(Err(wrong)) => panic!("{wrong}"),
        None => panic!("not done after {CASE_LIMIT} ms"),
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// Lets the executor do something else, so many times.
async fn turns(mut count: usize) {
    poll_fn(|context| match count.checked_sub(1) {
        Some(left) => {
            count = left;
            context.waker().wake_by_ref();
            Poll::Pending
        }
        None => Poll::Ready(()),
    })
    .await;
}

/// The future's output, unless the executor had a turn before: then it was
/// polled, and is dropped.
async fn for_a_turn<T>(future: impl Future<Output = T>) -> Option<T> {
    match select(pin!(future), pin!(turns(1))).await {
        Either::Left((output, _)) => Some(output),
        Either::Right(_) => None,
    }
}

/// Opened in one task, read in another and written in a third, with waits that
/// are given up on the way, until the stream ends.
pub async fn one_socket_in_three_tasks<R: Runtime>() -> Seen {
    const COUNT: usize = 200;
    let address = url("/echo");
    let opened = R::spawn(async move { open_socket(&address).await }).await;
    let socket = opened.map_err(text)?;
    let (mut events, mut sender) = (socket.events(), socket.sender());

    let (finish, finished) = oneshot::channel();
    let writer = R::spawn(async move {
        finished.await.map_err(text)?;
        for number in 0..COUNT {
            let _ = for_a_turn(sender.socket().send_ready()).await;
            let message = Message::from(number.to_string());
            sender.send(message).await.map_err(text)?;
        }
        // It ends with the closing handshake, which the reader begins.
        poll_fn(|context| sender.poll_flush_unpin(context))
            .await
            .map_err(text)
    });
    let reader = R::spawn(async move {
        let mut seen: Vec<Event> = events.next().await.into_iter().collect();
        // Nothing was sent yet, so this wait is given up for certain.
        seen.extend(for_a_turn(events.next()).await.flatten());
        let mut given_up = 1;
        let _ = finish.send(());
        loop {
            let event = match for_a_turn(events.next()).await {
                Some(event) => event,
                None => {
                    given_up += 1;
                    events.next().await
                }
            };
            let Some(event) = event else {
                return (seen, given_up);
            };
            seen.push(event);
            if seen.len() == COUNT + 1 {
                socket.close();
            }
        }
    });
    let (wrote, (seen, given_up)) = join(writer, reader).await;
    wrote?;
    check_sequence(&seen)?;
    let echoes = seen.iter().filter_map(|event| match event {
        Event::Message(message) => message.as_text(),
        _ => None,
    });
    let expected: Vec<String> = (0..COUNT).map(|number| number.to_string()).collect();
    ensure!(echoes.eq(&expected), "the echoes: {}", trace(&seen));
    let end = trace(&seen[COUNT + 1..]);
    ensure_eq!(end, r#"close(1005 "" clean)"#, "the end");
    Ok(format!("{COUNT} echoes, {given_up} waits given up"))
}

/// The executor's own timer ends a wait for an event and a wait for room, and
/// both go on as if nothing had been.
pub async fn a_timeout_loses_nothing<R: Runtime>() -> Seen {
    const LIMIT: usize = 1 << 20;
    let path = "/script?do=rcvbuf:65536;delay:300;slow:65536:4;text:b;wait:close;answer";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder.send_limit(LIMIT))?;
    probe.opened().await?;
    let early = R::timeout(2, probe.next()).await;
    ensure!(early.is_none(), "an event before any was sent: {early:?}");

    let (mut sent, mut timeouts) = (0u8, 0);
    // A browser may take in all of it by itself, faster than a timer comes. And a program
    // on an emulated processor may be slower than the peer.
    let always_room = harness::WEB || harness::is_emulated();
    // The peer's record has the payloads of 128 such messages.
    let most = if harness::WEB { 48 } else { 120 };
    while timeouts < 2 && sent < most {
        match probe.socket.send(vec![sent; 64 << 10]) {
            Ok(()) => sent += 1,
            Err(SendError::Full(_)) => {
                let ready = R::timeout(2, probe.socket.send_ready()).await;
                timeouts += usize::from(ready.is_none());
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    ensure!(always_room || timeouts == 2, "there was always room");
    probe.socket.send_ready().await;
    let last = probe.socket.send(vec![sent; 64 << 10]);
    last.map_err(|error| format!("ready, and refused: {error}"))?;
    ensure_eq!(probe.message().await?, Message::from("b"), "what came");
    probe.socket.close();
    probe.finish().await?;

    let record = probe.record().await?;
    let arrived = record.messages().into_iter();
    let arrived: Vec<String> = arrived.map(|(_, _, payload)| payload[..2].into()).collect();
    let expected: Vec<String> = (0..=sent).map(|number| format!("{number:02x}")).collect();
    ensure_eq!(arrived, expected, "what arrived");
    Ok(format!("{} messages, {timeouts} timeouts", arrived.len()))
}

/// What a runtime does with its tasks when it is shut down.
pub async fn a_task_that_is_aborted_closes_its_socket<R: Runtime>() -> Seen {
    let id = fresh_id();
    let address = url(&with_id("/echo", &id));
    let (finish, finished) = oneshot::channel();
    let (task, abort) = abortable(async move {
        let socket = open_socket(&address).await.map_err(text)?;
        let mut events = socket.events();
        socket.send("a").map_err(text)?;
        let seen = [events.next().await, events.next().await];
        let _ = finish.send(trace(&seen.map(|event| event.expect("it is open"))));
        // Nothing comes any more: it waits until it is aborted.
        let event = events.next().await;
        Err::<(), _>(format!("{event:?} without a cause"))
    });
    let task = R::spawn(task);
    let seen = finished.await.map_err(|_| "the task ended by itself")?;
    abort.abort();
    ensure!(task.await.is_err(), "the task ended by itself");
    ensure_eq!(seen, r#"open text("a")"#, "before");
    ensure_eq!(record(&id).await?.closes(), "empty", "the Close frame");
    Ok("an empty Close frame".into())
}
