//! S116: waking up. What depends on exact times is tested in core, in simulated time; what a
//! process notices, by the native crate's own tests.

use std::time::Duration;

use isosocket::{ErrorKind, Heartbeat, Reconnecting, Retry, Status, Timeout};

use crate::harness;
use crate::probe::{Probe, Via, fresh_id, socket_builder, url, with_id};
use crate::suite::{Seen, ensure, ensure_eq};

/// What says that a program woke up: a call of its own, a timer that is late, and events of
/// the host.
pub const SIGNS: &[&str] = &[
    PROGRAM,
    TIMER,
    "online",
    "visibilitychange",
    "pageshow",
    "resume",
];

const PROGRAM: &str = "the program";
const TIMER: &str = "a late timer";

const SHORT: Duration = Duration::from_millis(300);
/// A time that no case waits for.
const HOUR: Duration = Duration::from_secs(3600);

/// R47.
pub async fn a_wait_ends(sign: &'static str) -> Seen {
    if let Some(seen) = elsewhere("S116::a_wait_ends", sign) {
        return seen;
    }
    let mut urls = vec![url("/echo"), url("/refuse/503")];
    let builder = Reconnecting::builder("ws://isosocket.invalid/")
        .url_provider(move |_| {
            let next = urls.pop().unwrap_or_default();
            async move { Ok::<_, std::convert::Infallible>(next) }
        })
        .retry(|_| Retry::After(HOUR));
    let socket = harness::chosen(builder)
        .connect()
        .map_err(|error| error.to_string())?;
    let mut statuses = socket.statuses();
    while let Some(status) = statuses.next().await {
        match status {
            Status::Waiting { .. } => happen(sign).await?,
            Status::Open => return Ok("it is open".to_owned()),
            _ => {}
        }
    }
    Err(format!("it ended: {:?}", socket.status()))
}

/// R49.
pub async fn a_silent_peer_is_noticed(sign: &'static str) -> Seen {
    if let Some(seen) = elsewhere("S116::a_silent_peer_is_noticed", sign) {
        return seen;
    }
    let path = with_id("/script?do=text:hello;quiet;hold:60000", &fresh_id());
    let builder = socket_builder(url(&path)).heartbeat(Heartbeat::new(HOUR, HOUR).message("ping"));
    let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
    probe.opened().await?;
    // It is a sign of life, also behind the question.
    ensure_eq!(probe.message().await?, "hello", "what is sent first");
    happen(sign).await?;
    let seen = probe.ends(r#"open text("hello") FAIL"#).await?;
    let kind = ErrorKind::TimedOut(Timeout::Heartbeat);
    ensure_eq!(probe.kind(), Some(kind), "the kind");
    Ok(seen)
}

/// R51: with the heartbeat's own timeout.
pub async fn a_page_that_is_offline_asks_its_peers() -> Seen {
    if !harness::has_event("offline") {
        return Ok("there is none here".to_owned());
    }
    let path = with_id("/script?do=text:hello;quiet;hold:60000", &fresh_id());
    let heartbeat = Heartbeat::new(HOUR, SHORT).message("ping");
    let builder = socket_builder(url(&path)).heartbeat(heartbeat);
    let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
    probe.opened().await?;
    ensure_eq!(probe.message().await?, "hello", "what is sent first");
    harness::happen("offline");
    probe.ends(r#"open text("hello") FAIL"#).await
}

/// S102: the host's objects have our listeners only while a socket wants them.
pub async fn listeners_of_the_host_go_with_the_last_socket() -> Seen {
    if harness::host_listeners().is_none() {
        return Ok("there are none here".to_owned());
    }
    let count = || harness::host_listeners().unwrap_or_default();
    let heartbeat = || Heartbeat::new(HOUR, HOUR).message("ping");
    let mut plain = Probe::path("/echo")?;
    plain.opened().await?;
    ensure_eq!(count(), 0, "listeners of a plain socket");
    let mut probes = Vec::new();
    for _ in 0..2 {
        let builder = socket_builder(url("/echo")).heartbeat(heartbeat());
        let mut probe = Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
        probe.opened().await?;
        probes.push(probe);
    }
    let some = count();
    ensure!(some > 0, "there are no listeners");
    for mut probe in probes {
        ensure_eq!(count(), some, "listeners while there is a heartbeat");
        probe.socket.close();
        probe.finish().await?;
    }
    ensure_eq!(count(), 0, "listeners after the end");
    Ok(format!("{some}, then none"))
}

/// Where a sign cannot be had, or reaches other cases too.
fn elsewhere(name: &str, sign: &str) -> Option<Seen> {
    let is_here = match sign {
        PROGRAM => true,
        TIMER => harness::WEB,
        event => harness::has_event(event),
    };
    if !is_here {
        return Some(Ok("there is none here".to_owned()));
    }
    // Natively all sockets of the process wake up.
    (harness::PROCESSES && !harness::is_alone()).then(|| harness::run_alone(name))
}

async fn happen(sign: &str) -> Result<(), String> {
    match sign {
        PROGRAM => isosocket::wake_up(),
        TIMER => {
            // Somebody else's timer is due meanwhile.
            let builder = socket_builder(url("/echo"));
            let builder = builder.heartbeat(Heartbeat::new(SHORT, HOUR).message("ping"));
            let mut probe =
                Probe::from_builder(Via::Handlers, builder).map_err(|e| e.to_string())?;
            probe.opened().await?;
            harness::block(3000);
            // Its echo comes after the timer.
            probe.message().await?;
        }
        event => harness::happen(event),
    }
    Ok(())
}
