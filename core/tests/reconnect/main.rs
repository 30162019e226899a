//! Connecting again, in simulated time: every option, every moment at which a
//! socket can be dropped, and nothing left afterwards. Numbers such as R7 name
//! the rules in `facade/guide/reconnecting.md`.

mod closing;
mod course;
mod dropping;
mod edges;
mod messages;
mod provider;
mod statuses;
mod waiting;
mod waking;

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures::SinkExt;
use isosocket_core::mock::{Mock, Network};
use isosocket_core::{
    Builder, CloseEvent, ErrorEvent, ErrorKind, Event, EventKind, ReadyState, Reconnect, Retry,
    SendError, Status, WebSocket,
};

const URL: &str = "ws://peer/";
const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

type Socket = WebSocket<Reconnect<Mock>>;

/// What is reported, in one list: events, statuses and the ready state in each.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn bind(&self, builder: Builder<Reconnect<Mock>>) -> Builder<Reconnect<Mock>> {
        let seen = self.clone();
        let mut builder = builder.on_status(move |socket, status| {
            let words = match status {
                Status::Connecting { attempt } => format!("connecting {attempt}"),
                Status::Open => "connected".to_owned(),
                Status::Waiting { attempt, delay, .. } => {
                    format!("waiting {} ms for {attempt}", delay.as_millis())
                }
                Status::GaveUp(loss) => format!("gave up after {}", loss.attempt),
                Status::Closed => "closed".to_owned(),
                _ => "?".to_owned(),
            };
            seen.note(words, socket);
        });
        for kind in EventKind::ALL {
            let seen = self.clone();
            builder = builder.bind(kind, move |socket, event| {
                let words = match event {
                    Event::Open => "Open".to_owned(),
                    Event::Message(message) => message.as_text().unwrap().to_owned(),
                    Event::Error(_) => "Error".to_owned(),
                    Event::Close(close) => format!("Close {}", close.code),
                };
                seen.note(words, socket);
            });
        }
        builder
    }

    fn note(&self, words: String, socket: &Socket) {
        let state = socket.ready_state() as u8;
        self.0.lock().unwrap().push(format!("{words} [{state}]"));
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

/// A network in which every jitter is the most it can be.
fn network() -> Network {
    let network = Network::new();
    network.fix_random(u64::MAX);
    network
}

/// A socket whose first connection is open.
fn open(network: &Network) -> Socket {
    network.block_on(Socket::open(URL)).unwrap()
}

/// A future that is ready when the test says so, and shows when it is dropped.
#[derive(Clone, Default)]
struct Gate(Arc<Mutex<(bool, Option<Waker>)>>);

impl Gate {
    fn open(&self) {
        let waker = {
            let mut inner = self.0.lock().unwrap();
            inner.0 = true;
            inner.1.take()
        };
        waker.into_iter().for_each(Waker::wake);
    }

    async fn pass(self) -> Result<String, ErrorEvent> {
        poll_fn(|context| {
            let mut inner = self.0.lock().unwrap();
            match inner.0 {
                true => Poll::Ready(()),
                false => {
                    inner.1 = Some(context.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await;
        Ok(URL.to_owned())
    }

    fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }
}
