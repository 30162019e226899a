//! What became of each mutant: kept between runs, compared with the list of those that may
//! be missed, and shown as a table.
//!
//! Invariant: a mutant may be missed only if `accepted.txt` gives a reason. It counts as
//! missed all the same, unless the reason shows that it changes nothing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::switch::Mutant;
use crate::tree::Package;
use crate::trial::Verdict;

/// Lines of `name -- reason`, and of comments.
const ACCEPTED: &str = "mutants/accepted.txt";
/// A reason that begins so says why no program could notice the mutant.
const EQUIVALENT: &str = "equivalent: ";

pub struct Outcome {
    pub name: String,
    pub line: usize,
    pub verdict: Verdict,
}

/// All outcomes so far, by name: whether it is caught, and how.
pub struct Known {
    path: PathBuf,
    outcomes: BTreeMap<String, (bool, String)>,
    accepted: HashMap<String, String>,
}

/// Names that stay when lines move; a number tells equal ones apart.
pub fn names(mutants: &[Mutant]) -> Vec<String> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let number = |mutant: &Mutant| {
        let name = mutant.name();
        let count = seen.entry(name.clone()).or_insert(0);
        *count += 1;
        if *count == 1 {
            name
        } else {
            format!("{name} #{count}")
        }
    };
    mutants.iter().map(number).collect()
}

fn path(package: &Package) -> PathBuf {
    let name = format!("{}.txt", package.folder);
    crate::root().join("target/mutants").join(name)
}

fn word(caught: bool) -> &'static str {
    if caught { "caught" } else { "missed" }
}

fn describe(verdict: &Verdict) -> (bool, String) {
    match verdict {
        Verdict::Caught(test) => (true, test.clone()),
        Verdict::Hangs(test) => (true, format!("hangs: {test}")),
        Verdict::Missed => (false, "missed".to_owned()),
        Verdict::Unreached => (false, "no test comes there".to_owned()),
    }
}

/// Says what was missed, and keeps it: a run may be stopped at any time.
pub fn say(package: &Package, outcome: &Outcome) {
    let (caught, how) = describe(&outcome.verdict);
    let file = fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(path(package));
    if let Ok(mut file) = file {
        let _ = writeln!(file, "{}\t{}\t{how}", word(caught), outcome.name);
    }
    if !caught {
        println!("{how}: line {}, {}", outcome.line, outcome.name);
    }
}

impl Known {
    pub fn read(package: &Package) -> Result<Known, String> {
        let path = path(package);
        let mut outcomes = BTreeMap::new();
        for line in fs::read_to_string(&path).unwrap_or_default().lines() {
            let mut parts = line.splitn(3, '\t');
            if let (Some(caught), Some(name), Some(how)) =
                (parts.next(), parts.next(), parts.next())
            {
                outcomes.insert(name.to_owned(), (caught == "caught", how.to_owned()));
            }
        }
        let text = fs::read_to_string(crate::root().join(ACCEPTED));
        let text = text.map_err(|error| format!("{ACCEPTED}: {error}"))?;
        let lines = text
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty());
        let pair = |line: &str| {
            let pair = line.split_once(" -- ");
            let pair = pair.map(|(name, reason)| (name.to_owned(), reason.to_owned()));
            pair.ok_or_else(|| format!("{ACCEPTED} has a line without a reason: {line}"))
        };
        let accepted = lines.map(pair).collect::<Result<_, _>>()?;
        Ok(Known {
            path,
            outcomes,
            accepted,
        })
    }

    pub fn is_caught(&self, name: &str) -> bool {
        self.outcomes.get(name).is_some_and(|(caught, _)| *caught)
    }

    /// Adds outcomes, and forgets mutants that are no more.
    pub fn add(&mut self, outcomes: Vec<Outcome>, names: &[String]) {
        let names: HashSet<&String> = names.iter().collect();
        self.outcomes.retain(|name, _| names.contains(name));
        for outcome in outcomes {
            self.outcomes
                .insert(outcome.name, describe(&outcome.verdict));
        }
    }

    pub fn write(&self) -> Result<(), String> {
        let mut text = String::new();
        for (name, (caught, how)) in &self.outcomes {
            text += &format!("{}\t{name}\t{how}\n", word(*caught));
        }
        fs::write(&self.path, text).map_err(|error| format!("cannot keep the outcomes: {error}"))
    }

    /// Prints a table; says whether each mutant of the asked files is caught or accepted.
    pub fn print(&self, is_asked: &dyn Fn(&str) -> bool) -> bool {
        let mut files: BTreeMap<&str, [usize; 5]> = BTreeMap::new();
        for (name, (caught, how)) in &self.outcomes {
            let file = name.split(": ").next().unwrap_or_default();
            let row = files.entry(file).or_default();
            row[0] += 1;
            match (caught, self.accepted.get(name)) {
                (true, reason) => {
                    row[1] += 1;
                    if reason.is_some() && is_asked(file) {
                        println!("caught, so it need not be listed: {name}");
                    }
                }
                (false, Some(reason)) if reason.starts_with(EQUIVALENT) => row[2] += 1,
                (false, Some(_)) => row[3] += 1,
                (false, None) => {
                    row[4] += 1;
                    if is_asked(file) {
                        println!("test mutant {name} ({how}) ... FAILED");
                    }
                }
            }
        }
        println!("| file | viable | caught | equivalent | listed | missed |");
        println!("| --- | ---: | ---: | ---: | ---: | ---: |");
        let line = |name: &str, row: &[usize; 5]| {
            let cells = row.map(|number| number.to_string()).join(" | ");
            println!("| {name} | {cells} |");
        };
        let mut sum = [0; 5];
        for (file, row) in files.iter().filter(|(file, _)| is_asked(file)) {
            line(file, row);
            sum.iter_mut().zip(row).for_each(|(sum, one)| *sum += one);
        }
        line("sum", &sum);
        let [viable, caught, equivalent, _, missed] = sum;
        let percent = 100.0 * caught as f64 / (viable - equivalent).max(1) as f64;
        println!("{percent:.1} % caught of those that are not equivalent");
        missed == 0
    }
}
