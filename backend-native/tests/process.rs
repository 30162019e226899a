//! The life of a process (S106, S114): destructors of thread-locals, exit, SIGPIPE,
//! fork, file descriptors, and a process that is stopped.
//!
//! Each case runs in a process of its own, which is this program again. A case
//! that aborts, hangs or is killed by a signal fails the test.

#![cfg(unix)]

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::fd::AsRawFd;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{BuilderExt, EventsExt, rustls_0_23 as rustls};
use isosocket::{Builder, Event, EventKind, Heartbeat, NewError, ReadyState, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const LIMIT: Duration = Duration::from_secs(60);

/// The variable that names the case which a process runs.
const CASE: &str = "ISOSOCKET_PROCESS_CASE";
const URL: &str = "ISOSOCKET_PROCESS_URL";
const CA: &str = "ISOSOCKET_PROCESS_CA";

/// Starts this program again to run one case.
fn start(name: &str, url: &str, ca: &[u8]) -> Child {
    let ca: String = ca.iter().map(|byte| format!("{byte:02x}")).collect();
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(CASE, name)
        .env(URL, url)
        .env(CA, ca)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Waits for the process, and kills one that hangs.
#[track_caller]
fn finish(mut child: Child) -> String {
    let end = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
        }
        thread::yield_now();
    }
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    let passed = output.status.success() && text.contains("1 passed");
    assert!(passed, "{}: {text}", output.status);
    text
}

/// Runs `case` in a process of its own, against a peer in this one.
#[track_caller]
fn alone(name: &str, path: &str, case: fn(&str)) {
    match std::env::var(CASE) {
        Ok(this) if this == name => case(&std::env::var(URL).unwrap()),
        _ => {
            let peer = Peer::start(PeerOptions::default()).unwrap();
            let url = match path.strip_prefix("tls:") {
                Some(path) => peer.tls_url(path),
                None => peer.url(path),
            };
            finish(start(name, &url, peer.ca_der()));
        }
    }
}

/// A builder that trusts the peer's authority.
fn builder(url: &str) -> Builder {
    let hex = std::env::var(CA).unwrap();
    if hex.is_empty() {
        return WebSocket::builder(url);
    }
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    let ca: Vec<u8> = (0..hex.len()).step_by(2).map(byte).collect();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.into()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    WebSocket::builder(url).tls_config(Arc::new(config))
}

/// An open socket.
fn open(url: &str) -> WebSocket {
    let socket = builder(url).connect().unwrap();
    let mut events = socket.events();
    assert_eq!(
        events.recv_timeout(LIMIT).map(|event| event.kind()),
        Ok(EventKind::Open)
    );
    socket
}

/// All events of a socket as they come, in words.
fn listen(socket: &WebSocket) -> Receiver<String> {
    let (sender, receiver) = channel();
    for kind in EventKind::ALL {
        let sender = sender.clone();
        socket.bind(kind, move |_, event| {
            let words = match event {
                Event::Error(error) => format!("error {error:#}"),
                event => format!("{event:?}"),
            };
            let _ = sender.send(words);
        });
    }
    receiver
}

fn echoes(url: &str) {
    let socket = open(url);
    let mut events = socket.events();
    // Long enough that compressing makes it smaller, where the server agrees to it.
    let text = "there and back, ".repeat(20);
    socket.send(&text).unwrap();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Message(text.into())));
}

// Destructors.

thread_local! {
    static KEPT: RefCell<Option<WebSocket>> = const { RefCell::new(None) };
}

#[test]
fn a_socket_in_a_thread_local_closes_when_its_thread_ends() {
    alone(
        "a_socket_in_a_thread_local_closes_when_its_thread_ends",
        "/echo",
        |url| {
            let url = url.to_owned();
            let mut events = thread::spawn(move || {
                // Initialized before any of the library's own, so dropped after them.
                KEPT.with_borrow_mut(|kept| *kept = None);
                let socket = open(&url);
                socket.send("x").unwrap();
                socket.send(vec![0; 100_000]).unwrap();
                let events = socket.events();
                KEPT.with_borrow_mut(|kept| *kept = Some(socket));
                events
            })
            .join()
            .unwrap();
            let close = loop {
                match events.recv_timeout(LIMIT).unwrap() {
                    Event::Close(close) => break close,
                    event => assert!(matches!(event, Event::Message(_)), "{event:?}"),
                }
            };
            assert!(close.was_clean, "the Close frame was sent: {close}");
        },
    );
}

/// Makes and uses a socket when its thread ends.
struct Late(String);

impl Drop for Late {
    fn drop(&mut self) {
        // All of the library's own thread-locals are gone by now.
        echoes(&self.0);
    }
}

fn use_a_socket_while_the_thread_ends(url: &str) {
    thread_local! {
        static LATE: RefCell<Option<Late>> = const { RefCell::new(None) };
    }
    let url = url.to_owned();
    let thread = thread::spawn(move || {
        LATE.with_borrow_mut(|late| *late = Some(Late(url.clone())));
        isosocket::run(async move { echoes(&url) });
    });
    thread.join().unwrap();
}

#[test]
fn a_thread_may_make_and_use_a_socket_while_it_ends() {
    alone(
        "a_thread_may_make_and_use_a_socket_while_it_ends",
        "/echo",
        use_a_socket_while_the_thread_ends,
    );
}

#[test]
fn a_thread_may_compress_while_it_ends() {
    alone(
        "a_thread_may_compress_while_it_ends",
        "/script?do=accept:Sec-WebSocket-Extensions=\
         permessage-deflate%3B%20client_no_context_takeover;echo",
        use_a_socket_while_the_thread_ends,
    );
}

static AT_EXIT: Mutex<Option<WebSocket>> = Mutex::new(None);

extern "C" fn close_at_exit() {
    let socket = AT_EXIT.lock().unwrap().take().unwrap();
    let mut events = socket.events();
    socket.send("at exit").unwrap();
    drop(socket);
    // The process lives long enough: until the peer has answered.
    while events
        .recv_timeout(LIMIT)
        .is_ok_and(|event| event.kind() != EventKind::Close)
    {}
}

#[test]
fn a_socket_may_be_dropped_at_exit() {
    alone("a_socket_may_be_dropped_at_exit", "/echo", |url| {
        *AT_EXIT.lock().unwrap() = Some(open(url));
        // SAFETY: the function is `extern "C"` and does not unwind.
        #[allow(unsafe_code, reason = "there is no other way to run code at exit")]
        unsafe {
            libc::atexit(close_at_exit);
        }
    });
}

#[test]
fn a_socket_in_a_static_does_no_harm() {
    static KEPT: Mutex<Option<WebSocket>> = Mutex::new(None);
    alone("a_socket_in_a_static_does_no_harm", "/echo", |url| {
        *KEPT.lock().unwrap() = Some(open(url));
    });
}

// Signals.

/// A process whose `main` is not Rust's has this signal as the system made it.
#[allow(unsafe_code, reason = "the standard library ignores the signal")]
fn restore_sigpipe() {
    // SAFETY: nothing else in this process handles the signal.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_DFL) };
}

/// Sends until the socket has ended.
fn send_to_the_end(url: &str) {
    restore_sigpipe();
    for _ in 0..20 {
        let socket = open(url);
        let block = vec![7; 300_000];
        while socket.ready_state() != ReadyState::Closed {
            let _ = socket.send(&block);
            thread::yield_now();
        }
    }
}

#[test]
fn a_reset_raises_no_signal() {
    alone(
        "a_reset_raises_no_signal",
        "/script?do=accept;wait:frame:1;rst",
        send_to_the_end,
    );
}

#[test]
fn a_reset_raises_no_signal_over_tls() {
    let path = "tls:/script?do=accept;wait:frame:1;rst";
    alone("a_reset_raises_no_signal_over_tls", path, send_to_the_end);
}

/// Stops the process while the peer's answer arrives, for longer than `timeout`.
fn stop_and_continue(child: &Child, timeout: Duration, answer: impl FnOnce()) {
    let signal = |signal| {
        #[allow(unsafe_code, reason = "the standard library sends no such signal")]
        // SAFETY: the child was not waited for, so the number is still its own.
        unsafe {
            assert_eq!(libc::kill(child.id() as i32, signal), 0);
        }
    };
    signal(libc::SIGSTOP);
    answer();
    // Not for a result: the time must pass for the process that is stopped.
    thread::sleep(3 * timeout);
    signal(libc::SIGCONT);
}

/// The child's connection, unless it has ended without one.
fn accept(listener: &TcpListener, child: &mut Child) -> std::net::TcpStream {
    listener.set_nonblocking(true).unwrap();
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(false).unwrap();
                stream.set_read_timeout(Some(LIMIT)).unwrap();
                return stream;
            }
            Err(_) => assert!(child.try_wait().unwrap().is_none(), "the child has ended"),
        }
        thread::yield_now();
    }
}

fn read_head(stream: &mut std::net::TcpStream) -> String {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

fn accept_key(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "));
    tungstenite::handshake::derive_accept_key(key.unwrap().as_bytes())
}

fn switch(key: &str) -> String {
    format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {key}\r\n\r\n"
    )
}

const TIMEOUT: Duration = Duration::from_secs(1);

#[test]
fn a_reply_that_arrived_while_the_process_was_stopped_is_in_time() {
    let name = "a_reply_that_arrived_while_the_process_was_stopped_is_in_time";
    if std::env::var(CASE).is_ok() {
        let url = std::env::var(URL).unwrap();
        let socket = builder(&url).connect_timeout(TIMEOUT).connect().unwrap();
        let mut events = socket.events();
        let event = events.recv_timeout(LIMIT).unwrap();
        assert_eq!(event.kind(), EventKind::Open, "{event:?}");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut child = start(name, &url, &[]);
    let mut stream = accept(&listener, &mut child);
    let key = accept_key(&read_head(&mut stream));
    stop_and_continue(&child, TIMEOUT, || {
        stream.write_all(switch(&key).as_bytes()).unwrap()
    });
    finish(child);
}

#[test]
fn a_pong_that_arrived_while_the_process_was_stopped_is_in_time() {
    let name = "a_pong_that_arrived_while_the_process_was_stopped_is_in_time";
    if std::env::var(CASE).is_ok() {
        let url = std::env::var(URL).unwrap();
        let socket = builder(&url)
            .heartbeat(Heartbeat::new(TIMEOUT, TIMEOUT))
            .connect()
            .unwrap();
        let mut events = socket.events();
        assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
        let event = events.recv_timeout(LIMIT).unwrap();
        assert_eq!(event, Event::Message("still here".into()));
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let mut child = start(name, &url, &[]);
    let mut stream = accept(&listener, &mut child);
    let key = accept_key(&read_head(&mut stream));
    stream.write_all(switch(&key).as_bytes()).unwrap();
    // A ping without a payload: two bytes, and the mask.
    stream.read_exact(&mut [0; 6]).unwrap();
    stop_and_continue(&child, TIMEOUT, || stream.write_all(&[0x8A, 0]).unwrap());
    stream.write_all(b"\x81\x0Astill here").unwrap();
    finish(child);
}

/// The same without a signal: a handler keeps the thread that would read.
#[test]
fn a_reply_that_arrived_while_a_handler_ran_is_in_time() {
    let peer = Peer::start(PeerOptions::default()).unwrap();
    let slow = WebSocket::new(peer.url("/echo")).unwrap();
    let opened = listen(&slow);
    assert_eq!(opened.recv_timeout(LIMIT).unwrap(), "Open");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (go_on, wait) = channel::<()>();
    let (sender, entered) = channel();
    slow.on_message(move |_, _| {
        sender.send(()).unwrap();
        let _ = wait.recv_timeout(LIMIT);
    });
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let socket = WebSocket::builder(url)
        .connect_timeout(TIMEOUT)
        .connect()
        .unwrap();
    let events = listen(&socket);
    let (mut stream, _) = listener.accept().unwrap();
    let key = accept_key(&read_head(&mut stream));
    slow.send("again").unwrap();
    entered.recv_timeout(LIMIT).unwrap();
    stream.write_all(switch(&key).as_bytes()).unwrap();
    // Not for a result: the timeout must pass meanwhile.
    thread::sleep(2 * TIMEOUT);
    drop(go_on);
    assert_eq!(events.recv_timeout(LIMIT).unwrap(), "Open");
}

// Fork.

/// Forks; the child runs `child` and ends without running anything else of
/// this program. Returns whether it said that all is well.
#[allow(unsafe_code, reason = "the standard library does not fork")]
fn fork(child: impl FnOnce()) -> impl FnOnce() -> bool {
    // SAFETY: the child touches nothing that another thread may have locked, but
    // for the allocator, which is made for this, and the library under test.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0);
    if pid == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(child));
        // SAFETY: ends the process at once.
        unsafe { libc::_exit(i32::from(done.is_err())) };
    }
    move || {
        let mut status = 0;
        let end = Instant::now() + LIMIT;
        // SAFETY: the child is this process's own.
        while unsafe { libc::waitpid(pid, &mut status, libc::WNOHANG) } == 0 {
            if Instant::now() > end {
                // SAFETY: it was not waited for yet.
                unsafe { libc::kill(pid, libc::SIGKILL) };
            }
            thread::yield_now();
        }
        libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
    }
}

/// What a forked child must see of a socket that it inherited.
fn fails_as_inherited(socket: &WebSocket, events: &Receiver<String>) {
    let failure = events.recv_timeout(LIMIT).unwrap();
    assert!(failure.contains("the process was forked"), "{failure}");
    let close = events.recv_timeout(LIMIT).unwrap();
    assert!(close.contains("1006"), "{close}");
    assert!(socket.send("to my parent's peer").is_err());
    assert_eq!(socket.ready_state(), ReadyState::Closed);
}

#[test]
fn in_a_forked_child_inherited_sockets_fail_and_new_ones_work() {
    let name = "in_a_forked_child_inherited_sockets_fail_and_new_ones_work";
    alone(name, "/echo", |url| {
        let socket = open(url);
        let events = listen(&socket);
        let again = listen(&socket);
        let child = fork(|| {
            fails_as_inherited(&socket, &events);
            echoes(url);
            isosocket::run({
                let url = url.to_owned();
                async move { echoes(&url) }
            });
        });
        assert!(child(), "the child is content");
        // The parent is not affected.
        socket.send("still mine").unwrap();
        let message = again.recv_timeout(LIMIT).unwrap();
        assert!(message.contains("still mine"), "{message}");
        socket.close();
        let close = again.recv_timeout(LIMIT).unwrap();
        assert!(close.contains("1005"), "{close}");
    });
}

#[test]
fn a_fork_inside_run_leaves_the_parents_loop_alone() {
    let name = "a_fork_inside_run_leaves_the_parents_loop_alone";
    alone(name, "/echo", |url| {
        let url = url.to_owned();
        isosocket::run(async move {
            let socket = WebSocket::open(&url).await.unwrap();
            let mut events = socket.events();
            assert_eq!(events.next().await, Some(Event::Open));
            let inherited = listen(&socket);
            let child = fork(|| {
                let socket_of_the_child = WebSocket::new(&*url).unwrap();
                let mut new = socket_of_the_child.events();
                // Drives the child's copy of the loop.
                assert_eq!(new.recv_timeout(LIMIT), Ok(Event::Open));
                fails_as_inherited(&socket, &inherited);
            });
            for number in 0..20 {
                let text = format!("message {number}");
                socket.send(&text).unwrap();
                assert_eq!(events.next().await, Some(Event::Message(text.into())));
            }
            assert!(child(), "the child is content");
            socket.send("still mine").unwrap();
            assert_eq!(
                events.next().await,
                Some(Event::Message("still mine".into()))
            );
        });
    });
}

// File descriptors.

#[allow(unsafe_code, reason = "the standard library does not set limits")]
fn limit_descriptors(soft: u64) {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the structure is valid for both calls.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit), 0);
        limit.rlim_cur = soft.min(limit.rlim_max);
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}

fn descriptors() -> Option<u64> {
    let entries = std::fs::read_dir("/proc/self/fd").ok()?;
    // Without the one that reads the folder.
    Some(entries.count() as u64 - 1)
}

/// Opens sockets with so few descriptors that each step of it fails once.
fn open_with_few_descriptors(url: &str) {
    let Some(before) = descriptors() else { return };
    // What needs no descriptor of its own later is loaded by a first socket.
    echoes(url);
    wait_for(before);
    let lowest = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
    let mut outcomes = Vec::new();
    for more in 0..=10 {
        limit_descriptors(lowest + more);
        match builder(url).connect() {
            Err(error) => {
                assert!(matches!(error, NewError::Resources(_)), "{error}");
                outcomes.push("refused");
            }
            Ok(socket) => {
                let mut events = socket.events();
                let first = events.recv_timeout(LIMIT).unwrap();
                outcomes.push(first.kind().name());
                drop(socket);
                while events.recv_timeout(LIMIT).is_ok() {}
            }
        }
        limit_descriptors(1024);
        wait_for(before);
    }
    let has = |outcome| outcomes.contains(&outcome);
    assert!(
        has("refused") && has("error") && has("open"),
        "{outcomes:?}"
    );
    echoes(url);
}

/// Waits until the process has so many descriptors: nothing is left of a socket
/// once its thread has ended.
#[track_caller]
fn wait_for(count: u64) {
    let end = Instant::now() + LIMIT;
    while descriptors() != Some(count) {
        assert!(Instant::now() < end, "{:?} of {count}", descriptors());
        thread::yield_now();
    }
}

#[test]
fn without_descriptors_there_is_an_error_and_later_sockets_work() {
    let name = "without_descriptors_there_is_an_error_and_later_sockets_work";
    alone(name, "/echo", open_with_few_descriptors);
}

#[test]
fn without_descriptors_for_tls_there_is_an_error_and_later_sockets_work() {
    let name = "without_descriptors_for_tls_there_is_an_error_and_later_sockets_work";
    alone(name, "tls:/echo", open_with_few_descriptors);
}

/// Inside `run` sockets have no shared thread to fall back on.
#[test]
fn without_descriptors_run_goes_on() {
    alone("without_descriptors_run_goes_on", "/echo", |url| {
        let lowest = std::fs::File::open("/dev/null").unwrap().as_raw_fd() as u64;
        for more in 0..=6 {
            limit_descriptors(lowest + more);
            let tried = url.to_owned();
            isosocket::run(async move {
                let _ = WebSocket::open(&tried).await;
            });
            limit_descriptors(1024);
        }
        echoes(url);
    });
}
