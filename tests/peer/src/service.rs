//! From a request to what answers it: a script, or one of the services.
//!
//! Invariant: the path alone selects a service, and services leave no record.

use std::sync::Arc;
use std::time::Duration;

use crate::frame::op;
use crate::names::{self, PAGE};
use crate::record::Recorder;
use crate::reply;
use crate::request::{Request, percent_decode};
use crate::script::{self, Frame, Payload, Step};
use crate::server::Shared;
use crate::session::{Halt, Session};
use crate::wire::Wire;

/// How long `/record` waits unless the query has `wait=`.
const RECORD_WAIT: Duration = Duration::from_secs(10);
/// The longest wait that can be asked for.
const RECORD_WAIT_MAX: u64 = 120_000;
/// The longest line that `/report` takes, in bytes.
const MAX_LINE: usize = 4 * 1024 * 1024;

pub(crate) fn serve(wire: Wire, request: Request, shared: &Arc<Shared>) {
    let text = match request.path() {
        "/record" => Some(record(&request, shared)),
        "/open-gate" => {
            shared
                .store
                .open_gate(request.parameter("id").unwrap_or(""));
            Some("{}".to_owned())
        }
        "/ports" => Some(shared.ports.to_json()),
        path => path.strip_prefix("/proxy/").map(|asked| {
            let answer = shared.proxies.answer(asked, shared.ports.plain);
            answer.unwrap_or_else(|error| {
                shared.error(&format!("{error} ({})", request.line));
                error
            })
        }),
    };
    let upgrade = request.is_upgrade();
    let keep = upgrade && text.is_none() && request.path() != "/report";
    let recorder = Recorder::new(&shared.store, &request, wire.is_tls(), keep);
    if !upgrade {
        let bytes = match &text {
            Some(text) => reply::page(&request, "200", "application/json", text),
            None if request.path() == "/favicon.ico" => reply::refuse(&request, "404", &[]),
            None => reply::page(&request, "200", "text/plain", PAGE),
        };
        return Session::new(wire, request, recorder).reply(&bytes);
    }
    if let Some(text) = text {
        let accept = Step::Accept(Vec::new());
        let close = frame(op::CLOSE, 1000u16.to_be_bytes().into());
        let steps = [accept, frame(op::TEXT, text.into()), close];
        return Session::new(wire, request, recorder).run(&steps);
    }
    if request.path() == "/report" {
        let from = percent_decode(request.parameter("from").unwrap_or(""));
        let from = String::from_utf8_lossy(&from);
        return report(Session::new(wire, request, recorder), &from, shared);
    }
    if request.parameter("gate").is_some() {
        let id = request.parameter("id").unwrap_or("");
        shared.store.wait_for_gate(id, wire.limit);
    }
    let turn = shared.store.turn(&request);
    match names::script(&request, turn).and_then(|script| script::parse(&script)) {
        Ok(steps) => Session::new(wire, request, recorder).run(&steps),
        Err(error) => {
            shared.error(&format!("{error} ({})", request.line));
            recorder.entry().error = Some(error.clone());
            let bytes = reply::page(&request, "404", "text/plain", &error);
            Session::new(wire, request, recorder).reply(&bytes);
        }
    }
}

fn record(request: &Request, shared: &Shared) -> String {
    let now = request.parameter("when") == Some("now");
    let asked = request
        .number("wait")
        .map(|ms| Duration::from_millis(ms.min(RECORD_WAIT_MAX)));
    let wait = if now {
        Duration::ZERO
    } else {
        asked.unwrap_or(RECORD_WAIT)
    };
    let count = request.number("count").unwrap_or(1);
    let id = request.parameter("id").unwrap_or("");
    shared
        .store
        .wait(id, usize::try_from(count).unwrap_or(usize::MAX), wait)
}

/// Hands each text message on; the Close is answered only after all of them,
/// so a client that sees a clean close knows that its lines have arrived.
fn report(mut session: Session, from: &str, shared: &Shared) {
    session.keep = MAX_LINE;
    let mut result = session.steps(&[Step::Accept(Vec::new())]);
    let mut line = Vec::new();
    while result.is_ok() {
        match session.receive(false, None) {
            Ok(frame) if frame.head.op == op::CLOSE => break,
            Ok(frame) if frame.head.is_data() => {
                let room = MAX_LINE.saturating_sub(line.len());
                line.extend(frame.payload.iter().take(room));
                if frame.head.fin {
                    if let Some(handler) = &shared.on_report {
                        handler(from, &String::from_utf8_lossy(&line));
                    }
                    line.clear();
                }
            }
            Ok(_) => {}
            Err(_) => result = Err(Halt::Gone),
        }
    }
    session.finish(result);
}

fn frame(op: u8, payload: Vec<u8>) -> Step {
    let payload = Payload::Bytes(payload);
    Step::Frame(Frame {
        op,
        payload,
        fin: true,
        rsv: 0,
        mask: false,
        width: None,
        claim: None,
    })
}
