//! What a URL may be given as: the same wherever one is given.

use std::borrow::Cow;

use isosocket::mock::Network;
use isosocket::{IntoUrl, Reconnecting, WebSocket};

/// Everywhere that a URL is given.
#[track_caller]
fn reaches_the_peer<U: IntoUrl + Clone + 'static>(url: U) {
    let network = Network::new();
    for _ in 0..5 {
        network.peer("ws://peer/feed?a=b").accept();
    }
    let sockets = [
        WebSocket::new(url.clone()).unwrap(),
        WebSocket::builder(url.clone()).connect().unwrap(),
        network.block_on(WebSocket::open(url.clone())).unwrap(),
    ];
    for socket in sockets {
        assert_eq!(socket.url(), "ws://peer/feed?a=b");
    }
    let sockets = [
        Reconnecting::new(url.clone()).unwrap(),
        network.block_on(Reconnecting::open(url.clone())).unwrap(),
    ];
    for socket in sockets {
        assert_eq!(socket.url(), "ws://peer/feed?a=b");
    }
    network.run();
}

#[test]
fn strings_of_all_kinds() {
    const URL: &str = "ws://peer/feed?a=b";
    reaches_the_peer(URL);
    reaches_the_peer(&URL);
    reaches_the_peer(String::from(URL));
    reaches_the_peer(Box::leak(Box::new(String::from(URL))) as &String);
    reaches_the_peer(Cow::Borrowed(URL));
    reaches_the_peer(Box::<str>::from(URL));
}

#[test]
fn parsed_urls() {
    let url = url::Url::parse("ws://peer/feed?a=b").unwrap();
    reaches_the_peer(url.clone());
    reaches_the_peer(Box::leak(Box::new(url)) as &url::Url);
}

#[test]
fn a_provider_gives_what_else_is_given() {
    let network = Network::new();
    network.peer("ws://peer/one").accept();
    let socket = Reconnecting::builder("ws://peer/")
        .url_provider(|_| async { Ok::<_, std::io::Error>("ws://peer/one") })
        .connect()
        .unwrap();
    network.run();
    assert_eq!(socket.ready_state(), isosocket::ReadyState::Open);
    network.finish();
}

#[test]
fn a_type_of_the_program_is_a_url_by_one_method() {
    #[derive(Clone)]
    struct Room(u32);
    impl IntoUrl for Room {
        fn into_url(self) -> String {
            format!("ws://peer/feed?{}=b", if self.0 == 1 { "a" } else { "c" })
        }
    }
    reaches_the_peer(Room(1));
}
