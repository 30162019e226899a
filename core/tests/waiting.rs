//! Futures that wait for a socket: once they are ready, or dropped, nothing of
//! them is left on it.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use futures::Sink;
use futures::future::FusedFuture;
use isosocket_core::mock::{Mock, Network};
use isosocket_core::{Reconnect, WebSocket};

const URL: &str = "ws://peer/";

/// A task that counts who could wake it.
struct Task;

impl Wake for Task {
    fn wake(self: Arc<Self>) {}
}

fn poll<F: Future>(future: Pin<&mut F>, task: &Arc<Task>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(&Waker::from(task.clone())))
}

#[test]
fn a_socket_that_is_open_holds_nothing_of_the_task_that_opened_it() {
    let network = Network::new();
    network.peer(URL);
    let task = Arc::new(Task);
    let mut opening = WebSocket::<Mock>::open(URL);
    assert!(poll(pin!(&mut opening), &task).is_pending());
    assert_eq!(Arc::strong_count(&task), 2, "the socket can wake it");
    network.run();
    let Poll::Ready(Ok(socket)) = poll(pin!(&mut opening), &task) else {
        panic!("it is open by now");
    };
    assert_eq!(Arc::strong_count(&task), 1);

    // Nor where it was open at the first look.
    assert!(poll(pin!(socket.send_ready()), &task).is_ready());
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn opening_that_is_given_up_leaves_nothing_of_its_task() {
    let network = Network::new();
    network.peer(URL).hang();
    let task = Arc::new(Task);
    let mut opening = WebSocket::<Mock>::open(URL);
    assert!(poll(pin!(&mut opening), &task).is_pending());
    drop(opening);
    assert_eq!(Arc::strong_count(&task), 1);
}

#[test]
fn a_wait_for_room_that_is_given_up_leaves_nothing_of_its_task() {
    let network = Network::new();
    network.peer(URL).accept().stall();
    network.peer(URL).accept().stall();
    let plain = network.block_on(WebSocket::<Mock>::open(URL)).unwrap();
    let reconnecting = network.block_on(WebSocket::<Reconnect<Mock>>::open(URL));
    leaves_nothing(&plain);
    leaves_nothing(&reconnecting.unwrap());
}

fn leaves_nothing<T: isosocket_core::Transport>(socket: &WebSocket<T>) {
    socket.send(vec![0; 2 << 20]).unwrap();
    let task = Arc::new(Task);
    {
        let mut ready = pin!(socket.send_ready());
        for _ in 0..2 {
            assert!(poll(ready.as_mut(), &task).is_pending());
            assert_eq!(Arc::strong_count(&task), 2, "the socket can wake it, once");
        }
    }
    assert_eq!(Arc::strong_count(&task), 1);

    let waker = Waker::from(task.clone());
    let mut sender = socket.sender();
    let room = Pin::new(&mut sender).poll_ready(&mut Context::from_waker(&waker));
    assert!(room.is_pending());
    assert_eq!(Arc::strong_count(&task), 3);
    drop(sender);
    assert_eq!(Arc::strong_count(&task), 2, "and `waker`");
}

/// What `select!` of the futures crate asks of futures.
#[test]
fn the_futures_know_when_they_are_over() {
    let network = Network::new();
    network.peer(URL);
    network.block_on(async {
        let socket = WebSocket::<Mock>::open(URL).await.unwrap();
        let mut events = socket.events();
        assert!(!events.next().is_terminated());
        assert!(!socket.send_ready().is_terminated());
        socket.close();
        while events.next().await.is_some() {}
        assert!(events.next().is_terminated());
        // There is room for ever.
        assert!(!socket.send_ready().is_terminated());
    });
}
