//! Sockets that connect again, over real connections: the rules of every socket
//! hold for them too (S40, S47, S68, S97, S102), and those of
//! `facade/guide/reconnecting.md` (R1 to R25). Cases that take long, or need a peer that
//! fails at a chosen moment, are tests of core, in simulated time.

use std::convert::Infallible;
use std::time::Duration;

use isosocket::{Event, IntoUrl, Reconnecting, ReconnectingBuilder, Retry, Status};

use super::dropping::Flag;
use crate::harness;
use crate::probe::{fresh_id, trace, url, with_id};
use crate::record::{open_gate, record};
use crate::suite::{Seen, ensure, ensure_eq};

/// A wait that no case waits for.
const HOUR: Duration = Duration::from_secs(3600);

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// A builder of a socket that connects again, in this run's way.
fn builder(url: impl IntoUrl) -> ReconnectingBuilder {
    harness::chosen(Reconnecting::builder(url))
}

/// A socket that connects to `first`, and then, in no time, to `second`.
fn two(first: String, second: String) -> ReconnectingBuilder {
    let mut urls = vec![second, first];
    builder("ws://isosocket.invalid/")
        .url_provider(move |_| {
            let next = match urls.len() {
                1 => urls.first().cloned(),
                _ => urls.pop(),
            };
            let url = next.unwrap_or_default();
            async move { Ok::<_, Infallible>(url) }
        })
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
}

/// How the first connection ends, or why there is none.
pub const ENDINGS: &[&str] = &[
    "/close/1012/restart",
    "/close",
    "/fin",
    "/rst",
    "/refuse/503",
    "/drop",
    "/drop/rst",
    "/garbage",
    "/raw/ff00",
];

/// R2, R7.
pub async fn after_a_loss_it_connects_again(path: &'static str) -> Seen {
    let (lost, id) = (fresh_id(), fresh_id());
    let echo = url(&with_id("/echo", &id));
    let first = url(&with_id(&format!("{path}?gate"), &lost));
    let socket = two(first, echo).connect().map_err(text)?;
    let (mut events, mut statuses) = (socket.events(), socket.statuses());
    open_gate(&lost).await?;
    // One of the two connections may have been open unseen: `Open` does not
    // say which it is.
    let mut losses = 0;
    while let Some(status) = statuses.next().await {
        match status {
            Status::Waiting { .. } => losses += 1,
            Status::Open if losses == 1 => break,
            _ => {}
        }
    }
    ensure_eq!(losses, 1, "losses");
    socket.send("hello").map_err(text)?;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        if event == Event::Message("hello".into()) {
            socket.close();
        }
        seen.push(event);
    }
    let words = trace(&seen);
    ensure!(
        words.ends_with(r#"open text("hello") close(1005 "" clean)"#),
        "events: {words}"
    );
    ensure!(
        !words.contains("error"),
        "a single loss is an event: {words}"
    );
    let record = record(&id).await?;
    ensure_eq!(record.messages().len(), 1, "messages on the wire");
    ensure_eq!(record.closes(), "empty", "the Close frame");
    Ok(words)
}

/// R17.
pub async fn what_was_sent_without_a_connection_comes_first_and_in_order() -> Seen {
    let (refused, id) = (fresh_id(), fresh_id());
    let first = url(&with_id("/refuse/500?gate", &refused));
    // The connection must not be open before the last of the three is sent.
    let echo = url(&with_id("/echo?gate", &id));
    let socket = two(first, echo)
        .on_open(|socket| {
            let _ = socket.send("4");
        })
        .connect()
        .map_err(text)?;
    socket.send("1").map_err(text)?;
    let (mut events, mut statuses) = (socket.events(), socket.statuses());
    socket.send("2").map_err(text)?;
    open_gate(&refused).await?;
    while let Some(status) = statuses.next().await {
        if matches!(status, Status::Waiting { .. }) {
            break;
        }
    }
    socket.send("3").map_err(text)?;
    open_gate(&id).await?;
    let mut seen = String::new();
    while let Some(event) = events.next().await {
        if let Event::Message(message) = event {
            seen += message.as_text().unwrap_or("?");
            if seen.len() == 4 {
                socket.close();
            }
        }
    }
    ensure_eq!(seen, "1234", "the echoes");
    ensure_eq!(record(&id).await?.messages().len(), 4, "on the wire");
    Ok(seen)
}

/// R2.
pub async fn open_comes_for_each_connection_and_close_once() -> Seen {
    let id = fresh_id();
    let path = "/script?do=wait:message;text:b;close:1012&gate";
    let socket = builder(url(&with_id(path, &id)))
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .on_open(|socket| {
            let _ = socket.send("a");
        })
        .connect()
        .map_err(text)?;
    let mut events = socket.events();
    open_gate(&id).await?;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
        if seen.len() == 6 {
            socket.close();
        }
    }
    let words = trace(&seen);
    let thrice = [r#"open text("b")"#; 3].join(" ");
    ensure!(words.starts_with(&thrice), "events: {words}");
    let rest = seen.split_off(6);
    ensure!(
        matches!(rest.last(), Some(Event::Close(_))),
        "the end: {}",
        trace(&rest)
    );
    Ok(words)
}

/// A socket that waits for an hour.
async fn waiting(builder: ReconnectingBuilder) -> Result<Reconnecting, String> {
    let socket = builder
        .retry(|_| Retry::After(HOUR))
        .connect()
        .map_err(text)?;
    let mut statuses = socket.statuses();
    while let Some(status) = statuses.next().await {
        if matches!(status, Status::Waiting { .. }) {
            return Ok(socket);
        }
    }
    Err("it does not wait".to_owned())
}

/// R52.
pub async fn the_time_until_the_next_attempt_falls() -> Seen {
    let socket = waiting(builder(url("/refuse/500"))).await?;
    let first = socket.time_left().ok_or("it waits")?;
    ensure!(first <= HOUR, "more than the whole wait: {first:?}");
    ensure!(first > HOUR - HOUR / 2, "too little: {first:?}");
    while socket.time_left() >= Some(first) {
        harness::sleep(1).await;
    }
    socket.close();
    ensure_eq!(socket.time_left(), None, "after the end");
    Ok("it falls".to_owned())
}

/// R24.
pub async fn closing_while_it_waits_ends_at_once() -> Seen {
    let socket = waiting(builder(url("/refuse/500"))).await?;
    let mut events = socket.events();
    socket.close();
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        seen.push(event);
    }
    let words = trace(&seen);
    ensure_eq!(words, r#"close(1006 "" unclean)"#, "events");
    ensure_eq!(socket.status(), Status::Closed, "the status");
    Ok(words)
}

/// R25.
pub async fn dropping_a_socket_that_waits_frees_everything() -> Seen {
    let mut flags = Vec::new();
    let mut owned = || {
        let (flag, owned) = Flag::with_owner();
        flags.push(flag);
        owned
    };
    let (message, close, status) = (owned(), owned(), owned());
    let builder = builder(url("/refuse/500"))
        .on_message(move |_, _| {
            let _keep = &message;
        })
        .on_close(move |_, _| {
            let _keep = &close;
        })
        .on_status(move |_, _| {
            let _keep = &status;
        });
    drop(waiting(builder).await?);
    for flag in &flags {
        flag.wait().await;
    }
    Ok("freed".into())
}

/// R25. A wait for an hour keeps the event loop's thread; once it is over, nothing.
pub async fn a_wait_that_is_over_leaves_neither_thread_nor_descriptor() -> Seen {
    let name = "S102::a_wait_that_is_over_leaves_neither_thread_nor_descriptor";
    if !harness::is_alone() {
        return harness::run_alone(name);
    }
    let before = harness::resources();
    let dropped = waiting(builder(url("/refuse/500"))).await?;
    let closed = waiting(builder(url("/refuse/500"))).await?;
    let during = harness::resources();
    ensure!(
        during > before,
        "{during:?} while waiting, {before:?} before"
    );
    closed.close();
    drop(dropped);
    // Nothing reports that a thread has ended; the case's own deadline bounds this.
    while harness::resources() != before {
        harness::sleep(5).await;
    }
    Ok(format!("{before:?} threads and descriptors again"))
}
