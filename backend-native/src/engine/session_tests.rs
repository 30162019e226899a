//! Tests of an established connection: what it says, and when it is to be looked at again.

use super::*;

const SECOND: Duration = Duration::from_secs(1);
const TIMES: KeepAliveTimes = KeepAliveTimes {
    interval: Duration::from_secs(30),
    timeout: Duration::from_secs(10),
};

/// What a session said.
#[derive(Default)]
struct Said {
    reports: Vec<String>,
    frames: Vec<String>,
    round_trips: Vec<Duration>,
}

impl Facts for Said {
    fn message(&mut self, message: Message) -> Flow {
        self.reports.push(format!("{message:?}"));
        Flow::GoOn
    }

    fn report(&mut self, report: Report) {
        let words = match report {
            Report::Closed(close) => close.to_string(),
            Report::Failed(error) => format!("{:?}", error.kind()),
            report => format!("{report:?}"),
        };
        self.reports.push(words);
    }

    fn queue(&mut self, frame: ControlFrame<'_>) {
        self.frames.push(format!("{frame:?}"));
    }

    fn round_trip(&mut self, time: Duration) {
        self.round_trips.push(time);
    }
}

fn session(keep_alive: Option<KeepAliveTimes>, now: Instant) -> Session {
    let options = SessionOptions {
        max_message_size: 1 << 20,
        close_timeout: Some(10 * SECOND),
        keep_alive,
        receive_limit: 1 << 20,
    };
    Session::new(&options, None, now)
}

/// S107.
#[test]
fn the_silence_of_a_peer_that_is_not_read_proves_nothing() {
    let now = Instant::now();
    let with = session(Some(TIMES), now);
    assert_eq!(with.deadline(false), Some(now + 30 * SECOND));
    assert_eq!(with.deadline(true), None);
    assert_eq!(session(None, now).deadline(false), None);
}

/// S108.
#[test]
fn keep_alive_ends_with_the_first_close_frame() {
    let now = Instant::now();
    let mut with = session(Some(TIMES), now);
    assert!(with.keeps_alive() && !session(None, now).keeps_alive());
    with.close(now);
    assert!(!with.keeps_alive());
    assert_eq!(with.deadline(false), Some(now + 10 * SECOND));
}

/// S95: the failure is reported at once, and the end of TCP says no more.
#[test]
fn a_violation_is_reported_once() {
    let now = Instant::now();
    let (mut session, mut said) = (session(None, now), Said::default());
    let (used, life) = session.receive(b"\x83\0", now, &mut Arena::default(), &mut said);
    assert_eq!((used, life), (2, Life::Alive));
    assert!(session.is_reported() && !session.may_pause());
    assert_eq!(said.reports, ["ProtocolViolation(1002)"]);
    assert_eq!(said.frames, ["Close(Some((1002, \"\")))"]);
    // What follows is not decoded.
    let (used, life) = session.receive(b"\x81\x01a", now, &mut Arena::default(), &mut said);
    assert_eq!((used, life), (3, Life::Alive));
    assert_eq!(session.on_end_of_stream(now, &mut said), Life::Over);
    assert_eq!((said.reports.len(), said.frames.len()), (1, 1));
}

/// S71, S88: nothing is decoded after the peer's Close frame.
#[test]
fn the_peers_close_is_answered_and_reported() {
    let now = Instant::now();
    let (mut session, mut said) = (session(Some(TIMES), now), Said::default());
    assert!(session.may_pause() && !session.is_reported());
    let frames = b"\x81\x01a\x88\x02\x0f\xa0\x81\x01b";
    let (used, life) = session.receive(frames, now, &mut Arena::default(), &mut said);
    assert_eq!((used, life), (frames.len(), Life::Alive));
    assert!(!session.keeps_alive() && !session.may_pause());
    assert_eq!(said.frames, ["Close(Some((4000, \"\")))"]);
    assert!(session.room().is_none());
    assert_eq!(session.on_end_of_stream(now, &mut said), Life::Over);
    let end = "closed with code 4000 (clean)";
    assert_eq!(said.reports, ["Text(\"a\", 1 byte)", "PeerClosing", end]);
}

/// S107, S116: a ping that is answered is a round trip.
#[test]
fn a_tested_peer_answers_or_is_dead() {
    let now = Instant::now();
    let (mut with, mut said) = (session(Some(TIMES), now), Said::default());
    with.test(None, now, &mut said);
    with.test(None, now, &mut said);
    assert!(with.is_testing());
    assert_eq!(said.frames, ["Ping"], "one is enough");
    let later = now + SECOND;
    let _ = with.receive(b"\x8a\0", later, &mut Arena::default(), &mut said);
    assert_eq!((said.round_trips, with.is_testing()), (vec![SECOND], false));

    let mut said = Said::default();
    with.test(None, later, &mut said);
    let deadline = with.deadline(false).expect("it is being tested");
    assert_eq!(
        with.expire(false, deadline - SECOND, &mut said),
        Life::Alive
    );
    assert_eq!(with.expire(false, deadline, &mut said), Life::Over);
    assert_eq!(said.reports, ["TimedOut(Heartbeat)"]);
    let mut without = session(None, now);
    without.test(None, now, &mut said);
    assert!(!without.is_testing());
}

/// S76, S106: not before the deadline, and later while the network takes bytes.
#[test]
fn an_unanswered_close_ends_at_its_deadline() {
    let now = Instant::now();
    let (mut session, mut said) = (session(None, now), Said::default());
    assert_eq!(session.expire(false, now, &mut said), Life::Alive);
    session.close(now);
    let nine = now + 9 * SECOND;
    assert_eq!(session.expire(false, nine, &mut said), Life::Alive);
    let ten = now + 10 * SECOND;
    assert_eq!(session.expire(true, ten, &mut said), Life::Alive);
    assert_eq!(session.deadline(false), Some(ten + 10 * SECOND));
    assert_eq!(
        session.expire(false, ten + 10 * SECOND, &mut said),
        Life::Over
    );
    assert_eq!(said.reports, ["closed with code 1006 (not clean)"]);
}

/// S107: a byte that the network accepts is a sign of life.
#[test]
fn an_accepted_byte_puts_the_ping_off() {
    let now = Instant::now();
    let mut with = session(Some(TIMES), now);
    with.accepted(now + SECOND);
    assert_eq!(with.deadline(false), Some(now + 31 * SECOND));
}

/// S102.
#[test]
fn an_abandoned_socket_does_not_wait_for_ever() {
    let now = Instant::now();
    let options = SessionOptions {
        max_message_size: 1,
        close_timeout: None,
        keep_alive: None,
        receive_limit: 1,
    };
    let mut session = Session::new(&options, None, now);
    session.close(now);
    assert_eq!(session.deadline(false), None);
    session.abandon(now);
    assert!(session.deadline(false).is_some());
}

/// S109: what made the connection useless first is the cause.
#[test]
fn a_failed_write_is_the_cause_of_the_end() {
    let now = Instant::now();
    let (mut session, mut said) = (session(None, now), Said::default());
    let error = || io::Error::from(io::ErrorKind::BrokenPipe);
    assert_eq!(session.on_write_error(error(), now, &mut said), Life::Alive);
    let (_, life) = session.receive(b"\x81\x01a", now, &mut Arena::default(), &mut said);
    assert_eq!(life, Life::Alive);
    let reset = io::Error::from(io::ErrorKind::TimedOut);
    assert_eq!(session.on_read_error(reset, now, &mut said), Life::Over);
    assert_eq!(said.reports, ["Text(\"a\", 1 byte)", "Reset"]);
}

/// Of a large message the rest is read straight to where it belongs.
#[test]
fn a_large_message_has_room_for_its_rest() {
    let now = Instant::now();
    let (mut session, mut said) = (session(None, now), Said::default());
    let start = b"\x82\x7f\0\0\0\0\0\x02\0\0first";
    let _ = session.receive(start, now, &mut Arena::default(), &mut said);
    let rest = (128 << 10) - 5;
    let (data, most) = session.room().expect("much of it is to come");
    assert_eq!(most, rest);
    data.extend_from_slice(&vec![7; rest]);
    assert_eq!(session.appended(rest, now, &mut said), Life::Alive);
    assert_eq!(said.reports.len(), 1);
}
