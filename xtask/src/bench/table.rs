//! The results as Markdown.
//!
//! Invariant: every figure has its unit, and every ratio says to what.

use std::fmt::Write;

use crate::bench::plan::Kind;
use crate::bench::results::{Results, StepResults};

pub fn render(results: &Results) -> String {
    let mut page = String::from("# Benchmarks, native\n\n");
    for (name, value) in &results.circumstances {
        let _ = writeln!(page, "- {name}: {value}");
    }
    let mut workloads: Vec<&str> = results
        .steps
        .iter()
        .map(|step| step.step.workload)
        .collect();
    workloads.dedup();
    for workload in workloads {
        let steps: Vec<&StepResults> = results
            .steps
            .iter()
            .filter(|step| step.step.workload == workload)
            .collect();
        let _ = write!(page, "\n## {}\n\n{}\n\n", title(workload), about(workload));
        if steps[0].step.kind == Kind::Crowd {
            crowd_table(&mut page, results, &steps);
        } else {
            times_table(&mut page, results, &steps);
        }
    }
    if !results.sizes.is_empty() {
        size_table(&mut page, results);
    }
    page
}

pub fn title(workload: &str) -> &'static str {
    match workload {
        "ping" => "Ping-pong",
        "paced" => "Paced ping, one message every 3 ms",
        "pair" => "Two messages back to back",
        "send" => "Sending",
        "receive" => "Receiving",
        "construct" => "The constructor's call",
        "feed-ping" => "Compression: ping-pong, a JSON feed",
        "feed-send" => "Compression: sending a JSON feed",
        "feed-receive" => "Compression: receiving a JSON feed",
        "noise-send" => "Compression: sending noise",
        "small-ping" => "Compression agreed, not used: ping-pong",
        "small-send" => "Compression agreed, not used: sending",
        "small-receive" => "Compression agreed, not used: receiving",
        "feed-crowd" => "Compression: many sockets",
        _ => "Many sockets",
    }
}

fn about(workload: &str) -> &'static str {
    match workload {
        "ping" | "paced" => {
            "Time from sending a message to having its echo, and its ratio to raw TCP. \
             Less is better."
        }
        "pair" => {
            "Time from sending the first of two small messages to having the one answer that \
             the second calls for. Less is better."
        }
        "send" => {
            "Messages sent one by one by plain `send`, until the server has acknowledged all: \
             messages a second, and time in ratio to raw TCP with one write for each. \
             More messages and lower ratios are better."
        }
        "receive" => {
            "Messages received that the server writes in large blocks: messages a second, and \
             time in ratio to reading the bytes from raw TCP. More messages and lower ratios \
             are better."
        }
        "feed-ping" => {
            "Time from sending a trade to having its echo. The server sends back the very bytes, \
             so that only the client compresses and inflates."
        }
        "feed-send" | "noise-send" => {
            "Messages a second, time in ratio to raw TCP without compression, and bytes of a \
             message on the wire, header included. The server does not inflate: the time is the \
             client's, and loopback costs nothing for a byte that a network would cost."
        }
        "feed-receive" => "The same of messages that the server had compressed before, at level 6.",
        "small-ping" | "small-send" | "small-receive" => {
            "Messages below the size from which on they are compressed, with the extension \
             agreed and without: what its presence costs."
        }
        "feed-crowd" => {
            "As above, after one compressed message of 320 bytes each way: what compression \
             keeps for an idle socket."
        }
        "construct" => {
            "How long the call takes that makes a socket, on a thread of the program's, client \
             not pinned. Less is better."
        }
        _ => {
            "Sockets that are open and idle, after one message each way: resident memory for \
             each beyond the first, threads, voluntary context switches of all threads in a \
             second of idling, and sockets opened in a second."
        }
    }
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
            let cell = match step.nanoseconds(index) {
                Some(nanoseconds) => {
                    let value = value(step.step.kind, nanoseconds);
                    let wire = match step.outcomes[index].wire {
                        Some(bytes) => format!(", {bytes:.0} B"),
                        None => String::new(),
                    };
                    match step.ratio(index, &results.clients) {
                        Some(ratio) => format!("{value} ({}){wire}", times(ratio)),
                        None => format!("{value}{wire}"),
                    }
                }
                None => step.outcomes[index].missing.clone().unwrap_or_default(),
            };
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
            "\nRaw TCP's own rounds differ by up to {unrest:.0} %."
        );
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
        "\n## A minimal echo program\n\nWithout TLS, thin LTO, one codegen unit, stripped; \
         other crates in it.\n\n| client | size | crates |\n| --- | ---: | ---: |\n",
    );
    for size in &results.sizes {
        let _ = writeln!(
            page,
            "| {} | {} kB | {} |",
            size.client,
            size.bytes / 1000,
            size.crates
        );
    }
}

/// What the number of a step counts.
pub fn number(step: &StepResults) -> String {
    match (step.step.workload, step.step.number) {
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
