//! Which loop and which thread serves a socket, and what the program sees meanwhile.

use std::future::{Future, poll_fn};
use std::net::TcpListener;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{EventLoop, EventsExt, RecvError};
use isosocket::{Event, ReadyState, WebSocket};

use super::{LIMIT, peer, socket_of, turn_until};

#[test]
fn a_socket_that_a_handler_makes_belongs_to_the_loop_that_runs_the_handler() {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let (sender, threads) = channel();
    let socket = socket_of(&event_loop, &url);
    let inner = Arc::new(Mutex::new(None));
    let (kept, next) = (inner.clone(), url.clone());
    socket.on_open(move |_| {
        let second = WebSocket::new(&next).unwrap();
        let sender = sender.clone();
        second.on_open(move |_| sender.send(thread::current().id()).unwrap());
        *kept.lock().unwrap() = Some(second);
    });
    let mut served_by = None;
    turn_until(&mut event_loop, || {
        let second = inner.lock().unwrap().clone();
        // A shared thread would open it without our turns.
        served_by = match second {
            Some(_) => served_by.or_else(|| threads.try_recv().ok()),
            None => None,
        };
        served_by.is_some()
    });
    assert_eq!(served_by, Some(thread::current().id()));
}

#[test]
fn a_blocking_receive_drives_the_loop_of_its_thread_without_a_guard() {
    let (_peer, url) = peer("/echo");
    let event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let mut events = socket.events();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    socket.send("a").unwrap();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Message("a".into())));
    socket.close();
    assert!(events.recv_closed().unwrap().was_clean);
}

#[test]
fn a_blocking_receive_drives_the_loop_that_its_thread_has_entered() {
    let (_peer, url) = peer("/echo");
    let event_loop = EventLoop::new().unwrap();
    let _entered = event_loop.enter();
    let socket = WebSocket::new(&url).unwrap();
    let mut events = socket.events();
    let delivered_on = Arc::new(Mutex::new(None));
    let note = delivered_on.clone();
    socket.on_open(move |_| *note.lock().unwrap() = Some(thread::current().id()));
    assert_eq!(events.recv(), Ok(Event::Open));
    assert_eq!(*delivered_on.lock().unwrap(), Some(thread::current().id()));
}

/// What happens when a handler calls `f`, as the text of the panic or of `f`.
fn in_a_handler(f: impl Fn(&WebSocket) -> String + Send + 'static) -> String {
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let (sender, texts) = channel();
    socket.on_open(move |socket| {
        let text = match catch_unwind(AssertUnwindSafe(|| f(socket))) {
            Ok(text) => text,
            Err(payload) => match payload.downcast::<String>() {
                Ok(text) => *text,
                Err(payload) => (*payload.downcast::<&str>().unwrap()).to_owned(),
            },
        };
        sender.send(text).unwrap();
    });
    let mut text = None;
    turn_until(&mut event_loop, || {
        text = text.take().or_else(|| texts.try_recv().ok());
        text.is_some()
    });
    text.unwrap()
}

#[test]
fn a_handler_cannot_drive_a_loop_and_learns_why() {
    let panics: [fn(&WebSocket) -> String; 4] = [
        |_| {
            isosocket::run(async {});
            "it ran".to_owned()
        },
        |_| {
            EventLoop::new().unwrap().block_on(async {});
            "it ran".to_owned()
        },
        |_| {
            EventLoop::new().unwrap().turn(Some(Duration::ZERO));
            "it ran".to_owned()
        },
        |_| {
            let inner = EventLoop::new().unwrap();
            let _entered = inner.enter();
            isosocket::run(async {});
            "it ran".to_owned()
        },
    ];
    for f in panics {
        let text = in_a_handler(f);
        assert!(text.contains("inside a handler"), "{text}");
    }
}

#[test]
fn a_blocking_receive_in_a_handler_is_an_error() {
    let text = in_a_handler(|socket| format!("{:?}", socket.events().recv()));
    assert_eq!(text, format!("{:?}", Err::<Event, _>(RecvError::InHandler)));
}

#[test]
fn nothing_is_delivered_and_nothing_changes_outside_a_turn() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (sender, done) = channel();
    let server = thread::spawn(move || {
        let stream = listener.accept().unwrap().0;
        let mut peer = tungstenite::accept(stream).unwrap();
        let message = peer.read().unwrap();
        peer.send(message).unwrap();
        peer.close(None).unwrap();
        sender.send(()).unwrap();
        while peer.read().is_ok() {}
    });
    let mut event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    let mut events = socket.events();
    let mut opened = false;
    turn_until(&mut event_loop, || {
        opened |= events.try_next() == Some(Event::Open);
        opened
    });
    socket.send("a").unwrap();
    // The peer has received it, and has sent everything that it will send.
    done.recv_timeout(LIMIT).unwrap();
    assert_eq!(events.try_next(), None);
    // S49: the buffered amount falls, and S68: the ready state changes, only while
    // the program yields.
    assert_eq!(socket.buffered_amount(), 1);
    assert_eq!(socket.ready_state(), ReadyState::Open);
    turn_until(&mut event_loop, || {
        socket.ready_state() == ReadyState::Closed
    });
    assert_eq!(socket.buffered_amount(), 0);
    assert_eq!(events.try_next(), Some(Event::Message("a".into())));
    assert!(matches!(events.try_next(), Some(Event::Close(_))));
    server.join().unwrap();
}

#[test]
fn a_burst_is_written_although_the_program_does_not_yield() {
    const MESSAGE: usize = 1 << 10;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let (sender, received) = channel();
    let server = thread::spawn(move || {
        let mut peer = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        while let Ok(message) = peer.read() {
            if message.is_binary() && sender.send(message.len()).is_err() {
                return;
            }
        }
    });
    let mut event_loop = EventLoop::new().unwrap();
    let socket = socket_of(&event_loop, &url);
    turn_until(&mut event_loop, || socket.ready_state() == ReadyState::Open);
    let mut sent = 0;
    let mut got = 0;
    // Far more than what is written inline before a burst begins.
    while got < 100 * MESSAGE {
        socket.send(vec![0; MESSAGE]).unwrap();
        sent += MESSAGE;
        got += received.try_iter().sum::<usize>();
    }
    // S49: the program sees that only once it yields.
    assert_eq!(socket.buffered_amount(), sent);
    turn_until(&mut event_loop, || socket.buffered_amount() == 0);
    while got < sent {
        got += received.recv_timeout(LIMIT).unwrap();
    }
    socket.close();
    turn_until(&mut event_loop, || {
        socket.ready_state() == ReadyState::Closed
    });
    server.join().unwrap();
}

#[test]
fn handles_are_used_on_other_threads_while_the_loop_is_driven() {
    const EACH: usize = 200;
    let (_peer, url) = peer("/echo");
    let mut event_loop = EventLoop::new().unwrap();
    let socket = event_loop
        .block_on(async { WebSocket::open(&*url).await })
        .unwrap();
    let mut events = socket.events();
    assert_eq!(event_loop.block_on(events.next()), Some(Event::Open));
    let senders: Vec<_> = (0..4)
        .map(|sender| {
            let socket = socket.clone();
            thread::spawn(move || {
                for number in 0..EACH {
                    socket.send(format!("{sender}:{number}")).unwrap();
                }
            })
        })
        .collect();
    let mut next = [0; 4];
    event_loop.block_on(async {
        while next.iter().any(|&count| count < EACH) {
            let Some(Event::Message(message)) = events.next().await else {
                panic!("it ended");
            };
            let text = message.to_string();
            let (sender, number) = text.split_once(':').unwrap();
            let sender: usize = sender.parse().unwrap();
            assert_eq!(number, next[sender].to_string());
            next[sender] += 1;
        }
    });
    for sender in senders {
        sender.join().unwrap();
    }
    let closer = thread::spawn(move || socket.close());
    let end = event_loop.block_on(async { events.next().await });
    closer.join().unwrap();
    assert!(matches!(end, Some(Event::Close(close)) if close.was_clean));
}

#[test]
fn run_inside_run_serves_the_sockets_of_both() {
    let (_peer, url) = peer("/echo");
    isosocket::run(async move {
        let outer = WebSocket::open(&*url).await.unwrap();
        let mut events = outer.events();
        assert_eq!(events.next().await, Some(Event::Open));
        outer.send("outer").unwrap();
        let (inner_url, before) = (url.clone(), outer.clone());
        isosocket::run(async move {
            // Only the inner `run` drives the loop now.
            assert_eq!(events.next().await, Some(Event::Message("outer".into())));
            let inner = WebSocket::open(&*inner_url).await.unwrap();
            let mut events = inner.events();
            assert_eq!(events.next().await, Some(Event::Open));
            inner.send("inner").unwrap();
            assert_eq!(events.next().await, Some(Event::Message("inner".into())));
            before.close();
        });
        assert!(outer.closed().await.was_clean);
    });
}

#[test]
fn the_next_deadline_is_that_of_the_connect_timeout() {
    let (_peer, url) = peer("/no-reply");
    let timeout = Duration::from_secs(100);
    let mut event_loop = EventLoop::new().unwrap();
    assert_eq!(event_loop.next_deadline(), None);
    let before = Instant::now();
    let socket = {
        let _entered = event_loop.enter();
        let builder = WebSocket::builder(&*url).connect_timeout(timeout);
        builder.connect().unwrap()
    };
    let after = Instant::now();
    // It has something to do at once: connecting.
    assert!(event_loop.next_deadline().unwrap() <= Instant::now());
    event_loop.turn(Some(Duration::ZERO));
    let deadline = event_loop.next_deadline().unwrap();
    assert!(before + timeout <= deadline && deadline <= after + timeout);
    socket.close();
    turn_until(&mut event_loop, || {
        socket.ready_state() == ReadyState::Closed
    });
    event_loop.turn(Some(Duration::ZERO));
    assert_eq!(event_loop.next_deadline(), None);
}

#[test]
fn a_task_that_is_woken_between_turns_is_not_lost() {
    let mut event_loop = EventLoop::new().unwrap();
    let (sender, receiver) = smol::channel::bounded(1);
    let mut receiving = pin!(receiver.recv());
    // It is polled once, and stores its waker.
    let first = event_loop.block_on(poll_fn(|context| {
        Poll::Ready(receiving.as_mut().poll(context).is_ready())
    }));
    assert!(!first);
    sender.try_send(7).unwrap();
    assert_eq!(event_loop.block_on(receiving), Ok(7));
    // Woken by another thread while it waits.
    let other = thread::spawn(move || sender.try_send(8).unwrap());
    assert_eq!(event_loop.block_on(receiver.recv()), Ok(8));
    other.join().unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn run_starts_no_thread_for_a_socket_to_an_address() {
    // In a process of its own: other tests have threads.
    const CHILD: &str = "ISOSOCKET_TEST_NO_THREAD";
    let name = "ownership::run_starts_no_thread_for_a_socket_to_an_address";
    let Ok(url) = std::env::var(CHILD) else {
        let (_peer, url) = peer("/echo");
        let this = std::env::current_exe().unwrap();
        let status = std::process::Command::new(this)
            .args(["--exact", name, "--test-threads=1"])
            .env(CHILD, url)
            .status()
            .unwrap();
        assert!(status.success());
        return;
    };
    fn threads() -> usize {
        std::fs::read_dir("/proc/self/task").unwrap().count()
    }
    let before = threads();
    isosocket::run(async move {
        let socket = WebSocket::open(&*url).await.unwrap();
        let mut events = socket.events();
        assert_eq!(events.next().await, Some(Event::Open));
        socket.send("a").unwrap();
        assert_eq!(events.next().await, Some(Event::Message("a".into())));
        assert_eq!(threads(), before);
        socket.close();
        assert!(matches!(events.next().await, Some(Event::Close(_))));
    });
    assert_eq!(threads(), before);
}
