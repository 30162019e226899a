//! The matrix as Markdown, short enough to be read and compared between runs.
//!
//! Invariant: what differs from run to run without meaning anything (ports,
//! durations) is left out.

use std::fmt::Write;

use crate::case::{Mark, Outcome, Tally};

use crate::matrix::{CaseLine, Kind, Matrix, RuleLine, family_name, observed, plain};
use crate::rules;

const INTRODUCTION: &str = "\
# One behaviour everywhere: the matrix

What a program observes, rule by rule, on every host that the suite runs on.
`cargo xtask parity` writes this file; the page that it writes as well,
`target/xtask/parity.html`, has every case.

A rule marked **M** is asserted on every host, one marked **N** natively (what
browsers do is recorded), one marked **U** nowhere: standards or browsers
disagree, and what happens is recorded.
";

const LEGEND: &str = "\
✓ holds · = recorded, as natively · ≠ differs from native (listed below) ·
– not applicable (listed below) · ✗ fails · ? not reported. A browser's column
stands for its window, dedicated, shared and service worker, and a system's for
its processors; where they differ, the worst is shown.
";

pub fn summary(matrix: &Matrix) -> String {
    let mut out = String::from(INTRODUCTION);
    versions(&mut out, matrix);
    counts(&mut out, matrix);
    table(&mut out, matrix);
    differences(&mut out, matrix);
    excuses(&mut out, matrix);
    out
}

/// Adds a line. Writing to a string does not fail.
macro_rules! line {
    ($out:expr, $($text:tt)*) => {{ let _ = writeln!($out, $($text)*); }};
}

fn versions(out: &mut String, matrix: &Matrix) {
    line!(out, "\n## The run of {} UTC\n", matrix.run.date);
    line!(out, "| host | version |\n| --- | --- |");
    for family in matrix.families() {
        let row = matrix.hosts[family[0]];
        line!(out, "| {} | {} |", family_name(row), row.version);
    }
    let libraries: Vec<String> = matrix
        .run
        .libraries
        .iter()
        .map(|(name, version)| format!("{name} {version}"))
        .collect();
    line!(out, "\nCrates: {}.", libraries.join(", "));
}

fn counts(out: &mut String, matrix: &Matrix) {
    let cases: Vec<&CaseLine> = matrix.rules.iter().flat_map(|rule| &rule.cases).collect();
    let count = |mark: Mark| cases.iter().filter(|case| case.mark == mark).count();
    line!(
        out,
        "\n{} cases ({} M, {} N, {} U) for {} rules, on {} hosts with a WebSocket.",
        cases.len(),
        count(Mark::M),
        count(Mark::N),
        count(Mark::U),
        matrix.rules.len(),
        matrix.with_websocket().len()
    );
    let failed: usize = matrix.hosts.iter().map(|row| row.failures().count()).sum();
    let tallies = matrix.with_websocket().into_iter().map(|index| {
        let tally = Tally::of(&matrix.hosts[index].cases);
        (index, tally)
    });
    let mut same: Vec<(Vec<usize>, Tally)> = Vec::new();
    for (index, tally) in tallies {
        match same.iter_mut().find(|(_, other)| *other == tally) {
            Some((hosts, _)) => hosts.push(index),
            None => same.push((vec![index], tally)),
        }
    }
    line!(out, "{failed} failed. M cases:\n");
    for (hosts, tally) in same {
        line!(
            out,
            "- {}: {} passed, {} not applicable, {} known to fail, {} failed",
            matrix.names(&hosts),
            tally.passed,
            tally.not_applicable,
            tally.deviating,
            tally.failed
        );
    }
}

fn table(out: &mut String, matrix: &Matrix) {
    line!(out, "\n## The rules\n\n{LEGEND}");
    let families: Vec<Vec<usize>> = matrix
        .families()
        .into_iter()
        .filter(|family| matrix.hosts[family[0]].websocket)
        .collect();
    let names: Vec<&str> = families
        .iter()
        .map(|family| family_name(matrix.hosts[family[0]]))
        .collect();
    line!(
        out,
        "| rule | mark | what holds | cases | {} |",
        names.join(" | ")
    );
    line!(
        out,
        "| --- | --- | --- | ---: |{}",
        " :-: |".repeat(names.len())
    );
    for rule in &matrix.rules {
        let cells: Vec<&str> = families
            .iter()
            .map(|family| {
                let worst = family.iter().map(|index| rule.kinds[*index]).max();
                worst.unwrap_or(Kind::Silent).sign()
            })
            .collect();
        if let Some(title) = rules::group(rule.number) {
            line!(out, "| | | **{title}** | | {}", " |".repeat(names.len()));
        }
        line!(
            out,
            "| <a id=\"s{0}\"></a>S{0} | {1:?} | {2} | {3} | {4} |",
            rule.number,
            rule.rule.mark,
            rule.rule.text,
            rule.cases.len(),
            cells.join(" | ")
        );
    }
}

/// Where a host does otherwise than natively, or fails.
fn differences(out: &mut String, matrix: &Matrix) {
    line!(out, "\n## Where hosts differ");
    for rule in matrix.rules.iter().filter(|rule| rule.differs()) {
        let (text, mark) = (rule.rule.text, rule.rule.mark);
        line!(out, "\n**S{}** {text} ({mark:?})\n", rule.number);
        for (ways, cases) in collapsed(matrix, rule) {
            line!(out, "- {}", code_list(&cases));
            for way in ways {
                line!(out, "  - {way}");
            }
        }
        for (index, row) in matrix.hosts.iter().enumerate() {
            let silent = rule.cases.iter().map(|case| case.cells[index].0);
            let silent = silent.filter(|kind| *kind == Kind::Silent).count();
            if silent > 0 {
                line!(out, "- {}: {silent} cases not reported", row.name);
            }
        }
    }
    if !matrix.rules.iter().any(RuleLine::differs) {
        line!(out, "\nNowhere.");
    }
}

/// What the hosts did in the cases of a rule that differ. Cases that differ
/// alike, but for the number that a table gave them, are listed once.
fn collapsed(matrix: &Matrix, rule: &RuleLine) -> Vec<(Vec<String>, Vec<String>)> {
    let mut listed: Vec<(Vec<String>, Vec<String>)> = Vec::new();
    for case in &rule.cases {
        let differs = |(kind, _): &(Kind, _)| matches!(kind, Kind::Deviation | Kind::Fail);
        if !case.cells.iter().any(differs) {
            continue;
        }
        let value = case.name.split_once(": ").map_or("", |(_, value)| value);
        // As asserted natively and as recorded elsewhere may be the same.
        let mut ways: Vec<(String, Vec<usize>)> = Vec::new();
        for group in case.groups() {
            let seen = match group.case.map(|case| (&case.outcome, &case.seen)) {
                Some((Outcome::NotApplicable(_), _)) | None => continue,
                Some((_, seen)) => without(&code(&plain(&observed(seen))), value),
            };
            let way = match group.case.map(|case| &case.outcome) {
                Some(Outcome::Deviation(reason)) => format!("{seen} ({reason})"),
                Some(Outcome::Fail) => format!("**fails**, {seen}"),
                _ => seen,
            };
            match ways.iter_mut().find(|(other, _)| *other == way) {
                Some((_, hosts)) => hosts.extend(group.hosts),
                None => ways.push((way, group.hosts)),
            }
        }
        let name = |(way, hosts): (String, Vec<usize>)| {
            let mut hosts = hosts;
            hosts.sort_unstable();
            format!("{}: {way}", matrix.names(&hosts))
        };
        let ways: Vec<String> = ways.into_iter().map(name).collect();
        match listed.iter_mut().find(|(other, _)| *other == ways) {
            Some((_, cases)) => cases.push(case.name.to_owned()),
            None => listed.push((ways, vec![case.name.to_owned()])),
        }
    }
    listed
}

/// A text with a number in it replaced by N, where the number stands alone.
fn without(text: &str, value: &str) -> String {
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut digits = String::new();
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits == value { "N" } else { &digits });
        digits.clear();
        out.push(c);
    }
    out.trim_end_matches('\n').to_owned()
}

/// Names of cases; those of one table name it once.
fn code_list(names: &[String]) -> String {
    let words = |name: &str| name.replace('_', " ");
    let split = |name: &String| {
        let (table, value) = name.split_once(": ")?;
        Some((words(table), code(value)))
    };
    let of_tables: Option<Vec<(String, String)>> = names.iter().map(split).collect();
    match of_tables {
        Some(all) if all.iter().all(|(table, _)| *table == all[0].0) => {
            let values: Vec<&str> = all.iter().map(|(_, value)| value.as_str()).collect();
            format!("{}: {}", all[0].0, values.join(" "))
        }
        _ => names
            .iter()
            .map(|name| words(name))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Text as code, of which no character is taken for anything else.
fn code(text: &str) -> String {
    let mut code = String::from("`");
    for c in text.chars() {
        match c {
            '`' => code.push('\''),
            c if c.is_control() => code.extend(c.escape_unicode()),
            c => code.push(c),
        }
    }
    code.push('`');
    code
}

/// Which cases do not apply where, by their reasons.
fn excuses(out: &mut String, matrix: &Matrix) {
    let mut reasons: Vec<(String, Vec<String>)> = Vec::new();
    for rule in &matrix.rules {
        for case in &rule.cases {
            for group in case.groups() {
                let Some(Outcome::NotApplicable(reason)) = group.case.map(|case| &case.outcome)
                else {
                    continue;
                };
                let key = format!("{}: {reason}", matrix.names(&group.hosts));
                let title = format!("S{} {}", rule.number, code_list(&[case.name.to_owned()]));
                match reasons.iter_mut().find(|(other, _)| *other == key) {
                    Some((_, titles)) => titles.push(title),
                    None => reasons.push((key, vec![title])),
                }
            }
        }
    }
    line!(out, "\n## What does not apply\n");
    let without = matrix.hosts.iter().filter(|row| !row.websocket);
    let without: Vec<String> = without
        .map(|row| {
            let failed = row.failures().count();
            let passed = row.cases.len() - failed;
            format!("{} ({passed} passed, {failed} failed)", row.name)
        })
        .collect();
    if !without.is_empty() {
        line!(
            out,
            "Without a WebSocket S103 is all there is to show: {}.\n",
            without.join("; ")
        );
    }
    for (reason, titles) in reasons {
        line!(out, "- {reason}. {}", titles.join(", "));
    }
}

#[cfg(test)]
mod tests {
    use super::{code, summary, without};
    use crate::matrix::{Matrix, tests::run};

    #[test]
    fn a_summary_shows_what_each_host_did() {
        let run = run(&[
            ("native", &["S84 N pass error", "S39 U recorded []"]),
            ("deno", &["S84 N recorded open", "S39 U recorded []"]),
            ("node20", &["S103 M pass ok"]),
        ]);
        let text = summary(&Matrix::new(&run));
        assert!(text.contains("The run of 2026-01-02 03:04 UTC"));
        assert!(text.contains("| Deno | deno 1.2 |"));
        assert!(text.contains("- c: `999`\n  - native: `error`\n  - Deno: `open`\n"));
        assert!(text.contains(
            "| <a id=\"s84\"></a>S84 | N | An unassigned code fails the connection | 1 | ✓ | ≠ |"
        ));
        assert!(text.contains("all there is to show: Node 20, no WebSocket (1 passed, 0 failed)."));
        assert!(text.contains("| <a id=\"s39\"></a>S39 | U | The Origin header | 1 | = | = |"));
    }

    #[test]
    fn code_is_shown_as_it_is() {
        assert_eq!(code("a`b|\u{0}"), "`a'b|\\u{0}`");
    }

    #[test]
    fn only_a_number_by_itself_is_replaced() {
        assert_eq!(without("close(1 \"1000\") 1", "1"), "close(N \"1000\") N");
        assert_eq!(without("close(1)", "a"), "close(1)");
    }
}
