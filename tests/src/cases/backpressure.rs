//! What happens when a program does not read: the peer waits, and an error reports
//! everything that is missing.

use std::time::Duration;

use isosocket::{Event, Message, WebSocket};

use crate::harness;
use crate::probe::{fresh_id, url, with_id};
use crate::record::{Record, record, records_now};
use crate::suite::{Seen, ensure, ensure_eq};

/// The length of messages, each of which comes after its number.
const LENGTH: usize = 64 << 10;

/// How many there are: 128 MiB, and 1 GiB where a page's socket has a limit.
fn count() -> usize {
    match harness::over_stream() {
        true => 16 << 10,
        false => 2 << 10,
    }
}

/// What may be on its way between a peer that waits and a program that does not read:
/// the socket's limit, and the buffers of two kernels and a browser.
const ON_ITS_WAY: u64 = 48 << 20;

/// How many bytes the socket receives before it stops reading.
const LIMIT: usize = 1 << 20;

/// How much the program's memory may grow meanwhile.
const GROWTH: usize = 8 << 20;

/// Milliseconds between looks at what cannot be waited for.
const LOOK: u32 = 100;

pub async fn a_peer_waits_for_a_stream_that_is_not_read() -> Seen {
    let id = fresh_id();
    let count = count();
    let script = format!("limit:240000;repeat:{count};text:@n;binary:*{LENGTH};next;wait:close");
    let address = url(&with_id(&format!("/script?do={script}"), &id));
    let socket = harness::limited(WebSocket::builder(address), LIMIT)
        .close_timeout(Duration::from_secs(5))
        .open()
        .await
        .map_err(|error| error.to_string())?;
    let before = harness::memory_in_use();
    let mut events = socket.events();
    ensure_eq!(events.next().await, Some(Event::Open), "the first event");
    let sent = until_it_waits(&id).await?;
    let grown = harness::memory_in_use().saturating_sub(before);
    ensure!(sent < ON_ITS_WAY, "the peer sent {sent} bytes");
    ensure!(grown <= GROWTH, "the memory grew by {grown} bytes");
    let payload = payload();
    for number in 0..count {
        for expected in [&Message::from(number.to_string()), &payload] {
            match events.next().await {
                Some(Event::Message(message)) if message == *expected => {}
                event => return Err(format!("at {number}: {:.80}", format!("{event:?}"))),
            }
        }
    }
    socket.close();
    let close = socket.closed().await;
    ensure_eq!(close.was_clean, true, "{close}");
    Ok(format!("the peer waited after {} MiB", sent >> 20))
}

fn payload() -> Message {
    let alphabet = (b'a'..=b'z').cycle();
    Message::from(alphabet.take(LENGTH).collect::<Vec<u8>>())
}

/// Waits until the peer sends nothing any more; how much it has sent.
async fn until_it_waits(id: &str) -> Result<u64, String> {
    let (mut last, mut still) = (0, 0);
    while still < 5 {
        harness::sleep(LOOK).await;
        let records = records_now(id).await?;
        let sent = records.first().map_or(0, Record::sent_bytes);
        still = if sent > 0 && sent == last {
            still + 1
        } else {
            0
        };
        last = sent;
    }
    Ok(last)
}

/// How the peer ends while the program does not read.
pub const ENDS: &[&str] = &["close:1000", "close:4000:bye", "fin"];

pub async fn nothing_is_missing_without_an_error(end: &'static str) -> Seen {
    const TEXTS: usize = 20;
    let id = fresh_id();
    let script = format!("cork;repeat:{TEXTS};text:@n;next;{end}");
    let address = url(&with_id(&format!("/script?do={script}"), &id));
    let builder = harness::limited_if_possible(WebSocket::builder(address), 100);
    let socket = builder.connect().map_err(|error| error.to_string())?;
    let mut events = socket.events();
    // In a browser the connection may end meanwhile. Natively it waits for the reader.
    if harness::WEB {
        record(&id).await?;
        harness::sleep(LOOK).await;
    }
    let (mut texts, mut error) = (0, String::new());
    while let Some(event) = events.next().await {
        match event {
            Event::Message(message) => {
                ensure_eq!(message, texts.to_string().as_str(), "a text");
                texts += 1;
            }
            Event::Error(event) => error = format!("{event:#}"),
            Event::Open | Event::Close(_) => {}
        }
    }
    let close = socket.closed().await;
    ensure!(
        texts == TEXTS || !close.was_clean,
        "{texts} texts, and {close}"
    );
    ensure!(
        texts == TEXTS || end == "fin" || !error.is_empty(),
        "{texts} texts, and no error"
    );
    Ok(format!("{texts} texts, {close}, {error}"))
}
