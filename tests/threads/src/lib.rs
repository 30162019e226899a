//! Sockets used from other threads than the one that made them, in a wasm
//! module that several workers share. `js/drive.mjs` starts it in two threads,
//! that of the page and a worker, and runs the cases in the first.
//!
//! Invariant: the first thread, which in a page must not wait, never does.

#![forbid(unsafe_code)]

mod cases;
mod ends;
mod objects;
mod worker;

use std::future::Future;
use std::pin::Pin;

use isosocket_tests::suite::{Seen, within};
use wasm_bindgen::prelude::*;

/// A case may take so many milliseconds.
const CASE_LIMIT: u32 = 60_000;

/// A case and its name.
type Case = (&'static str, fn() -> Pin<Box<dyn Future<Output = Seen>>>);

macro_rules! cases {
    ($($module:ident::$name:ident)+) => {
        const CASES: &[Case] = &[$((stringify!($name), || Box::pin($module::$name()))),+];
    };
}

cases! {
    cases::messages_sent_elsewhere_arrive_in_order
    cases::what_two_threads_send_in_turn_keeps_its_order
    cases::a_close_elsewhere_follows_what_was_sent
    cases::a_stream_is_read_elsewhere
    cases::a_thread_that_waits_reads_a_stream
    cases::a_socket_made_elsewhere_is_used_here
    cases::what_comes_while_both_threads_send_is_complete
    cases::handlers_bound_elsewhere_run_on_the_sockets_thread
    cases::why_a_message_is_refused_is_known_elsewhere
    cases::a_connection_given_up_elsewhere_fails
    cases::the_last_handle_dropped_elsewhere_closes_and_frees
    cases::a_stream_dropped_elsewhere_frees_its_socket
    objects::an_object_is_taken_over_on_its_own_thread_only
    cases::a_socket_that_reconnects_is_used_elsewhere
    cases::the_time_until_an_attempt_is_known_elsewhere
    ends::sockets_of_a_terminated_worker_fail
    ends::sockets_of_a_worker_that_never_got_its_lock_fail
    ends::a_socket_of_a_worker_that_gets_its_lock_late_lives
    ends::a_socket_of_a_worker_that_ends_in_a_handler_fails
    ends::who_only_sends_notices_that_a_worker_was_terminated
    ends::a_socket_lives_where_locks_are_refused
    ends::a_worker_without_sockets_holds_no_lock
    ends::what_a_terminated_worker_has_not_done_is_done_elsewhere
    ends::what_is_asked_of_a_terminated_worker_does_not_pile_up
    ends::a_socket_that_reconnects_moves_away_from_a_terminated_worker
    ends::a_socket_that_waits_for_an_attempt_goes_on_without_its_worker
}

// Proved by compilation: what a handler must be is enough to send it. Without
// atomics it is not, so this crate is for natively and for wasm with them.
const _: () = {
    const fn can_be_sent<T: Send>() {}
    const fn is_a_handle<T: Clone + Send + Sync + 'static>() {}
    const fn handlers_can_be_sent<T: isosocket::MaybeSend>() {
        can_be_sent::<T>();
    }
    handlers_can_be_sent::<()>();
    is_a_handle::<isosocket::WebSocket>();
    is_a_handle::<isosocket::Reconnecting>();
    can_be_sent::<isosocket::Events>();
};

/// The names of all cases.
#[wasm_bindgen]
pub fn names() -> Vec<String> {
    let names = CASES.iter().map(|(name, _)| (*name).to_owned());
    names.collect()
}

/// Runs a case in this thread; fails with what is wrong.
///
/// # Errors
/// What the case saw instead of what it should.
#[wasm_bindgen]
pub async fn run_case(index: usize) -> Result<String, JsError> {
    let (_, case) = CASES
        .get(index)
        .ok_or_else(|| JsError::new("no such case"))?;
    let seen = within(CASE_LIMIT, case()).await;
    let late = || Err(format!("not done after {CASE_LIMIT} ms"));
    seen.unwrap_or_else(late)
        .map_err(|problem| JsError::new(&problem))
}

/// The memory that all threads share.
#[wasm_bindgen]
pub fn shared_memory() -> JsValue {
    wasm_bindgen::memory()
}
