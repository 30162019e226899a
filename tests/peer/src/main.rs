//! Runs the scripted peer by hand: `isosocket-peer [--port N] [--ca DIR]`.
//! Prints its ports as JSON, then every report line, until it is killed.

use std::process::ExitCode;

use isosocket_peer::{Peer, PeerOptions};

fn main() -> ExitCode {
    let mut options = PeerOptions {
        on_report: Some(Box::new(|from, line| println!("{from}: {line}"))),
        ..PeerOptions::default()
    };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--port", Some(port)) if port.parse::<u16>().is_ok() => {
                options.base_port = port.parse().unwrap_or_default();
            }
            ("--ca", Some(folder)) => options.ca_dir = Some(folder.into()),
            _ => {
                eprintln!("usage: isosocket-peer [--port N] [--ca DIR]");
                return ExitCode::from(2);
            }
        }
    }
    match Peer::start(options) {
        Ok(peer) => {
            println!("{} {}", peer.url("/"), peer.ports().to_json());
            loop {
                std::thread::park();
            }
        }
        Err(error) => {
            eprintln!("isosocket-peer: {error}");
            ExitCode::FAILURE
        }
    }
}
