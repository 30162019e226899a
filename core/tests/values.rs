//! Values that a program's tests make, compare and show.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use isosocket_core::{CloseEvent, ErrorEvent, Event, Loss, OpenError, Status};

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
