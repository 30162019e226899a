//! What happens to the chat in a day.
//!
//! Invariant: time passes only where a scenario is about its length. All else waits for
//! what the chat shows.

use std::cell::{RefCell, RefMut};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::chat::{Chat, signal, until};
use super::{Lasts, Start, get};

/// What is awaited comes within this, also on a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
const CABLE: Duration = Duration::from_secs(5);

/// What the program saw, and how long it took until what was said had arrived.
pub(super) struct Seen {
    pub(super) saw: String,
    pub(super) back: Duration,
}

/// `None` if the host has nothing of the kind.
type Outcome = Result<Option<Seen>, String>;

/// A scenario's name, and what happens in it.
type Scenario = (&'static str, fn(&Day<'_>) -> Outcome);

pub(super) const SCENARIOS: &[Scenario] = &[
    ("01_the_server_restarts", restart),
    ("02_the_cable_is_pulled_for_five_seconds", cable),
    ("02_offline_by_the_developer_tools", offline),
    ("02_throttled_by_the_developer_tools", throttled),
    ("03_the_cable_is_pulled_for_good", cable_for_good),
    ("04_the_network_changes", network_changes),
    ("05_the_machine_sleeps", sleep),
    ("06_the_tab_is_hidden_with_traffic", hidden),
    ("07_the_page_is_frozen_and_resumed", frozen),
    ("08_the_page_returns_from_the_cache", cache),
    ("09_the_token_has_expired", token),
    ("10_refused_for_ever", refused),
    ("11_overloaded_until_later", overloaded),
    ("12_a_server_that_says_nothing", silent),
];

/// One scenario's surroundings.
pub(super) struct Day<'a> {
    peer: SocketAddr,
    /// The port of the proxy.
    port: u64,
    lasts: Lasts,
    start: Start<'a>,
    chat: RefCell<Option<Box<dyn Chat + 'a>>>,
}

impl<'a> Day<'a> {
    pub(super) fn new(peer: SocketAddr, lasts: Lasts, start: Start<'a>) -> Result<Self, String> {
        let status: Value = serde_json::from_str(&get(peer, "/proxy/new")?)
            .map_err(|error| format!("no proxy: {error}"))?;
        Ok(Day {
            peer,
            port: status["port"].as_u64().unwrap_or_default(),
            lasts,
            start,
            chat: RefCell::default(),
        })
    }

    fn network(&self, command: &str) -> Result<(), String> {
        get(self.peer, &format!("/proxy/{}/{command}", self.port)).map(drop)
    }

    /// Starts the chat, with a server that follows these scripts, one per connection. It
    /// takes each token once.
    fn start(&self, scripts: &[&str]) -> Result<(), String> {
        let scripts: Vec<String> = scripts
            .iter()
            .map(|script| format!("do={script}"))
            .collect();
        let (port, scripts) = (self.port, scripts.join("&"));
        let server = format!("ws://127.0.0.1:{port}/script?turn={port}&{scripts}&id=");
        *self.chat.borrow_mut() = Some((self.start)(&server)?);
        // Before that a page does not listen for what is typed.
        self.until("the chat has begun", |line| line == "* connecting")
    }

    /// The same, and waits until it has said something.
    fn begin(&self) -> Result<(), String> {
        self.start(&["echo"])?;
        self.say("hello")?;
        self.shows("hello")
    }

    fn chat(&self) -> Result<RefMut<'_, Box<dyn Chat + 'a>>, String> {
        RefMut::filter_map(self.chat.borrow_mut(), Option::as_mut)
            .map_err(|_| "there is no chat".to_owned())
    }

    fn say(&self, line: &str) -> Result<(), String> {
        self.chat()?.say(line)
    }

    /// Waits until a line is shown.
    fn shows(&self, wanted: &str) -> Result<(), String> {
        self.until(wanted, |line| line == wanted)
    }

    fn until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> Result<(), String> {
        until(&mut **self.chat()?, what, LIMIT, |lines| {
            lines.iter().any(|line| is_so(line))
        })
    }

    /// Waits until so many lines have that in them.
    fn until_times(&self, part: &str, times: usize) -> Result<(), String> {
        until(&mut **self.chat()?, part, LIMIT, |lines| {
            lines.iter().filter(|line| line.contains(part)).count() >= times
        })
    }

    /// Says something, and waits until it comes back. Then all that was said is shown once.
    fn recovers(&self, since: Instant, said: &[&str]) -> Outcome {
        self.say("back")?;
        self.shows("back")?;
        for line in said {
            self.shows(line)?;
        }
        let back = since.elapsed();
        let lines = self.chat()?.lines()?;
        for said in said.iter().chain(&["back"]) {
            let shown = lines.iter().filter(|line| line == said).count();
            if shown != 1 {
                return Err(format!("`{said}` is shown {shown} times: {lines:?}"));
            }
        }
        self.seen(back)
    }

    /// What the chat showed of its connection.
    fn seen(&self, back: Duration) -> Outcome {
        let lines = self.chat()?.lines()?;
        let said = lines.iter().filter_map(|line| line.strip_prefix("* "));
        let said: Vec<&str> = said.filter(|line| !line.starts_with("Stats")).collect();
        let saw = said.join(" / ");
        Ok(Some(Seen { saw, back }))
    }
}

impl Drop for Day<'_> {
    fn drop(&mut self) {
        drop(self.chat.take());
        let _ = self.network("end");
    }
}

fn restart(day: &Day<'_>) -> Outcome {
    day.begin()?;
    day.network("stop")?;
    day.until_times("; attempt", 2)?; // It was lost, and refused.
    day.say("meanwhile")?;
    day.network("start")?;
    day.recovers(Instant::now(), &["hello", "meanwhile"])
}

fn cable(day: &Day<'_>) -> Outcome {
    day.begin()?;
    day.network("hold")?;
    day.say("meanwhile")?;
    thread::sleep(CABLE);
    day.network("pass")?;
    day.recovers(Instant::now(), &["hello", "meanwhile"])
}

fn offline(day: &Day<'_>) -> Outcome {
    day.begin()?;
    let emulate = |offline| match day.chat()?.page() {
        Some(page) => page.emulate(offline, -1, 0),
        None => Ok(false),
    };
    if !emulate(true)? {
        return Ok(None);
    }
    // Chromium goes on with the connections that there are.
    day.network("cut")?;
    day.say("meanwhile")?;
    day.until_times("; attempt", 2)?;
    emulate(false)?;
    day.recovers(Instant::now(), &["hello", "meanwhile"])
}

fn throttled(day: &Day<'_>) -> Outcome {
    day.begin()?;
    let emulate = |rate, latency| match day.chat()?.page() {
        Some(page) => page.emulate(false, rate, latency),
        None => Ok(false),
    };
    if !emulate(20_000, 400)? {
        return Ok(None);
    }
    let much = "x".repeat(30_000);
    let since = Instant::now();
    day.say(&much)?;
    let seen = day.recovers(since, &["hello", &much]);
    emulate(-1, 0)?;
    seen
}

fn cable_for_good(day: &Day<'_>) -> Outcome {
    day.begin()?;
    day.network("hold")?;
    let pulled = Instant::now();
    day.say("never")?;
    day.until("the loss is noticed", |line| line.contains("; attempt"))?;
    let noticed = pulled.elapsed();
    // It goes on trying, and can be ended at any time.
    day.until_times("; attempt", 2)?;
    day.say("/quit")?;
    day.until("the end", |line| line.starts_with("* Stats"))?;
    day.seen(noticed)
}

fn network_changes(day: &Day<'_>) -> Outcome {
    day.begin()?;
    day.network("lose")?;
    let changed = Instant::now();
    day.say("meanwhile")?;
    day.recovers(changed, &["hello", "meanwhile"])
}

/// The network has forgotten the connection meanwhile, as routers do.
fn sleep(day: &Day<'_>) -> Outcome {
    day.begin()?;
    let process = day.chat()?.process()?;
    signal(process, "STOP")?;
    day.network("lose")?;
    thread::sleep(day.lasts.sleep);
    signal(process, "CONT")?;
    day.recovers(Instant::now(), &["hello"])
}

fn hidden(day: &Day<'_>) -> Outcome {
    let seconds = day.lasts.hidden.as_secs();
    day.start(&[&format!("repeat:{seconds};hold:1000;text:@n;next;echo")])?;
    if day.chat()?.page().is_none() {
        return Ok(None);
    }
    day.shows("0")?;
    {
        let chat = day.chat()?;
        let page = chat.page().ok_or("it is a page")?;
        let tab = page.browser.tab()?;
        page.browser.open_tab()?;
        thread::sleep(day.lasts.hidden);
        // Closing is not needed: the next scenario uses the chat's own tab.
        page.browser.show_tab(&tab)?;
        page.devtools("Page.bringToFront", json!({}))?;
    }
    let since = Instant::now();
    let last = (seconds - 1).to_string();
    day.until("one connection", |line| line == "* open")?;
    let seen = day.recovers(since, &["0", &last])?;
    let lines = day.chat()?.lines()?;
    match lines.iter().filter(|line| *line == "* open").count() {
        1 => Ok(seen),
        count => Err(format!(
            "a live peer was left; {count} connections: {lines:?}"
        )),
    }
}

/// The network has forgotten the connection meanwhile.
fn frozen(day: &Day<'_>) -> Outcome {
    day.begin()?;
    let set = |state: &str| match day.chat()?.page() {
        Some(page) => page.devtools("Page.setWebLifecycleState", json!({ "state": state })),
        None => Ok(false),
    };
    if !set("frozen")? {
        return Ok(None);
    }
    day.network("lose")?;
    thread::sleep(day.lasts.sleep);
    set("active")?;
    day.recovers(Instant::now(), &["hello"])
}

/// Also where a browser does not keep the page, and loads it again.
fn cache(day: &Day<'_>) -> Outcome {
    day.begin()?;
    let kept = {
        let chat = day.chat()?;
        let Some(page) = chat.page() else {
            return Ok(None);
        };
        page.browser.go(&format!("{}chat.js", page.site))?;
        page.browser.back()?;
        page.browser.script("return globalThis.restored === true")? == json!(true)
    };
    let since = Instant::now();
    day.until("the chat has begun", |line| line == "* connecting")?;
    let said: &[&str] = if kept { &["hello"] } else { &[] };
    let seen = day.recovers(since, said)?;
    let how = if kept {
        "from the cache"
    } else {
        "loaded again"
    };
    Ok(seen.map(|seen| Seen {
        saw: format!("{how}: {}", seen.saw),
        ..seen
    }))
}

fn token(day: &Day<'_>) -> Outcome {
    day.begin()?;
    day.network("cut")?;
    let cut = Instant::now();
    day.say("meanwhile")?;
    day.recovers(cut, &["hello", "meanwhile"])
}

/// A desktop knows the status, and ends. A page does not, and tries until it is closed.
fn refused(day: &Day<'_>) -> Outcome {
    let start = Instant::now();
    day.start(&["reply:401"])?;
    if day.chat()?.page().is_some() {
        day.until_times("; attempt", 2)?;
        day.say("/quit")?;
    }
    day.until("the end", |line| line.starts_with("* Stats"))?;
    day.seen(start.elapsed())
}

fn overloaded(day: &Day<'_>) -> Outcome {
    let start = Instant::now();
    day.start(&["reply:503:Retry-After=3", "echo"])?;
    day.say("hello")?;
    day.recovers(start, &["hello"])
}

fn silent(day: &Day<'_>) -> Outcome {
    let start = Instant::now();
    day.start(&["nohandshake;wait:end", "quiet;wait:end", "echo"])?;
    day.say("hello")?;
    day.recovers(start, &["hello"])
}
