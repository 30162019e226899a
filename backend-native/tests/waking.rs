//! Waking up (S116): the program says so, or the process was stopped and goes on.

mod support;

use std::io::Write;
use std::net::TcpStream;
use std::sync::mpsc::Receiver;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::EventLoop;
use isosocket::{
    Builder, ErrorKind, Event, Heartbeat, Reconnecting, ReconnectingBuilder, Retry, Status,
    Timeout, WebSocket,
};

use support::*;

const SECOND: Duration = Duration::from_secs(1);
/// A time that no test waits for.
const HOUR: Duration = Duration::from_secs(3600);
/// The goal is 2 s. A busy machine may take longer, but nothing that happens without
/// waking up happens as soon.
const SOON: Duration = Duration::from_secs(10);

/// A call of `wake_up` reaches all sockets of the process, so one test runs at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reconnecting(server: &Server) -> ReconnectingBuilder {
    // At once, so that only the test of the connection takes time.
    Reconnecting::builder(server.url()).retry(|_| Retry::After(Duration::ZERO))
}

fn with_pings(builder: Builder) -> Builder {
    builder.heartbeat(Heartbeat::new(HOUR, HOUR))
}

fn with_messages(builder: Builder) -> Builder {
    builder.heartbeat(Heartbeat::new(HOUR, HOUR).message("?").answer("!"))
}

/// An open socket, its events, and the other end of its connection.
fn opened(configure: fn(Builder) -> Builder) -> (Server, WebSocket, Receiver<Event>, TcpStream) {
    let server = Server::new();
    let (socket, events) = connect(configure(server.builder()));
    let tcp = server.greet();
    assert_eq!(next(&events), Event::Open);
    (server, socket, events, tcp)
}

/// Reads what asks whether this end is alive.
#[track_caller]
fn read_question(tcp: &mut TcpStream) {
    let (kind, payload) = read_frame(tcp).unwrap();
    assert!(
        kind == PING || (kind == TEXT && payload == b"?"),
        "{kind}: {payload:?}"
    );
}

#[track_caller]
fn expect_loss(event: Event) {
    let Event::Error(error) = event else {
        panic!("{event:?}");
    };
    let kind = ErrorKind::TimedOut(Timeout::Heartbeat);
    assert_eq!(error.kind(), kind, "{error:#}");
}

/// R49: the default pings, and a server that is frozen.
#[test]
fn a_frozen_server_is_replaced_soon_after_waking_up() {
    let _alone = alone();
    let server = Server::new();
    let socket = reconnecting(&server).connect().unwrap();
    let mut first = server.greet();
    wait_until_open(&socket);
    let woken = Instant::now();
    isosocket::wake_up();
    read_question(&mut first);
    let _second = server.greet();
    let took = woken.elapsed();
    assert!(took > SECOND && took < SOON, "{took:?}");
    wait_until_open(&socket);
}

/// R49: by pings and by messages, of sockets of both kinds of loops.
#[test]
fn a_plain_socket_with_a_heartbeat_is_tested() {
    let _alone = alone();
    for configure in [with_pings, with_messages] {
        let (server, _socket, events, mut tcp) = opened(configure);
        isosocket::wake_up();
        read_question(&mut tcp);
        expect_loss(next(&events));

        let mut event_loop = EventLoop::new().unwrap();
        let builder = configure(server.builder());
        event_loop.block_on(async move {
            let socket = builder.connect().unwrap();
            let mut events = socket.events();
            let server = thread::spawn(move || {
                let mut tcp = server.greet();
                read_question(&mut tcp);
                tcp
            });
            assert_eq!(events.next().await, Some(Event::Open));
            isosocket::wake_up();
            expect_loss(events.next().await.unwrap());
            drop(server.join().unwrap());
        });
    }
}

/// R49.
#[test]
fn a_peer_that_answers_stays() {
    let _alone = alone();
    for configure in [with_pings, with_messages] {
        let (_server, socket, events, mut tcp) = opened(configure);
        for _ in 0..3 {
            isosocket::wake_up();
            let (kind, payload) = read_frame(&mut tcp).unwrap();
            let answer = match kind {
                PING => frame(PONG, &payload),
                _ => frame(TEXT, b"!"),
            };
            tcp.write_all(&answer).unwrap();
            // A message behind the answer says that the answer was seen.
            tcp.write_all(&frame(TEXT, b"news")).unwrap();
            assert_eq!(next(&events), Event::Message("news".into()));
        }
        assert!(socket.latency().is_some());
        // Longer than a peer has that is tested.
        thread::sleep(2 * SECOND);
        tcp.write_all(&close_frame(4000)).unwrap();
        assert_eq!(next(&events), closed(4000));
    }
}

/// R49: the system takes bytes for a peer that is gone, which says nothing.
#[test]
fn sending_all_the_time_hides_no_dead_peer() {
    let _alone = alone();
    for configure in [with_pings, with_messages] {
        let (_server, socket, events, _tcp) = opened(configure);
        let sender = thread::spawn(move || {
            while socket.send("x").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        });
        isosocket::wake_up();
        expect_loss(next(&events));
        sender.join().unwrap();
    }
}

/// R49: where the network takes more and more of what waits, the peer is alive.
#[test]
fn a_slow_upload_is_no_dead_peer() {
    let _alone = alone();
    for configure in [with_pings, with_messages] {
        while !survives_a_slow_upload(configure) {}
    }
}

/// An upload that takes twice as long as a peer has that is tested. False if the peer itself
/// did not run for a large part of that time, because the machine was busy.
fn survives_a_slow_upload(configure: fn(Builder) -> Builder) -> bool {
    // Of a peer whose round trip is not known.
    let limit = Duration::from_millis(1500);
    let (_server, socket, events, mut tcp) = opened(configure);
    let mut pace = Pace::start(limit / 2);
    let size = 4 << 20;
    socket.send(vec![7; size]).unwrap();
    isosocket::wake_up();
    let read = pace.read(&mut tcp, size, limit * 2);
    let answered = tcp.write_all(&frame(TEXT, b"thanks"));
    if !pace.is_kept() {
        return false;
    }
    read.and(answered).unwrap();
    assert_eq!(next(&events), Event::Message("thanks".into()));
    true
}

/// R47.
#[test]
fn a_wait_of_an_hour_ends() {
    let _alone = alone();
    let server = Server::new();
    let builder = Reconnecting::builder(server.url()).retry(|_| Retry::After(HOUR));
    let socket = builder.connect().unwrap();
    let mut statuses = socket.statuses();
    drop(server.greet());
    let is_waiting = |status: Status| matches!(status, Status::Waiting { .. });
    while !pollster::block_on(statuses.next()).is_some_and(is_waiting) {}
    isosocket::wake_up();
    let _second = server.greet();
    wait_until_open(&socket);
}

/// R48: the server is there, and does not answer this connection.
#[test]
fn an_attempt_that_hangs_is_begun_again() {
    let _alone = alone();
    let server = Server::new();
    let builder = reconnecting(&server).connect_timeout(HOUR);
    let socket = builder.connect().unwrap();
    let mut first = server.accept();
    read_head(&mut first);
    isosocket::wake_up();
    let _second = server.greet();
    wait_until_open(&socket);
    assert_eq!(socket.status(), Status::Open);
}

fn wait_until_open(socket: &Reconnecting) {
    let mut statuses = socket.statuses();
    pollster::block_on(async { while statuses.next().await != Some(Status::Open) {} });
}

/// A process that is this program again, and runs one test in another way. It is killed at
/// the end.
#[cfg(target_os = "linux")]
struct Process(std::process::Child);

#[cfg(target_os = "linux")]
impl Process {
    const URL: &str = "ISOSOCKET_WAKING_URL";

    fn start(test: &str, url: &str) -> Self {
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        let command = command.args(["--exact", "--nocapture", test]);
        Process(command.env(Self::URL, url).spawn().unwrap())
    }

    /// The URL, in such a process.
    fn url() -> Option<String> {
        std::env::var(Self::URL).ok()
    }

    /// Stops it for so long, once all its threads wait.
    fn stop(&self, time: Duration) {
        while !self.is_waiting() {
            thread::yield_now();
        }
        self.signal(libc::SIGSTOP);
        // Not for a result: the time must pass for the process that is stopped.
        thread::sleep(time);
        self.signal(libc::SIGCONT);
    }

    fn is_waiting(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.0.id())).unwrap();
        tasks.flatten().all(|task| {
            let stat = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            // The state comes after the name, which is in parentheses.
            let state = stat.rsplit(") ").next();
            state.is_some_and(|state| state.starts_with('S'))
        })
    }

    fn signal(&self, signal: i32) {
        #[allow(unsafe_code, reason = "the standard library sends no such signal")]
        // SAFETY: the child was not waited for, so the number is still its own.
        unsafe {
            assert_eq!(libc::kill(self.0.id() as i32, signal), 0);
        }
    }
}

#[cfg(target_os = "linux")]
impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// R51: Linux interrupts the shared thread's wait when a stopped process goes on. Nothing
/// is due for half a minute.
#[cfg(target_os = "linux")]
#[test]
fn a_process_that_was_stopped_tests_its_connections() {
    if let Some(url) = Process::url() {
        let socket = Reconnecting::new(&*url).unwrap();
        socket.send("open").unwrap();
        return drop(pollster::block_on(socket.closed()));
    }
    let server = Server::new();
    let process = Process::start(
        "a_process_that_was_stopped_tests_its_connections",
        &server.url(),
    );
    let mut tcp = server.greet();
    assert_eq!(read_frame(&mut tcp).unwrap().1, b"open");
    tcp.set_read_timeout(Some(SOON)).unwrap();
    process.stop(2 * SECOND);
    read_question(&mut tcp);
    let _second = server.greet();
}

/// R51: in a program's own loop a deadline that is late says it, for all sockets.
#[cfg(target_os = "linux")]
#[test]
fn a_loop_that_was_stopped_tests_all_connections() {
    if let Some(url) = Process::url() {
        return isosocket::run(async move {
            let patient = Reconnecting::builder(&url).heartbeat(Heartbeat::new(HOUR, HOUR));
            let patient = patient.connect().unwrap();
            let mut events = patient.events();
            assert_eq!(events.next().await, Some(Event::Open));
            let busy = Reconnecting::builder(&url).heartbeat(Heartbeat::new(SECOND / 4, HOUR));
            let _busy = busy.connect().unwrap();
            while events.next().await.is_some() {}
        });
    }
    let server = Server::new();
    let process = Process::start(
        "a_loop_that_was_stopped_tests_all_connections",
        &server.url(),
    );
    let mut patient = server.greet();
    let mut busy = server.greet();
    let (asked, question) = std::sync::mpsc::channel();
    let answering = thread::spawn(move || {
        while let Ok((PING, payload)) = read_frame(&mut busy) {
            let _ = busy.write_all(&frame(PONG, &payload));
            // After the answer, so that the next question has a time.
            let _ = asked.send(());
        }
    });
    question.recv_timeout(DEADLINE).unwrap();
    // A question is due soon after it is stopped, and then much too late.
    process.stop(4 * SECOND);
    patient.set_read_timeout(Some(SOON)).unwrap();
    read_question(&mut patient);
    let _second = server.greet();
    drop(process);
    answering.join().unwrap();
}
