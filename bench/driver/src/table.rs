//! The results as Markdown.
//!
//! Invariant: every figure has its unit, and every ratio says to what.

use std::fmt::Write;

use crate::circumstances::Circumstances;
use crate::plan::{FLOOR, Kind, Workload};
use crate::results::{Results, StepResults};

pub fn render(results: &Results) -> String {
    let mut page = head("Benchmarks, native", &results.circumstances);
    sections(&mut page, results, "##");
    if !results.sizes.is_empty() {
        size_table(&mut page, results);
    }
    if !results.builds.is_empty() {
        build_table(&mut page, results);
    }
    page
}

/// A page's title and the circumstances.
pub fn head(title: &str, circumstances: &Circumstances) -> String {
    let mut page = format!("# {title}\n\n");
    for (name, value) in circumstances {
        let _ = writeln!(page, "- {name}: {value}");
    }
    page
}

/// A section for each workload.
pub fn sections(page: &mut String, results: &Results, heading: &str) {
    for workload in workloads(results) {
        let steps: Vec<&StepResults> = results
            .steps
            .iter()
            .filter(|step| step.step.workload == workload)
            .collect();
        let (title, about) = (workload.title, workload.about);
        let _ = write!(page, "\n{heading} {title}\n\n{about}\n\n");
        match workload.kind {
            Kind::Crowd => crowd_table(page, results, &steps),
            _ => times_table(page, results, &steps),
        }
    }
}

/// What was measured, each once.
pub fn workloads(results: &Results) -> Vec<&'static Workload> {
    let steps = results.steps.iter();
    let mut workloads: Vec<&Workload> = steps.map(|step| step.step.workload).collect();
    workloads.dedup();
    workloads
}

fn times_table(page: &mut String, results: &Results, steps: &[&StepResults]) {
    page.push_str("| client |");
    for step in steps {
        let _ = write!(page, " {} |", number(step));
    }
    page.push_str("\n| --- |");
    page.push_str(&" ---: |".repeat(steps.len()));
    page.push('\n');
    for (index, client) in results.clients.iter().enumerate() {
        if steps
            .iter()
            .all(|step| !step.outcomes[index].is_applicable() || !step.step.concerns(client))
        {
            continue;
        }
        let _ = write!(page, "| {} |", client.name);
        for step in steps {
            let cell = cell(results, step, index);
            let _ = write!(page, " {cell} |");
        }
        page.push('\n');
    }
    let unrest = steps
        .iter()
        .filter_map(|step| step.unrest(&results.clients))
        .fold(0.0, f64::max);
    if unrest > 0.0 {
        let _ = writeln!(
            page,
            "\nThe rounds of the first row differ by up to {unrest:.0} %."
        );
    }
}

fn cell(results: &Results, step: &StepResults, index: usize) -> String {
    let Some(nanoseconds) = step.nanoseconds(index) else {
        return step.outcomes[index].missing.clone().unwrap_or_default();
    };
    let kind = step.step.kind();
    if kind == Kind::Added && results.clients[index].id != FLOOR {
        let added = step.added(index, &results.clients);
        return added.map_or_else(String::new, |added| format!("+{}", time(added.max(0.0))));
    }
    let value = value(kind, nanoseconds);
    let wire = match step.outcomes[index].wire {
        Some(bytes) => format!(", {bytes:.0} B"),
        None => String::new(),
    };
    match step.ratio(index, &results.clients) {
        Some(ratio) if kind != Kind::Added => format!("{value} ({}){wire}", times(ratio)),
        _ => format!("{value}{wire}"),
    }
}

fn crowd_table(page: &mut String, results: &Results, steps: &[&StepResults]) {
    page.push_str("| client | sockets | memory each | threads | wake-ups/s | opened/s |\n");
    page.push_str("| --- | ---: | ---: | ---: | ---: | ---: |\n");
    for step in steps {
        for (index, client) in results.clients.iter().enumerate() {
            let Some(crowd) = &step.outcomes[index].crowd else {
                continue;
            };
            let _ = writeln!(
                page,
                "| {} | {} | {:.2} KiB | {} | {:.0} | {:.0} |",
                client.name,
                step.step.number,
                crowd.bytes_each / 1024.0,
                crowd.threads,
                crowd.wakeups_per_second,
                crowd.opened_per_second
            );
        }
    }
}

fn size_table(page: &mut String, results: &Results) {
    page.push_str(
        "\n## A minimal echo program\n\nThin LTO, one codegen unit, stripped; other crates that \
         it takes to build it.\n\n| client | size | crates |\n| --- | ---: | ---: |\n",
    );
    for size in &results.sizes {
        let _ = writeln!(
            page,
            "| {} | {} kB | {} |",
            size.name,
            size.bytes / 1000,
            size.crates
        );
    }
}

fn build_table(page: &mut String, results: &Results) {
    page.push_str(
        "\n## A cold build of it\n\nSeconds until the program is there, from nothing but the \
         sources; the fastest of the rounds.\n\n| client | debug | release |\n\
         | --- | ---: | ---: |\n",
    );
    let seconds = |rounds: &[f64]| rounds.iter().copied().fold(f64::INFINITY, f64::min);
    for build in &results.builds {
        let (debug, release) = (seconds(&build.debug), seconds(&build.release));
        let _ = writeln!(page, "| {} | {debug:.1} s | {release:.1} s |", build.name);
    }
}

/// What the number of a step counts.
pub fn number(step: &StepResults) -> String {
    match (step.step.workload.name, step.step.number) {
        ("construct", _) => "median".to_owned(),
        ("crowd" | "feed-crowd", sockets) => format!("{sockets} sockets"),
        (_, bytes) if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        (_, bytes) if bytes >= 1 << 10 => format!("{} KiB", bytes >> 10),
        (_, bytes) => format!("{bytes} B"),
    }
}

/// A median for humans.
pub fn value(kind: Kind, nanoseconds: f64) -> String {
    match kind {
        Kind::Rate => rate(1e9 / nanoseconds),
        _ => time(nanoseconds),
    }
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        n if n < 1e3 => format!("{n:.0} ns"),
        n if n < 1e5 => format!("{:.1} µs", n / 1e3),
        n if n < 1e6 => format!("{:.0} µs", n / 1e3),
        n => format!("{:.1} ms", n / 1e6),
    }
}

fn rate(each_second: f64) -> String {
    match each_second {
        r if r >= 1e6 => format!("{:.2} M/s", r / 1e6),
        r if r >= 1e3 => format!("{:.2} k/s", r / 1e3),
        r => format!("{r:.0}/s"),
    }
}

fn times(ratio: f64) -> String {
    match ratio {
        r if r < 10.0 => format!("{r:.2}×"),
        r => format!("{r:.0}×"),
    }
}

#[cfg(test)]
mod tests {
    use super::{rate, time, times};

    #[test]
    fn figures_are_short() {
        assert_eq!(time(5_234.0), "5.2 µs");
        assert_eq!(time(12_900_000.0), "12.9 ms");
        assert_eq!(rate(16_600_000.0), "16.60 M/s");
        assert_eq!(rate(58.3), "58/s");
        assert_eq!(times(1.104), "1.10×");
        assert_eq!(times(372.2), "372×");
    }
}
