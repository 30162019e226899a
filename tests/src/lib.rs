//! The conformance suite of isosocket: the one list of cases, written against
//! the facade and mounted as tests on every target.
//!
//! A line of the list is `MARK module::function over TABLE except CONDITION
//! "REASON";`, the last two where there are any. Each line is a test of its
//! own, named after its rule, and each row of a table is a case.
//!
//! Invariant: every rule has a case, or a reason in [`NOT_SHOWN`].

#![forbid(unsafe_code)]

#[allow(missing_docs, reason = "the name of a case says what it shows")]
pub mod cases;
pub mod harness;
pub mod probe;
pub mod record;
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

    S103 {
        M support::supported_tells_whether_there_is_a_websocket;
        M support::the_constructor_says_whether_there_is_one over URLS;
        M support::open_says_whether_there_is_one;
    }
}

/// The rules that no case shows, and why.
pub const NOT_SHOWN: &[(&str, &str)] = &[];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{CASES, NOT_SHOWN};

    #[test]
    fn every_rule_has_a_case_or_a_reason() {
        let rules = CASES.iter().map(|case| case.rule);
        let shown: BTreeSet<&str> = rules.collect();
        let excused: BTreeSet<&str> = NOT_SHOWN.iter().map(|(rule, _)| *rule).collect();
        let all: BTreeSet<String> = (1..=103).map(|number| format!("S{number}")).collect();
        let known: BTreeSet<String> = shown.union(&excused).map(|rule| (*rule).into()).collect();
        assert_eq!(known, all);
        assert!(shown.is_disjoint(&excused));
    }

    /// `cargo test -- the_cases_by_mark --nocapture` tells how many there are.
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
