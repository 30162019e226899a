//! Nothing is left behind (S102): alone in its process, because it counts what
//! the whole process has.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use isosocket::{EventKind, WebSocket};
use isosocket_peer::{Peer, PeerOptions};

const DEADLINE: Duration = Duration::from_secs(30);

/// A socket, and what kinds of events it gets.
fn connect(url: &str) -> (WebSocket, Receiver<EventKind>) {
    let (sender, events) = channel();
    let socket = WebSocket::new(url).expect("the request is good");
    for kind in [EventKind::Open, EventKind::Error, EventKind::Close] {
        let sender = sender.clone();
        socket.bind(kind, move |_, event| {
            let _ = sender.send(event.kind());
        });
    }
    (socket, events)
}

fn entries(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// How many threads of the process are event loops.
fn event_loops() -> usize {
    let name = |task: &PathBuf| std::fs::read_to_string(task.join("comm")).unwrap_or_default();
    let tasks = entries("/proc/self/task");
    tasks
        .iter()
        .filter(|task| name(task).trim() == "isosocket")
        .count()
}

/// Waits until a condition holds, giving other threads their turn.
#[track_caller]
fn wait_until(what: &str, condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < DEADLINE, "not in time: {what}");
        thread::yield_now();
    }
}

#[test]
fn sockets_share_one_thread_and_leave_nothing_behind() {
    if entries("/proc/self/fd").is_empty() {
        // Where the system does not report it, there is nothing to count.
        return;
    }
    let peer = Peer::start(PeerOptions::default()).expect("the peer starts");
    let before = entries("/proc/self/fd").len();
    let is_gone = || event_loops() == 0 && entries("/proc/self/fd").len() <= before;
    for round in 0..20 {
        let sockets: Vec<_> = (0..50)
            .map(|index| match index % 10 {
                9 => connect(&peer.url("/refuse/404")),
                8 => connect(&format!("ws://localhost:{}/", peer.ports().refused)),
                _ => connect(&peer.url("/echo")),
            })
            .collect();
        // A thread that has just begun still has its parent's name.
        wait_until("one event loop for all", || event_loops() <= 1);
        for (index, (socket, events)) in sockets.into_iter().enumerate() {
            // Dropped while it connects, dropped later, or closed properly.
            match (index + round) % 3 {
                0 => drop(socket),
                1 => {
                    events.recv_timeout(DEADLINE).expect("open or error");
                    drop(socket);
                    while events.recv_timeout(DEADLINE).expect("the end") != EventKind::Close {}
                }
                _ => {
                    events.recv_timeout(DEADLINE).expect("open or error");
                    socket.close();
                    while events.recv_timeout(DEADLINE).expect("the end") != EventKind::Close {}
                }
            }
        }
        if round % 5 == 4 {
            wait_until("thread and descriptors are gone", is_gone);
        }
    }
    // What ten thousand sockets leave of memory, the peer's share included: the
    // first thousands have filled what the allocator keeps.
    let mut resident = Vec::new();
    for cycle in 0..10_000 / BATCH {
        let sockets: Vec<_> = (0..BATCH).map(|_| connect(&peer.url("/echo"))).collect();
        for (socket, events) in sockets {
            assert_eq!(events.recv_timeout(DEADLINE), Ok(EventKind::Open));
            socket.send([0; 1000]).expect("it is open");
            socket.close();
            assert_eq!(events.recv_timeout(DEADLINE), Ok(EventKind::Close));
        }
        if cycle % (1000 / BATCH) == 0 {
            wait_until("thread and descriptors are gone", is_gone);
            resident.push(resident_memory());
        }
    }
    let (before, after) = (resident[3], resident[9]);
    assert!(
        after < before + (1 << 20),
        "bytes of memory, by each thousand: {resident:?}"
    );
}

const BATCH: usize = 50;

/// The memory of this process that is in use, in bytes.
fn resident_memory() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<usize>().ok());
    kib.expect("Linux reports it") << 10
}
