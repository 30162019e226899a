//! Sockets that connect again, with what only native sockets have.

use std::convert::Infallible;
use std::sync::OnceLock;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::native::{BuilderExt, EventsExt};
use isosocket::{Event, NewError, Reconnecting, Retry, Status};
use isosocket_peer::{Peer, PeerOptions};

/// The longest that anything here may take.
const DEADLINE: Duration = Duration::from_secs(20);

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// R22.
#[test]
fn native_options_hold_for_each_connection() {
    let socket = Reconnecting::builder(peer().url("/close?id=again"))
        .header("X-Token", "abc")
        .retry(|_| Retry::After(Duration::ZERO))
        .connect()
        .unwrap();
    let mut events = socket.events();
    for _ in 0..3 {
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    }
    drop(socket);
    let record = peer().record("again", 3, DEADLINE);
    let headers = record.matches(r#"["X-Token","abc"]"#).count();
    assert!(headers >= 3, "{record}");

    let wrong = Reconnecting::builder("ws://h/").header("Host", "h");
    assert!(matches!(wrong.connect(), Err(NewError::Option(_))));
}

/// R29: headers of each attempt, after those of the builder.
#[test]
fn each_attempt_has_headers_of_its_own() {
    let socket = Reconnecting::builder(peer().url("/close?id=fresh"))
        .header("X-Same", "abc")
        .retry(|_| Retry::After(Duration::ZERO))
        .min_uptime(Duration::from_secs(60))
        .each_attempt(|next| async move {
            Ok::<_, Infallible>(match next.number() {
                // Refused by us: the attempt fails.
                2 => next.header("Host", "h"),
                number => next.header("X-Token", &format!("t{number}")),
            })
        })
        .connect()
        .unwrap();
    let mut events = socket.events();
    for _ in 0..2 {
        assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    }
    drop(socket);
    let record = peer().record("fresh", 2, DEADLINE);
    assert!(
        record.contains(r#"["X-Same","abc"],["X-Token","t1"]"#),
        "{record}"
    );
    assert!(
        record.contains(r#"["X-Same","abc"],["X-Token","t3"]"#),
        "{record}"
    );
}

/// R21.
#[test]
fn a_stream_that_nobody_drained_gets_everything_in_the_end() {
    // 16 MiB, of which the limit lets a little in.
    let socket = Reconnecting::builder(peer().url("/send/256/65536"))
        .receive_limit(1 << 20)
        .connect()
        .unwrap();
    let (opened, open) = channel();
    socket.on_message(move |_, _| {
        let _ = opened.send(());
    });
    let mut events = socket.events();
    open.recv_timeout(DEADLINE).unwrap();
    let mut bytes = 0;
    while bytes < 16 << 20 {
        if let Event::Message(message) = events.recv_timeout(DEADLINE).unwrap() {
            bytes += message.len();
        }
    }
    assert_eq!(bytes, 16 << 20);
}

/// R15.
#[test]
fn a_url_may_come_from_another_thread() {
    let (hello, url) = (peer().url("/text/hello"), peer().url("/text/again"));
    let socket = Reconnecting::builder("ws://h/")
        .url_provider(move |attempt| {
            // What a runtime's `spawn` does.
            let url = if attempt == 1 { &hello } else { &url };
            let (sender, receiver) = futures_channel(url.clone());
            thread::spawn(sender);
            receiver
        })
        .retry(|_| Retry::After(Duration::ZERO))
        .connect()
        .unwrap();
    socket.on_message(|socket, message| {
        if message == "hello" {
            assert!(matches!(socket.status(), Status::Open));
        }
        socket.close();
    });
    let mut events = socket.events();
    assert_eq!(events.recv_timeout(DEADLINE), Ok(Event::Open));
    let hello = Event::Message("hello".into());
    assert_eq!(events.recv_timeout(DEADLINE), Ok(hello));
    let end = events.recv_timeout(DEADLINE).unwrap();
    assert!(matches!(end, Event::Close(close) if close.was_clean));
}

/// Several threads do what they like, while connections come and go: there is
/// one end for each socket, the last thing reported, and nothing waits for ever.
/// R25.
#[test]
fn threads_that_send_close_and_drop_at_any_moment_do_no_harm() {
    let urls = ["/fin", "/close", "/text/hi", "/refuse/500", "/echo", "/rst"];
    let (ended, ends) = channel();
    let mut threads = Vec::new();
    for round in 0..60u64 {
        let ended = ended.clone();
        let url = move |attempt: u32| peer().url(urls[(round as usize + attempt as usize) % 6]);
        let socket = Reconnecting::builder("ws://h/")
            .url_provider(move |attempt| {
                let url = url(attempt);
                async move { Ok::<_, Infallible>(url) }
            })
            .backoff(Duration::ZERO, Duration::from_micros(10 * round))
            .on_open(|socket| {
                let _ = socket.send("open");
            })
            .on_close(move |_, _| ended.send(round).unwrap())
            .connect()
            .unwrap();
        for thread in 0..3 {
            let socket = socket.clone();
            threads.push(thread::spawn(move || {
                let end = Instant::now() + Duration::from_micros(200 * (round + thread));
                while Instant::now() < end {
                    let _ = socket.send("x");
                    let _ = (socket.buffered_amount(), socket.status());
                }
                // Whoever comes first closes; the others only drop.
                if round % 3 == thread {
                    socket.close();
                }
            }));
        }
    }
    for thread in threads {
        thread.join().unwrap();
    }
    let mut rounds: Vec<u64> = (0..60)
        .map(|_| ends.recv_timeout(DEADLINE).unwrap())
        .collect();
    // All handlers are freed by then.
    drop(ended);
    let after = ends.recv_timeout(DEADLINE);
    assert_eq!(after, Err(RecvTimeoutError::Disconnected));
    rounds.sort_unstable();
    assert_eq!(rounds, (0..60).collect::<Vec<_>>());
}

/// A function that sends a value, and the future of that.
fn futures_channel(
    value: String,
) -> (
    impl FnOnce() + Send,
    impl Future<Output = Result<String, Infallible>> + Send,
) {
    use std::sync::{Arc, Mutex};
    use std::task::{Poll, Waker};

    type Slot = (Option<String>, Option<Waker>);
    let slot: Arc<Mutex<Slot>> = Arc::default();
    let own = slot.clone();
    let send = move || {
        let waker = {
            let mut slot = own.lock().unwrap();
            slot.0 = Some(value);
            slot.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    };
    let receive = std::future::poll_fn(move |context| {
        let mut slot = slot.lock().unwrap();
        match slot.0.take() {
            Some(value) => Poll::Ready(Ok(value)),
            None => {
                slot.1 = Some(context.waker().clone());
                Poll::Pending
            }
        }
    });
    (send, receive)
}
