//! A program, and its tests with the mock: simulated peers, in simulated time.

use isosocket::{Reconnecting, Socket, WebSocket};

/// It logs in on each connection, and hands prices on. It runs on any kind of socket.
fn follow<S: Socket>(socket: &S, on_price: impl Fn(&str) + Send + Sync + 'static) {
    socket.on_open(|socket| drop(socket.send("login")));
    socket.on_message(move |_, message| on_price(&message.to_string()));
}

fn main() -> Result<(), isosocket::NewError> {
    let (once, always) = ("wss://example.org/once", "wss://example.org/always");
    let (once, always) = (WebSocket::new(once)?, Reconnecting::new(always)?);
    follow(&once, |price| println!("{price}"));
    follow(&always, |price| println!("{price}"));
    isosocket::run(async move {
        println!("{}, {}", once.closed().await, always.closed().await);
    });
    Ok(())
}

#[test]
fn prices_come_from_each_connection() {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    let network = isosocket::mock::Network::new();
    for price in ["1", "2"] {
        network
            .peer("wss://x.example/")
            .expect("login")
            .send(price)
            .drop_connection();
    }
    network.peer("wss://x.example/").expect("login").send("3");
    let (sender, prices) = channel();
    let socket = Reconnecting::new("wss://x.example/").unwrap();
    follow(&socket, move |price| sender.send(price.to_owned()).unwrap());
    network.advance(Duration::from_secs(60)); // takes no time
    assert_eq!(prices.try_iter().collect::<Vec<_>>(), ["1", "2", "3"]);
    network.finish();
}
