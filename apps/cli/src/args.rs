//! The arguments, and what `--help` says about them.

use std::path::PathBuf;

use clap::Parser;
use clap_complete::Shell;

/// Connects to a WebSocket server, sends lines of the input as messages, and prints what
/// comes back.
#[derive(Parser)]
#[command(name = "isosocket", version, after_help = include_str!("help.txt"))]
pub struct Args {
    /// The server: ws:, wss:, http: or https:
    #[arg(required_unless_present = "completions")]
    pub url: Option<String>,

    /// Request this subprotocol; may be given several times
    #[arg(short, long = "subprotocol", value_name = "NAME")]
    pub subprotocols: Vec<String>,

    /// Add this header to the request; may be given several times
    #[arg(short = 'H', long = "header", value_name = "NAME: VALUE", value_parser = header)]
    pub headers: Vec<(String, String)>,

    /// Send this text, and do not read stdin; may be given several times
    #[arg(short, long = "message", value_name = "TEXT")]
    pub messages: Vec<String>,

    /// Send the lines of this file, and do not read stdin
    #[arg(short, long, value_name = "PATH", conflicts_with = "messages")]
    pub file: Option<PathBuf>,

    /// The lines are hexadecimal digits, and are sent as binary messages
    #[arg(long)]
    pub hex: bool,

    /// Close after this many messages were received
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub count: Option<u64>,

    /// At the end of the input, close when no message has come for this many seconds
    #[arg(short, long, value_name = "SECONDS", default_value = "1")]
    pub wait: u64,

    /// At the end of the input, stay until the peer closes
    #[arg(long, conflicts_with = "wait")]
    pub stay: bool,

    /// Print events as JSON, one in each line
    #[arg(short, long)]
    pub json: bool,

    /// Print how long each step of connecting took
    #[arg(short, long)]
    pub timings: bool,

    /// Connect again when the connection is lost; give up after N failures in a row, or
    /// never
    #[arg(short, long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub reconnect: Option<u32>,

    /// Do not offer compression (permessage-deflate)
    #[arg(long)]
    pub no_compression: bool,

    /// Connect through this proxy (http:, socks5: or socks4:), or through "none"; without
    /// it the environment decides
    #[arg(long, value_name = "URL")]
    pub proxy: Option<String>,

    /// Ping a silent peer after this many seconds, and give it up after as many more
    #[arg(long, value_name = "SECONDS")]
    pub keep_alive: Option<u64>,

    /// Give up connecting after this many seconds
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    pub timeout: u64,

    /// Print a script for the completion of arguments by this shell
    #[arg(long, value_name = "SHELL")]
    pub completions: Option<Shell>,
}

fn header(line: &str) -> Result<(String, String), String> {
    let (name, value) = line.split_once(':').ok_or("write it as \"Name: value\"")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}
