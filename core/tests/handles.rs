//! Handles: which socket they belong to, and what they share.

#![allow(
    clippy::mutable_key_type,
    reason = "a handle is compared and hashed by its socket, which does not change"
)]

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use futures::{FutureExt, SinkExt, StreamExt, stream};
use isosocket::mock::Network;
use isosocket::{CloseError, Message, ReadyState, Reconnecting, SendError, WebSocket};
use isosocket_core::Host;

#[test]
fn handles_are_equal_when_they_are_of_one_socket() {
    let network = Network::new();
    network.peer("ws://peer/").accept();
    network.peer("ws://peer/").accept();
    network.peer("ws://peer/").accept();
    let one = WebSocket::new("ws://peer/").unwrap();
    let other = WebSocket::new("ws://peer/").unwrap();
    assert_eq!(one, one.clone());
    assert_ne!(one, other);
    let state = RandomState::new();
    assert_eq!(state.hash_one(&one), state.hash_one(one.clone()));
    assert_ne!(state.hash_one(&one), state.hash_one(&other));
    let players = HashMap::from([(one.clone(), "Ann"), (other.clone(), "Bob")]);
    assert_eq!(players[&one.clone()], "Ann");
    assert_eq!(players[&other], "Bob");
    assert_eq!(HashSet::from([one.clone(), one.clone()]).len(), 1);
    assert_eq!(one.sender().socket(), &one);
    let events = one.events();
    assert!(events.is_of(&one) && !events.is_of(&other));
    let reconnecting = Reconnecting::new("ws://peer/").unwrap();
    assert_eq!(reconnecting, reconnecting.clone());
    network.run();
}

#[test]
fn a_handler_is_given_a_handle_of_its_socket() {
    let network = Network::new();
    network.peer("ws://peer/").accept();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let (sender, seen) = std::sync::mpsc::channel();
    isosocket::Bind::on_open(&socket, move |socket| sender.send(socket.clone()).unwrap());
    network.run();
    assert_eq!(seen.try_recv().unwrap(), socket);
}

#[test]
fn a_clone_of_a_sender_takes_over_nothing_that_is_held() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    peer.accept().stall();
    let builder = WebSocket::builder("ws://peer/").send_limit(1000);
    let socket = network.block_on(builder.open()).unwrap();
    let mut one = socket.sender();
    assert!(one.send(vec![1; 100].into()).now_or_never().is_none());
    // Little is buffered, so it is taken; but it does not fit, so it is held.
    assert!(one.send(vec![2; 950].into()).now_or_never().is_none());
    let mut other = one.clone();
    drop(one);
    peer.drain()
        .expect(vec![1; 100])
        .expect("more")
        .expect_close();
    network.block_on(async {
        other.send("more".into()).await.unwrap();
        other.close().await.unwrap();
    });
    network.finish();
}

#[test]
fn a_sink_closes_with_the_code_it_was_given() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    peer.expect("one")
        .expect("two")
        .expect_close_with(4001, "done");
    network.block_on(async {
        let socket = WebSocket::open("ws://peer/").await.unwrap();
        let sender = socket.sender().closing_with(4001, "done").unwrap();
        let messages = stream::iter(["one", "two"]).map(|text| Ok(Message::from(text)));
        messages.forward(sender).await.unwrap();
        assert_eq!(socket.ready_state(), ReadyState::Closed);
    });
    network.finish();
}

#[test]
fn a_sink_is_closed_with_a_code_after_all_it_holds() {
    let network = Network::new();
    let peer = network.peer("ws://peer/");
    peer.expect("one").expect_close_with(1000, "");
    network.block_on(async {
        let socket = WebSocket::open("ws://peer/").await.unwrap();
        let mut sender = socket.sender();
        sender.feed("one".into()).await.unwrap();
        sender.close_with(1000, "").unwrap().await.unwrap();
        assert_eq!(socket.ready_state(), ReadyState::Closed);
        assert_eq!(
            sender.send("late".into()).await,
            Err(SendError::Closed("late".into()))
        );
    });
    network.finish();
}

#[test]
fn a_sink_refuses_the_codes_that_the_socket_refuses() {
    let network = Network::new();
    network.peer("ws://peer/").accept();
    let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
    let refused = socket.sender().closing_with(1005, "").unwrap_err();
    assert_eq!(refused, CloseError::InvalidCode(1005));
    let long = "x".repeat(124);
    let refused = socket.sender().closing_with(1000, &long).unwrap_err();
    assert_eq!(refused, CloseError::ReasonTooLong(124));
    assert_eq!(socket.ready_state(), ReadyState::Open);
}

#[test]
fn a_target_without_a_transport_has_no_timers() {
    assert!(().after(Duration::ZERO, || ()).is_err());
    assert_eq!(<() as Host>::time_left(&()), None);
}
