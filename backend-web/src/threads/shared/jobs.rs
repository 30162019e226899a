//! What a thread's inbox has for its thread, and who is to be woken.
//!
//! It names nothing of JavaScript, so `tests/loom` runs it in every order of the threads.
//!
//! Invariant: a waker is there only while no job waits. So whoever adds the first job finds
//! it, and wakes.

use std::collections::VecDeque;
use std::mem;
use std::task::Waker;

/// The jobs `J` of a thread. Other threads have it as `H`.
pub struct Jobs<J, H> {
    waiting: VecDeque<J>,
    waker: Option<Waker>,
    /// Nobody has the address any more.
    ended: bool,
    /// The thread has ended, and this one does what others ask of it.
    heir: Option<H>,
}

impl<J, H> Default for Jobs<J, H> {
    fn default() -> Self {
        Jobs {
            waiting: VecDeque::new(),
            waker: None,
            ended: false,
            heir: None,
        }
    }
}

impl<J, H: Clone> Jobs<J, H> {
    /// Adds a job. Returns whom to wake; or the heir, who is to do the job.
    pub fn push(&mut self, job: J) -> (Option<Waker>, Option<(H, J)>) {
        match self.heir.clone() {
            Some(heir) => (None, Some((heir, job))),
            None => {
                self.waiting.push_back(job);
                (self.waker.take(), None)
            }
        }
    }

    /// Takes the jobs, and whether nobody can add more. If there are none, `waker` is woken
    /// for the next.
    pub fn take(&mut self, waker: &Waker) -> (VecDeque<J>, bool) {
        // Not before there is nothing: who finds a waker wakes at once.
        if self.waiting.is_empty() && !self.ended {
            self.waker = Some(waker.clone());
        }
        (mem::take(&mut self.waiting), self.ended)
    }

    /// Nobody can add more. Returns whom to wake.
    pub fn end(&mut self) -> Option<Waker> {
        self.ended = true;
        self.waker.take()
    }

    pub fn is_ended(&self) -> bool {
        self.ended
    }

    /// The thread has ended: `heir` does what is left, and what will be asked for. `None` if
    /// it needs no heir, or has one.
    pub fn inherit(&mut self, heir: H) -> Option<VecDeque<J>> {
        if self.ended || self.heir.is_some() {
            return None;
        }
        self.heir = Some(heir);
        Some(mem::take(&mut self.waiting))
    }
}
