//! Name resolution away from the event loop, on a few threads that live only
//! while there are names to resolve.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::{Mutex, MutexGuard};
use std::thread;

/// The system's resolver blocks, so this many names are resolved at a time.
const MAX_THREADS: usize = 16;

type Answer = Box<dyn FnOnce(io::Result<Vec<SocketAddr>>) + Send>;

struct Job {
    host: String,
    port: u16,
    before: fn(),
    answer: Answer,
}

struct Pool {
    jobs: VecDeque<Job>,
    threads: usize,
}

static POOL: Mutex<Pool> = Mutex::new(Pool {
    jobs: VecDeque::new(),
    threads: 0,
});

/// Resolves `host`, after `before`, and calls `answer` from another thread.
pub(crate) fn resolve(host: String, port: u16, before: fn(), answer: Answer) {
    let mut pool = pool();
    pool.jobs.push_back(Job {
        host,
        port,
        before,
        answer,
    });
    if pool.threads < MAX_THREADS {
        let worker = thread::Builder::new().name("isosocket-dns".to_owned());
        match worker.spawn(work) {
            Ok(_) => pool.threads += 1,
            // Threads that run already will come to it.
            Err(_) if pool.threads > 0 => {}
            Err(error) => {
                let jobs = std::mem::take(&mut pool.jobs);
                drop(pool);
                for job in jobs {
                    (job.answer)(Err(io::Error::new(error.kind(), error.to_string())));
                }
            }
        }
    }
}

fn work() {
    loop {
        let job = {
            let mut pool = pool();
            match pool.jobs.pop_front() {
                Some(job) => job,
                None => {
                    pool.threads -= 1;
                    return;
                }
            }
        };
        (job.before)();
        let addresses = (job.host.as_str(), job.port).to_socket_addrs();
        (job.answer)(addresses.map(Iterator::collect));
    }
}

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}
