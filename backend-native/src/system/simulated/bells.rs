//! What wakes a poll that waits on a thread of a model, while other threads go on.
//!
//! No time passes in a model, so a deadline never wakes it.

use std::cell::RefCell;
use std::sync::{Arc, Weak};
use std::time::Duration;

use isosocket_core::sync::Mutex;
use isosocket_core::sync::loom::sync::Condvar;

use super::{News, with};

/// The bell of one poll.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// Another thread wakes the poll.
    woken: bool,
    /// The network may have news.
    has_news: bool,
    /// It is in the list of all.
    is_known: bool,
}

thread_local! {
    /// All polls of this run. Loom's threads are one thread of the system.
    static BELLS: RefCell<Vec<Weak<Bell>>> = const { RefCell::new(Vec::new()) };
}

/// A stream was written to, and the peer may have answered.
pub(super) fn ring_all() {
    let bells: Vec<_> = BELLS.with_borrow(|bells| bells.iter().filter_map(Weak::upgrade).collect());
    for bell in bells {
        bell.state.lock().unwrap().has_news = true;
        bell.news.notify_one();
    }
}

impl Bell {
    pub(super) fn ring(&self) {
        self.state.lock().unwrap().woken = true;
        self.news.notify_one();
    }

    /// Whether it rang, and what is new. Waits until there is one of these.
    pub(super) fn wait(self: &Arc<Self>, timeout: Option<Duration>) -> (bool, Vec<News>) {
        let mut state = self.state.lock().unwrap();
        if !std::mem::replace(&mut state.is_known, true) {
            BELLS.with_borrow_mut(|bells| {
                bells.retain(|bell| bell.strong_count() > 0);
                bells.push(Arc::downgrade(self));
            });
        }
        loop {
            let woken = std::mem::take(&mut state.woken);
            state.has_news = false;
            let news = with(|system| system.wait(Some(Duration::ZERO)));
            if woken || !news.is_empty() || timeout == Some(Duration::ZERO) {
                return (woken, news);
            }
            while !state.woken && !state.has_news {
                state = self.news.wait(state).unwrap();
            }
        }
    }
}
