//! A socket's events as a stream: every event, in order, ending after `Close`.

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use futures_core::{FusedFuture, FusedStream, Stream};

use crate::base::rare::Rare;
use crate::delivery::Letter;
use crate::delivery::bind::ListenerOwner;
use crate::delivery::streams::{Announce, Queue, Tap};
use crate::socket::shared::Shared;
use crate::wake::StoredWaker;
use crate::{CloseEvent, Event, MaybeSend, Transport, WebSocket};

impl<T: Transport> WebSocket<T> {
    /// The socket's events as a stream. The first stream also gets the events that no handler
    /// has got yet. Every stream gets all later events, and the handlers get them too.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("hello").close();
    /// # network.block_on(async {
    /// use futures::StreamExt;
    /// use isosocket::{Event, WebSocket};
    ///
    /// let socket = WebSocket::open("ws://peer/").await.unwrap();
    /// let messages = socket.events().filter_map(async |event| match event {
    ///     Event::Message(message) => Some(message),
    ///     _ => None,
    /// });
    /// assert_eq!(messages.collect::<Vec<_>>().await, ["hello"]);
    /// # });
    /// ```
    #[doc(alias = "stream")]
    #[doc(alias = "split")]
    pub fn events(&self) -> Events<T> {
        Events::new(self.shared.clone())
    }
}

/// A socket's events, as a [`Stream`].
///
/// It yields every event from its creation on, in order, and ends after `Close`. The first
/// stream also yields the events that no handler has got yet. If you drop a future of
/// [`next`](Events::next), no event is lost.
///
/// It does not keep the socket open: when the last [`WebSocket`](crate::WebSocket) handle is
/// dropped, the socket closes, and the stream yields the events of the end.
///
/// ```no_run
/// use isosocket::{Event, WebSocket};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let socket = WebSocket::open("wss://example.org/feed").await?;
/// let mut events = socket.events();
/// while let Some(event) = events.next().await {
///     match event {
///         Event::Open => socket.send("hello")?,
///         Event::Message(message) => println!("{message:?}"),
///         Event::Error(error) => println!("{error:#}"),
///         Event::Close(close) => println!("{close}"),
///     }
/// }
/// # Ok(())
/// # }
/// ```
pub struct Events<T: Transport> {
    shared: Arc<Shared<T>>,
    queue: Arc<Queue>,
    front: Vec<Event>,
    /// So many of these were read.
    read: usize,
    ended: bool,
}

impl<T: Transport> Events<T> {
    pub(crate) fn new(shared: Arc<Shared<T>>) -> Self {
        let queue = Arc::new(Queue::new());
        let tap = Tap::new(queue.clone());
        shared.post(Letter::Streams(Rare::new(Box::new(tap))));
        Events {
            shared,
            queue,
            front: Vec::new(),
            read: 0,
            ended: false,
        }
    }

    /// The next event, if there is one now: for frame loops.
    ///
    /// If there is none, it costs one atomic load.
    /// [`is_terminated`](FusedStream::is_terminated) says whether more can come.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("north").close();
    /// use isosocket::{Event, Events};
    ///
    /// /// Once a frame.
    /// fn update(events: &mut Events) {
    ///     while let Some(event) = events.try_next() {
    ///         match event {
    ///             Event::Message(message) => println!("{message:?}"),
    ///             event => println!("now {}", event.kind()),
    ///         }
    ///     }
    /// }
    /// # let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// # let mut events = socket.events();
    /// # network.run();
    /// # update(&mut events);
    /// # assert!(futures::stream::FusedStream::is_terminated(&events));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn try_next(&mut self) -> Option<Event> {
        if self.read == self.front.len() {
            self.front.clear();
            self.read = 0;
            if !self.queue.filled.load(Ordering::Acquire) {
                self.shared.carrier.attend();
                return None;
            }
            let resume = {
                let mut inner = self.queue.inner.lock();
                self.queue.filled.store(false, Ordering::Release);
                mem::swap(&mut inner.events, &mut self.front);
                inner.bytes = 0;
                mem::take(&mut inner.paused)
            };
            if resume {
                self.shared.carrier.resume();
            }
        }
        let event = mem::replace(self.front.get_mut(self.read)?, Event::Open);
        self.read += 1;
        self.ended = matches!(event, Event::Close(_));
        Some(event)
    }

    /// Sets a function that is called when there are new events for [`try_next`]: once
    /// for all events that arrived together, and only when they can be read. It is for
    /// frame loops that sleep while nothing happens. It replaces the hook that was set
    /// before. If events wait already, it is called for them too.
    ///
    /// The hook is not called inside this call. It must not block. It is dropped after
    /// `Close`, or with the stream. Like a handler, it need not be `Send` on a page
    /// without threads.
    ///
    /// ```no_run
    /// # struct Context;
    /// # impl Context { fn request_repaint(&self) {} }
    /// # fn run(context: Context) -> Result<(), Box<dyn std::error::Error>> {
    /// let socket = isosocket::WebSocket::new("wss://example.org/feed")?;
    /// let mut events = socket.events();
    /// events.set_wake_hook(move || context.request_repaint());
    /// // .. and in each frame:
    /// while let Some(event) = events.try_next() {
    ///     println!("{event:?}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`try_next`]: Events::try_next
    ///
    /// ## Platform-specific
    /// - **Native:** called on the event-loop thread.
    pub fn set_wake_hook(&mut self, hook: impl FnMut() + MaybeSend + 'static) {
        self.queue.hook.set(hook);
        if self.queue.filled.load(Ordering::Acquire) || self.read < self.front.len() {
            let queue = self.queue.clone();
            let announce = Box::new(Announce(queue));
            self.shared.post(Letter::Streams(Rare::new(announce)));
            self.shared.clone().drop_unbound();
        }
    }

    /// Whether these are the events of `socket`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://one/");
    /// # network.peer("ws://other/");
    /// use isosocket::WebSocket;
    ///
    /// let (one, other) = (WebSocket::new("ws://one/")?, WebSocket::new("ws://other/")?);
    /// assert!(one.events().is_of(&one));
    /// assert!(!one.events().is_of(&other));
    /// # network.run();
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn is_of(&self, socket: &WebSocket<T>) -> bool {
        Arc::ptr_eq(&self.shared, &socket.shared)
    }

    /// How the socket ended, or `None` before the end: the same as
    /// [`WebSocket::close_event`](crate::WebSocket::close_event).
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").close_with(1001, "");
    /// let socket = isosocket::WebSocket::new("ws://peer/")?;
    /// let events = socket.events();
    /// # network.run();
    /// // .. once it is closed:
    /// assert_eq!(events.close_event().map(|close| close.code), Some(1001));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn close_event(&self) -> Option<&CloseEvent> {
        self.shared.end().map(|end| &end.close)
    }

    /// Waits for the next event; `None` after `Close`.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("one").send("two").close();
    /// # network.block_on(async {
    /// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
    /// use isosocket::Event;
    ///
    /// let mut events = socket.events();
    /// let mut messages = 0;
    /// while let Some(event) = events.next().await {
    ///     messages += usize::from(matches!(event, Event::Message(_)));
    /// }
    /// assert_eq!(messages, 2);
    /// # });
    /// ```
    #[allow(
        clippy::should_implement_trait,
        reason = "it is StreamExt::next, for programs without that trait"
    )]
    pub fn next(&mut self) -> Next<'_, T> {
        Next(self)
    }

    /// [`Stream::poll_next`], for programs without that trait.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// # network.peer("ws://peer/").send("one").close();
    /// use std::future::{Future, poll_fn};
    /// use isosocket::{Event, Events};
    ///
    /// /// Waits for two sockets at a time, without a crate for it.
    /// fn either(one: &mut Events, other: &mut Events) -> impl Future<Output = Option<Event>> {
    ///     poll_fn(move |context| match one.poll(context) {
    ///         ready if ready.is_ready() => ready,
    ///         _ => other.poll(context),
    ///     })
    /// }
    /// # network.peer("ws://silent/");
    /// # let [one, other] = ["ws://silent/", "ws://peer/"].map(|url| isosocket::WebSocket::new(url).unwrap());
    /// # let (mut one, mut other) = (one.events(), other.events());
    /// # for kind in ["open", "open", "message", "close"] {
    /// #     let event = network.block_on(either(&mut one, &mut other));
    /// #     assert_eq!(event.unwrap().kind().name(), kind);
    /// # }
    /// ```
    pub fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Event>> {
        if self.ended {
            return Poll::Ready(None);
        }
        if let Some(event) = self.try_next() {
            return Poll::Ready(Some(event));
        }
        // Cloned before the lock is taken; the one before is dropped after it is released.
        let waker = StoredWaker::clone_of(context.waker());
        let (polled, _before) = {
            let mut inner = self.queue.inner.lock();
            if inner.is_over() {
                self.ended = true;
                (Some(Poll::Ready(None)), Some(waker))
            } else if inner.events.is_empty() {
                // The memory of what was read is used again.
                if inner.events.capacity() < self.front.capacity() {
                    mem::swap(&mut inner.events, &mut self.front);
                }
                (Some(Poll::Pending), inner.waker.replace(waker))
            } else {
                (None, Some(waker))
            }
        };
        polled.unwrap_or_else(|| Poll::Ready(self.try_next()))
    }
}

impl<T: Transport> Stream for Events<T> {
    type Item = Event;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.get_mut().poll(context)
    }
}

impl<T: Transport> FusedStream for Events<T> {
    /// Whether nothing more will come: `Close` was yielded, here or before this
    /// stream began.
    fn is_terminated(&self) -> bool {
        let is_empty =
            || self.read == self.front.len() && !self.queue.filled.load(Ordering::Acquire);
        self.ended || (is_empty() && self.queue.inner.lock().is_over())
    }
}

impl<T: Transport> Drop for Events<T> {
    fn drop(&mut self) {
        self.queue.live.store(false, Ordering::Release);
        // The waker and the events are dropped outside the lock.
        let (waker, events, resume) = {
            let mut inner = self.queue.inner.lock();
            inner.bytes = 0;
            let events = mem::take(&mut inner.events);
            (inner.waker.take(), events, mem::take(&mut inner.paused))
        };
        drop((waker, events));
        self.queue.hook.end();
        if resume {
            self.shared.carrier.resume();
        }
        self.shared.clone().drop_unbound();
    }
}

impl<T: Transport> fmt::Debug for Events<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events")
            .field("socket", &self.shared)
            .finish_non_exhaustive()
    }
}

/// The future of [`Events::next`]. Dropping it loses nothing.
///
/// ```
/// # let network = isosocket::mock::Network::new();
/// # network.peer("ws://peer/").accept();
/// # network.block_on(async {
/// # let socket = isosocket::WebSocket::new("ws://peer/").unwrap();
/// use futures::future::{Either, ready, select};
///
/// let mut events = socket.events();
/// // Whichever is first; an event that comes later is still in the stream.
/// match select(events.next(), ready("a button")).await {
///     Either::Left((event, _)) => println!("{event:?}"),
///     Either::Right((button, _)) => println!("{button}"),
/// }
/// assert_eq!(events.next().await, Some(isosocket::Event::Open));
/// # });
/// ```
#[derive(Debug)]
#[must_use = "futures do nothing unless awaited"]
pub struct Next<'a, T: Transport>(&'a mut Events<T>);

impl<T: Transport> Future for Next<'_, T> {
    type Output = Option<Event>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Event>> {
        self.0.poll(context)
    }
}

impl<T: Transport> FusedFuture for Next<'_, T> {
    /// After the stream's last event.
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

#[cfg(all(test, feature = "mock"))]
mod tests {
    use std::task::{Context, Waker};

    use crate::mock::{Mock, Network};
    use crate::{Event, WebSocket};

    #[test]
    fn a_stream_that_waits_keeps_memory_for_one_event() {
        const MESSAGES: usize = 5;
        let network = Network::new();
        let peer = network.peer("ws://peer/");
        for number in 0..MESSAGES {
            peer.expect("next").send(number.to_string());
        }
        network.block_on(async {
            let socket = WebSocket::<Mock>::open("ws://peer/").await.unwrap();
            let mut events = socket.events();
            assert!(matches!(events.next().await, Some(Event::Open)));
            let mut kept = Vec::new();
            for _ in 0..MESSAGES {
                socket.send("next").unwrap();
                assert!(matches!(events.next().await, Some(Event::Message(_))));
                assert!(
                    events
                        .poll(&mut Context::from_waker(Waker::noop()))
                        .is_pending()
                );
                let inner = events.queue.inner.lock();
                kept.push((inner.events.capacity(), inner.events.as_ptr()));
            }
            // Two places for one event take turns.
            assert!(kept.iter().all(|(capacity, _)| *capacity == 1), "{kept:?}");
            let [first, second, rest @ ..] = &kept[..] else {
                unreachable!()
            };
            for (number, place) in rest.iter().enumerate() {
                assert_eq!(place, [first, second][number % 2], "{kept:?}");
            }
        });
    }
}
