//! The conformance suite of isosocket: the one list of cases, written against
//! the facade and mounted as tests on every target.
//!
//! A line of the list is `MARK module::function over TABLE except CONDITION
//! "REASON";`, the last two where there are any. Each line is a test of its
//! own, named after its rule, and each row of a table is a case.
//!
//! Invariant: every rule has a case, or a reason in [`NOT_SHOWN`].

#![forbid(unsafe_code)]

pub mod blocking;
#[allow(missing_docs, reason = "the name of a case says what it shows")]
pub mod cases;
pub mod deviations;
pub mod harness;
pub mod probe;
pub mod record;
pub mod runtimes;
pub mod suite;

use suite::Case;

macro_rules! case {
    ($rule:ident $mark:ident $module:ident $name:ident ($($table:ident)?) ($($when:ident $why:literal)?)) => {
        $crate::suite::Case {
            rule: stringify!($rule),
            mark: $crate::suite::Mark::$mark,
            name: stringify!($name),
            except: case!(@except $($when $why)?),
            rows: || case!(@rows $module $name $($table)?),
        }
    };
    (@except) => { None };
    (@except $when:ident $why:literal) => { Some(($crate::suite::$when, $why)) };
    (@rows $module:ident $name:ident) => {
        $crate::suite::Row::only($crate::cases::$module::$name)
    };
    (@rows $module:ident $name:ident $table:ident) => {
        $crate::suite::Row::over(
            $crate::cases::$module::$table,
            $crate::cases::$module::$name,
        )
    };
}

macro_rules! list {
    ($($rule:ident { $(
        $mark:ident $module:ident :: $name:ident
        $(over $table:ident)?
        $(except $when:ident $why:literal)? ;
    )+ })+) => {
        /// Every case there is, in the order of the rules.
        pub static CASES: &[Case] = &[$($(
            case!($rule $mark $module $name ($($table)?) ($($when $why)?)),
        )+)+];

        #[cfg(test)]
        mod mounted {
            $(
                #[allow(non_snake_case, reason = "it is the rule's name")]
                mod $rule {
                    $(
                        crate::harness::mount!(
                            $name,
                            case!($rule $mark $module $name ($($table)?) ($($when $why)?))
                        );
                    )+
                }
            )+
        }
    };
}

list! {
    // URL: checked at once, in the constructor.
    S1 {
        M url::malformed_urls_are_syntax_errors over MALFORMED;
        N url::a_space_in_the_host_is_a_syntax_error;
    }
    S2 {
        M url::http_is_mapped_to_ws over MAPPED;
        M url::an_http_url_connects;
    }
    S3 { M url::other_schemes_are_syntax_errors over OTHER_SCHEMES; }
    S4 {
        M url::a_fragment_is_a_syntax_error over FRAGMENTS;
        M url::an_escaped_hash_is_no_fragment;
    }
    S5 { M url::a_relative_url_is_a_syntax_error over RELATIVE; }
    S6 { M url::scheme_and_host_become_lower_case over LOWER_CASE; }
    S7 { M url::an_empty_path_becomes_a_slash over PATHS; }
    S8 { M url::the_default_port_is_omitted over PORTS; }
    S9 { M url::white_space_and_slashes_are_forgiven over LENIENT; }
    S10 {
        M url::path_and_query_are_percent_encoded over ENCODED;
        M url::what_is_shown_is_requested over REQUESTED;
    }
    S11 {
        M url::hosts_are_serialized over HOSTS;
        M url::bad_hosts_and_ports_are_syntax_errors over BAD_HOSTS;
    }
    S12 {
        M url::user_info_is_sent_as_basic_authentication over USER_INFO;
        M url::without_user_info_there_is_no_authentication;
    }
    S13 { M url::a_blocked_port_fails_after_the_constructor over BLOCKED; }
    S14 { M url::ports_80_and_443_go_with_either_scheme over EITHER; }

    // Subprotocols.
    S15 { M subprotocol::none_requested_means_no_header; }
    S16 {
        M subprotocol::what_is_no_token_is_a_syntax_error over BAD_TOKENS;
        M subprotocol::tokens_are_accepted over TOKENS;
    }
    S17 { M subprotocol::a_duplicate_is_a_syntax_error over DUPLICATES; }
    S18 { U subprotocol::a_duplicate_in_other_case; }
    S19 { M subprotocol::they_are_sent_in_order_in_one_header over LISTS; }
    S20 {
        M subprotocol::protocol_and_extensions_are_empty_before_open;
        M subprotocol::protocol_and_extensions_stay_empty_after_a_failure;
    }

    // Opening handshake.
    S21 { M handshake::the_constructor_returns_at_once; }
    S22 { M handshake::ready_states_are_numbered; }
    S23 {
        M handshake::a_valid_reply_opens;
        M handshake::awaiting_open_gives_an_open_socket;
        M handshake::awaiting_open_returns_the_failure;
        M handshake::the_request_is_complete;
    }
    S24 { M replies::an_offered_subprotocol_is_chosen over CHOICES; }
    S25 { N replies::offered_and_none_chosen_fails; }
    S26 { N replies::chosen_and_none_offered_fails; }
    S27 { M replies::a_bad_choice_of_subprotocol_fails over BAD_CHOICES; }
    S28 {
        M replies::another_status_fails over STATUSES;
        M replies::another_status_with_the_right_headers_fails over STATUSES;
        M replies::redirects_are_not_followed over REDIRECTS;
    }
    S29 {
        M replies::a_fault_in_the_reply_fails over UPGRADE_FAULTS;
        N replies::a_token_ends_at_a_comma_only;
    }
    S30 { M replies::names_and_tokens_are_compared_without_case over GOOD_REPLIES; }
    S31 { M replies::a_fault_in_the_reply_fails over ACCEPT_FAULTS; }
    S32 { M replies::a_fault_in_the_reply_fails over EXTENSION_FAULTS; }
    S33 {
        M handshake::no_reply_at_all_fails over NO_REPLIES;
        M handshake::what_cannot_be_reached_fails over UNREACHABLE;
        M handshake::failures_cannot_be_distinguished;
        M handshake::a_good_certificate_opens
            except no_trust "a browser does not trust the suite's CA, and without TLS none is";
        M handshake::a_bad_certificate_of_a_trusted_ca_fails over BAD_CERTIFICATES
            except no_trust "the suite's CA is not trusted; that they fail is shown above";
    }
    S34 { M handshake::before_open_there_is_only_the_failure over FAILURES; }
    S35 {
        U replies::http_1_0;
        U replies::a_list_of_upgrades;
    }
    S36 {
        M replies::frames_that_come_with_the_reply_count over WITH_REPLY;
        N replies::what_comes_before_an_early_end_counts over ENDING_WITH_REPLY;
    }
    S37 {
        M handshake::no_reply_in_time_fails over SLOW_REPLIES;
        M handshake::no_tls_in_time_fails;
        M handshake::the_connect_timeout_ends_with_the_handshake;
        M day::a_server_that_says_nothing_is_left over SILENCES;
    }
    S38 { M handshake::no_referer_is_sent; }
    S39 { U handshake::origin; }
    S40 {
        M handshake::after_failures_a_socket_connects;
        M handshake::twenty_five_in_parallel_work;
        M reconnecting::after_a_loss_it_connects_again over ENDINGS;
        M day::a_server_that_restarts_gets_what_was_kept;
    }
    S41 { U handshake::two_to_the_same_host; }

    // Sending.
    S42 { M sending::sending_while_connecting_is_an_error; }
    S43 {
        M sending::text_stays_text_and_binary_stays_binary;
        M sending::every_frame_has_a_mask_of_its_own;
    }
    S44 {
        M sending::an_empty_text_is_delivered;
        M sending::an_empty_binary_is_delivered;
    }
    S45 {
        M sending::binary_of_any_size_round_trips over SIZES;
        M sending::text_of_any_size_round_trips over SIZES;
        M sending::compressed_binary_round_trips over SIZES;
    }
    S46 {
        M sending::text_is_exact over TEXTS;
        M sending::long_text_is_exact over TEXTS;
        M sending::compressed_text_is_exact over TEXTS;
    }
    S47 {
        M sending::order_is_kept;
        M reconnecting::what_was_sent_without_a_connection_comes_first_and_in_order;
    }
    S48 { M sending::the_buffered_amount_counts_payload_bytes; }
    S49 {
        M sending::the_buffered_amount_stays_until_the_caller_yields;
        M sending::the_buffered_amount_is_zero_after_the_last_echo;
    }
    S50 { M sending::sending_while_closing_only_counts; }
    S51 {
        M sending::sending_when_closed_only_counts;
        M sending::sending_after_a_failure_only_counts;
    }
    S52 { M sending::what_was_sent_precedes_the_close_frame; }
    S53 { M sending::a_slow_reader_gets_everything; }
    S54 {
        // The limit itself is isosocket's own, so it is asserted everywhere.
        M sending::the_send_limit_refuses_and_keeps_the_message;
        M sending::one_message_is_accepted_however_large;
        U sending::a_full_buffer_by_default
            except over_stream "Chromium ends the page if a connection is lost during a write";
        M interfaces::a_sink_waits_for_room_and_keeps_the_order;
        M interfaces::a_sink_of_a_closed_socket_gives_the_message_back;
    }

    // Receiving.
    S55 {
        M receiving::a_script_gives_these_events over MESSAGES;
        M receiving::every_byte_is_right over LENGTHS;
        M receiving::messages_come_only_while_open;
    }
    S56 { M receiving::a_script_gives_these_events over FRAGMENTS; }
    S57 { M receiving::a_script_gives_these_events over SPLIT_TEXT; }
    S58 {
        M receiving::a_ping_is_answered over PINGS;
        M receiving::the_longest_ping_is_answered;
        M receiving::pings_are_answered_in_order;
        M receiving::a_pong_that_nobody_asked_for_is_ignored;
    }
    S59 {
        M receiving::all_messages_come_before_close;
        M backpressure::a_peer_waits_for_a_stream_that_is_not_read
            except no_receive_limit "what arrives is in memory there until it is read";
        M backpressure::nothing_is_missing_without_an_error over ENDS;
    }
    S60 {
        M receiving::nothing_is_delivered_after_close;
        M receiving::close_in_a_handler_ends_the_messages;
    }
    S61 { M receiving::a_script_gives_these_events over UNFINISHED; }
    S62 {
        M receiving::a_message_over_the_limit_fails over LIMITED;
        M receiving::the_limit_counts_bytes_of_utf8;
        N receiving::a_message_over_the_limit_is_reported_on_the_wire;
        M receiving::a_message_of_the_default_limit_arrives;
        M receiving::a_message_over_the_default_limit_fails;
    }
    // Shortened to 2 s: see the function.
    S63 { M receiving::silence_is_survived; }

    // close()
    S64 { M closing::another_code_is_an_error over BAD_CODES; }
    S65 { M closing::arguments_are_checked_in_every_state; }
    S66 { M closing::what_cannot_be_sent_cannot_be_written; }
    S67 { M closing::a_reason_has_at_most_123_bytes over REASONS; }
    S68 {
        M closing::closing_while_connecting_fails over CONNECTING;
        M closing::closing_before_anything_was_sent_fails;
        M reconnecting::closing_while_it_waits_ends_at_once;
    }
    S69 { M closing::close_without_arguments_sends_an_empty_frame; }
    S70 { M closing::an_echoed_close_is_clean over CLOSES; }
    S71 { M closing::the_peer_reacts over REACTIONS_OTHER; }
    S72 { M closing::the_peer_reacts over REACTIONS_EMPTY; }
    S73 {
        M closing::a_further_close_does_nothing;
        M closing::clones_are_one_socket;
    }
    // Shortened to 300 ms: see the function.
    S74 { M closing::the_close_event_waits_for_the_answer; }
    S75 {
        M closing::the_peer_reacts over REACTIONS_FIN;
        U closing::a_reset_instead_of_an_answer;
        U closing::garbage_instead_of_an_answer;
    }
    S76 {
        M closing::no_answer_in_time_is_not_clean;
        M closing::the_close_timeout_begins_with_close;
    }
    S77 {
        M closing::the_peer_reacts over REACTIONS_HELD;
        U closing::how_long_tcp_may_be_held_open;
    }
    S78 {
        M closing::crossing_closes_are_clean;
        M closing::crossing_closes_are_clean_on_the_wire;
    }
    S79 { M closing::what_cannot_be_sent_cannot_be_written; }

    // Close by the peer.
    S80 {
        M peer_closing::a_close_is_echoed;
        M peer_closing::the_state_is_closed_inside_the_event;
    }
    S81 { M peer_closing::an_empty_close_is_answered_by_an_empty_one; }
    S82 {
        M peer_closing::a_code_passes_through over CODES;
        M peer_closing::a_reason_is_exact over REASONS;
    }
    S83 { N peer_closing::a_code_that_must_not_be_sent_fails over RESERVED; }
    S84 {
        N peer_closing::a_code_that_must_not_be_sent_fails over UNKNOWN;
        N peer_closing::the_registered_code_1014_passes;
    }
    S85 { N peer_closing::a_body_of_one_byte_fails; }
    S86 { M peer_closing::a_reason_of_invalid_utf8_fails over BAD_REASONS; }
    S87 { M peer_closing::unsent_data_does_not_matter; }
    S88 { U peer_closing::frames_after_a_close over AFTER_CLOSE; }
    S89 { M peer_closing::a_close_inside_a_message_is_clean over INSIDE; }

    // Protocol errors and drops, after open.
    S90 {
        M faults::a_violation_fails over VIOLATIONS;
        M faults::a_violation_fails_with_compression over COMPRESSED;
        N faults::a_reserved_opcode_that_goes_on_fails;
    }
    S91 {
        M faults::invalid_utf8_fails over BAD_UTF8;
        M faults::invalid_utf8_at_the_end_of_a_long_text_fails;
    }
    S92 { M faults::a_length_too_long_fails over LONG_LENGTHS; }
    S93 { N faults::a_masked_frame_fails over MASKED; }
    S94 {
        M faults::what_came_before_is_delivered over BEFORE;
        M faults::what_was_read_before_is_delivered over BEFORE_A_BAD_HEAD;
        N faults::what_came_before_a_bad_head_is_delivered over BEFORE_A_BAD_HEAD;
    }
    S95 { N faults::the_peer_learns_why over CLOSE_CODES; }
    S96 {
        M faults::a_drop_has_no_error_event over ENDS;
        U faults::a_reset over RESETS;
    }

    // Always.
    S97 {
        M always::at_most_one_of_each over ENDINGS;
        M reconnecting::open_comes_for_each_connection_and_close_once;
    }
    S98 {
        M always::no_event_inside_a_call over CALLS;
        M interfaces::a_wake_hook_is_not_called_inside_the_call_that_sets_it;
    }
    S99 { M always::the_close_handler_may_call_anything over ENDED; }
    S100 {
        M always::handlers_run_in_order_one_at_a_time;
        M always::a_panicking_handler_stops_nobody
            except no_unwinding "a panic ends the program there";
        M always::an_unbound_handler_is_not_called;
        M always::a_handler_bound_in_a_handler_is_in_time;
    }
    S101 {
        M always::what_came_before_its_handler_is_delivered over LATE;
        M always::a_late_stream_gets_everything;
        M always::what_was_delivered_is_not_kept;
        M always::who_listens_too_late_gets_what_was_kept_and_a_failure;
        M always::who_never_listens_for_messages_notices_nothing;
        M always::open_is_delivered_after_awaiting_open;
        M interfaces::a_frame_loop_that_wakes_by_its_hook_sees_everything;
        M interfaces::a_cancelled_wait_loses_nothing;
    }
    S102 {
        M dropping::dropping_the_last_handle_closes over DROPPED;
        M dropping::a_clone_keeps_the_socket_open;
        M dropping::the_end_is_reported_after_the_drop;
        N dropping::dropping_while_connecting_gives_up;
        N dropping::dropping_the_future_of_open_gives_up;
        M dropping::handlers_are_freed_after_close;
        M dropping::handlers_are_freed_after_the_drop over LIVES;
        M dropping::an_unbound_handler_is_freed;
        M dropping::dropping_at_any_moment_ends_and_frees over MOMENTS;
        M dropping::memory_stays_flat_over_many_sockets over HUNDREDS
            except no_memory_count "the memory of a process is not the library's alone";
        M dropping::neither_thread_nor_descriptor_is_left
            except no_counts "threads and file descriptors cannot be counted";
        M reconnecting::dropping_a_socket_that_waits_frees_everything;
        M reconnecting::a_wait_that_is_over_leaves_neither_thread_nor_descriptor
            except no_thread_to_count "threads cannot be counted, or the case's own thread serves its sockets";
    }
    S103 {
        M support::supported_says_whether_there_is_a_websocket;
        M support::the_constructor_says_whether_there_is_one over URLS;
        M support::open_says_whether_there_is_one;
        M support::a_receive_limit_is_kept_or_refused;
    }

    // As the world is.
    S111 {
        N replies::an_unusual_reply over UNUSUAL;
        N replies::a_large_reply over LARGE;
    }
    S112 { N replies::an_unusual_reply over INTERIM; }

    // Staying alive.
    S115 {
        M alive::answers_reach_no_handler_and_are_measured;
        M alive::a_silent_peer_is_lost over SILENCE;
        M alive::any_message_is_a_sign_of_life;
        M alive::a_heartbeat_without_a_message_works_or_is_refused;
        M alive::counters_tell_what_went_over_the_wire;
        M day::a_cable_that_is_soon_back_loses_nothing;
        M day::a_cable_that_is_pulled_for_good_is_noticed;
        M day::another_network_takes_over;
        M day::a_slow_network_is_not_a_dead_one;
    }
    S117 {
        M day::each_attempt_uses_what_the_program_supplies;
        M day::an_expired_token_is_replaced;
    }
    S116 {
        M reconnecting::the_time_until_the_next_attempt_falls;
        M waking::a_wait_ends over SIGNS;
        M waking::a_silent_peer_is_noticed over SIGNS;
        M waking::a_page_that_is_offline_asks_its_peers;
        M waking::listeners_of_the_host_go_with_the_last_socket;
    }
    S118 {
        M kinds::what_we_know_ourselves_has_a_kind over OUR_OWN;
        N kinds::what_the_peer_did_has_a_kind over THE_PEERS;
        M day::a_refusal_for_ever_ends;
        M day::an_overloaded_server_says_when_to_come_back;
    }
}

/// The rules that no case shows, and why.
pub const NOT_SHOWN: &[(&str, &str)] = &[
    ("S104", NATIVE),
    ("S105", NATIVE),
    ("S106", NATIVE),
    ("S107", NATIVE),
    ("S108", NATIVE),
    ("S109", NATIVE),
    ("S110", NATIVE),
    ("S113", NATIVE),
    ("S114", NATIVE),
];

const NATIVE: &str = "it is about the process, which the native backend's own tests control";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CASES, NOT_SHOWN};

    #[test]
    fn every_rule_has_a_case_or_a_reason() {
        let rules = CASES.iter().map(|case| case.rule);
        let shown: BTreeSet<&str> = rules.collect();
        let excused: BTreeSet<&str> = NOT_SHOWN.iter().map(|(rule, _)| *rule).collect();
        let all: BTreeSet<String> = (1..=118).map(|number| format!("S{number}")).collect();
        let known: BTreeSet<String> = shown.union(&excused).map(|rule| (*rule).into()).collect();
        assert_eq!(known, all);
        assert!(shown.is_disjoint(&excused));
    }

    /// `cargo test -- the_cases_by_mark --nocapture` prints how many there are.
    #[test]
    fn the_cases_by_mark() {
        let mut names = BTreeSet::new();
        let mut counts = std::collections::BTreeMap::new();
        for case in CASES {
            for row in (case.rows)() {
                let name = format!("{} {}: {}", case.rule, case.name, row.name);
                *counts.entry(format!("{:?}", case.mark)).or_insert(0) += 1;
                assert!(names.insert(name.clone()), "two are called {name:?}");
            }
        }
        println!("{counts:?} in {} tests", CASES.len());
    }
}
