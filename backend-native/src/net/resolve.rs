//! Resolves names to addresses, on threads of its own. They end when no name is left.
//!
//! The system's resolver blocks, and nothing can interrupt it. If a lookup is no longer
//! needed, it leaves the queue. If it runs already, its thread no longer counts towards the
//! limit of threads, so that other names do not wait for it. Where
//! there are no threads, the caller looks the name up.
//! Answers go by a callback, which posts a command to the loop's mailbox. With an async-channel
//! for each loop an answer takes 1.7 times as long, and each look of the loop 5 times. With one
//! for each lookup an answer takes 5.7 times as long, and a lookup has 0.8 kB more memory
//! (`cargo xtask bench queues`).
//! Invariant: callbacks for answers are called, and dropped, outside the lock.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::mem;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use isosocket_core::{drop_guarded, guard};

use crate::per_process::{PerProcess, process};

/// The most threads with a name that somebody waits for.
const MAX_BUSY: usize = 64;
/// The most threads, those included for whose name nobody waits any more.
const MAX_THREADS: usize = 256;

/// Looks up `host`, without brackets if it is an address, and calls `answer`
/// from another thread. Lookups of one name at the same time are one.
pub(crate) fn lookup(
    host: &str,
    port: u16,
    answer: impl FnOnce(io::Result<Vec<SocketAddr>>) + Send + 'static,
) -> Lookup {
    static RESOLVER: PerProcess<Resolver> = PerProcess::new(|| Resolver {
        process: process(),
        pool: Mutex::default(),
        look_up: Box::new(|host| Ok((host, 0).to_socket_addrs()?.collect())),
        start: Box::new(|work| {
            let thread = thread::Builder::new().name("isosocket-dns".to_owned());
            thread.spawn(work).map(drop)
        }),
    });
    RESOLVER.get().lookup(host, port, Box::new(answer))
}

/// A lookup that somebody waits for. Dropping it gives the lookup up, and drops
/// its answer.
pub(crate) struct Lookup {
    resolver: &'static Resolver,
    name: Arc<str>,
    id: u64,
}

type Found = io::Result<Vec<SocketAddr>>;
type Answer = Box<dyn FnOnce(Found) + Send>;
type Work = Box<dyn FnOnce() + Send>;

/// The threads, and the system's functions behind them.
struct Resolver {
    /// The process whose threads these are.
    process: u32,
    pool: Mutex<Pool>,
    look_up: Box<dyn Fn(&str) -> Found + Send + Sync>,
    start: Box<dyn Fn(Work) -> io::Result<()> + Send + Sync>,
}

#[derive(Default)]
struct Pool {
    /// The names that are looked up, or are to be.
    names: BTreeMap<Arc<str>, Name>,
    /// Those of them that wait for a thread.
    queue: VecDeque<Arc<str>>,
    threads: usize,
    /// The threads among them for whose name nobody waits any more.
    abandoned: usize,
    last_id: u64,
}

#[derive(Default)]
struct Name {
    waiters: Vec<Waiter>,
    /// A thread looks it up.
    running: bool,
}

struct Waiter {
    id: u64,
    port: u16,
    answer: Answer,
}

impl Resolver {
    fn lookup(&'static self, host: &str, port: u16, answer: Answer) -> Lookup {
        let mut pool = self.pool();
        pool.last_id += 1;
        let id = pool.last_id;
        let name: Arc<str> = host.into();
        let known = pool.names.contains_key(&name);
        let entry = pool.names.entry(name.clone()).or_default();
        let abandoned = entry.running && entry.waiters.is_empty();
        entry.waiters.push(Waiter { id, port, answer });
        if abandoned {
            pool.abandoned -= 1;
        }
        if !known {
            pool.queue.push_back(name.clone());
        }
        self.start_threads(pool);
        Lookup {
            resolver: self,
            name,
            id,
        }
    }

    /// Starts threads for the names that wait for one. If there is none, and
    /// none can be started, these lookups fail.
    fn start_threads(&'static self, mut pool: MutexGuard<'_, Pool>) {
        while pool.has_room() {
            let Some(name) = pool.next() else { return };
            let first = name.clone();
            match (self.start)(Box::new(move || self.work(first))) {
                Ok(()) => pool.threads += 1,
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    // There are no threads here, so the event loop itself waits.
                    pool.threads += 1;
                    drop(pool);
                    return self.work(name);
                }
                Err(error) => {
                    pool.put_back(name);
                    // A thread that serves a name takes these names afterwards.
                    if pool.busy() == 0 {
                        let failed = pool.take_queue();
                        drop(pool);
                        let message =
                            format!("no thread can be started to look up a name: {error}");
                        give(failed, &Err(io::Error::new(error.kind(), message)));
                    }
                    return;
                }
            }
        }
    }

    /// What a thread does: look up a name, then others that wait.
    fn work(&'static self, mut name: Arc<str>) {
        loop {
            let found = guard("a name lookup", || (self.look_up)(&name)).unwrap_or_else(|| {
                let message = "the system's name resolution panicked";
                Err(io::Error::other(message))
            });
            let waiters = self.finish(&name);
            give(waiters, &found);
            match self.next() {
                Some(next) => name = next,
                None => return,
            }
        }
    }

    /// Takes who waits for a name that this thread has looked up.
    fn finish(&self, name: &str) -> Vec<Waiter> {
        let mut pool = self.pool();
        let waiters = pool.names.remove(name).unwrap_or_default().waiters;
        if waiters.is_empty() {
            pool.abandoned -= 1;
        }
        waiters
    }

    /// The next name for this thread; `None` ends it.
    fn next(&self) -> Option<Arc<str>> {
        let mut pool = self.pool();
        // Others may have been started while nobody waited for this one.
        let name = match pool.busy() <= MAX_BUSY {
            true => pool.next(),
            false => None,
        };
        if name.is_none() {
            pool.threads -= 1;
        }
        name
    }

    fn pool(&self) -> MutexGuard<'_, Pool> {
        self.pool
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Pool {
    /// Takes a name from the queue, which a thread looks up from now on.
    fn next(&mut self) -> Option<Arc<str>> {
        let name = self.queue.pop_front()?;
        self.names.entry(name.clone()).or_default().running = true;
        Some(name)
    }

    /// Has a name wait for a thread again.
    fn put_back(&mut self, name: Arc<str>) {
        self.names.entry(name.clone()).or_default().running = false;
        self.queue.push_front(name);
    }

    /// Empties the queue, and gives who waited for these names.
    fn take_queue(&mut self) -> Vec<Waiter> {
        let queue = mem::take(&mut self.queue);
        let names = queue.iter().filter_map(|name| self.names.remove(name));
        names.flat_map(|name| name.waiters).collect()
    }

    /// The threads with a name that somebody waits for.
    fn busy(&self) -> usize {
        self.threads - self.abandoned
    }

    fn has_room(&self) -> bool {
        self.busy() < MAX_BUSY && self.threads < MAX_THREADS
    }
}

impl Drop for Lookup {
    fn drop(&mut self) {
        // A forked child has no such thread, and its copy of the lock may be
        // locked for ever (S114).
        if self.resolver.process != process() {
            return;
        }
        let mut pool = self.resolver.pool();
        let Some(name) = pool.names.get_mut(&self.name) else {
            return;
        };
        let Some(index) = name.waiters.iter().position(|waiter| waiter.id == self.id) else {
            return;
        };
        let waiter = name.waiters.swap_remove(index);
        if name.waiters.is_empty() {
            if name.running {
                pool.abandoned += 1;
            } else {
                pool.names.remove(&self.name);
                pool.queue.retain(|name| *name != self.name);
            }
        }
        // The thread of an abandoned lookup makes room for another.
        self.resolver.start_threads(pool);
        drop_guarded("the answer of a name lookup", waiter.answer);
    }
}

impl std::fmt::Debug for Lookup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lookup({})", self.name)
    }
}

/// Gives everybody who waited what was found.
fn give(waiters: Vec<Waiter>, found: &Found) {
    for Waiter { port, answer, .. } in waiters {
        let found = match found {
            Ok(addresses) => Ok(addresses
                .iter()
                .map(|address| {
                    let mut address = *address;
                    address.set_port(port);
                    address
                })
                .collect()),
            Err(error) => Err(copy(error)),
        };
        guard("the answer of a name lookup", || answer(found));
    }
}

/// An error cannot be cloned. Everybody who waited gets one like it.
fn copy(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

#[cfg(test)]
#[path = "resolve_tests.rs"]
mod tests;
