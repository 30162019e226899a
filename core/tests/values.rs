//! Values that a program's tests make, compare and show.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use isosocket_core::{
    Binary, CloseEvent, ErrorEvent, Event, EventKind, Loss, Message, OpenError, Status,
};

/// A cause with a cause of its own.
#[derive(Debug)]
struct Outer(&'static str, Inner);

#[derive(Debug)]
struct Inner(&'static str);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl fmt::Display for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

impl Error for Outer {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.1)
    }
}

impl Error for Inner {}

fn refused() -> ErrorEvent {
    ErrorEvent::new(Outer("cannot connect to 10.0.0.1", Inner("timed out")))
}

#[test]
fn the_alternate_form_has_all_causes_on_one_line() {
    let error = refused();
    assert_eq!(format!("{error}"), "the WebSocket connection failed");
    let chain = "the WebSocket connection failed: cannot connect to 10.0.0.1: timed out";
    assert_eq!(format!("{error:#}"), chain);
    let unknown = ErrorEvent::unknown();
    assert_eq!(format!("{unknown:#}"), "the WebSocket connection failed");

    let error = OpenError::Failed(refused());
    let plain = "the WebSocket connection could not be established";
    assert_eq!(format!("{error}"), plain);
    let chain = format!("{plain}: cannot connect to 10.0.0.1: timed out");
    assert_eq!(format!("{error:#}"), chain);
    let syntax = isosocket::WebSocket::new("/chat").unwrap_err();
    assert_eq!(format!("{syntax:#}"), format!("{syntax}"));
    let error = OpenError::New(syntax.clone());
    assert_eq!(format!("{error:#}"), format!("{syntax}"));
}

#[test]
fn error_events_are_equal_when_their_causes_say_the_same() {
    assert_eq!(refused(), refused());
    assert_eq!(ErrorEvent::unknown(), ErrorEvent::unknown());
    assert_eq!(ErrorEvent::new("a"), ErrorEvent::new(String::from("a")));
    for other in [
        ErrorEvent::unknown(),
        ErrorEvent::new("cannot connect to 10.0.0.1"),
        ErrorEvent::new(Outer("cannot connect to 10.0.0.1", Inner("reset"))),
        ErrorEvent::new("cannot connect to 10.0.0.1: timed out"),
    ] {
        assert_ne!(refused(), other);
        assert_ne!(other, refused());
        assert_ne!(Event::Error(other.clone()), Event::Error(refused()));
        assert_ne!(OpenError::Failed(other), OpenError::Failed(refused()));
    }
}

#[test]
fn a_test_can_make_every_status_and_each_is_a_sentence() {
    let mut loss = Loss::new(CloseEvent::new(1012, "restart", true));
    loss.was_open = true;
    let mut failed = Loss::new(CloseEvent::abnormal());
    failed.error = Some(refused());
    failed.attempt = 3;
    assert_eq!(Loss::new(CloseEvent::abnormal()).attempt, 1);
    let waiting = |loss: &Loss, attempt, millis| Status::Waiting {
        attempt,
        delay: Duration::from_millis(millis),
        loss: loss.clone(),
    };
    for (status, plain, full) in [
        (
            Status::Connecting { attempt: 1 },
            "connecting",
            "connecting",
        ),
        (
            Status::Connecting { attempt: 4 },
            "connecting (attempt 4)",
            "connecting (attempt 4)",
        ),
        (Status::Open, "open", "open"),
        (
            waiting(&loss, 1, 1234),
            "closed with code 1012 (clean): restart; attempt 1 in 1.2 s",
            "closed with code 1012 (clean): restart; attempt 1 in 1.2 s",
        ),
        (
            waiting(&failed, 4, 59_960),
            "the WebSocket connection failed; attempt 4 in 60.0 s",
            "the WebSocket connection failed: cannot connect to 10.0.0.1: timed out; \
             attempt 4 in 60.0 s",
        ),
        (
            Status::GaveUp(failed),
            "gave up: the WebSocket connection failed",
            "gave up: the WebSocket connection failed: cannot connect to 10.0.0.1: timed out",
        ),
        (Status::Closed, "closed", "closed"),
    ] {
        assert_eq!(status.to_string(), plain);
        assert_eq!(format!("{status:#}"), full);
    }
    assert_eq!(loss.to_string(), "closed with code 1012 (clean): restart");
}

#[test]
fn the_source_of_an_open_error_is_the_event() {
    let error = OpenError::Failed(refused());
    let source = error.source().and_then(|source| source.downcast_ref());
    assert_eq!(source, Some(&refused()));
    let syntax = isosocket::WebSocket::new("/chat").unwrap_err();
    let texts = |error: &dyn Error| error.source().map(ToString::to_string);
    assert_eq!(texts(&OpenError::New(syntax.clone())), texts(&syntax));
}

#[test]
fn every_kind_of_event_has_its_name() {
    for kind in EventKind::ALL {
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    let error = "opened".parse::<EventKind>().unwrap_err();
    assert_eq!(error.name(), "opened");
}

#[test]
fn a_message_knows_its_kind_and_length() {
    for (message, is_text, length) in [
        (Message::from(""), true, 0),
        (Message::from("grüße"), true, 7),
        (Message::from([]), false, 0),
        (Message::from([1, 2]), false, 2),
    ] {
        assert_eq!(
            (message.is_text(), message.is_binary()),
            (is_text, !is_text)
        );
        assert_eq!((message.len(), message.is_empty()), (length, length == 0));
    }
}

#[test]
fn short_data_lies_in_the_value_and_long_data_is_shared() {
    for length in [0, 1, 31, 32, 33, 1000] {
        let content: Vec<u8> = (0..length).map(|number| number as u8).collect();
        let shared = Bytes::from(content.clone());
        let mut was_shared = false;
        let share = |_: &[u8]| {
            was_shared = true;
            shared.clone()
        };
        let data = Binary::prefix(&content, length, share);
        assert_eq!(&data[..], content);
        assert_eq!(was_shared, length > 32, "{length}");
        assert_eq!(Bytes::from(data.clone()), content);
        assert_eq!(Vec::<u8>::from(data), content);
    }
}

#[test]
fn short_data_can_be_written_in_place() {
    for length in [0, 1, 32] {
        let mut data = Binary::from([9; 40]);
        let room = data.short(length).expect("it is short enough");
        assert_eq!(room, vec![0; length]);
        room.fill(7);
        assert_eq!(&data[..], vec![7; length]);
    }
    let mut data = Binary::from(&[9; 40]);
    assert_eq!(data.short(33), None);
    assert_eq!(&data[..], [9; 40]);
}

/// S103: a target without a backend.
#[test]
fn without_a_backend_there_are_no_sockets_and_a_program_ends() {
    use isosocket_core::{NewError, Unsupported, WebSocket, run_unsupported, supported};

    assert!(!supported::<Unsupported>());
    assert!(!supported::<isosocket_core::Reconnect<Unsupported>>());
    let refused = WebSocket::<Unsupported>::new("ws://peer/").map(drop);
    assert_eq!(refused, Err(NewError::NotSupported));
    let mut ran = false;
    run_unsupported(async { ran = true });
    assert!(ran);
    run_unsupported(std::future::pending());
}
