//! The mocked network: its peers, and the calls by which a test lets time pass.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use super::peer::Peer;
use super::script::Script;
use super::url::normalize;
use super::world::{Random, World};

/// How long [`Network::block_on`] goes on, in simulated time.
const PATIENCE: Duration = Duration::from_secs(24 * 3600);
/// How often it polls a future while no time passes.
const MOST_POLLS: usize = if cfg!(miri) { 1_000 } else { 1_000_000 };

/// A simulated network. While it exists, it replaces the real network for sockets that are made
/// on this thread.
///
/// ```
/// use isosocket::mock::Network;
/// use isosocket::{Event, WebSocket};
///
/// // What is tested: it knows nothing of the mock.
/// async fn ask(question: &str) -> Option<String> {
///     let socket = WebSocket::open("wss://example.org/oracle").await.ok()?;
///     let mut events = socket.events();
///     socket.send(question).ok()?;
///     while let Some(event) = events.next().await {
///         if let Event::Message(answer) = event {
///             return answer.as_text().map(str::to_owned);
///         }
///     }
///     None
/// }
///
/// let network = Network::new();
/// network.peer("wss://example.org/oracle").expect("why?").send("because");
/// assert_eq!(network.block_on(ask("why?")).as_deref(), Some("because"));
///
/// network.peer("wss://example.org/oracle").expect("why?").drop_connection();
/// assert_eq!(network.block_on(ask("why?")), None);
/// network.finish();
/// ```
///
/// ## Threads
/// Handlers run on the thread of the network, inside its methods. Sockets that other threads make
/// use the real network.
#[must_use = "sockets connect for real once the network is dropped"]
pub struct Network {
    world: Arc<World>,
    before: Option<Arc<World>>,
    /// It belongs to its thread.
    thread: PhantomData<*const ()>,
}

impl Network {
    /// Makes a network without peers. From now on it is the network of this thread.
    ///
    /// ```
    /// use isosocket::mock::Network;
    /// use isosocket::{ReadyState, WebSocket};
    ///
    /// let network = Network::new();
    /// let peer = network.peer("wss://example.org/");
    /// let socket = WebSocket::new("wss://example.org/")?; // no network is needed
    /// network.run();
    /// assert_eq!(socket.ready_state(), ReadyState::Open);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    #[allow(
        clippy::new_without_default,
        reason = "it does something to its thread"
    )]
    pub fn new() -> Self {
        let world = World::new();
        Network {
            before: World::set_current(Some(world.clone())),
            world,
            thread: PhantomData,
        }
    }

    /// Adds a peer at this URL, for one connection. The first peer at a URL serves the first
    /// connection to it, the second peer the next, and so on. If no peer is left, a connection
    /// fails, and [`check`](Network::check) reports it.
    ///
    /// ```
    /// # use isosocket::{WebSocket, mock::Network};
    /// let network = Network::new();
    /// network.peer("ws://peer/").send("to the first");
    /// network.peer("ws://peer/").send("to the second");
    /// # let _two = [(); 2].map(|()| WebSocket::new("ws://peer/"));
    /// # network.finish();
    /// ```
    ///
    /// # Panics
    /// If no socket can have that URL.
    #[track_caller]
    pub fn peer(&self, url: &str) -> Peer {
        let url = match normalize(url) {
            Ok(url) => url,
            Err(error) => panic!("no peer can be at {url:?}: {error}"),
        };
        let script = Arc::new(Script::new(url, Location::caller()));
        self.world.with(|state| state.scripts.push(script.clone()));
        Peer {
            world: self.world.clone(),
            script,
        }
    }

    /// Does everything that can happen now. Returns when nothing more can happen before time
    /// passes, the program does something, or a script gets more steps.
    ///
    /// ```
    /// # use isosocket::{ReadyState, WebSocket, mock::Network};
    /// let network = Network::new();
    /// network.peer("ws://peer/");
    /// let socket = WebSocket::new("ws://peer/")?;
    /// assert_eq!(socket.ready_state(), ReadyState::Connecting);
    /// network.run();
    /// assert_eq!(socket.ready_state(), ReadyState::Open);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn run(&self) {
        self.world.run();
    }

    /// Lets so much time pass, and does everything that happens in it.
    ///
    /// ```
    /// # use isosocket::{ReadyState, WebSocket, mock::Network};
    /// # use std::time::Duration;
    /// let network = Network::new();
    /// network.peer("ws://peer/").hang();
    /// let socket = WebSocket::new("ws://peer/")?;
    /// network.advance(Duration::from_secs(20)); // the connect timeout
    /// assert_eq!(socket.ready_state(), ReadyState::Closed);
    /// assert_eq!(network.now(), Duration::from_secs(20));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn advance(&self, time: Duration) {
        self.run();
        let end = self.now().saturating_add(time);
        while self.world.next_timer(end) {
            self.run();
        }
        self.world.with(|state| state.now = end);
    }

    /// The time that has passed in this network.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").delay(Duration::from_secs(3)).accept();
    /// network.block_on(isosocket::WebSocket::open("ws://peer/")).unwrap();
    /// assert_eq!(network.now(), Duration::from_secs(3));
    /// ```
    pub fn now(&self) -> Duration {
        self.world.with(|state| state.now)
    }

    /// Runs a future until it is done. If nothing can happen now, time passes until something
    /// can.
    ///
    /// ```
    /// # let network = isosocket::mock::Network::new();
    /// network.peer("ws://peer/").send("hello");
    /// let first = network.block_on(async {
    ///     let socket = isosocket::WebSocket::open("ws://peer/").await.unwrap();
    ///     let mut events = socket.events();
    ///     events.next().await; // Open
    ///     events.next().await
    /// });
    /// assert_eq!(first, Some(isosocket::Event::Message("hello".into())));
    /// ```
    ///
    /// # Panics
    /// If nothing can happen any more; if a day of simulated time, or a million polls without any
    /// time, were not enough; or if something happened that is in no script.
    #[track_caller]
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(flag.clone());
        let mut future = pin!(future);
        let end = self.now().saturating_add(PATIENCE);
        let (mut polls, mut since) = (0, self.now());
        loop {
            if std::mem::replace(&mut since, self.now()) != self.now() {
                polls = 0;
            }
            polls += 1;
            if polls > MOST_POLLS {
                panic!("the future is woken again and again, and nothing comes of it");
            }
            flag.0.store(false, Ordering::Release);
            if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                return output;
            }
            loop {
                self.run();
                if flag.0.load(Ordering::Acquire) {
                    break;
                }
                let problems = self.problems();
                if !problems.is_empty() {
                    panic!("{}", Unmet(problems));
                }
                if !self.world.next_timer(end) {
                    let unmet = Unmet(self.left());
                    panic!("the future is pending, and nothing can happen any more; {unmet}");
                }
            }
        }
    }

    /// Runs, and checks that everything happened as in the scripts, and that no step is left.
    ///
    /// ```
    /// # use isosocket::{WebSocket, mock::Network};
    /// let network = Network::new();
    /// network.peer("ws://peer/").expect("hello");
    /// let socket = WebSocket::new("ws://peer/")?;
    /// let unmet = network.check().unwrap_err();
    /// assert!(unmet.to_string().contains(r#"step 1 of 1, expect text "hello""#));
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Errors
    /// [`Unmet`], in words.
    pub fn check(&self) -> Result<(), Unmet> {
        self.run();
        let mut unmet = self.problems();
        unmet.extend(self.left());
        match unmet.is_empty() {
            true => Ok(()),
            false => Err(Unmet(unmet)),
        }
    }

    /// Runs, and ends the network.
    ///
    /// ```
    /// # use isosocket::{WebSocket, mock::Network};
    /// let network = Network::new();
    /// network.peer("ws://peer/").expect("hello");
    /// let socket = WebSocket::new("ws://peer/")?;
    /// socket.on_open(|socket| socket.send("hello").unwrap());
    /// network.finish(); // without the line before, this would panic
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    ///
    /// # Panics
    /// If [`check`](Network::check) fails.
    #[track_caller]
    pub fn finish(self) {
        if let Err(unmet) = self.check() {
            panic!("{unmet}");
        }
    }

    /// How many timers are waiting: connect and close timeouts, delays of
    /// peers, waits of reconnecting sockets. For tests that none is left.
    ///
    /// ```
    /// # use isosocket::{Reconnecting, mock::Network};
    /// let network = Network::new();
    /// network.peer("ws://peer/").refuse("no");
    /// let socket = Reconnecting::new("ws://peer/")?;
    /// network.run();
    /// assert_eq!(network.timers(), 1, "until the next attempt");
    /// drop(socket);
    /// assert_eq!(network.timers(), 0);
    /// # Ok::<(), isosocket::NewError>(())
    /// ```
    pub fn timers(&self) -> usize {
        self.world.timers()
    }

    /// Begins another sequence of random numbers; they are the same in each run.
    ///
    /// ```
    /// # use isosocket::{Reconnecting, mock::Network};
    /// /// How long a program waits in all, until it gives up.
    /// fn waits(seed: u64) -> std::time::Duration {
    ///     let network = Network::new();
    ///     network.seed(seed);
    ///     (0..5).for_each(|_| drop(network.peer("ws://peer/").refuse("down")));
    ///     let builder = Reconnecting::builder("ws://peer/").max_attempts(5);
    ///     assert!(network.block_on(builder.open()).is_err());
    ///     network.now()
    /// }
    /// assert_eq!(waits(1), waits(1));
    /// assert_ne!(waits(1), waits(2));
    /// ```
    pub fn seed(&self, seed: u64) {
        self.world.set_random(Random::Sequence(seed));
    }

    /// Makes every random number this one. For a random time between 0 and a limit, 0 gives the
    /// shortest time and `u64::MAX` the longest.
    ///
    /// ```
    /// # use isosocket::{Reconnecting, mock::Network};
    /// # use std::time::Duration;
    /// let network = Network::new();
    /// network.fix_random(u64::MAX);
    /// network.peer("ws://peer/").refuse("no");
    /// network.peer("ws://peer/");
    /// let socket = network.block_on(Reconnecting::open("ws://peer/")).unwrap();
    /// assert_eq!(network.now(), Duration::from_millis(500));
    /// ```
    pub fn fix_random(&self, number: u64) {
        self.world.set_random(Random::Fixed(number));
    }

    /// How many listeners to the host there are.
    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        self.world.listeners()
    }

    fn problems(&self) -> Vec<String> {
        self.world.with(|state| state.problems.clone())
    }

    fn left(&self) -> Vec<String> {
        let scripts = self.world.with(|state| state.scripts.clone());
        scripts.iter().filter_map(|script| script.left()).collect()
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        World::set_current(self.before.take());
        self.world.clear();
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network")
            .field("now", &self.now())
            .finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// The differences from the scripts of a [`Network`], one line for each.
///
/// ```
/// # use isosocket::{WebSocket, mock::Network};
/// let network = Network::new();
/// network.peer("ws://peer/").expect("hello");
/// let socket = WebSocket::new("ws://peer/")?;
/// if let Err(unmet) = network.check() {
///     println!("{unmet}"); // of the network's scripts: connection 1 to ws://peer/: ..
/// }
/// # assert!(network.check().is_err());
/// # Ok::<(), isosocket::NewError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unmet(Vec<String>);

impl Unmet {
    /// The lines.
    ///
    /// ```
    /// # use isosocket::mock::Network;
    /// let network = Network::new();
    /// network.peer("ws://one/");
    /// network.peer("ws://two/");
    /// assert_eq!(network.check().unwrap_err().lines().len(), 2); // nobody came
    /// ```
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Unmet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("of the network's scripts:")?;
        if self.0.is_empty() {
            f.write_str(" nothing is left")?;
        }
        self.0.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

impl std::error::Error for Unmet {}
