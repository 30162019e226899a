//! S118: the kind of a failure, as far as a target knows it.

use std::time::Duration;

use isosocket::{Builder, ErrorKind, Timeout};

use crate::probe::{Probe, Via, fresh_id, socket_builder, url, with_id};
use crate::suite::{Seen, ensure_eq};

/// What isosocket itself knows, on every target.
pub const OUR_OWN: &[(&str, ErrorKind)] = &[
    ("/no-reply", ErrorKind::TimedOut(Timeout::Connect)),
    (
        "/script?do=binary:*1001;wait:end",
        ErrorKind::MessageTooLarge,
    ),
    ("blocked", ErrorKind::BlockedPort),
    ("closed", ErrorKind::Aborted),
];

/// What only a native program hears.
pub const THE_PEERS: &[(&str, ErrorKind)] = &[
    ("/refuse/401", ErrorKind::HandshakeRefused(401)),
    ("/garbage", ErrorKind::HandshakeInvalid),
    ("/drop", ErrorKind::Reset),
    (
        "/script?do=raw:0x8300;wait:end",
        ErrorKind::ProtocolViolation(1002),
    ),
];

pub async fn what_we_know_ourselves_has_a_kind(failure: (&'static str, ErrorKind)) -> Seen {
    has_a_kind(failure).await
}

pub async fn what_the_peer_did_has_a_kind(failure: (&'static str, ErrorKind)) -> Seen {
    has_a_kind(failure).await
}

async fn has_a_kind((path, kind): (&'static str, ErrorKind)) -> Seen {
    for via in [Via::Handlers, Via::Stream] {
        let address = match path {
            "blocked" => "ws://127.0.0.1:6000/".to_owned(),
            "closed" => url(&with_id("/no-reply", &fresh_id())),
            path => url(&with_id(path, &fresh_id())),
        };
        let mut probe =
            Probe::from_builder(via, limited(address, path)).map_err(|e| e.to_string())?;
        if path == "closed" {
            probe.socket.close();
        }
        probe.finish().await?;
        ensure_eq!(probe.kind(), Some(kind), "the kind");
    }
    Ok(kind.to_string())
}

fn limited(address: String, path: &str) -> Builder {
    let builder = socket_builder(address).max_message_size(1000);
    match path {
        "/no-reply" => builder.connect_timeout(Duration::from_millis(150)),
        _ => builder,
    }
}
