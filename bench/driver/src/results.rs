//! What a run of `cargo xtask bench` found: medians and ratios.
//!
//! Invariant: a ratio is between two measurements of the same round.

use serde_json::{Map, Value, json};

use crate::circumstances::Circumstances;
use crate::plan::{Client, FLOOR, Kind, Step};

/// Everything that was measured.
#[derive(Debug)]
pub struct Results {
    pub circumstances: Circumstances,
    pub clients: Vec<Client>,
    pub steps: Vec<StepResults>,
    pub sizes: Vec<Size>,
    pub builds: Vec<Build>,
}

/// A step, and what came of it for each of `Results::clients`.
#[derive(Debug)]
pub struct StepResults {
    pub step: Step,
    pub outcomes: Vec<Outcome>,
}

/// A client's measurements, round by round.
#[derive(Debug, Default)]
pub struct Outcome {
    /// The median of each round, in nanoseconds for each operation.
    pub rounds: Vec<Option<f64>>,
    pub crowd: Option<Crowd>,
    /// How many bytes a message had on the wire, with its header, where that
    /// was counted.
    pub wire: Option<f64>,
    /// Why there are no figures.
    pub missing: Option<String>,
}

/// What many idle sockets cost.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    pub bytes_each: f64,
    pub threads: u64,
    pub opened_per_second: f64,
    pub wakeups_per_second: f64,
}

/// A minimal program.
#[derive(Debug)]
pub struct Size {
    pub name: &'static str,
    pub bytes: u64,
    /// Other crates that it is built of, with those that only help to build it.
    pub crates: usize,
}

/// How long a minimal program takes to build, with all its crates: rounds, in seconds.
#[derive(Debug)]
pub struct Build {
    pub name: &'static str,
    pub debug: Vec<f64>,
    pub release: Vec<f64>,
}

impl StepResults {
    /// The median over the rounds, in nanoseconds for each operation.
    pub fn nanoseconds(&self, client: usize) -> Option<f64> {
        median(self.outcomes[client].rounds.iter().flatten().copied())
    }

    /// How far the floor's own rounds lie apart, in percent of the least: how
    /// much the machine was busy with other things.
    pub fn unrest(&self, clients: &[Client]) -> Option<f64> {
        let floor = clients.iter().position(|client| client.id == FLOOR)?;
        let rounds = self.outcomes[floor].rounds.iter().flatten();
        let (least, most) = rounds.fold((f64::MAX, 0.0_f64), |(least, most), round| {
            (least.min(*round), most.max(*round))
        });
        (most > 0.0).then(|| (most / least - 1.0) * 100.0)
    }

    /// The median of the ratios to the floor, of time to time.
    pub fn ratio(&self, client: usize, clients: &[Client]) -> Option<f64> {
        self.beside_floor(client, clients, |mine, floor| mine / floor)
    }

    /// The median of what is added to the floor's time, in nanoseconds.
    pub fn added(&self, client: usize, clients: &[Client]) -> Option<f64> {
        self.beside_floor(client, clients, |mine, floor| mine - floor)
    }

    fn beside_floor(
        &self,
        client: usize,
        clients: &[Client],
        compare: impl Fn(f64, f64) -> f64,
    ) -> Option<f64> {
        let floor = clients.iter().position(|client| client.id == FLOOR)?;
        let floor = &self.outcomes[floor].rounds;
        let pairs = self.outcomes[client].rounds.iter().zip(floor);
        median(pairs.filter_map(|(mine, floor)| Some(compare((*mine)?, (*floor)?))))
    }
}

impl Outcome {
    /// Takes in what one process of the bench binary printed.
    pub fn add(&mut self, printed: Option<&str>) {
        let answer: Value = match printed.map(serde_json::from_str) {
            Some(Ok(answer)) => answer,
            _ => {
                self.rounds.push(None);
                self.missing = Some("failed".to_owned());
                return;
            }
        };
        if let Some(why) = answer["not_applicable"].as_str() {
            self.missing = Some(why.to_owned());
        } else if let Some(samples) = answer["nanoseconds"].as_array() {
            let samples = samples.iter().filter_map(Value::as_f64);
            self.rounds.push(median(samples));
            self.wire = answer["wire"].as_f64();
        } else if let Some(crowd) = crowd(&answer) {
            self.crowd = Some(crowd);
        }
    }

    pub fn is_applicable(&self) -> bool {
        self.missing.as_deref().is_none_or(|why| why == "failed")
    }
}

fn crowd(answer: &Value) -> Option<Crowd> {
    Some(Crowd {
        bytes_each: answer["bytes_each"].as_f64()?,
        threads: answer["threads"].as_u64()?,
        opened_per_second: answer["opened_per_second"].as_f64()?,
        wakeups_per_second: answer["wakeups_per_second"].as_f64()?,
    })
}

/// The middle value, or the mean of the two.
pub fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        length if length % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

impl Results {
    pub fn to_json(&self) -> Value {
        let circumstances = circumstances_to_json(&self.circumstances);
        let steps = self.steps_to_json();
        let sizes: Map<String, Value> = self
            .sizes
            .iter()
            .map(|size| {
                let figures = json!({ "bytes": size.bytes, "crates": size.crates });
                (size.name.to_owned(), figures)
            })
            .collect();
        let builds: Map<String, Value> = self
            .builds
            .iter()
            .map(|build| {
                let figures = json!({ "debug": build.debug, "release": build.release });
                (build.name.to_owned(), figures)
            })
            .collect();
        json!({
            "circumstances": circumstances,
            "workloads": steps,
            "sizes": sizes,
            "builds": builds,
        })
    }

    pub fn steps_to_json(&self) -> Value {
        let steps = self.steps.iter();
        steps
            .map(|results| (results.step.id(), self.step_to_json(results)))
            .collect::<Map<_, _>>()
            .into()
    }

    fn step_to_json(&self, results: &StepResults) -> Value {
        let figures = |(index, client): (usize, &Client)| {
            let outcome = &results.outcomes[index];
            let value = match (&outcome.crowd, results.step.kind()) {
                (Some(crowd), _) => json!({
                    "bytes_each": crowd.bytes_each,
                    "threads": crowd.threads,
                    "opened_per_second": crowd.opened_per_second,
                    "wakeups_per_second": crowd.wakeups_per_second,
                }),
                (None, Kind::Crowd) => json!({ "missing": outcome.missing }),
                (None, _) => json!({
                    "nanoseconds": results.nanoseconds(index),
                    "ratio_to_floor": results.ratio(index, &self.clients),
                    "added_to_floor": results.added(index, &self.clients),
                    "rounds": outcome.rounds,
                    "bytes_on_the_wire": outcome.wire,
                    "missing": outcome.missing,
                }),
            };
            (client.id.clone(), value)
        };
        let clients: Map<String, Value> = self.clients.iter().enumerate().map(figures).collect();
        Value::Object(clients)
    }
}

pub fn circumstances_to_json(circumstances: &Circumstances) -> Value {
    let pairs = circumstances.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), json!(value)))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use super::{Outcome, StepResults, median};
    use crate::plan::{Client, NATIVE, Step};

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), Some(2.0));
        assert_eq!(median([4.0, 1.0].into_iter()), Some(2.5));
        assert_eq!(median(std::iter::empty()), None);
    }

    #[test]
    fn ratios_are_between_rounds() {
        let outcome = |rounds: &[f64]| Outcome {
            rounds: rounds.iter().copied().map(Some).collect(),
            ..Outcome::default()
        };
        let client = |id: &str| Client {
            id: id.to_owned(),
            name: id.to_owned(),
            has_thread_each: false,
            is_for_compression: false,
        };
        let results = StepResults {
            step: Step {
                workload: &NATIVE[0],
                number: 32,
                rounds: 3,
                milliseconds: 1,
            },
            // The second round had a slow machine.
            outcomes: vec![outcome(&[10.0, 100.0, 10.0]), outcome(&[11.0, 120.0, 12.0])],
        };
        let clients = [client("raw"), client("isosocket")];
        assert_eq!(results.nanoseconds(1), Some(12.0));
        assert_eq!(results.ratio(1, &clients), Some(1.2));
        assert_eq!(results.added(1, &clients), Some(2.0));
        assert_eq!(results.unrest(&clients), Some(900.0));
    }

    #[test]
    fn what_a_process_prints_is_taken_in() {
        let mut outcome = Outcome::default();
        outcome.add(Some(r#"{"nanoseconds":[1.0,5.0,2.0],"wire":53.5}"#));
        outcome.add(None);
        assert_eq!(outcome.wire, Some(53.5));
        assert_eq!(outcome.rounds, [Some(2.0), None]);
        assert!(outcome.is_applicable());
        let mut outcome = Outcome::default();
        outcome.add(Some(r#"{"not_applicable":"it has none"}"#));
        assert!(!outcome.is_applicable());
    }
}
