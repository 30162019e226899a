//! The inbox of a thread of a page, as other threads fill it.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use isosocket_core::SharedCell;
use loom::thread;

use self::jobs::Jobs;
use crate::{block_on, model};

// The file of the backend for pages, which is built for wasm only.
#[allow(dead_code, reason = "the backend uses all of it")]
#[path = "../../../backend-web/src/threads/shared/jobs.rs"]
mod jobs;

type Inbox = SharedCell<Jobs<u32, u32>>;

/// Hands over a job. Returns the heir and the job, if there is an heir.
fn push(inbox: &Inbox, job: u32) -> Option<(u32, u32)> {
    let (waker, inherited) = inbox.with(|jobs| jobs.push(job));
    waker.into_iter().for_each(|waker| waker.wake());
    inherited
}

fn end(inbox: &Inbox) {
    let waker = inbox.with(Jobs::end);
    waker.into_iter().for_each(|waker| waker.wake());
}

/// The jobs that a thread does until nobody can hand over more.
fn serve(inbox: &Inbox) -> Vec<u32> {
    let mut done = Vec::new();
    block_on(poll_fn(|context| {
        loop {
            let (jobs, ended) = inbox.with(|jobs| jobs.take(context.waker()));
            if jobs.is_empty() {
                return match ended {
                    true => Poll::Ready(()),
                    false => Poll::Pending,
                };
            }
            done.extend(jobs);
        }
    }));
    done
}

#[test]
fn every_job_is_done_once_and_in_the_order_of_its_thread() {
    model(|| {
        let inbox = Arc::new(Inbox::new(Jobs::default()));
        let other = thread::spawn({
            let inbox = inbox.clone();
            move || {
                push(&inbox, 1);
                push(&inbox, 2);
            }
        });
        let last = thread::spawn({
            let inbox = inbox.clone();
            move || {
                push(&inbox, 10);
                other.join().unwrap();
                end(&inbox);
            }
        });
        let done = serve(&inbox);
        last.join().unwrap();
        assert_eq!(done.len(), 3, "{done:?}");
        let of_one: Vec<_> = done.into_iter().filter(|job| *job < 10).collect();
        assert_eq!(of_one, [1, 2]);
    });
}

#[test]
fn the_jobs_of_a_thread_that_ended_are_done_by_one_heir() {
    model(|| {
        let inbox = Arc::new(Inbox::new(Jobs::default()));
        let heirs = [1, 2].map(|heir| {
            let inbox = inbox.clone();
            thread::spawn(move || {
                let own = push(&inbox, 10 * heir);
                let left = inbox.with(|jobs| jobs.inherit(heir));
                // What is left, and what was asked for when there was an heir already.
                let left = left.unwrap_or_else(VecDeque::new);
                left.into_iter()
                    .chain(own.map(|(_, job)| job))
                    .collect::<Vec<_>>()
            })
        });
        let mut done: Vec<_> = heirs
            .into_iter()
            .flat_map(|heir| heir.join().unwrap())
            .collect();
        done.sort_unstable();
        assert_eq!(done, [10, 20]);
    });
}
