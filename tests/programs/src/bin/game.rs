//! A game loop with 20 players, each with a socket that is polled once a frame.

use isosocket::{Event, Socket, SocketEvents, WebSocket};

struct Player<S: Socket> {
    socket: S,
    events: SocketEvents<S>,
    position: f32,
}

impl<S: Socket> Player<S> {
    fn new(socket: S) -> Self {
        Player {
            events: socket.events(),
            socket,
            position: 0.0,
        }
    }

    /// Once a frame. Says whether the player is still there.
    fn update(&mut self) -> bool {
        while let Some(event) = self.events.try_next() {
            match event {
                Event::Message(message) => {
                    if let Ok(bytes) = message.as_bytes().try_into() {
                        self.position += f32::from_le_bytes(bytes);
                    }
                }
                Event::Close(_) => return false,
                Event::Open | Event::Error(_) => {}
            }
        }
        // A slow network gets fewer positions, not old ones.
        if self.socket.buffered_amount() < 1 << 10 {
            let _ = self.socket.send(self.position.to_le_bytes());
        }
        true
    }
}

fn main() -> Result<(), isosocket::NewError> {
    let url = |number| format!("ws://127.0.0.1:8080/echo?player={number}");
    let sockets = (0..20).map(|number| WebSocket::new(url(number)));
    let mut players: Vec<_> = sockets
        .map(|it| it.map(Player::new))
        .collect::<Result<_, _>>()?;
    while !players.is_empty() {
        players.retain_mut(Player::update);
        // In place of a screen.
        std::thread::sleep(std::time::Duration::from_millis(16));
    }
    Ok(())
}

#[test]
fn twenty_players_move_and_leave() {
    let network = isosocket::mock::Network::new();
    for _ in 0..20 {
        let peer = network.peer("ws://game.example/");
        peer.expect(0_f32.to_le_bytes()).send(1_f32.to_le_bytes());
        peer.expect(1_f32.to_le_bytes()).close();
    }
    let player = |_| Player::new(WebSocket::new("ws://game.example/").unwrap());
    let mut players: Vec<_> = (0..20).map(player).collect();
    let mut frames = 0;
    while !players.is_empty() {
        network.run();
        players.retain_mut(Player::update);
        frames += 1;
    }
    assert!((3..10).contains(&frames), "{frames}");
    network.finish();
}
