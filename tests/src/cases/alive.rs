//! S115: heartbeats, idle timeouts and counters, over real connections. What depends on exact times
//! is tested in core, in simulated time.

use std::time::Duration;

use isosocket::{ErrorKind, Heartbeat, NewError, Timeout};

use crate::harness;
use crate::probe::{Probe, Via, fresh_id, socket_builder, url, with_id};
use crate::record::record;
use crate::suite::{Seen, ensure, ensure_eq};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3600);

/// A peer that answers three questions and then has news.
const ANSWERS: &str = "/script?do=repeat:3;wait:message;text:pong;next;text:news;echo";

pub async fn answers_reach_no_handler_and_are_measured() -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let id = fresh_id();
        let builder = socket_builder(url(&with_id(ANSWERS, &id)))
            .heartbeat(Heartbeat::new(SHORT, LONG).message("ping").answer("pong"));
        let mut probe = Probe::from_builder(via, builder).map_err(|e| e.to_string())?;
        probe.opened().await?;
        ensure_eq!(probe.message().await?, "news", "what handlers get");
        ensure!(probe.socket.latency().is_some(), "no latency after answers");
        probe.socket.close();
        seen = probe.finish().await?;
        let asked = record(&id).await?.messages().len();
        ensure!(asked >= 3, "{asked} questions on the wire");
    }
    Ok(seen)
}

/// What asks, or does not.
pub const SILENCE: &[&str] = &["a heartbeat", "an idle timeout"];

pub async fn a_silent_peer_is_lost(by: &'static str) -> Seen {
    let mut seen = String::new();
    for via in [Via::Handlers, Via::Stream] {
        let path = with_id("/script?do=text:hello;quiet;hold:20000", &fresh_id());
        let builder = socket_builder(url(&path));
        let builder = match by {
            "a heartbeat" => {
                builder.heartbeat(Heartbeat::new(SHORT, SHORT).message("ping").answer("pong"))
            }
            _ => builder.idle_timeout(2 * SHORT),
        };
        let mut probe = Probe::from_builder(via, builder).map_err(|e| e.to_string())?;
        probe.opened().await?;
        let opened = harness::now();
        seen = probe
            .ends(r#"open text("hello") FAIL"#)
            .await
            .map_err(|error| format!("by {via:?}: {error}"))?;
        // Milliseconds. A host may round its timers and its clock to some of them.
        let took = harness::now() - opened;
        ensure!(took > 500.0, "it was considered dead after {took} ms");
        let kind = ErrorKind::TimedOut(Timeout::Heartbeat);
        ensure_eq!(probe.kind(), Some(kind), "the kind");
    }
    Ok(seen)
}

/// A peer that goes on to speak, whatever it is asked.
pub async fn any_message_is_a_sign_of_life() -> Seen {
    let ticks = "/script?do=repeat:12;delay:150;text:tick;next;close:1000";
    let path = with_id(ticks, &fresh_id());
    let builder = socket_builder(url(&path))
        .heartbeat(Heartbeat::new(SHORT, 5 * SHORT).message("ping"))
        .idle_timeout(5 * SHORT);
    let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
    probe.opened().await?;
    for _ in 0..12 {
        ensure_eq!(probe.message().await?, "tick", "what handlers get");
    }
    probe.finish().await
}

/// Never ignored: where there are no pings, it is an error.
pub async fn a_heartbeat_without_a_message_works_or_is_refused() -> Seen {
    let path = with_id("/echo", &fresh_id());
    let builder = socket_builder(url(&path)).heartbeat(Heartbeat::new(SHORT / 3, LONG));
    match (
        Probe::from_builder(Via::Stream, builder),
        harness::has_pings(),
    ) {
        (Err(NewError::OptionNotSupported(_)), false) => Ok("refused".to_owned()),
        (Ok(mut probe), true) => {
            probe.opened().await?;
            while probe.socket.latency().is_none() {
                harness::sleep(20).await;
            }
            probe.socket.close();
            probe.finish().await?;
            Ok("measured".to_owned())
        }
        (created, has_pings) => Err(format!("pings: {has_pings}, {:?}", created.map(drop))),
    }
}

/// R55: what the peer's record shows is what was counted.
pub async fn counters_tell_what_went_over_the_wire() -> Seen {
    let mut probe = Probe::path("/echo")?;
    probe.opened().await?;
    let mut sent = 0;
    for size in [0, 5, 70_000] {
        let message = "ä".repeat(size);
        sent += message.len() as u64;
        probe.socket.send(message).map_err(|e| e.to_string())?;
        probe.message().await?;
    }
    let stats = probe.socket.stats();
    ensure_eq!((stats.messages_sent, stats.bytes_sent), (3, sent), "sent");
    ensure_eq!(
        (stats.messages_received, stats.bytes_received),
        (3, sent),
        "received"
    );
    ensure_eq!(
        (stats.attempts, stats.open_for.is_some()),
        (1, true),
        "attempts, open"
    );
    probe.socket.close();
    probe.finish().await?;
    let record = probe.record().await?;
    ensure_eq!(record.messages().len(), 3, "messages on the wire");
    ensure_eq!(
        probe.socket.stats().open_for,
        None,
        "how long it is open once closed"
    );
    Ok(format!(
        "{} messages, {} bytes",
        stats.messages_sent, stats.bytes_sent
    ))
}
