//! The workloads for clients that are awaited (or block).
//!
//! Invariant: the same steps as in `push`.

use std::future::{Future, poll_fn};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;
use std::time::Instant;

use bytes::Bytes;
use futures_channel::mpsc::UnboundedReceiver;
use futures_util::stream::{FuturesUnordered, StreamExt};
use isosocket_bench_server::{blast_request, swallow_request};

use crate::job::{Crowd, Job, Measured, Outcome, Workload};
use crate::meter::{LONG_BATCH, Meter};
use crate::push::{PACE, watch};

/// A client's socket, as far as the workloads go.
pub trait Socket: Sized + 'static {
    /// Whether a socket's waiting holds up its thread, so that each needs one.
    const BLOCKS: bool = false;

    async fn open(url: &str) -> Outcome<Self>;

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

/// Nothing but this thread and its parking: what `isosocket::run` does.
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
        Workload::Construct(_) => {
            return Ok(Measured::NotApplicable("its constructor is a future"));
        }
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
