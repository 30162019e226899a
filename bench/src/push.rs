//! The workloads for clients that call a handler.
//!
//! Invariant: the same steps as in `pull`.

use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use isosocket_bench_server::{blast_request, swallow_request};

use crate::job::{Crowd, IN_FLIGHT, Job, Measured, Outcome, Workload};
use crate::meter::{LONG_BATCH, Meter};
use crate::process;
use isosocket_bench_server::content::Payloads;

/// The pause between two paced messages.
pub const PACE: Duration = Duration::from_millis(3);

/// Longer is not waited for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client in one of its ways, as far as the workloads go.
pub trait Handle: 'static {
    type Socket: Send;

    /// Calls the constructor, which must not block; the handlers are called
    /// later, `on_message` with the message's length.
    fn open(
        url: &str,
        on_open: impl FnMut(&Self::Socket) + Send + 'static,
        on_message: impl FnMut(&Self::Socket, usize) + Send + 'static,
    ) -> Outcome<Self::Socket>;

    /// The constructor alone, for its cost.
    fn construct(url: &str) -> Outcome<Self::Socket> {
        Self::open(url, |_| {}, |_, _| {})
    }

    /// Sends one binary message in the way the crate calls sending; waits only
    /// where the crate says that it takes no more.
    fn send(socket: &Self::Socket, payload: &Bytes);
}

pub fn measure<H: Handle>(job: &Job) -> Outcome<Measured> {
    let samples = match job.workload {
        Workload::Ping(size) => converse::<H>(job, job.payloads(size), None),
        Workload::Pair(size) => {
            converse::<H>(job, swallow_request(1).into(), Some(job.payloads(size)))
        }
        Workload::Paced(size) => paced::<H>(job, size),
        Workload::Send(size) => send::<H>(job, size),
        Workload::Receive(size) => receive::<H>(job, size),
        Workload::Crowd(sockets) => return crowd::<H>(job, sockets).map(Measured::Crowd),
        Workload::Construct(calls) => construct::<H>(job, calls),
    };
    samples.map(Measured::Nanoseconds)
}

/// Opens a socket and waits until it is open.
fn opened<H: Handle>(
    job: &Job,
    on_message: impl FnMut(&H::Socket, usize) + Send + 'static,
) -> Outcome<H::Socket> {
    let (sender, opened) = mpsc::channel();
    let on_open = move |_: &H::Socket| {
        let _ = sender.send(());
    };
    let socket = H::open(&job.url(), on_open, on_message)?;
    opened.recv_timeout(PATIENCE)?;
    Ok(socket)
}

/// Sends the messages, waits for the one answer, again: all inside the handler.
fn converse<H: Handle>(
    job: &Job,
    mut first: Payloads,
    mut second: Option<Payloads>,
) -> Outcome<Vec<f64>> {
    let (sender, done) = mpsc::channel();
    let mut meter = Some(Meter::new(job.budget));
    let mut speak = move |socket: &H::Socket| {
        H::send(socket, first.next());
        if let Some(second) = &mut second {
            H::send(socket, second.next());
        }
    };
    let mut begin = speak.clone();
    // Before the first batch: one exchange that is not timed.
    let mut round_trips = 1;
    let socket = opened::<H>(job, move |socket, _| {
        round_trips -= 1;
        if round_trips == 0 {
            let Some(running) = &mut meter else { return };
            running.end();
            match running.begin() {
                Some(count) => round_trips = count,
                None => {
                    // The main thread waits for nothing else.
                    let _ = sender.send(meter.take());
                    return;
                }
            }
        }
        speak(socket);
    })?;
    begin(&socket);
    finish(&done)
}

fn paced<H: Handle>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let (sender, arrivals) = mpsc::channel();
    let socket = opened::<H>(job, move |_, _| {
        let _ = sender.send(Instant::now());
    })?;
    let mut samples = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < job.budget {
        thread::sleep(PACE);
        let sent = Instant::now();
        H::send(&socket, payloads.next());
        let arrived = arrivals.recv_timeout(PATIENCE)?;
        samples.push((arrived - sent).as_nanos() as f64);
    }
    Ok(samples)
}

fn send<H: Handle>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let (sender, acknowledged) = mpsc::channel();
    let socket = opened::<H>(job, move |_, _| {
        let _ = sender.send(());
    })?;
    let mut meter = Meter::new(job.budget).with_batch(LONG_BATCH);
    while let Some(count) = meter.begin() {
        H::send(&socket, &swallow_request(count));
        for _ in 0..count {
            H::send(&socket, payloads.next());
        }
        acknowledged.recv_timeout(PATIENCE)?;
        meter.end();
    }
    Ok(meter.into_samples())
}

fn receive<H: Handle>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let (sender, done) = mpsc::channel();
    let mut meter = Some(Meter::new(job.budget).with_batch(LONG_BATCH));
    let mut missing = 1;
    let socket = opened::<H>(job, move |socket, length| {
        assert_eq!(length, size);
        missing -= 1;
        if missing > 0 {
            return;
        }
        let Some(running) = &mut meter else { return };
        running.end();
        match running.begin() {
            Some(count) => {
                missing = count;
                H::send(socket, &blast_request(count, size));
            }
            None => drop(sender.send(meter.take())),
        }
    })?;
    H::send(&socket, &blast_request(1, size));
    finish(&done)
}

fn finish(done: &Receiver<Option<Meter>>) -> Outcome<Vec<f64>> {
    let meter = done.recv_timeout(PATIENCE)?;
    Ok(meter.map(Meter::into_samples).unwrap_or_default())
}

fn construct<H: Handle>(job: &Job, calls: usize) -> Outcome<Vec<f64>> {
    let url = job.url();
    let mut sockets = Vec::with_capacity(calls);
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        sockets.push(H::construct(&url)?);
        samples.push(began.elapsed().as_nanos() as f64);
        // So that no more than a few are on their way.
        thread::sleep(Duration::from_millis(1));
    }
    // The first starts what all others share.
    samples.remove(0);
    Ok(samples)
}

fn crowd<H: Handle>(job: &Job, sockets: usize) -> Outcome<Crowd> {
    let (ready, readiness) = mpsc::channel();
    let (url, small) = (job.url(), job.small());
    let mut crowd = Vec::with_capacity(sockets);
    watch(sockets, job.budget, &readiness, || {
        let (ready, small) = (ready.clone(), small.clone());
        crowd.push(H::open(
            &url,
            move |socket| H::send(socket, &small),
            move |_, _| drop(ready.send(Ok(()))),
        )?);
        Ok(())
    })
}

/// Has sockets opened by `start`, a few at a time, and measures what they
/// cost once each has reported to `readiness` that it was used.
pub fn watch(
    sockets: usize,
    idle: Duration,
    readiness: &Receiver<Outcome<()>>,
    mut start: impl FnMut() -> Outcome<()>,
) -> Outcome<Crowd> {
    start()?;
    readiness.recv_timeout(PATIENCE)??;
    settle();
    let resident = process::resident()?;
    let began = Instant::now();
    let (mut started, mut ready) = (1, 1);
    while ready < sockets {
        while started < sockets && started - ready < IN_FLIGHT {
            start()?;
            started += 1;
        }
        readiness.recv_timeout(PATIENCE)??;
        ready += 1;
    }
    let took = began.elapsed();
    settle();
    let grown = process::resident()? - resident;
    let (threads, before) = process::other_threads()?;
    thread::sleep(idle);
    let (_, after) = process::other_threads()?;
    let beyond_first = (sockets - 1).max(1) as f64;
    Ok(Crowd {
        sockets,
        bytes_each: grown / beyond_first,
        threads,
        opened_per_second: beyond_first / took.as_secs_f64(),
        wakeups_per_second: (after - before) as f64 / idle.as_secs_f64(),
    })
}

/// Lets everything that was begun come to its end.
fn settle() {
    thread::sleep(Duration::from_millis(300));
}
