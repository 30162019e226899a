//! What `isosocket` prints, and how it ends, against the scripted peer.

use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use isosocket_peer::{Peer, PeerOptions};
use serde_json::{Value, json};

fn peer() -> &'static Peer {
    static PEER: OnceLock<Peer> = OnceLock::new();
    PEER.get_or_init(|| Peer::start(PeerOptions::default()).expect("the peer starts"))
}

/// Exit code, stdout and stderr of a run with this input.
fn run_with(arguments: &[&str], input: &str) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isosocket"));
    for name in [
        "http_proxy",
        "https_proxy",
        "HTTPS_PROXY",
        "all_proxy",
        "ALL_PROXY",
    ] {
        command.env_remove(name);
    }
    let ca = std::env::temp_dir().join(format!("isosocket-cli-{}.pem", std::process::id()));
    std::fs::write(&ca, peer().ca_pem()).unwrap();
    let mut child = command
        .args(arguments)
        .env("SSL_CERT_FILE", &ca)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // A program that ends early reads no input.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().unwrap();
    (code, text(output.stdout), text(output.stderr))
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    run_with(arguments, "")
}

/// The same with `--json`: the exit code and the events.
fn events(arguments: &[&str]) -> (i32, Vec<Value>) {
    let (code, stdout, stderr) = run(&[&["--json"], arguments].concat());
    assert_eq!(stderr, "");
    let lines = stdout
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    (code, lines.collect())
}

#[test]
fn lines_are_sent_and_answers_are_all_that_is_on_stdout() {
    let input = "one\ntwo\r\nthree";
    let (code, stdout, stderr) = run_with(&["-n", "3", &peer().url("/echo")], input);
    assert_eq!((code, &*stdout), (0, "one\ntwo\nthree\n"));
    assert_eq!(stderr, "open\nclosed with code 1005 (clean)\n");
}

#[test]
fn the_end_of_the_input_closes_after_the_answers() {
    let (code, stdout, _) = run_with(&["-w", "2", &peer().url("/echo")], "hello\n");
    assert_eq!((code, &*stdout), (0, "hello\n"));
    // The peer says more, long after the input has ended.
    let url = peer().url("/script?do=delay:300;text:late;close:1000");
    let (code, stdout, _) = run(&["--stay", &url]);
    assert_eq!((code, &*stdout), (0, "late\n"));
}

#[test]
fn messages_may_be_arguments_files_and_binary() {
    let url = peer().url("/echo");
    let (_, stdout, _) = run(&["-m", "a b", "-m", "c", "-n", "2", &url]);
    assert_eq!(stdout, "a b\nc\n");
    let path = std::env::temp_dir().join(format!("isosocket-cli-{}.txt", std::process::id()));
    std::fs::write(&path, "00 ff\n0a\n").unwrap();
    let (_, stdout, _) = run(&["--hex", "-f", path.to_str().unwrap(), "-n", "2", &url]);
    assert_eq!(stdout, "00ff\n0a\n");
    let (code, _, stderr) = run(&["--hex", "-m", "0", &url]);
    assert_eq!(code, 9);
    assert!(
        stderr.contains("line 1 of the input: not pairs of hexadecimal digits"),
        "{stderr}"
    );
    let (code, _, stderr) = run(&["-f", "no/such/file", &url]);
    assert_eq!(code, 9);
    assert!(stderr.contains("no/such/file"), "{stderr}");
}

#[test]
fn each_step_of_connecting_is_an_event_with_its_time() {
    let (code, events) = events(&["-m", "x", "-n", "1", &peer().tls_url("/echo")]);
    assert_eq!(code, 0);
    let steps: Vec<_> = events
        .iter()
        .filter(|event| event["event"] == "step")
        .collect();
    let names: Vec<_> = steps
        .iter()
        .map(|step| step["step"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["name", "TCP", "TLS", "101"]);
    let port = peer().ports().tls;
    assert_eq!(steps[1]["address"], format!("127.0.0.1:{port}"));
    let sum: f64 = steps.iter().map(|step| step["ms"].as_f64().unwrap()).sum();
    assert!(
        (sum - steps[3]["total_ms"].as_f64().unwrap()).abs() < 0.01,
        "{steps:?}"
    );
    assert_eq!(
        events[events.len() - 2],
        json!({"event": "message", "text": "x"})
    );
    let (_, _, stderr) = run(&["-t", "-w", "0", &peer().url("/echo")]);
    let words: Vec<_> = stderr
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(words, ["name", "TCP", "101", "open", "closed"], "{stderr}");
}

#[test]
fn the_request_is_what_the_arguments_say() {
    let url = peer().url("/protocol/chat?id=request");
    let arguments = [
        "-s",
        "chat",
        "-s",
        "v2",
        "-H",
        "X-Token: a:b",
        "--no-compression",
    ];
    let (code, events) = events(&[&arguments[..], &["-w", "0", &url]].concat());
    assert_eq!(code, 0);
    let open = events
        .iter()
        .find(|event| event["event"] == "open")
        .unwrap();
    assert_eq!(open["protocol"], "chat");
    let record = peer().record("request", 1, std::time::Duration::from_secs(20));
    let record: Value = serde_json::from_str(&record).unwrap();
    let headers = record["connections"][0]["headers"].as_array().unwrap();
    assert!(headers.contains(&json!(["X-Token", "a:b"])), "{headers:?}");
    assert!(
        headers.contains(&json!(["Sec-WebSocket-Protocol", "chat, v2"])),
        "{headers:?}"
    );
    assert!(!record.to_string().contains("permessage-deflate"));
    let (_, _, stderr) = run(&["-w", "0", &peer().url("/echo-deflate")]);
    assert!(
        stderr.starts_with("open; extensions: permessage-deflate"),
        "{stderr}"
    );
}

#[test]
fn the_exit_code_and_the_error_say_at_which_step_it_failed() {
    let ports = peer().ports();
    let plain = |path: &str| peer().url(path);
    let table = [
        (3, "ws://host.invalid/".to_owned(), "error (name): "),
        (
            4,
            format!("ws://127.0.0.1:{}/", ports.refused),
            "error (TCP): ",
        ),
        (
            6,
            format!("wss://localhost:{}/", ports.tls_expired),
            "error (TLS): ",
        ),
        (
            6,
            format!("wss://localhost:{}/", ports.tls_garbage),
            "error (TLS): ",
        ),
        (
            7,
            plain("/refuse/401"),
            "error (handshake): the server answered with status 401",
        ),
        (7, plain("/garbage"), "error (handshake): "),
        (7, peer().tls_url("/refuse/403"), "error (handshake): "),
        (
            0,
            plain("/close/1000/bye"),
            "closed with code 1000 (clean): bye",
        ),
        (
            8,
            plain("/close/4001/no"),
            "closed with code 4001 (clean): no",
        ),
        (
            1,
            plain("/script?do=text:x;fin"),
            "closed with code 1006 (not clean)",
        ),
    ];
    for (expected, url, text) in table {
        let (code, _, stderr) = run(&["--stay", &url]);
        assert!(stderr.contains(text), "{url}: {stderr}");
        assert_eq!(code, expected, "{url}: {stderr}");
    }
    let proxy = format!("http://127.0.0.1:{}", ports.refused);
    let (code, _, stderr) = run(&["--proxy", &proxy, &plain("/echo")]);
    assert_eq!(code, 5, "{stderr}");
    assert!(
        stderr.starts_with("error (proxy): the proxy 127.0.0.1:"),
        "{stderr}"
    );
    let proxy = format!("http://127.0.0.1:{}", ports.plain);
    let (code, _, stderr) = run(&["--proxy", &proxy, &plain("/echo")]);
    assert_eq!(code, 5, "{stderr}");
    for arguments in [
        &["ftp://x/"][..],
        &["/relative"],
        &["-H", "no colon", "ws://x/"],
        &[],
    ] {
        assert_eq!(run(arguments).0, 2, "{arguments:?}");
    }
}

#[test]
fn a_refusal_is_shown_with_its_headers_and_the_start_of_its_body() {
    let url = peer()
        .url("/script?do=reply:401:WWW-Authenticate=Bearer%20realm=x:body=no%20token%0Aask%20Ann");
    let (code, stdout, stderr) = run(&[&*url]);
    assert_eq!((code, &*stdout), (7, ""));
    let lines: Vec<_> = stderr.lines().collect();
    assert_eq!(
        lines[0],
        "error (handshake): the server answered with status 401"
    );
    for line in [
        "  WWW-Authenticate: Bearer realm=x",
        "  | no token",
        "  | ask Ann",
    ] {
        assert!(lines.contains(&line), "{stderr}");
    }
    assert_eq!(lines.last(), Some(&"closed with code 1006 (not clean)"));
    // Also if it is going to try again.
    for arguments in [&[&*url][..], &["--reconnect=2", &url.replace("401", "503")]] {
        let (code, events) = events(arguments);
        assert_eq!(code, 7);
        let refused: Vec<_> = events
            .iter()
            .filter(|event| event["response"].is_object())
            .collect();
        assert_eq!(refused.len(), arguments.len(), "{events:?}");
        for event in refused {
            let response = &event["response"];
            assert!(response["status"].as_u64() >= Some(401));
            assert_eq!(response["body"], "no token\nask Ann");
            let headers = response["headers"].as_array().unwrap();
            assert!(headers.contains(&json!(["WWW-Authenticate", "Bearer realm=x"])));
        }
    }
}

#[test]
fn a_lost_connection_is_made_again_and_failures_are_counted() {
    let url = format!("ws://127.0.0.1:{}/", peer().ports().refused);
    let (code, events) = events(&["--reconnect=2", &url]);
    assert_eq!(code, 4);
    let of = |kind: &str| events.iter().filter(|event| event["event"] == kind).count();
    assert_eq!(
        (of("waiting"), of("error"), of("close")),
        (1, 1, 1),
        "{events:?}"
    );
    let waiting = events
        .iter()
        .find(|event| event["event"] == "waiting")
        .unwrap();
    assert_eq!(waiting["failures"], 1);
    // For ever, until the third message.
    let (code, stdout, stderr) =
        run(&["-r", "-n", "3", &peer().url("/script?do=text:x;close:1012")]);
    // The peer was closing when the program closed, so its code counts.
    assert_eq!((code, &*stdout), (8, "x\nx\nx\n"), "{stderr}");
}

#[test]
fn help_and_completions_are_there() {
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for part in [
        "Exit codes:",
        "SSL_CERT_FILE",
        "--subprotocol",
        "--reconnect",
        "Examples:",
    ] {
        assert!(help.contains(part), "{help}");
    }
    for (shell, part) in [
        ("bash", "complete -F _isosocket"),
        ("zsh", "#compdef isosocket"),
        ("fish", "complete -c isosocket"),
    ] {
        let (code, script, _) = run(&["--completions", shell]);
        assert_eq!(code, 0);
        assert!(script.contains(part), "{script}");
    }
}
