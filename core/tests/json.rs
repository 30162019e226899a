//! JSON in messages.

use std::collections::HashMap;

use futures::StreamExt;
use isosocket::mock::Network;
use isosocket::{JsonError, Message, SendError, SendJsonError, Socket, WebSocket};

#[test]
fn values_are_sent_as_text_and_read_from_both_kinds() {
    fn vote(socket: &impl Socket) -> Result<(), SendJsonError> {
        socket.send_json(&[1, 2])
    }
    let network = Network::new();
    network.peer("ws://peer/").expect("[1,2]").expect("\"a\"");
    let socket = network.block_on(WebSocket::open("ws://peer/")).unwrap();
    vote(&socket).unwrap();
    socket.send_json("a").unwrap();
    network.finish();
    for message in [Message::from("[1, 2]"), Message::from(b"[1, 2]")] {
        assert_eq!(message.json::<Vec<u32>>().unwrap(), [1, 2]);
    }
}

#[test]
fn what_is_no_json_is_shown_from_its_start_and_no_more() {
    let long = format!("<html>{}", "x".repeat(100_000));
    let error: JsonError = Message::from(long).json::<u32>().unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.contains("<html>xxx") && shown.contains("100006 bytes"),
        "{shown}"
    );
    assert!(shown.contains("line 1 column 1"), "{shown}");
    assert!(shown.len() < 300 && format!("{error:?}").len() < 500);
    assert_eq!(error.message().len(), 100_006);
}

#[test]
fn what_is_not_sent_says_why() {
    let network = Network::new();
    network.peer("ws://peer/").accept();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let connecting = socket.send_json(&1).unwrap_err();
    assert!(matches!(
        connecting,
        SendJsonError::Send(SendError::Connecting(_))
    ));
    network.run();
    let keys = HashMap::from([(vec![1], 2)]);
    let error = socket.send_json(&keys).unwrap_err();
    let shown = error.to_string();
    assert!(
        shown.starts_with("the value cannot be written as JSON: "),
        "{shown}"
    );
}

#[test]
fn a_stream_of_values_skips_other_events_and_ends() {
    let network = Network::new();
    network
        .peer("ws://peer/")
        .send("1")
        .send("x")
        .send("3")
        .close();
    let socket = WebSocket::new("ws://peer/").unwrap();
    let mut numbers = socket.events().json::<u32>();
    assert!(numbers.try_next().is_none());
    assert_eq!(network.block_on(numbers.next()).unwrap().unwrap(), 1);
    let error = numbers.try_next().unwrap().unwrap_err();
    assert_eq!(error.message().as_text(), Some("x"));
    let number = network.block_on(StreamExt::next(&mut numbers));
    assert_eq!(number.unwrap().unwrap(), 3);
    assert!(network.block_on(StreamExt::next(&mut numbers)).is_none());
}
