//! The workloads for clients that are awaited (or block).
//!
//! Invariant: the same steps as in `push`.

use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_channel::mpsc::UnboundedReceiver;
use futures_util::stream::{FuturesUnordered, StreamExt};
use isosocket::native::EventLoop;
use isosocket_bench_server::{blast_request, swallow_request};

use crate::job::{Crowd, Job, Measured, Outcome, Workload};
use crate::meter::{LONG_BATCH, Meter};
use crate::push::{PACE, watch};

/// A client's socket, as far as the workloads go.
pub trait Socket: Sized + 'static {
    /// Whether a socket that waits blocks its thread, so that each needs one.
    const BLOCKS: bool = false;

    async fn open(url: &str) -> Outcome<Self>;

    /// Calls the constructor alone, if it is not a future.
    fn construct(_url: &str) -> Option<Outcome<impl Sized + 'static>> {
        None::<Outcome<()>>
    }

    /// Sends one binary message in the way the crate calls sending.
    async fn send(&mut self, payload: &Bytes) -> Outcome<()>;

    /// The length of the next message.
    async fn receive(&mut self) -> Outcome<usize>;

    /// Receives this many messages of this size.
    async fn receive_all(&mut self, count: u64, size: usize) -> Outcome<()> {
        for _ in 0..count {
            expect(self.receive().await?, size)?;
        }
        Ok(())
    }
}

/// Runs a future that the client's sockets live in.
pub trait Runtime {
    fn run<F: Future>(future: F) -> F::Output;
}

/// tokio on this thread alone.
pub struct Tokio;

impl Runtime for Tokio {
    fn run<F: Future>(future: F) -> F::Output {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime on one thread needs little")
            .block_on(future)
    }
}

/// isosocket's own loop on this thread: what `isosocket::run` makes for a future
/// that borrows nothing.
pub struct Run;

impl Runtime for Run {
    fn run<F: Future>(future: F) -> F::Output {
        let mut own = EventLoop::new().expect("there are descriptors for a loop");
        own.block_on(future)
    }
}

/// tokio on this thread alone, with a loop of isosocket as one of its tasks.
pub struct RunOnTokio;

impl Runtime for RunOnTokio {
    fn run<F: Future>(future: F) -> F::Output {
        Tokio::run(async {
            let own = EventLoop::new().expect("there are descriptors for a loop");
            let done = own.on_tokio(future).await;
            done.expect("there are descriptors for a loop")
        })
    }
}

/// Nothing but this thread and its parking: what is awaited comes from another one.
pub struct Park;

impl Runtime for Park {
    fn run<F: Future>(future: F) -> F::Output {
        pollster::block_on(future)
    }
}

pub fn measure<S: Socket, R: Runtime>(job: &Job) -> Outcome<Measured> {
    let samples = match job.workload {
        Workload::Ping(size) => R::run(ping::<S>(job, size)),
        Workload::Pair(size) => R::run(pair::<S>(job, size)),
        Workload::Paced(size) => R::run(paced::<S>(job, size)),
        Workload::Send(size) => R::run(send::<S>(job, size)),
        Workload::Receive(size) => R::run(receive::<S>(job, size)),
        Workload::Crowd(sockets) => return crowd::<S, R>(job, sockets).map(Measured::Crowd),
        Workload::Construct(calls) => match R::run(construct::<S>(job, calls)) {
            Some(samples) => samples,
            None => return Ok(Measured::NotApplicable("its constructor is a future")),
        },
    };
    samples.map(Measured::Nanoseconds)
}

async fn ping<S: Socket>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let mut socket = S::open(&job.url()).await?;
    let mut meter = Meter::new(job.budget);
    while let Some(count) = meter.begin() {
        for _ in 0..count {
            socket.send(payloads.next()).await?;
            expect(socket.receive().await?, size)?;
        }
        meter.end();
    }
    Ok(meter.into_samples())
}

async fn pair<S: Socket>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let first = swallow_request(1);
    let mut socket = S::open(&job.url()).await?;
    let mut meter = Meter::new(job.budget);
    while let Some(count) = meter.begin() {
        for _ in 0..count {
            socket.send(&first).await?;
            socket.send(payloads.next()).await?;
            socket.receive().await?;
        }
        meter.end();
    }
    Ok(meter.into_samples())
}

async fn paced<S: Socket>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let mut socket = S::open(&job.url()).await?;
    let mut samples = Vec::new();
    let begin = Instant::now();
    while begin.elapsed() < job.budget {
        // Nothing is on its way meanwhile, so nobody misses the thread.
        thread::sleep(PACE);
        let sent = Instant::now();
        socket.send(payloads.next()).await?;
        expect(socket.receive().await?, size)?;
        samples.push(sent.elapsed().as_nanos() as f64);
    }
    Ok(samples)
}

async fn send<S: Socket>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut payloads = job.payloads(size);
    let mut socket = S::open(&job.url()).await?;
    let mut meter = Meter::new(job.budget).with_batch(LONG_BATCH);
    while let Some(count) = meter.begin() {
        socket.send(&swallow_request(count)).await?;
        for _ in 0..count {
            socket.send(payloads.next()).await?;
        }
        socket.receive().await?;
        meter.end();
    }
    Ok(meter.into_samples())
}

async fn receive<S: Socket>(job: &Job, size: usize) -> Outcome<Vec<f64>> {
    let mut socket = S::open(&job.url()).await?;
    let mut meter = Meter::new(job.budget).with_batch(LONG_BATCH);
    while let Some(count) = meter.begin() {
        socket.send(&blast_request(count, size)).await?;
        socket.receive_all(count, size).await?;
        meter.end();
    }
    Ok(meter.into_samples())
}

async fn construct<S: Socket>(job: &Job, calls: usize) -> Option<Outcome<Vec<f64>>> {
    let url = job.url();
    let mut sockets = Vec::with_capacity(calls);
    let mut samples = Vec::with_capacity(calls);
    for _ in 0..calls {
        let began = Instant::now();
        match S::construct(&url)? {
            Ok(socket) => sockets.push(socket),
            Err(error) => return Some(Err(error)),
        }
        samples.push(began.elapsed().as_nanos() as f64);
        // So that no more than a few are on their way: the thread is free meanwhile.
        thread::sleep(Duration::from_millis(1));
        yield_once().await;
    }
    // The first makes what all others share.
    samples.remove(0);
    Some(Ok(samples))
}

/// Lets whatever runs this future do something else first.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|context| {
        if yielded {
            return Poll::Ready(());
        }
        yielded = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Opens sockets elsewhere, while this thread measures: all on one thread, or
/// each on its own where waiting blocks.
fn crowd<S: Socket, R: Runtime>(job: &Job, sockets: usize) -> Outcome<Crowd> {
    let (ready, readiness) = mpsc::channel();
    let (url, small) = (job.url(), job.small());
    if S::BLOCKS {
        return watch(sockets, job.budget, &readiness, || {
            let (url, small, ready) = (url.clone(), small.clone(), ready.clone());
            let live = move || {
                let outcome = R::run(live::<S>(&url, &small, &ready));
                // Nobody listens any more when the measurement is over.
                let _ = ready.send(outcome);
            };
            thread::Builder::new().stack_size(128 << 10).spawn(live)?;
            Ok(())
        });
    }
    let (want, wanted) = futures_channel::mpsc::unbounded();
    thread::spawn(move || R::run(live_on_demand::<S>(&url, &small, wanted, &ready)));
    watch(sockets, job.budget, &readiness, || {
        Ok(want.unbounded_send(())?)
    })
}

/// Opens a socket for each wish, and lives with all of them.
async fn live_on_demand<S: Socket>(
    url: &str,
    small: &Bytes,
    mut wanted: UnboundedReceiver<()>,
    ready: &mpsc::Sender<Outcome<()>>,
) {
    let mut crowd = FuturesUnordered::new();
    poll_fn(|context| {
        loop {
            let mut idle = true;
            while let Poll::Ready(Some(())) = wanted.poll_next_unpin(context) {
                crowd.push(live::<S>(url, small, ready));
                idle = false;
            }
            if let Poll::Ready(Some(outcome)) = crowd.poll_next_unpin(context) {
                // Nobody listens any more when the measurement is over.
                let _ = ready.send(outcome);
                idle = false;
            }
            if idle {
                return Poll::<()>::Pending;
            }
        }
    })
    .await;
}

/// Opens a socket, uses it once, and waits for what never comes.
async fn live<S: Socket>(
    url: &str,
    small: &Bytes,
    ready: &mpsc::Sender<Outcome<()>>,
) -> Outcome<()> {
    let mut socket = S::open(url).await?;
    socket.send(small).await?;
    expect(socket.receive().await?, small.len())?;
    let _ = ready.send(Ok(()));
    socket.receive().await?;
    Err("an idle socket received something".into())
}

fn expect(length: usize, size: usize) -> Outcome<()> {
    match length == size {
        true => Ok(()),
        false => Err(format!("a message of {length} bytes came, not of {size}").into()),
    }
}
