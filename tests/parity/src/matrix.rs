//! What was reported, arranged as rule × host.
//!
//! Invariant: every rule has a line, and every host that ran a cell in it; a
//! cell is as bad as the worst case in it.

use std::collections::BTreeSet;

use crate::case::{Case, Mark, Outcome};
use crate::run::{Host, Run};

use crate::rules::{RULES, Rule};

/// How a case went on a host, or a rule as the sum of its cases; the worst is
/// the greatest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// There is no WebSocket, so the rule has no object.
    NoWebSocket,
    /// The suite says why the case cannot be shown here.
    NotApplicable,
    /// Recorded, and as the rule says or as natively.
    Same,
    Pass,
    /// Recorded, and otherwise; or known to fail.
    Deviation,
    /// The host ran, and did not report this.
    Silent,
    Fail,
}

impl Kind {
    pub fn sign(self) -> &'static str {
        match self {
            Self::NoWebSocket => "",
            Self::NotApplicable => "–",
            Self::Same => "=",
            Self::Pass => "✓",
            Self::Deviation => "≠",
            Self::Silent => "?",
            Self::Fail => "✗",
        }
    }
}

pub struct Matrix<'a> {
    pub run: &'a Run,
    /// The hosts that ran the suite, those with a WebSocket first.
    pub hosts: Vec<&'a Host>,
    pub rules: Vec<RuleLine<'a>>,
}

pub struct RuleLine<'a> {
    pub number: usize,
    pub rule: &'static Rule,
    pub cases: Vec<CaseLine<'a>>,
    /// One for each host.
    pub kinds: Vec<Kind>,
}

pub struct CaseLine<'a> {
    pub name: &'a str,
    pub mark: Mark,
    /// What each host reported, and what that amounts to.
    pub cells: Vec<(Kind, Option<&'a Case>)>,
}

/// Hosts, by their numbers, on which a case went the same way.
pub struct Group<'a> {
    pub hosts: Vec<usize>,
    pub kind: Kind,
    pub case: Option<&'a Case>,
}

impl<'a> Matrix<'a> {
    pub fn new(run: &'a Run) -> Self {
        let mut hosts: Vec<&Host> = run.hosts.iter().collect();
        hosts.sort_by_key(|row| !row.websocket);
        let line = |(index, rule)| RuleLine::new(index + 1, rule, &hosts);
        let rules = RULES.iter().enumerate().map(line).collect();
        Self { run, hosts, rules }
    }

    /// The hosts with a WebSocket, by their numbers.
    pub fn with_websocket(&self) -> Vec<usize> {
        let all = 0..self.hosts.len();
        all.filter(|index| self.hosts[*index].websocket).collect()
    }

    /// All hosts, by their numbers, those of one browser together.
    pub fn families(&self) -> Vec<Vec<usize>> {
        let family = |index: usize| self.hosts[index].family();
        let mut families: Vec<Vec<usize>> = Vec::new();
        for index in 0..self.hosts.len() {
            match families.last_mut() {
                Some(last) if family(last[0]) == family(index) => last.push(index),
                _ => families.push(vec![index]),
            }
        }
        families
    }

    /// Names some hosts in as few words as possible.
    pub fn names(&self, indices: &[usize]) -> String {
        let all = self.with_websocket();
        if all.len() > 1 && all == indices {
            return "every host".to_owned();
        }
        let is_native = |index: &usize| self.hosts[*index].is_native();
        let foreign: Vec<usize> = all.into_iter().filter(|index| !is_native(index)).collect();
        if foreign.len() > 1 && foreign == indices {
            return "every JavaScript host".to_owned();
        }
        let mut names: Vec<&str> = Vec::new();
        for index in indices {
            let host = self.hosts[*index];
            let mut family =
                (0..self.hosts.len()).filter(|other| self.hosts[*other].family() == host.family());
            let name = match family.all(|other| indices.contains(&other)) {
                true => family_name(host),
                false => &host.name,
            };
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names.join(", ")
    }
}

/// What the kinds of one browser have in common in their names.
pub fn family_name(host: &Host) -> &str {
    match host.id.contains('-') {
        true => host.name.split([' ', ',']).next().unwrap_or(&host.name),
        false => &host.name,
    }
}

impl<'a> RuleLine<'a> {
    fn new(number: usize, rule: &'static Rule, hosts: &[&'a Host]) -> Self {
        let id = format!("S{number}");
        let mut names = BTreeSet::new();
        let mut cases = Vec::new();
        for row in hosts.iter().filter(|row| row.websocket) {
            for case in row.cases.iter().filter(|case| case.rule == id) {
                if names.insert(case.name.as_str()) {
                    cases.push(CaseLine::new(case, hosts));
                }
            }
        }
        cases.sort_by_key(|case| case.name);
        let kind = |index: usize| -> Kind {
            let kinds = cases.iter().map(|case: &CaseLine| case.cells[index].0);
            let nothing = match hosts[index].websocket {
                true => Kind::Silent,
                false => Kind::NoWebSocket,
            };
            kinds.max().unwrap_or(nothing)
        };
        Self {
            number,
            rule,
            kinds: (0..hosts.len()).map(kind).collect(),
            cases,
        }
    }

    /// Whether a host failed here or does otherwise than natively.
    pub fn differs(&self) -> bool {
        self.kinds.iter().any(|kind| *kind >= Kind::Deviation)
    }
}

impl<'a> CaseLine<'a> {
    fn new(case: &'a Case, hosts: &[&'a Host]) -> Self {
        let found: Vec<Option<&Case>> = hosts.iter().map(|row| find(case, row)).collect();
        let native = hosts.iter().position(|row| row.id == "native");
        let reference = native.and_then(|index| found[index]).unwrap_or(case);
        let cell = |(row, found): (&&Host, &Option<&'a Case>)| {
            let kind = match found {
                Some(case) => kind(case, reference),
                None if row.websocket => Kind::Silent,
                None => Kind::NoWebSocket,
            };
            (kind, *found)
        };
        Self {
            name: &case.name,
            mark: case.mark,
            cells: hosts.iter().zip(&found).map(cell).collect(),
        }
    }

    /// The hosts with a WebSocket, together where the case went the same way.
    pub fn groups(&self) -> Vec<Group<'a>> {
        let mut groups: Vec<Group<'a>> = Vec::new();
        for (index, (kind, case)) in self.cells.iter().enumerate() {
            let seen = |case: Option<&Case>| case.map(|case| plain(&case.seen));
            let same = |group: &&mut Group| group.kind == *kind && seen(group.case) == seen(*case);
            match groups.iter_mut().find(same) {
                _ if *kind == Kind::NoWebSocket => {}
                Some(group) => group.hosts.push(index),
                None => groups.push(Group {
                    hosts: vec![index],
                    kind: *kind,
                    case: *case,
                }),
            }
        }
        groups
    }
}

/// The same case on another host. Without a WebSocket it is known only how the
/// whole table of a test went.
fn find<'a>(case: &Case, row: &&'a Host) -> Option<&'a Case> {
    let table = case.name.split(": ").next();
    row.cases.iter().find(|other| {
        other.rule == case.rule
            && (other.name == case.name || !row.websocket && Some(other.name.as_str()) == table)
    })
}

fn kind(case: &Case, reference: &Case) -> Kind {
    match &case.outcome {
        Outcome::Pass => Kind::Pass,
        Outcome::Fail => Kind::Fail,
        Outcome::NotApplicable(_) => Kind::NotApplicable,
        Outcome::Deviation(_) => Kind::Deviation,
        Outcome::Recorded => {
            // A rule that is not asserted anywhere says nothing to deviate from.
            let deviates = match case.mark {
                Mark::M | Mark::N => case.deviates,
                Mark::U => plain(&case.seen) != plain(&reference.seen),
            };
            match deviates {
                true => Kind::Deviation,
                false => Kind::Same,
            }
        }
    }
}

/// What was seen, without what differs from run to run: durations, ports, and
/// the tokens by which the peer identifies connections.
pub fn plain(seen: &str) -> String {
    let words: Vec<&str> = seen.split(' ').collect();
    let mut plain = Vec::new();
    for (index, word) in words.iter().enumerate() {
        let is_number = word.parse::<f64>().is_ok();
        let unit = words.get(index + 1).copied().unwrap_or_default();
        if is_number && (unit.starts_with("ms") || unit.starts_with("s,")) {
            plain.push("#".to_owned());
        } else if let Some((host, port)) = word.split_once("127.0.0.1:") {
            let rest = port.trim_start_matches(|c: char| c.is_ascii_digit());
            plain.push(format!("{host}127.0.0.1:#{rest}"));
        } else if let Some((before, token)) = word.split_once("?id=") {
            let in_token = |c: char| c.is_ascii_hexdigit() || c == '-';
            let rest = token.trim_start_matches(in_token);
            plain.push(format!("{before}?id=#{rest}"));
        } else {
            plain.push((*word).to_owned());
        }
    }
    plain.join(" ")
}

/// The part of a failed comparison that shows the actual value.
pub fn observed(seen: &str) -> String {
    let parts = seen.split_once("saw ").and_then(|(_, rest)| {
        let (saw, _) = rest.rsplit_once(", expected ")?;
        Some(saw)
    });
    match parts {
        None => seen.to_owned(),
        Some(saw) => match saw.strip_prefix('"').and_then(|saw| saw.strip_suffix('"')) {
            Some(text) => text.replace("\\\"", "\"").replace("\\\\", "\\"),
            None => saw.to_owned(),
        },
    }
}

#[cfg(test)]
pub mod tests {
    use super::{Kind, Matrix, observed, plain};
    use crate::case::Case;
    use crate::run::{Host, Run};

    /// A run in which each host reported cases, written `RULE MARK RESULT SEEN`.
    pub fn run(hosts: &[(&str, &[&str])]) -> Run {
        let names = [
            ("native", "native"),
            ("linux-i686", "Linux i686"),
            ("linux-s390x", "Linux s390x, big-endian"),
            ("chromium-window", "Chromium window"),
            ("chromium-shared", "Chromium shared worker"),
            ("deno", "Deno"),
            ("bun", "Bun"),
            ("node20", "Node 20, no WebSocket"),
        ];
        let hosts = hosts.iter().map(|(id, cases)| {
            let name = names.iter().find(|(known, _)| known == id);
            let case = |case: &&str| {
                let words: Vec<&str> = case.splitn(4, ' ').collect();
                let value = serde_json::json!({
                    "rule": words[0], "case": "c: 999", "mark": words[1],
                    "result": words[2], "seen": words[3], "deviates": words[3] == "open",
                });
                Case::from_value(&value).expect("it is a case")
            };
            Host {
                id: (*id).to_owned(),
                name: name.expect("there is such a host").1.to_owned(),
                websocket: *id != "node20",
                version: format!("{id} 1.2"),
                problem: String::new(),
                cases: cases.iter().map(case).collect(),
            }
        });
        Run {
            date: "2026-01-02 03:04".to_owned(),
            complete: true,
            libraries: vec![("web-sys".to_owned(), "0.3.1".to_owned())],
            hosts: hosts.collect(),
        }
    }

    #[test]
    fn a_cell_is_as_bad_as_its_worst_case() {
        let run = run(&[
            (
                "native",
                &["S1 M pass ok", "S25 N pass error", "S39 U recorded a"],
            ),
            (
                "deno",
                &["S1 M pass ok", "S25 N recorded open", "S39 U recorded a"],
            ),
            (
                "bun",
                &["S1 M fail why", "S25 N recorded drop", "S39 U recorded b"],
            ),
            ("node20", &["S103 M pass ok"]),
        ]);
        let matrix = Matrix::new(&run);
        let kinds = |number: usize| &matrix.rules[number - 1].kinds;
        use Kind::{Deviation, Fail, NoWebSocket, Pass, Same, Silent};
        assert_eq!(*kinds(1), [Pass, Pass, Fail, NoWebSocket]);
        assert_eq!(*kinds(25), [Pass, Deviation, Same, NoWebSocket]);
        assert_eq!(*kinds(39), [Same, Same, Deviation, NoWebSocket]);
        assert_eq!(*kinds(2), [Silent, Silent, Silent, NoWebSocket]);
    }

    #[test]
    fn hosts_are_named_in_few_words() {
        let none: &[&str] = &[];
        let run = run(&[
            ("native", none),
            ("chromium-window", none),
            ("chromium-shared", none),
            ("deno", none),
        ]);
        let matrix = Matrix::new(&run);
        assert_eq!(matrix.names(&[0, 1, 2, 3]), "every host");
        assert_eq!(matrix.names(&[1, 2, 3]), "every JavaScript host");
        assert_eq!(matrix.names(&[1, 2]), "Chromium");
        assert_eq!(matrix.names(&[0, 2]), "native, Chromium shared worker");
        let run = super::tests::run(&[
            ("native", none),
            ("linux-i686", none),
            ("linux-s390x", none),
            ("deno", none),
            ("bun", none),
        ]);
        let matrix = Matrix::new(&run);
        assert_eq!(matrix.names(&[3, 4]), "every JavaScript host");
        assert_eq!(matrix.names(&[1, 2]), "Linux");
        assert_eq!(matrix.names(&[2]), "Linux s390x, big-endian");
    }

    #[test]
    fn what_differs_from_run_to_run_is_no_deviation() {
        assert_eq!(plain("after 619 ms of 600"), "after # ms of 600");
        assert_eq!(
            plain("[\"http://127.0.0.1:39913\"]"),
            "[\"http://127.0.0.1:#\"]"
        );
        assert_eq!(plain("GET /a?id=4-b8d HTTP/1.1"), "GET /a?id=# HTTP/1.1");
        assert_eq!(plain("close(1006)"), "close(1006)");
    }

    #[test]
    fn a_comparison_is_cut_to_what_there_was() {
        let seen = r#"events: saw "open close(1 \"why\" clean)", expected "error""#;
        assert_eq!(observed(seen), r#"open close(1 "why" clean)"#);
        assert_eq!(observed("bytes: saw 3, expected 4"), "3");
        assert_eq!(observed("open"), "open");
    }
}
