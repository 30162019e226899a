//! The stream of statuses.

use super::*;

/// R6.
#[test]
fn a_stream_of_statuses_begins_with_the_present_one_and_ends() {
    let network = network();
    network.peer(URL).expect_close();
    let socket = open(&network);
    let mut statuses = socket.statuses();
    socket.close();
    let seen = network.block_on(async {
        let mut seen = Vec::new();
        while let Some(status) = statuses.next().await {
            seen.push(status);
        }
        seen
    });
    assert_eq!(seen, [Status::Open, Status::Closed]);
    let mut late = socket.statuses();
    assert_eq!(late.try_next(), Some(Status::Closed));
    assert_eq!(network.block_on(late.next()), None);
}

/// R6.
#[test]
fn a_stream_that_nobody_reads_keeps_the_last_statuses() {
    let network = network();
    for _ in 0..100 {
        network.peer(URL).refuse("no");
    }
    let socket = Socket::builder(URL).max_attempts(100).connect().unwrap();
    let mut statuses = socket.statuses();
    network.advance(3600 * SECOND);
    let kept: Vec<_> = std::iter::from_fn(|| statuses.try_next()).collect();
    assert_eq!(kept.len(), 64);
    assert!(matches!(kept.last(), Some(Status::GaveUp(_))));
}
