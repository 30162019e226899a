//! Simulated time: the tasks that are due now or later, and random numbers.
//!
//! Invariant: a task runs and is dropped outside the lock, because it may use the
//! network again.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::script::Script;
use crate::{Host, HostEvent, HostListener, MaybeSend, NewError, SharedCell, Subscription};

thread_local! {
    static CURRENT: RefCell<Option<Arc<World>>> = const { RefCell::new(None) };
}

/// Something to be done once.
pub(crate) trait Task: MaybeSend {
    fn run(self: Box<Self>);
}

impl<F: FnOnce() + MaybeSend> Task for F {
    fn run(self: Box<Self>) {
        self();
    }
}

/// One simulated network, shared by all that is in it.
pub(crate) struct World(SharedCell<State>);

#[derive(Default)]
pub(crate) struct State {
    pub(crate) now: Duration,
    number: u64,
    ready: VecDeque<Box<dyn Task>>,
    timers: BTreeMap<(Duration, u64), Box<dyn Task>>,
    /// The peers, in the order in which they were described.
    pub(crate) scripts: Vec<Arc<Script>>,
    /// What was not as the scripts have it.
    pub(crate) problems: Vec<String>,
    random: Random,
    /// How many connections there were.
    pub(crate) connections: usize,
    /// Who is called when the program wakes up, in the order in which they came.
    listeners: BTreeMap<u64, HostListener>,
}

/// Where random numbers come from: the same ones in each run.
#[derive(Clone, Copy)]
pub(crate) enum Random {
    Sequence(u64),
    Fixed(u64),
}

impl Default for Random {
    fn default() -> Self {
        Random::Sequence(0)
    }
}

impl Random {
    /// SplitMix64, whose numbers are well spread whatever the seed.
    fn next(&mut self) -> u64 {
        match self {
            Random::Fixed(number) => *number,
            Random::Sequence(state) => {
                *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
                let mut bits = *state;
                bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
                bits ^ (bits >> 31)
            }
        }
    }
}

impl World {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(World(SharedCell::new(State::default())))
    }

    /// The network of this thread. There is none once the thread's own values are
    /// destroyed, while destructors of other such values may still run.
    pub(crate) fn current() -> Option<Arc<World>> {
        let current = CURRENT.try_with(|current| current.borrow().clone());
        current.ok().flatten()
    }

    /// Makes a network, or none, that of this thread; gives the one before.
    pub(crate) fn set_current(world: Option<Arc<World>>) -> Option<Arc<World>> {
        let before = CURRENT.try_with(|current| current.replace(world));
        before.ok().flatten()
    }

    /// Short work on the state.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut State) -> R) -> R {
        self.0.with(f)
    }

    pub(crate) fn complain(&self, problem: String) {
        self.with(|state| state.problems.push(problem));
    }

    pub(crate) fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        let task: Box<dyn Task> = Box::new(task);
        self.with(|state| state.ready.push_back(task));
    }

    /// A timer; `None` where its time is beyond all bounds.
    pub(crate) fn after(
        self: &Arc<Self>,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Option<MockTimer> {
        let task: Box<dyn Task> = Box::new(task);
        let key = self.with(|state| {
            let when = state.now.checked_add(delay)?;
            state.number += 1;
            let key = (when, state.number);
            state.timers.insert(key, task);
            Some(key)
        })?;
        Some(MockTimer(Some((self.clone(), key))))
    }

    pub(crate) fn set_random(&self, random: Random) {
        self.with(|state| state.random = random);
    }

    pub(crate) fn timers(&self) -> usize {
        self.with(|state| state.timers.len())
    }

    /// Something happened to the host.
    pub(crate) fn announce(&self, event: HostEvent) {
        let listeners: Vec<_> = self.with(|state| state.listeners.values().cloned().collect());
        for listener in listeners {
            self.soon(move || listener(event));
        }
    }

    #[cfg(test)]
    pub(crate) fn listeners(&self) -> usize {
        self.with(|state| state.listeners.len())
    }

    /// Does what can be done now.
    pub(crate) fn run(&self) {
        while let Some(task) = self.with(|state| state.ready.pop_front()) {
            task.run();
        }
    }

    /// Goes on to the next timer, if there is one up to `limit`, and lets it ring.
    pub(crate) fn next_timer(&self, limit: Duration) -> bool {
        let task = self.with(|state| {
            let first = state.timers.first_entry()?;
            let (when, _) = *first.key();
            if when > limit {
                return None;
            }
            state.now = when;
            Some(first.remove())
        });
        match task {
            Some(task) => task.run(),
            None => return false,
        }
        true
    }

    /// Forgets all that was to happen.
    pub(crate) fn clear(&self) {
        let state = self.with(std::mem::take);
        drop(state);
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("World")
    }
}

/// The host of mocked sockets: its clock is the network's.
#[derive(Clone, Debug)]
pub struct MockHost(Option<Arc<World>>);

impl MockHost {
    /// The network of this thread; where there is none, nothing ever happens.
    pub(crate) fn current() -> Self {
        MockHost(World::current())
    }
}

/// A call that is due later in simulated time; dropping it cancels the call.
#[derive(Debug)]
pub struct MockTimer(Option<(Arc<World>, (Duration, u64))>);

impl Host for MockHost {
    type Timer = MockTimer;

    fn soon(&self, task: impl FnOnce() + MaybeSend + 'static) {
        if let Some(world) = &self.0 {
            world.soon(task);
        }
    }

    fn after(
        &self,
        delay: Duration,
        task: impl FnOnce() + MaybeSend + 'static,
    ) -> Result<MockTimer, NewError> {
        let world = self.0.as_ref().ok_or(NewError::NotSupported)?;
        Ok(world.after(delay, task).unwrap_or(MockTimer(None)))
    }

    fn time_left(timer: &MockTimer) -> Option<Duration> {
        // A timer beyond all bounds never rings.
        Some(
            timer
                .0
                .as_ref()
                .map_or(Duration::MAX, |(world, (when, _))| {
                    when.saturating_sub(world.with(|state| state.now))
                }),
        )
    }

    fn random(&self) -> u64 {
        let random = |state: &mut State| state.random.next();
        self.0.as_ref().map_or(0, |world| world.with(random))
    }

    fn now(&self) -> Duration {
        let now = |world: &Arc<World>| world.with(|state| state.now);
        self.0.as_ref().map_or(Duration::ZERO, now)
    }

    fn listen(&self, listener: HostListener) -> Subscription {
        let Some(world) = &self.0 else {
            return Subscription::default();
        };
        let number = world.with(|state| {
            state.number += 1;
            state.listeners.insert(state.number, listener);
            state.number
        });
        Subscription::new(Place(world.clone(), number))
    }

    fn wake_up() {
        if let Some(world) = World::current() {
            world.announce(HostEvent::WokeUp);
        }
    }
}

/// A listener's place.
struct Place(Arc<World>, u64);

impl Drop for Place {
    fn drop(&mut self) {
        let listener = self.0.with(|state| state.listeners.remove(&self.1));
        // Outside the lock.
        drop(listener);
    }
}

impl Drop for MockTimer {
    fn drop(&mut self) {
        if let Some((world, key)) = self.0.take() {
            let task = world.with(|state| state.timers.remove(&key));
            // Outside the lock: it may own other timers.
            drop(task);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Random;

    /// The same numbers in every version, so that a seed found by somebody stays good.
    #[test]
    fn a_seed_gives_the_numbers_of_splitmix64() {
        let mut random = Random::Sequence(1_234_567);
        let expected = [
            6_457_827_717_110_365_317,
            3_203_168_211_198_807_973,
            9_817_491_932_198_370_423,
            4_593_380_528_125_082_431,
            16_408_922_859_458_223_821,
        ];
        assert_eq!(expected.map(|_| random.next()), expected);
        assert_eq!(Random::Fixed(7).next(), 7);
    }
}
