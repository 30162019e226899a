//! Streams, sinks and frame loops: other ways to the same events (S54, S98, S101).

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use futures::stream::FusedStream;
use futures::{SinkExt, StreamExt, stream};
use isosocket::{Event, Message};

use crate::probe::{Probe, Via, new_socket, trace, url};
use crate::suite::{Seen, ensure, ensure_eq};

/// The hook of a frame loop: says that there is something to read.
#[derive(Clone, Default)]
struct Frames(Arc<Mutex<(bool, Option<Waker>)>>);

impl Frames {
    fn request(&self) {
        let waker = {
            let mut inner = self.0.lock().expect("nobody panics with this lock");
            inner.0 = true;
            inner.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    async fn next(&self) {
        std::future::poll_fn(|context| {
            let mut inner = self.0.lock().expect("nobody panics with this lock");
            if std::mem::take(&mut inner.0) {
                return Poll::Ready(());
            }
            inner.1 = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

/// Nothing but the hook says when to look, so what it does not announce is not seen.
pub async fn a_frame_loop_that_wakes_by_its_hook_sees_everything() -> Seen {
    let socket = new_socket(url("/echo")).map_err(|error| error.to_string())?;
    let mut events = socket.events();
    let frames = Frames::default();
    let hook = frames.clone();
    events.set_wake_hook(move || hook.request());
    let mut seen = Vec::new();
    while !events.is_terminated() {
        frames.next().await;
        let before = seen.len();
        seen.extend(std::iter::from_fn(|| events.try_next()));
        ensure!(seen.len() > before, "the hook came before the event");
        match seen.last() {
            Some(Event::Open) => socket.send("a"),
            Some(Event::Message(message)) if message == &Message::from("a") => socket.send("b"),
            Some(Event::Message(_)) => {
                socket.close();
                Ok(())
            }
            _ => Ok(()),
        }
        .map_err(|error| error.to_string())?;
    }
    let words = trace(&seen);
    ensure_eq!(
        words,
        r#"open text("a") text("b") close(1005 "" clean)"#,
        "events"
    );
    Ok(words)
}

pub async fn a_wake_hook_is_not_called_inside_the_call_that_sets_it() -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    probe.socket.send("a").map_err(|error| error.to_string())?;
    probe.message().await?;
    let mut late = probe.socket.events();
    probe.socket.send("b").map_err(|error| error.to_string())?;
    probe.message().await?;
    // The second message waits in this stream, too.
    let frames = Frames::default();
    let inside = Arc::new(AtomicBool::new(false));
    let (hook, flag, own) = (frames.clone(), inside.clone(), thread::current().id());
    late.set_wake_hook(move || {
        flag.fetch_or(thread::current().id() == own, Ordering::SeqCst);
        hook.request();
    });
    let inside = inside.load(Ordering::SeqCst);
    ensure!(!inside, "the hook was called inside set_wake_hook");
    frames.next().await;
    ensure_eq!(
        late.try_next(),
        Some(Event::Message("b".into())),
        "what waited"
    );
    probe.socket.close();
    probe.finish().await
}

/// Futures that were polled and dropped take nothing with them.
pub async fn a_cancelled_wait_loses_nothing() -> Seen {
    let mut probe = Probe::path("/echo")?;
    // Another thread delivers `Open`. Only after it is it sure what this stream gets.
    probe.opened().await?;
    let mut events = probe.socket.events();
    let mut cancel = || {
        let context = &mut Context::from_waker(Waker::noop());
        pin!(events.next()).poll(context)
    };
    ensure!(cancel().is_pending(), "before anything happened");
    for text in ["a", "b", "c"] {
        probe.socket.send(text).map_err(|error| error.to_string())?;
        {
            let ready = pin!(probe.socket.send_ready());
            let _ = ready.poll(&mut Context::from_waker(Waker::noop()));
        }
        probe.message().await?;
    }
    probe.socket.close();
    probe.finish().await?;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(Some(event)) = pin!(events.next()).poll(context) {
            seen.push(event);
        }
    }
    let words = trace(&seen);
    ensure_eq!(
        words,
        r#"text("a") text("b") text("c") close(1005 "" clean)"#,
        "events"
    );
    Ok(words)
}

/// Far more than the send limit allows at a time.
pub async fn a_sink_waits_for_room_and_keeps_the_order() -> Seen {
    const COUNT: usize = 100;
    const LIMIT: usize = 64 << 10;
    // Without an echo: undici stops reading, and so its peer writing, when much
    // comes while it sends.
    let path = "/script?do=wait:close;answer";
    let mut probe = Probe::with(Via::Stream, path, |builder| builder.send_limit(LIMIT))?;
    let mut sender = probe.socket.sender();
    let sizes = (0..COUNT).map(|n| 20_000 + n);
    let messages = sizes.clone().map(|size| Message::from(vec![7; size]));
    // It begins while connecting: a sink waits for that, too.
    let sent = sender.send_all(&mut stream::iter(messages).map(Ok)).await;
    sent.map_err(|error| error.to_string())?;
    ensure_eq!(probe.socket.buffered_amount(), 0, "buffered, once flushed");
    sender.close().await.map_err(|error| error.to_string())?;
    probe.finish().await?;
    let record = probe.record().await?.messages();
    let lengths: Vec<usize> = record
        .iter()
        .map(|(_, length, _)| *length as usize)
        .collect();
    ensure_eq!(lengths, sizes.collect::<Vec<_>>(), "what arrived");
    Ok(format!("{COUNT} messages, a limit of {LIMIT} bytes"))
}

pub async fn a_sink_of_a_closed_socket_gives_the_message_back() -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    let mut sender = probe.socket.sender();
    sender
        .send("a".into())
        .await
        .map_err(|error| error.to_string())?;
    probe.message().await?;
    probe.socket.close();
    let seen = probe.finish().await?;
    let refused = sender.send("late".into()).await;
    let refused = refused.expect_err("a closed socket takes nothing");
    ensure_eq!(refused.into_message(), Message::from("late"), "refused");
    sender.close().await.map_err(|error| error.to_string())?;
    Ok(seen)
}
