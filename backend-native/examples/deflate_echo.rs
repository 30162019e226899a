//! Talks compressed to echo servers, in every way that can be agreed on, and
//! says how it went: `deflate_echo NAME=URL..`. `cargo xtask servers` runs it
//! against servers that are not ours.

use std::process::ExitCode;

use isosocket::native::{BuilderExt, Deflate};
use isosocket::{Event, Message, WebSocket};

fn main() -> ExitCode {
    let (mut passed, mut failed) = (0, 0);
    for argument in std::env::args().skip(1) {
        let Some((name, url)) = argument.split_once('=') else {
            eprintln!("not NAME=URL: {argument}");
            return ExitCode::from(2);
        };
        for (way, deflate) in ways() {
            let mut result = Err("nothing happened".to_owned());
            pollster::block_on(async { result = converse(url, deflate).await });
            match result {
                Ok(agreed) => {
                    passed += 1;
                    println!("test {name}; {way}: {agreed} ... ok");
                }
                Err(error) => {
                    failed += 1;
                    println!("test {name}; {way} ... FAILED: {error}");
                }
            }
        }
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    println!("test result: {verdict}. {passed} passed; {failed} failed; 0 ignored");
    match failed == 0 && passed > 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

fn ways() -> [(&'static str, Deflate); 5] {
    let deflate = Deflate::default;
    [
        ("as browsers", deflate()),
        (
            "each message alone",
            deflate()
                .client_no_context_takeover(true)
                .server_no_context_takeover(true),
        ),
        (
            "only the server's alone",
            deflate().server_no_context_takeover(true),
        ),
        (
            "small windows",
            deflate()
                .client_max_window_bits(9)
                .server_max_window_bits(10),
        ),
        ("every byte compressed", deflate().min_size(1).level(9)),
    ]
}

/// What was agreed on, if all messages came back.
async fn converse(url: &str, deflate: Deflate) -> Result<String, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let builder = WebSocket::builder(url).deflate(deflate);
    let socket = builder.open().await.map_err(|error| words(&error))?;
    let agreed = socket.extensions().to_owned();
    if !agreed.starts_with("permessage-deflate") {
        return Err("compression was not agreed on".to_owned());
    }
    let mut events = socket.events();
    match events.next().await {
        Some(Event::Open) => {}
        other => return Err(format!("it did not open: {other:?}")),
    }
    for (place, message) in messages().into_iter().enumerate() {
        socket.send(&message).map_err(|error| words(&error))?;
        match events.next().await {
            Some(Event::Message(echo)) if echo == message => {}
            other => return Err(format!("message {place} did not come back: {other:.200?}")),
        }
    }
    socket.close_with(1000, "").map_err(|error| words(&error))?;
    match events.next().await {
        Some(Event::Close(close)) if close.was_clean && close.code == 1000 => Ok(agreed),
        other => Err(format!("no clean close: {other:?}")),
    }
}

fn messages() -> Vec<Message> {
    let mut random = 1_u64;
    let mut noise = |size: usize| -> Vec<u8> {
        let step = |_| {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (random >> 56) as u8
        };
        (0..size).map(step).collect()
    };
    let mut messages: Vec<Message> = vec!["".into(), "x".into(), "grüße ".repeat(3000).into()];
    for n in 0..50 {
        let feed = format!(
            "{{\"id\":{n},\"symbol\":\"BTC\",\"price\":{},\"side\":\"buy\"}}",
            n * 7919
        );
        messages.push(feed.into());
    }
    for size in [1, 100, 5000, 70_000, 300_000] {
        messages.push(noise(size).into());
        messages.push("the same again, ".repeat(size / 16 + 1).into());
    }
    // Within any server's limit of a message.
    messages.push(vec![0_u8; 900_000].into());
    messages
}
