//! Tests of the resolver. The test decides what the system answers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// For what must happen, on however busy a machine.
const LIMIT: Duration = Duration::from_secs(60);

/// A system whose lookups of names with "stuck" in them last until they are
/// released. The test hears of every lookup that begins.
struct System {
    resolver: &'static Resolver,
    /// Names in the order in which lookups begin.
    begun: Receiver<String>,
    /// Lets one stuck lookup go on.
    release: Sender<()>,
    /// How many threads can still be started.
    threads: Arc<AtomicUsize>,
}

fn system() -> System {
    let (begin, begun) = channel();
    let (release, released) = channel();
    let (begin, released) = (Mutex::new(begin), Mutex::new(released));
    let threads = Arc::new(AtomicUsize::new(usize::MAX));
    let left = threads.clone();
    let resolver = Resolver {
        process: process(),
        pool: Mutex::default(),
        look_up: Box::new(move |host| {
            let _ = begin.lock().unwrap().send(host.to_owned());
            if host.contains("stuck") {
                let _ = released.lock().unwrap().recv();
            }
            match host {
                "panics" => panic!("on purpose"),
                "unknown" => Err(io::Error::new(io::ErrorKind::NotFound, "no such name")),
                _ => Ok(vec![([10, 0, 0, 1], 0).into()]),
            }
        }),
        start: Box::new(move |work| {
            let one_less = |left: usize| left.checked_sub(1);
            let (now, then) = (Ordering::SeqCst, Ordering::SeqCst);
            match left.fetch_update(now, then, one_less) {
                Ok(_) => thread::Builder::new().spawn(work).map(drop),
                Err(_) => Err(io::ErrorKind::WouldBlock.into()),
            }
        }),
    };
    System {
        resolver: Box::leak(Box::new(resolver)),
        begun,
        release,
        threads,
    }
}

impl System {
    fn lookup(&self, host: &str, port: u16) -> (Lookup, Receiver<Found>) {
        let (sender, receiver) = channel();
        let answer = move |found| drop(sender.send(found));
        (self.resolver.lookup(host, port, Box::new(answer)), receiver)
    }

    /// Waits until a thread looks this name up.
    fn begins(&self, name: &str) {
        assert_eq!(self.begun.recv_timeout(LIMIT).as_deref(), Ok(name));
    }

    fn threads(&self) -> usize {
        self.resolver.pool().threads
    }
}

fn address(port: u16) -> Vec<SocketAddr> {
    vec![([10, 0, 0, 1], port).into()]
}

fn found(answers: &Receiver<Found>) -> Vec<SocketAddr> {
    answers.recv_timeout(LIMIT).unwrap().unwrap()
}

#[test]
fn a_good_name_does_not_wait_behind_lookups_that_were_given_up() {
    let system = system();
    // More than may run at once while somebody waits.
    let mut stuck: Vec<_> = (0..MAX_BUSY + 16)
        .map(|n| system.lookup(&format!("stuck{n}"), 80))
        .collect();
    let (_good, answers) = system.lookup("good", 80);
    for n in 0..MAX_BUSY {
        let name = system.begun.recv_timeout(LIMIT).unwrap();
        assert!(name.starts_with("stuck"), "{n}: {name}");
    }
    assert_eq!(system.threads(), MAX_BUSY);
    // The last first, so that none of those that wait gets a thread.
    while stuck.pop().is_some() {}
    assert_eq!(found(&answers), address(80));
    // Those that waited for a thread were never looked up.
    let others = system.begun.try_iter().filter(|name| name != "good");
    assert_eq!(others.count(), 0);
}

#[test]
fn a_lookup_that_is_given_up_drops_its_answer_at_once() {
    let system = system();
    let (lookup, answers) = system.lookup("stuck", 80);
    system.begins("stuck");
    drop(lookup);
    // Its sender is gone, though the system has not answered.
    assert!(answers.recv().is_err());

    // A panic in what the answer owned goes no further.
    struct Bomb;
    impl Drop for Bomb {
        fn drop(&mut self) {
            panic!("on purpose, in a destructor");
        }
    }
    let bomb = Bomb;
    let answer = move |_: Found| drop(bomb);
    drop(system.resolver.lookup("stuck", 1, Box::new(answer)));
}

#[test]
fn equal_names_share_one_lookup_whatever_their_ports() {
    let system = system();
    let (_first, one) = system.lookup("stuck", 80);
    system.begins("stuck");
    let (_second, two) = system.lookup("stuck", 443);
    let (third, three) = system.lookup("stuck", 8080);
    drop(third);
    system.release.send(()).unwrap();
    assert_eq!(found(&one), address(80));
    assert_eq!(found(&two), address(443));
    assert!(three.recv().is_err());
    assert_eq!(system.begun.try_iter().count(), 0);
}

#[test]
fn a_lookup_that_was_given_up_serves_the_next_of_its_name() {
    let system = system();
    drop(system.lookup("stuck", 80));
    system.begins("stuck");
    let (_again, answers) = system.lookup("stuck", 81);
    system.release.send(()).unwrap();
    assert_eq!(found(&answers), address(81));
    assert_eq!(system.begun.try_iter().count(), 0);
}

#[test]
fn a_panic_in_an_answer_or_in_the_system_ends_nothing() {
    let system = system();
    // One thread does all of it.
    system.threads.store(1, Ordering::SeqCst);
    let (_stuck, last) = system.lookup("stuck", 1);
    system.begins("stuck");
    let _panics = system
        .resolver
        .lookup("stuck", 2, Box::new(|_| panic!("on purpose")));
    let (_error, error) = system.lookup("panics", 3);
    let (_good, good) = system.lookup("good", 4);
    system.release.send(()).unwrap();
    assert_eq!(found(&last), address(1));
    assert!(error.recv_timeout(LIMIT).unwrap().is_err());
    assert_eq!(found(&good), address(4));
}

#[test]
fn a_thread_that_cannot_be_started_is_an_error() {
    let system = system();
    system.threads.store(0, Ordering::SeqCst);
    let (_lookup, answers) = system.lookup("good", 80);
    let error = answers.recv_timeout(LIMIT).unwrap().unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    assert!(error.to_string().contains("no thread"), "{error}");

    // A thread for whose name nobody waits may never take another name.
    system.threads.store(1, Ordering::SeqCst);
    let (stuck, _) = system.lookup("stuck", 80);
    system.begins("stuck");
    let (_second, answers) = system.lookup("good", 80);
    drop(stuck);
    assert!(answers.recv_timeout(LIMIT).unwrap().is_err());

    // Once there are threads again, lookups work again.
    system.threads.store(1, Ordering::SeqCst);
    let (_third, answers) = system.lookup("good", 80);
    assert_eq!(found(&answers), address(80));
}

#[test]
fn everybody_who_waits_hears_the_same_error() {
    let system = system();
    system.threads.store(1, Ordering::SeqCst);
    let (_stuck, _unheard) = system.lookup("stuck", 1);
    system.begins("stuck");
    let waiting = [1, 2].map(|port| system.lookup("unknown", port));
    system.release.send(()).unwrap();
    for (_lookup, answers) in &waiting {
        let error = answers.recv_timeout(LIMIT).unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotFound);
        assert_eq!(error.to_string(), "no such name");
    }
}

#[test]
fn threads_end_when_no_name_is_left() {
    let system = system();
    let (_lookup, answers) = system.lookup("good", 80);
    assert_eq!(found(&answers), address(80));
    let deadline = std::time::Instant::now() + LIMIT;
    while system.threads() > 0 {
        assert!(std::time::Instant::now() < deadline, "a thread stays");
        thread::yield_now();
    }
}

#[test]
fn the_systems_own_resolver_answers() {
    let (sender, answers) = channel();
    let lookup = lookup("127.0.0.1", 80, move |found| drop(sender.send(found)));
    assert_eq!(found(&answers), [([127, 0, 0, 1], 80).into()]);
    assert_eq!(format!("{lookup:?}"), "Lookup(127.0.0.1)");
}

#[test]
fn without_threads_the_caller_looks_names_up() {
    let resolver: &'static Resolver = Box::leak(Box::new(Resolver {
        process: process(),
        pool: Mutex::default(),
        look_up: Box::new(|_| Ok(address(0))),
        start: Box::new(|_| Err(io::ErrorKind::Unsupported.into())),
    }));
    for port in [80, 443] {
        let (sender, answers) = channel();
        let answer = move |found| drop(sender.send(found));
        let _lookup = resolver.lookup("name", port, Box::new(answer));
        assert_eq!(answers.try_recv().unwrap().unwrap(), address(port));
        assert_eq!(resolver.pool().threads, 0);
    }
}
