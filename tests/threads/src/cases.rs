//! The cases. `elsewhere` is the worker; what stands outside it is run in the
//! first thread.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures::StreamExt;
use futures::channel::mpsc;
use futures::future::join;
use isosocket::{Event, Message, ReadyState, Reconnecting, Retry, SendError, Status, WebSocket};
use isosocket_tests::blocking::block_on;
use isosocket_tests::harness;
use isosocket_tests::probe::{Probe, Via, fresh_id, hex, trace, url, with_id};
use isosocket_tests::record::{record, records};
use isosocket_tests::suite::Seen;

use crate::worker::{elsewhere, uncollected};

pub(crate) fn text(error: impl ToString) -> String {
    error.to_string()
}

pub(crate) fn ensure(good: bool, what: impl Into<String>) -> Result<(), String> {
    match good {
        true => Ok(()),
        false => Err(what.into()),
    }
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(
    seen: T,
    expected: T,
    what: &str,
) -> Result<(), String> {
    let problem = || format!("{what}: saw {seen:?}, expected {expected:?}");
    ensure(seen == expected, problem())
}

async fn opened(path: &str) -> Result<Probe, String> {
    let mut probe = Probe::path(path)?;
    probe.opened().await?;
    Ok(probe)
}

/// Texts and binary messages, short and long, each with its number.
fn numbered(number: usize) -> Message {
    match number % 50 {
        49 => format!("{number} {}", "long \u{e9}".repeat(2000)).into(),
        n if n % 3 == 0 => number.to_be_bytes().to_vec().into(),
        _ => format!("message {number}").into(),
    }
}

/// Compares what the peer got with messages, as far as its record goes.
async fn arrived(probe: &Probe, messages: impl Iterator<Item = Message>) -> Result<(), String> {
    let record = probe.record().await?;
    let mut seen = record.messages().into_iter();
    for (number, message) in messages.enumerate() {
        let op = if message.is_text() { 1 } else { 2 };
        let got = seen
            .next()
            .ok_or_else(|| format!("message {number} is lost"))?;
        same(
            (got.0, got.1 as usize),
            (op, message.len()),
            &format!("{number}"),
        )?;
        let bytes = hex(message.as_bytes());
        let is_same = bytes.starts_with(&got.2) && (!got.2.is_empty() || bytes.is_empty());
        ensure(is_same, format!("message {number} is another"))?;
    }
    same(seen.count(), 0, "more messages")
}

// S47
pub async fn messages_sent_elsewhere_arrive_in_order() -> Seen {
    let probe = opened("/script?do=hold:500;wait:close;answer").await?;
    let mut probe = elsewhere(move || async move {
        for number in 0..500 {
            probe.socket.send(numbered(number)).map_err(text)?;
        }
        let buffered = probe.socket.buffered_amount();
        ensure(buffered > 0, "nothing is buffered")?; // S48
        Ok(probe)
    })
    .await?;
    probe.socket.close();
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    arrived(&probe, (0..500).map(numbered)).await?;
    Ok("500 messages".into())
}

// S47: one thread goes on when the other has sent, and comes to no loop between.
pub async fn what_two_threads_send_in_turn_keeps_its_order() -> Seen {
    const TURNS: u32 = 100;
    let mut probe = opened("/script?do=wait:close;answer").await?;
    let turn = Arc::new(AtomicU32::new(0));
    let begun = Arc::new(AtomicU32::new(0));
    let (socket, theirs) = (probe.socket.clone(), (turn.clone(), begun.clone()));
    let there = elsewhere(move || async move {
        let (turn, begun) = theirs;
        begun.store(1, Ordering::Release);
        in_turns(&socket, &turn, 1, TURNS)
    });
    let here = async {
        // Until the worker runs this thread must let it be started.
        while begun.load(Ordering::Acquire) == 0 {
            harness::sleep(1).await;
        }
        in_turns(&probe.socket, &turn, 0, TURNS)
    };
    let (there, here) = join(there, here).await;
    there.and(here)?;
    probe.socket.close();
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    arrived(&probe, (0..TURNS).map(|n| n.to_string().into())).await?;
    Ok(format!("{TURNS} messages"))
}

/// Sends each second message, when the one before was sent.
fn in_turns(socket: &WebSocket, turn: &AtomicU32, first: u32, end: u32) -> Result<(), String> {
    let deadline = harness::now() + 5000.0;
    for number in (first..end).step_by(2) {
        while turn.load(Ordering::Acquire) != number {
            ensure(
                harness::now() < deadline,
                "the other thread's turn lasts for ever",
            )?;
            std::hint::spin_loop();
        }
        socket.send(number.to_string()).map_err(text)?;
        turn.store(number + 1, Ordering::Release);
    }
    Ok(())
}

// S52, S50
pub async fn a_close_elsewhere_follows_what_was_sent() -> Seen {
    let probe = opened("/script?do=wait:close;answer").await?;
    let mut probe = elsewhere(move || async move {
        let socket = &probe.socket;
        for number in 0..100 {
            socket.send(numbered(number)).map_err(text)?;
        }
        socket.close_with(4000, "bye").map_err(text)?;
        same(socket.ready_state(), ReadyState::Closing, "the state")?;
        let late = socket.send("late");
        same(late, Err(SendError::Closing("late".into())), "a late one")?;
        Ok(probe)
    })
    .await?;
    probe.ends(r#"open close(4000 "bye" clean)"#).await?;
    arrived(&probe, (0..100).map(numbered)).await?;
    let closes = probe.record().await?.closes();
    same(&*closes, "4000 \"bye\"", "the Close frame")?;
    Ok("after 100 messages".into())
}

pub async fn a_stream_is_read_elsewhere() -> Seen {
    let probe = Probe::path("/echo")?;
    elsewhere(move || use_as_echo(probe)).await
}

pub async fn a_socket_made_elsewhere_is_used_here() -> Seen {
    let probe = elsewhere(|| async { Probe::path("/echo") }).await?;
    use_as_echo(probe).await
}

async fn use_as_echo(mut probe: Probe) -> Seen {
    probe.opened().await?;
    for message in (0..100).map(numbered) {
        probe.socket.send(&message).map_err(text)?;
        same(probe.message().await?, message, "the echo")?;
    }
    same(
        probe.socket.buffered_amount(),
        0,
        "buffered after the last echo",
    )?; // S49
    probe.socket.close();
    let seen = probe.finish().await?;
    ensure(seen.ends_with(r#"close(1005 "" clean)"#), seen)?;
    Ok("100 echoes".into())
}

/// A worker may wait, while the socket's own thread goes on.
pub async fn a_thread_that_waits_reads_a_stream() -> Seen {
    let probe = Probe::path("/echo")?;
    elsewhere(move || async move { block_on(use_as_echo(probe)) }).await
}

/// Both threads are at the same locks all the time.
pub async fn what_comes_while_both_threads_send_is_complete() -> Seen {
    const COUNT: usize = 5000;
    let path =
        format!("/script?do=wait:message;cork;repeat:{COUNT};text:@n;next;wait:close;answer");
    let id = fresh_id();
    let made = url(&with_id(&path, &id));
    let socket =
        elsewhere(move || async move { WebSocket::open(&made).await.map_err(text) }).await?;
    let mut events = socket.events();
    let (theirs, mut others) = (socket.clone(), socket.events());
    let there = elsewhere(move || async move {
        for number in 0..COUNT {
            theirs.send(format!("there {number}")).map_err(text)?;
            if number % 100 == 0 {
                while others.try_next().is_some() {}
                harness::sleep(0).await;
            }
        }
        Ok(())
    });
    let here = async {
        let (mut next, mut sent) = (0, 0);
        while next < COUNT || sent < COUNT {
            if sent < COUNT {
                socket.send(format!("here {sent}")).map_err(text)?;
                sent += 1;
            }
            let event = match sent % 50 {
                0 => events.next().await,
                _ => events.try_next(),
            };
            if let Some(Event::Message(message)) = event {
                same(message.as_text(), Some(&*next.to_string()), "a message")?;
                next += 1;
            }
        }
        Ok(())
    };
    let (there, here) = join(there, here).await;
    there.and::<()>(here)?;
    socket.close();
    while events.next().await.is_some() {}
    let mut sent: [Vec<String>; 2] = Default::default();
    for (_, _, payload) in record(&id).await?.messages() {
        let is_here = payload.starts_with(&hex(b"here"));
        sent[usize::from(is_here)].push(payload);
    }
    for (list, name) in sent.iter().zip(["there", "here"]) {
        let expected = (0..COUNT).map(|number| hex(format!("{name} {number}").as_bytes()));
        // The peer's record ends at 10,000 frames, the Close among them.
        same(COUNT - list.len() <= 1, true, name)?;
        ensure(
            list.iter()
                .eq(expected.take(list.len()).collect::<Vec<_>>().iter()),
            format!("what was sent {name} is not in order"),
        )?;
    }
    Ok(format!("{COUNT} messages, and as many from each thread"))
}

// S100, S101
pub async fn handlers_bound_elsewhere_run_on_the_sockets_thread() -> Seen {
    let id = fresh_id();
    let path = with_id(
        "/script?do=text:kept;wait:message;text:fresh;wait:close;answer",
        &id,
    );
    let socket = WebSocket::open(url(&path)).await.map_err(text)?;
    let home = thread::current().id();
    let (sender, mut notes) = mpsc::unbounded::<(String, ThreadId)>();
    let theirs = socket.clone();
    let witness = Arc::new(());
    let weak = Arc::downgrade(&witness);
    let binding = elsewhere(move || async move {
        ensure(thread::current().id() != home, "there is one thread")?;
        let binding = theirs.on_message(move |_, message| {
            let _captured = &witness;
            let note = message.as_text().unwrap_or_default().to_owned();
            let _ = sender.unbounded_send((note, thread::current().id()));
        });
        Ok(binding)
    })
    .await?;
    for expected in ["kept", "fresh"] {
        let note = notes.next().await;
        same(note, Some((expected.to_owned(), home)), "a message")?;
        if expected == "kept" {
            socket.send("go on").map_err(text)?;
        }
    }
    elsewhere(move || async move {
        binding.unbind();
        Ok(())
    })
    .await?;
    // The handler's sender goes with it.
    same(notes.next().await, None, "after unbind")?;
    ensure(weak.upgrade().is_none(), "the handler is left behind")?;
    socket.close();
    same(&*record(&id).await?.closes(), "empty", "the Close frame")?;
    Ok("on the socket's thread".into())
}

// S42, S48, S54
pub async fn why_a_message_is_refused_is_known_elsewhere() -> Seen {
    const LARGE: usize = 8 << 20;
    let path =
        "/script?do=delay:200;rcvbuf:65536;accept;delay:700;wait:message:2;wait:close;answer";
    let probe = Probe::with(Via::Stream, path, |builder| builder.send_limit(1 << 20))?;
    let mut probe = elsewhere(move || async move {
        let mut probe = probe;
        let socket = probe.socket.clone();
        let early = socket.send("early");
        same(early, Err(SendError::Connecting("early".into())), "early")?;
        probe.opened().await?;
        // One is taken where nothing is buffered.
        socket.send(vec![0; LARGE]).map_err(text)?;
        let buffered = socket.buffered_amount();
        same(buffered, LARGE, "buffered")?;
        let full = socket.send("more");
        same(full, Err(SendError::Full("more".into())), "the next one")?;
        socket.send_ready().await;
        socket.send("more").map_err(text)?;
        while socket.buffered_amount() > 0 {
            harness::sleep(5).await;
        }
        Ok(probe)
    })
    .await?;
    probe.socket.close();
    probe.ends(r#"open close(1005 "" clean)"#).await?;
    let lengths = probe.record().await?.messages();
    let lengths: Vec<u64> = lengths.iter().map(|(_, length, _)| *length).collect();
    same(lengths, vec![LARGE as u64, 4], "messages")?;
    Ok("connecting, full, and there is room".into())
}

// S68
pub async fn a_connection_given_up_elsewhere_fails() -> Seen {
    let probe = Probe::path("/script?do=delay:300;accept;echo")?;
    let mut probe = elsewhere(move || async move {
        probe.socket.close();
        same(probe.socket.ready_state(), ReadyState::Closing, "the state")?;
        Ok(probe)
    })
    .await?;
    probe.ends("FAIL").await
}

// S102
pub async fn the_last_handle_dropped_elsewhere_closes_and_frees() -> Seen {
    let before = uncollected().await?;
    let witness = Arc::new(());
    for round in 0..20 {
        let id = fresh_id();
        let socket = WebSocket::open(url(&with_id("/echo", &id))).await;
        let socket = socket.map_err(text)?;
        let captured = witness.clone();
        socket.on_message(move |_, _| drop(captured.clone()));
        elsewhere(move || async move {
            drop(socket);
            Ok(())
        })
        .await?;
        let record = record(&id).await;
        let record = record.map_err(|problem| format!("socket {round}: {id} {problem}"))?;
        same(&*record.closes(), "empty", "the Close frame")?;
    }
    same(Arc::strong_count(&witness), 1, "handlers and the one here")?;
    same(uncollected().await?, before, "JavaScript sockets")?;
    Ok("20 sockets".into())
}

/// The end comes to the stream alone, so the socket is the stream's.
pub async fn a_stream_dropped_elsewhere_frees_its_socket() -> Seen {
    let before = uncollected().await?;
    for _ in 0..20 {
        let mut probe = opened("/echo").await?;
        probe.socket.close();
        probe.finish().await?;
        elsewhere(move || async move {
            drop(probe);
            Ok(())
        })
        .await?;
    }
    same(uncollected().await?, before, "JavaScript sockets")?;
    Ok("20 sockets".into())
}

/// R52.
pub async fn the_time_until_an_attempt_is_known_elsewhere() -> Seen {
    const HOUR: Duration = Duration::from_secs(3600);
    let socket = Reconnecting::builder(url("/refuse/500"))
        .retry(|_| Retry::After(HOUR))
        .connect()
        .map_err(text)?;
    let left = elsewhere(move || async move {
        let mut statuses = socket.statuses();
        while !matches!(socket.status(), Status::Waiting { .. }) {
            statuses.next().await.ok_or("it ended")?;
        }
        let left = socket.time_left();
        socket.close();
        Ok(left)
    })
    .await?;
    let is_known = left.is_some_and(|left| left <= HOUR && left > HOUR / 2);
    ensure(is_known, format!("{left:?}"))?;
    Ok(format!("{left:?}"))
}

pub async fn a_socket_that_reconnects_is_used_elsewhere() -> Seen {
    let before = uncollected().await?;
    let id = fresh_id();
    let path = url(&with_id("/script?do=wait:message;fin", &id));
    let last = url(&with_id("/script?do=wait:message;wait:close;answer", &id));
    let mut urls = vec![last, path];
    let socket = Reconnecting::builder("ws://isosocket.invalid/")
        .url_provider(move |_| {
            let url = urls.pop().unwrap_or_default();
            async move { Ok::<_, Infallible>(url) }
        })
        .backoff(Duration::from_millis(1), Duration::from_millis(1))
        .connect()
        .map_err(text)?;
    let words = elsewhere(move || async move {
        let (mut events, mut statuses) = (socket.events(), socket.statuses());
        socket.send("queued").map_err(text)?;
        let mut opens = 0;
        while let Some(status) = statuses.next().await {
            if status == Status::Open {
                opens += 1;
            }
            if opens == 2 {
                break;
            }
        }
        socket.send("sent").map_err(text)?;
        socket.close();
        let mut seen = Vec::new();
        while let Some(event) = events.next().await {
            seen.push(event);
        }
        Ok(trace(&seen))
    })
    .await?;
    ensure(words.ends_with(r#"open close(1005 "" clean)"#), words)?;
    let all = records(&id, 2).await?;
    let sent: Vec<String> = all
        .iter()
        .flat_map(|record| record.messages())
        .map(|(_, _, payload)| payload)
        .collect();
    same(sent, vec![hex(b"queued"), hex(b"sent")], "messages")?;
    same(uncollected().await?, before, "JavaScript sockets")?;
    Ok("two connections".into())
}
