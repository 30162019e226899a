//! A day in the life of an app: a socket that connects again, over a network that fails
//! as networks do (S37, S115, S117, S118). `docs/reconnecting.md` has the scenarios.
//!
//! A program says numbers, and the peer sends them back. Each case records what the
//! program sees, how long it takes until it can send again, and what was delivered.
//! Invariant: nothing is delivered twice, and what was kept is sent once, in order.

use std::convert::Infallible;
use std::time::Duration;

use isosocket::{
    ErrorKind, Event, Heartbeat, Reconnecting, ReconnectingBuilder, ReconnectingEvents, Status,
    Statuses, Timeout,
};

use crate::harness;
use crate::probe::{fresh_id, url, with_id};
use crate::record::{Record, open_gate, records, records_now};
use crate::suite::{Seen, ensure, ensure_eq};

const SHORT: Duration = Duration::from_millis(300);
const LONG: Duration = Duration::from_secs(3600);

fn text(error: impl ToString) -> String {
    error.to_string()
}

/// What lies between the program and the peer.
struct Network(u64);

impl Network {
    async fn new() -> Result<Self, String> {
        let mut network = Network(0);
        network.0 = network.ask("/proxy/new").await?.0;
        Ok(network)
    }

    /// The URL of a behaviour of the peer, as it is reached through this network.
    fn url(&self, path: &str) -> String {
        format!("ws://127.0.0.1:{}{path}", self.0)
    }

    /// Has something happen.
    async fn set(&self, command: &str) -> Result<(), String> {
        let path = format!("/proxy/{}/{command}", self.0);
        self.ask(&path).await.map(drop)
    }

    /// How many connections there have been.
    async fn accepted(&self) -> Result<u64, String> {
        let path = format!("/proxy/{}/status", self.0);
        Ok(self.ask(&path).await?.1)
    }

    async fn ask(&self, path: &str) -> Result<(u64, u64), String> {
        let answer = harness::get(path).await?;
        let status: serde_json::Value = serde_json::from_str(&answer).map_err(|_| answer)?;
        let number = |name: &str| status[name].as_u64().unwrap_or_default();
        Ok((number("port"), number("accepted")))
    }
}

/// How programs here connect: all that waits is short, but for what a case is about.
fn patient(url: String) -> ReconnectingBuilder {
    harness::chosen(Reconnecting::builder(url))
        .backoff(SHORT / 3, SHORT / 3)
        .heartbeat(None)
}

/// The same, with a heartbeat that notices a dead peer.
fn watchful(url: String) -> ReconnectingBuilder {
    let heartbeat = Heartbeat::new(SHORT, SHORT);
    patient(url).heartbeat(heartbeat.message("ping").answer("ping"))
}

/// A peer that sends numbers back, and answers a heartbeat.
const ECHO: &str = "/script?do=echo";

/// A program that says 1, 2, 3, .., under observation.
struct Program {
    socket: Reconnecting,
    events: ReconnectingEvents,
    statuses: Statuses,
    said: u32,
    heard: Vec<String>,
    saw: Vec<&'static str>,
}

impl Program {
    fn start(builder: ReconnectingBuilder) -> Result<Self, String> {
        let socket = builder.connect().map_err(text)?;
        Ok(Program {
            events: socket.events(),
            statuses: socket.statuses(),
            socket,
            said: 0,
            heard: Vec::new(),
            saw: Vec::new(),
        })
    }

    fn say(&mut self) -> Result<(), String> {
        self.said += 1;
        self.socket.send(self.said.to_string()).map_err(text)
    }

    /// Waits until all that was said has come back since the `from`th.
    async fn hears(&mut self, from: u32) -> Result<(), String> {
        let wanted: Vec<String> = (from..=self.said)
            .map(|number| number.to_string())
            .collect();
        while !wanted.iter().all(|number| self.heard.contains(number)) {
            match self.events.next().await {
                Some(Event::Message(message)) => self.heard.push(message.to_string()),
                Some(Event::Open) => self.saw.push("open"),
                event => return Err(format!("{:?}, then {event:?}", self.heard)),
            }
        }
        Ok(())
    }

    /// Waits until the connection, or an attempt, is known to be lost, and how.
    async fn loses(&mut self) -> Result<ErrorKind, String> {
        loop {
            match self.statuses.next().await {
                Some(Status::Waiting { loss, .. }) => {
                    self.saw.push("waiting");
                    return Ok(loss.kind());
                }
                Some(Status::Open | Status::Connecting { .. }) => {}
                status => return Err(format!("instead of a loss: {status:?}")),
            }
        }
    }

    /// Closes it, waits for its end, and gives all that it saw.
    async fn ends(mut self) -> Seen {
        self.socket.close();
        while let Some(event) = self.events.next().await {
            match event {
                Event::Message(message) => self.heard.push(message.to_string()),
                Event::Close(_) => self.saw.push("close"),
                Event::Open => self.saw.push("open"),
                Event::Error(error) => return Err(format!("{error:#}")),
            }
        }
        Ok(self.saw.join(" "))
    }
}

/// What the peer got, over all connections: the numbers, without heartbeats.
fn numbers(records: &[Record]) -> Vec<u32> {
    let messages = records.iter().flat_map(Record::messages);
    let payloads = messages.map(|(_, _, hex)| hex);
    let digits = |hex: String| {
        let bytes = hex.as_bytes().chunks(2).map(|pair| pair[1]).collect();
        String::from_utf8(bytes).unwrap_or_default()
    };
    payloads
        .filter_map(|hex| digits(hex).parse().ok())
        .collect()
}

/// Ends a case: nothing was delivered twice, all but `lost` once, and in order.
async fn check(network: Network, program: Program, id: &str, lost: &[u32]) -> Seen {
    let said = program.said;
    let saw = program.ends().await?;
    network.set("end").await?;
    let delivered = numbers(&records(id, 1).await?);
    let expected: Vec<u32> = (1..=said).filter(|number| !lost.contains(number)).collect();
    ensure_eq!(delivered, expected, "what was delivered");
    Ok(format!(
        "{saw}; {} of {said} delivered, none twice",
        delivered.len()
    ))
}

/// Milliseconds since then.
fn since(start: f64) -> u64 {
    (harness::now() - start) as u64
}

/// Scenario 1: what was said meanwhile is sent once, when the server is back.
pub async fn a_server_that_restarts_gets_what_was_kept() -> Seen {
    let (network, id) = (Network::new().await?, fresh_id());
    let mut program = Program::start(patient(network.url(&with_id(ECHO, &id))))?;
    program.say()?;
    program.hears(1).await?;
    network.set("stop").await?;
    program.loses().await?;
    program.say()?;
    program.loses().await?; // An attempt is refused.
    program.say()?;
    network.set("start").await?;
    let back = harness::now();
    program.hears(2).await?;
    let after = since(back);
    Ok(format!(
        "{} after {after} ms",
        check(network, program, &id, &[]).await?
    ))
}

/// Scenario 2, shortened: a connection that is only slow is kept.
pub async fn a_cable_that_is_soon_back_loses_nothing() -> Seen {
    let (network, id) = (Network::new().await?, fresh_id());
    let heartbeat = Heartbeat::new(SHORT, LONG).message("ping").answer("ping");
    let builder = patient(network.url(&with_id(ECHO, &id))).heartbeat(heartbeat);
    let mut program = Program::start(builder)?;
    program.say()?;
    program.hears(1).await?;
    network.set("hold").await?;
    program.say()?;
    // So long it is away. The heartbeat asks meanwhile, in vain.
    harness::sleep(2 * SHORT.as_millis() as u32).await;
    ensure_eq!(program.heard.len(), 1, "what came back without a network");
    network.set("pass").await?;
    let back = harness::now();
    program.hears(1).await?;
    let after = since(back);
    ensure_eq!(network.accepted().await?, 1, "connections");
    Ok(format!(
        "{} after {after} ms",
        check(network, program, &id, &[]).await?
    ))
}

/// Scenario 3: it is noticed, said, and can be ended.
pub async fn a_cable_that_is_pulled_for_good_is_noticed() -> Seen {
    let (network, id) = (Network::new().await?, fresh_id());
    let builder = watchful(network.url(&with_id(ECHO, &id))).connect_timeout(2 * SHORT);
    let mut program = Program::start(builder)?;
    program.say()?;
    program.hears(1).await?;
    network.set("hold").await?;
    let pulled = harness::now();
    program.say()?; // This goes into the connection that is dead.
    let why = program.loses().await?;
    let noticed = since(pulled);
    ensure_eq!(why, ErrorKind::TimedOut(Timeout::Heartbeat), "the loss");
    program.say()?;
    ensure_eq!(
        program.loses().await?,
        ErrorKind::TimedOut(Timeout::Connect),
        "an attempt"
    );
    let saw = program.ends().await?;
    let delivered = numbers(&records_now(&id).await?);
    network.set("end").await?;
    ensure_eq!(delivered, [1], "what was delivered");
    Ok(format!("{saw}; noticed after {noticed} ms"))
}

/// Scenario 4: the old connection is dead and says nothing; a new one works.
pub async fn another_network_takes_over() -> Seen {
    let (network, id) = (Network::new().await?, fresh_id());
    let mut program = Program::start(watchful(network.url(&with_id(ECHO, &id))))?;
    program.say()?;
    program.hears(1).await?;
    network.set("lose").await?;
    let changed = harness::now();
    program.say()?; // Lost: the dead connection has taken it.
    let why = program.loses().await?;
    ensure_eq!(why, ErrorKind::TimedOut(Timeout::Heartbeat), "the loss");
    program.say()?;
    program.hears(3).await?;
    let after = since(changed);
    Ok(format!(
        "{} after {after} ms",
        check(network, program, &id, &[2]).await?
    ))
}

/// A network that is slow in both directions, and a peer that lives.
pub async fn a_slow_network_is_not_a_dead_one() -> Seen {
    let (network, id) = (Network::new().await?, fresh_id());
    network.set("delay:200").await?;
    network.set("throttle:20000").await?;
    let heartbeat = Heartbeat::new(SHORT, 8 * SHORT);
    let builder = patient(network.url(&with_id(ECHO, &id)))
        .heartbeat(heartbeat.message("ping").answer("ping"));
    let mut program = Program::start(builder)?;
    for from in 1..=3 {
        program.say()?;
        program.hears(from).await?;
    }
    let latency = program.socket.latency().unwrap_or_default().as_millis();
    ensure_eq!(network.accepted().await?, 1, "connections");
    Ok(format!(
        "{}; latency {latency} ms",
        check(network, program, &id, &[]).await?
    ))
}

/// Scenario 9: the server takes a token once. Each attempt brings another one.
pub async fn an_expired_token_is_replaced() -> Seen {
    let (network, ids) = (Network::new().await?, [fresh_id(), fresh_id()]);
    let urls = ids
        .clone()
        .map(|id| network.url(&with_id("/script?do=echo&do=reply:401", &id)));
    let mut fresh = urls.into_iter();
    let builder = patient("ws://isosocket.invalid/".into()).each_attempt(move |next| {
        let url = fresh.next();
        async move {
            Ok::<_, Infallible>(match url {
                Some(url) => next.url(url),
                None => next.failed("there is no third token"),
            })
        }
    });
    let mut program = Program::start(builder)?;
    program.say()?;
    program.hears(1).await?;
    network.set("cut").await?;
    let cut = harness::now();
    program.loses().await?;
    program.say()?;
    program.hears(2).await?;
    let after = since(cut);
    let saw = program.ends().await?;
    network.set("end").await?;
    for (id, number) in ids.iter().zip([1, 2]) {
        let records = records(id, 1).await?;
        ensure_eq!(records.len(), 1, "uses of a token");
        ensure_eq!(numbers(&records), [number], "what was delivered with it");
    }
    Ok(format!("{saw}; after {after} ms"))
}

/// S117: URL and subprotocols of each attempt, and natively its headers.
pub async fn each_attempt_uses_what_the_program_supplies() -> Seen {
    let ids = [fresh_id(), fresh_id(), fresh_id()];
    let mut attempts = ids.clone().into_iter().enumerate();
    let builder = harness::chosen(Reconnecting::builder("ws://isosocket.invalid/"))
        .subprotocol("always")
        .backoff(SHORT / 30, SHORT / 30)
        .each_attempt(move |next| {
            let attempt = attempts.next();
            async move {
                let Some((number, id)) = attempt else {
                    return Ok(next.failed("there is no fourth attempt"));
                };
                // The first is refused, the second ends, the third stays.
                let path = ["/refuse/503?gate", "/close/1012", "/echo"][number];
                let next = next
                    .url(url(&with_id(path, &id)))
                    .subprotocol(format!("v{number}"));
                Ok::<_, Infallible>(harness::with_header(next, "X-Attempt", &number.to_string()))
            }
        });
    let mut program = Program::start(builder)?;
    open_gate(&ids[0]).await?;
    program.loses().await?;
    program.loses().await?;
    program.say()?;
    program.hears(1).await?;
    let protocol = program.socket.protocol().to_owned();
    ensure_eq!(protocol, "always", "the peer takes the first");
    let saw = program.ends().await?;
    for (number, id) in ids.iter().enumerate() {
        let record = &records(id, 1).await?[0];
        let offered = record
            .header("Sec-WebSocket-Protocol")
            .join("|")
            .replace(' ', "");
        ensure_eq!(offered, format!("always,v{number}"), "what was offered");
        let header = match harness::WEB {
            true => vec![],
            false => vec![number.to_string()],
        };
        ensure_eq!(
            record.header("X-Attempt"),
            header,
            "the header of attempt {number}"
        );
    }
    Ok(saw)
}

/// Scenario 10: natively there is no second attempt. A page does not know why it failed,
/// and so tries as often as the program allows.
pub async fn a_refusal_for_ever_ends() -> Seen {
    let id = fresh_id();
    let socket = patient(url(&with_id("/refuse/401?gate", &id)))
        .max_attempts(3)
        .connect()
        .map_err(text)?;
    socket.send("kept, and never sent").map_err(text)?;
    open_gate(&id).await?;
    let close = socket.closed().await;
    ensure_eq!((close.code, close.was_clean), (1006, false), "the end");
    let Status::GaveUp(loss) = socket.status() else {
        return Err(format!("the status: {:?}", socket.status()));
    };
    let attempts = if harness::WEB { 3 } else { 1 };
    ensure_eq!(socket.stats().attempts, attempts, "attempts");
    ensure_eq!(records(&id, 1).await?.len(), attempts as usize, "requests");
    let status = if harness::WEB { None } else { Some(401) };
    ensure_eq!(loss.status(), status, "the status");
    Ok(format!("{loss} after {attempts}"))
}

/// Scenario 11: natively not before the server wants it.
pub async fn an_overloaded_server_says_when_to_come_back() -> Seen {
    let id = fresh_id();
    let path = "/script?do=reply:503:Retry-After=3&do=echo";
    let mut program = Program::start(patient(url(&with_id(path, &id))))?;
    program.say()?;
    program.loses().await?;
    let refused = harness::now();
    program.say()?;
    program.hears(1).await?;
    let after = since(refused);
    ensure!(
        harness::WEB || after >= 2_900,
        "it was back after {after} ms"
    );
    let saw = program.ends().await?;
    let delivered = numbers(&records(&id, 2).await?);
    ensure_eq!(delivered, [1, 2], "what was delivered");
    Ok(format!("{saw}; after {after} ms"))
}

/// Scenario 12: where the server says nothing, before or after the handshake.
pub const SILENCES: &[(&str, ErrorKind)] = &[
    (
        "/script?do=nohandshake;wait:end&do=echo",
        ErrorKind::TimedOut(Timeout::Connect),
    ),
    (
        "/script?do=quiet;wait:end&do=echo",
        ErrorKind::TimedOut(Timeout::Heartbeat),
    ),
];

pub async fn a_server_that_says_nothing_is_left((path, kind): (&'static str, ErrorKind)) -> Seen {
    let id = fresh_id();
    let builder = watchful(url(&with_id(path, &id))).connect_timeout(2 * SHORT);
    let start = harness::now();
    let mut program = Program::start(builder)?;
    ensure_eq!(program.loses().await?, kind, "the loss");
    let noticed = since(start);
    program.say()?;
    program.hears(1).await?;
    let after = since(start);
    let saw = program.ends().await?;
    let delivered = numbers(&records(&id, 2).await?);
    ensure_eq!(delivered, [1], "what was delivered");
    Ok(format!(
        "{saw}; noticed after {noticed} ms, over after {after} ms"
    ))
}
