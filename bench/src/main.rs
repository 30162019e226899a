//! One workload, many WebSocket clients. `cargo xtask bench native` runs this.
//!
//! Invariant: every client is driven by the same code, through `pull` or
//! `push`, against the same server; what differs is in `clients`.

mod clients;
mod job;
mod meter;
mod process;
mod pull;
mod push;

use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use isosocket_bench_server::content::Content;
use job::{Job, Outcome, Workload};

const USAGE: &str = "\
Usage: isosocket-bench COMMAND

  list
        The clients, one JSON object.
  client CORE SERVER CLIENT WORKLOAD NUMBER [MILLISECONDS]
        Measure one client against an isosocket-bench-server; print one JSON
        object. CORE may be `any`.
        WORKLOAD: ping, paced, pair, send, receive (NUMBER: bytes), crowd
        (NUMBER: sockets), construct (NUMBER: calls). With small-, feed- or
        noise- before it compression is agreed on if the client offers it, and
        the messages are as small as ever, a JSON feed, or noise.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let outcome = match arguments[..] {
        ["list"] => Ok(list()),
        ["client", core, server, client, workload, number] => {
            measure(core, server, client, workload, number, "500")
        }
        [
            "client",
            core,
            server,
            client,
            workload,
            number,
            milliseconds,
        ] => measure(core, server, client, workload, number, milliseconds),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(answer) => {
            println!("{answer}");
            // Some clients wait for their sockets' ends when dropped; none is
            // measured for that.
            std::process::exit(0);
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> Value {
    let entry = |client: &clients::Client| {
        json!({
            "id": client.id,
            "name": client.name,
            "has_thread_each": client.has_thread_each,
            "is_for_compression": client.is_for_compression,
        })
    };
    json!(clients::ALL.iter().map(entry).collect::<Vec<_>>())
}

fn measure(
    core: &str,
    server: &str,
    client: &str,
    workload: &str,
    number: &str,
    milliseconds: &str,
) -> Outcome<Value> {
    prepare(core)?;
    let client = clients::ALL
        .iter()
        .find(|known| known.id == client)
        .ok_or_else(|| format!("there is no client `{client}`"))?;
    let (content, workload) = Content::split(workload);
    let job = Job {
        content,
        workload: Workload::parse(workload, number.parse()?)
            .ok_or_else(|| format!("there is no workload `{workload}`"))?,
        server: server.to_owned(),
        budget: Duration::from_millis(milliseconds.parse()?),
    };
    let mut answer = (client.measure)(&job)?.to_json();
    if content != Content::Plain && job.workload.is_counted() {
        answer["wire"] = json!(isosocket_bench_server::bytes_on_the_wire(server)?);
    }
    Ok(answer)
}

fn prepare(core: &str) -> Outcome<()> {
    process::raise_file_limit();
    match core == "any" || process::pin(core.parse()?) {
        true => Ok(()),
        false => Err(format!("cannot stay on core {core}").into()),
    }
}
