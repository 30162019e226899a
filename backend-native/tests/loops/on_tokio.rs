//! An event loop as a task of tokio, with the feature `tokio`.
#![cfg(unix)]

use std::future::pending;
use std::rc::Rc;
use std::thread;
use std::time::Duration;

use isosocket::native::{EventLoop, EventsExt};
use isosocket::{Event, WebSocket};

use super::drive::{current_thread, multi_thread};
use super::{LIMIT, peer};

/// Echoes 1,000 messages in order, and closes cleanly.
async fn converse(url: &str) {
    let socket = WebSocket::open(url).await.unwrap();
    let mut events = socket.events();
    assert_eq!(events.next().await, Some(Event::Open));
    for number in 0..1_000 {
        let text = number.to_string();
        socket.send(&text).unwrap();
        assert_eq!(events.next().await, Some(Event::Message(text.into())));
    }
    socket.close();
    assert!(matches!(events.next().await, Some(Event::Close(close)) if close.was_clean));
}

async fn served(url: String) {
    let event_loop = EventLoop::new().unwrap();
    event_loop.on_tokio(converse(&url)).await.unwrap();
}

#[test]
fn every_kind_of_runtime_drives_a_loop() {
    let (_peer, url) = peer("/echo");
    current_thread().block_on(served(url.clone()));
    let runtime = multi_thread();
    runtime
        .block_on(runtime.spawn(served(url.clone())))
        .unwrap();
    let local = tokio::task::LocalSet::new();
    let spawned = local.run_until(async {
        let url = Rc::new(url);
        let task = async move { served(url.to_string()).await };
        tokio::task::spawn_local(task).await
    });
    current_thread().block_on(spawned).unwrap();
}

#[test]
fn a_handler_runs_on_the_thread_of_the_runtime() {
    let (_peer, url) = peer("/echo");
    let served = async {
        let socket = WebSocket::new(&*url).unwrap();
        let (sender, threads) = smol::channel::bounded(1);
        socket.on_open(move |_| sender.try_send(thread::current().id()).unwrap());
        threads.recv().await.unwrap()
    };
    let served = async { EventLoop::new().unwrap().on_tokio(served).await };
    assert_eq!(
        current_thread().block_on(served).unwrap(),
        thread::current().id()
    );
}

#[test]
fn sockets_of_other_tasks_belong_to_a_loop_that_is_a_task() {
    let (_peer, url) = peer("/echo");
    let served = |url: String| async move {
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        let serving = tokio::spawn(event_loop.on_tokio(pending::<()>()));
        let tasks: Vec<_> = (0..4)
            .map(|_| {
                let (handle, url) = (handle.clone(), url.clone());
                tokio::spawn(async move { handle.scope(converse(&url)).await })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        serving.abort();
    };
    current_thread().block_on(served(url.clone()));
    let runtime = multi_thread();
    runtime.block_on(runtime.spawn(served(url))).unwrap();
}

#[test]
fn a_blocking_receive_in_another_task_leaves_the_rest_to_the_serving_task() {
    let (_peer, url) = peer("/echo");
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = format!("ws://{}/", listener.local_addr().unwrap());
    current_thread().block_on(async {
        let event_loop = EventLoop::new().unwrap();
        let handle = event_loop.handle();
        let serving = tokio::spawn(event_loop.on_tokio(pending::<()>()));
        let task = async move {
            let socket = WebSocket::new(&*url).unwrap();
            let builder = WebSocket::builder(&*silent);
            let unanswered = builder.connect_timeout(Duration::from_millis(300));
            let unanswered = unanswered.connect().unwrap();
            let mut ends = unanswered.events();
            // This drives the loop on this thread, instead of its task, which
            // does not know of the new deadline.
            let mut events = socket.events();
            assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
            assert!(matches!(ends.next().await, Some(Event::Error(_))));
        };
        let task = tokio::spawn(async move { handle.scope(task).await });
        task.await.unwrap();
        serving.abort();
    });
}

#[test]
fn a_deadline_ends_a_connection_attempt_on_tokio() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let opening = async {
        let builder = WebSocket::builder(&*url).connect_timeout(Duration::from_millis(50));
        builder.open().await
    };
    let served = async { EventLoop::new().unwrap().on_tokio(opening).await.unwrap() };
    let error = current_thread().block_on(served).unwrap_err();
    assert!(format!("{error:?}").contains("TimedOut"), "{error:?}");
}

#[test]
fn sockets_outlive_the_task_that_served_them() {
    let (_peer, url) = peer("/echo");
    let open = async { WebSocket::open(&*url).await.unwrap() };
    let served = async { EventLoop::new().unwrap().on_tokio(open).await.unwrap() };
    let socket = current_thread().block_on(served);
    let mut events = socket.events();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Open));
    socket.send("a").unwrap();
    assert_eq!(events.recv_timeout(LIMIT), Ok(Event::Message("a".into())));
}
