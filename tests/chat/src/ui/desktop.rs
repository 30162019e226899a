//! The chat in a terminal: lines in, lines out.

use futures::Stream;
use futures::channel::mpsc;

/// The server, from the command line.
pub fn server() -> String {
    std::env::args()
        .nth(1)
        .unwrap_or_else(|| "ws://127.0.0.1:17380/echo?room=1".to_owned())
}

/// Shows a line.
pub fn show(line: &str) {
    println!("{line}");
}

/// The lines that are typed. At their end comes `/quit`.
pub fn typed() -> impl Stream<Item = String> + Unpin {
    let (sender, lines) = mpsc::unbounded();
    std::thread::spawn(move || {
        let typed = std::io::stdin().lines().map_while(Result::ok);
        for line in typed.chain(["/quit".to_owned()]) {
            if sender.unbounded_send(line).is_err() {
                return;
            }
        }
    });
    lines
}
