//! What the relay does between two scripted peers, and what it prints.

use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use isosocket_peer::{Peer, PeerOptions};
use serde_json::Value;

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// Exit code, stdout and stderr.
fn relay(one: &str, other: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_relay"));
    let output = command.args([one, other]).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

/// What a peer saw.
fn record(id: &str) -> Value {
    let record = peer().record(id, 1, Duration::from_secs(60));
    let mut record: Value = serde_json::from_str(&record).unwrap();
    record["connections"][0].take()
}

#[test]
fn each_server_gets_the_messages_of_the_other() {
    let one = peer().url("/script?do=text:hello;wait:message;close:4000:bye&id=one");
    let other = peer().url("/echo?id=other");
    let (code, stdout, stderr) = relay(&one, &other);
    let lines: Vec<&str> = stdout.lines().collect();
    assert!(
        lines[0].starts_with("1 -> 2: 1 messages, 5 bytes"),
        "{stdout} {stderr}"
    );
    assert!(
        lines[1].starts_with("2 -> 1: 1 messages, 5 bytes"),
        "{stdout}"
    );
    assert!(
        lines
            .iter()
            .all(|line| line.ends_with("closed with code 4000 (clean): bye")),
        "{stdout}"
    );
    assert_eq!(code, 0);
    assert_eq!(record("one")["frames"][0]["text"], "hello");
    // The other server gets the code that the first one gave.
    let frames = record("other")["frames"].clone();
    assert_eq!(frames[0]["text"], "hello");
    assert_eq!(
        (&frames[1]["code"], &frames[1]["reason"]),
        (&4000.into(), &"bye".into())
    );
}

#[test]
fn a_slow_server_slows_down_the_other_and_little_waits() {
    // 100 MiB, much more than any limit of the library.
    let one = peer().url("/script?do=repeat:1600;binary:*64k;next&id=fast");
    let slow = "rcvbuf:65536;slow:256k:1;wait:message:1600;close:1000:enough";
    let other = peer().url(&format!("/script?do={slow}&id=slow"));
    let (code, stdout, _) = relay(&one, &other);
    let line = stdout.lines().next().unwrap();
    assert!(
        line.starts_with("1 -> 2: 1600 messages, 104857600 bytes, at most "),
        "{stdout}"
    );
    let most = line
        .split("at most ")
        .nth(1)
        .unwrap()
        .split(' ')
        .next()
        .unwrap();
    let most: usize = most.parse().unwrap();
    assert!(most <= (1 << 20) + (64 << 10), "{stdout}");
    // It had to wait at all.
    assert!(most >= 64 << 10, "{stdout}");
    assert_eq!(code, 0);
    let fast = record("fast");
    let close = fast["frames"].as_array().unwrap().last().unwrap();
    assert_eq!(
        (&close["code"], &close["reason"]),
        (&1000.into(), &"enough".into())
    );
}

#[test]
fn a_server_that_is_lost_ends_the_other_connection() {
    let one = peer().url("/script?do=text:last;wait:message;fin");
    let other = peer().url("/echo?id=left");
    let (code, stdout, _) = relay(&one, &other);
    assert!(
        stdout.contains("closed with code 1006 (not clean)"),
        "{stdout}"
    );
    assert_eq!(code, 1);
    // 1006 cannot be sent.
    let frames = record("left")["frames"].clone();
    assert_eq!(frames[1]["op"], 8);
    assert_eq!(frames[1]["len"], 0);
}

#[test]
fn a_server_that_refuses_is_named() {
    let (code, stdout, stderr) = relay(&peer().url("/refuse/401"), &peer().url("/echo"));
    assert_eq!((code, &*stdout), (1, ""));
    assert!(
        stderr.contains("/refuse/401: ") && stderr.contains("status 401"),
        "{stderr}"
    );
}
