//! What becomes of a socket's connections: the scripts of the peer, and what the program
//! does. A socket has one behaviour for its whole life.

/// Where the peer listens, on 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    pub plain: u16,
    pub tls: u16,
    /// Nobody listens there.
    pub refused: u16,
}

/// A tenth of all sockets each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// The connection stays.
    Stays,
    StaysOverTls,
    StaysCompressed,
    /// The server restarts: a clean close.
    ServerLeaves,
    /// The connection is reset, or it ends without a Close frame.
    NetworkFails,
    /// The server breaks the protocol, refuses, does not answer, or does not listen.
    ServerFails,
    /// The program closes or drops the socket, and makes another.
    ProgramLeaves,
}

const TENTHS: [Behaviour; 10] = [
    Behaviour::Stays,
    Behaviour::Stays,
    Behaviour::Stays,
    Behaviour::Stays,
    Behaviour::StaysOverTls,
    Behaviour::StaysCompressed,
    Behaviour::ServerLeaves,
    Behaviour::NetworkFails,
    Behaviour::ServerFails,
    Behaviour::ProgramLeaves,
];

/// How many answers a socket of the last kind gets before the program leaves it.
pub const ANSWERS: u32 = 4;

impl Behaviour {
    pub fn of(index: usize) -> Self {
        TENTHS[index % TENTHS.len()]
    }

    /// The URLs that its connections have in turn.
    pub fn urls(self, peer: &Peer) -> Vec<String> {
        let script = |script: &str| {
            // On a busy machine a socket may be silent for long.
            format!(
                "ws://127.0.0.1:{}/script?do=limit:120000;{script}",
                peer.plain
            )
        };
        match self {
            Behaviour::Stays => vec![script("echo")],
            Behaviour::StaysOverTls => vec![format!(
                "wss://127.0.0.1:{}/script?do=limit:120000;echo",
                peer.tls
            )],
            Behaviour::StaysCompressed => vec![script("accept:deflate;echo")],
            Behaviour::ServerLeaves => vec![script("echo:5;close:1012")],
            Behaviour::NetworkFails => vec![script("echo:4;rst"), script("echo:4;drop")],
            Behaviour::ServerFails => vec![
                script("echo:3;frame:text:x:rsv1"),
                script("reply:503"),
                script("echo:3;fin"),
                script("nohandshake;rst"),
                script("echo:3;close:1000"),
                format!("ws://127.0.0.1:{}/", peer.refused),
            ],
            // By a name, so that names are looked up as well.
            Behaviour::ProgramLeaves => vec![script("echo").replace("127.0.0.1", "localhost")],
        }
    }
}
