//! Tests of sending: what the sender does next, limits, and bursts.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use super::super::Agreement;
use super::*;
use crate::EventLoop;
use crate::driver::local;
use crate::driver::mailbox::Mailbox;
use crate::net::stream::Stream;

/// Framed they take 10,014 bytes: 14 of them are more than 128 KiB, and 105 more than 1 MiB.
const MESSAGE: [u8; 10_000] = [7; 10_000];

/// A handle whose messages wait in the queue, as it has no stream yet.
fn handle(send_limit: usize) -> Arc<Handle> {
    Arc::new(Handle::new(Arc::new(Mailbox::shared()), send_limit))
}

/// One that this thread serves, with its loop.
fn handle_here() -> (Arc<Handle>, EventLoop) {
    let event_loop = EventLoop::new().unwrap();
    let entered = event_loop.enter();
    let handle = Handle::new(local::mailbox(), usize::MAX);
    drop(entered);
    (Arc::new(handle), event_loop)
}

/// After which messages the sender writes, or yields, and whether it asked the loop to flush.
fn follows(handle: &Arc<Handle>) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
    let (mut writes, mut yields, mut flushes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 1..=320 {
        match handle.send(MessageRef::Binary(&MESSAGE)) {
            Ok(Follow::Nothing) => {}
            Ok(Follow::Write) => writes.push(number),
            Ok(Follow::Yield) => yields.push(number),
            Ok(Follow::Flush) => flushes.push(number),
            other => panic!("{other:?}"),
        }
    }
    (writes, yields, flushes)
}

#[test]
fn a_sender_that_is_a_mebibyte_ahead_yields() {
    let handle = handle(usize::MAX);
    assert_eq!(follows(&handle), (vec![], vec![105, 210, 315], vec![1]));
}

#[test]
fn a_sender_that_serves_the_socket_writes_itself() {
    let (handle, _loop) = handle_here();
    let each = (1..=22).map(|n| 14 * n).collect();
    assert_eq!(follows(&handle), (each, vec![], vec![1]));
}

/// Who finds room again looks into the queue.
#[test]
fn while_the_network_is_full_the_loop_is_not_asked() {
    let (here, _loop) = handle_here();
    for handle in [here, handle(usize::MAX)] {
        handle.full.store(true, Ordering::Relaxed);
        assert_eq!(follows(&handle), (vec![], vec![105, 210, 315], vec![]));
    }
}

/// What is no longer queued makes nobody yield.
#[test]
fn a_sender_whose_messages_are_taken_is_not_ahead() {
    let handle = handle(usize::MAX);
    for _ in 0..500 {
        let follow = handle.send(MessageRef::Binary(&MESSAGE)).unwrap();
        assert!(
            matches!(follow, Follow::Flush | Follow::Nothing),
            "{follow:?}"
        );
        let taken = Outgoing::take(&mut handle.lock_queue().frames);
        assert!(taken.is_some());
    }
}

/// S54.
#[test]
fn the_limit_is_for_all_that_waits_but_for_a_first_message() {
    let bytes = [7; 300];
    let message = |size: usize| MessageRef::Binary(&bytes[..size]);
    let handle = handle(200);
    assert!(handle.check(message(300)).is_ok());
    handle.send(message(100)).unwrap();
    assert!(handle.check(message(100)).is_ok());
    for refused in [
        handle.check(message(101)),
        handle.send(message(101)).map(drop),
    ] {
        assert!(matches!(refused, Err(Refusal::Full)), "{refused:?}");
    }
    handle.close(Some((1000, "")));
    for refused in [handle.check(message(1)), handle.send(message(1)).map(drop)] {
        assert!(matches!(refused, Err(Refusal::Closing)), "{refused:?}");
    }
}

#[test]
fn a_burst_begins_after_eight_messages_and_ends_with_a_pause() {
    let handle = handle(usize::MAX);
    let mut queue = handle.lock_queue();
    let inline = |queue: &mut Queue, size| handle.may_write_inline(queue, size);
    for _ in 0..2 {
        let count = (0..20).take_while(|_| inline(&mut queue, 10)).count();
        assert_eq!(count, usize::from(INLINE_BURST));
        // A clock that stands still: there is no pause.
        queue.last_send = Some(system::now() + Duration::from_secs(3600));
        assert!(!inline(&mut queue, INLINE_SIZE - 1));
        // It costs more to append a large one.
        assert!(inline(&mut queue, INLINE_SIZE));
        queue.last_send = Some(system::now() - BURST_PAUSE);
        assert!(inline(&mut queue, 10));
        assert_eq!(handle.credit.load(Ordering::Relaxed), INLINE_BURST - 1);
        handle.restore_credit();
    }
}

/// The payloads of whole frames that a client sent.
fn payloads(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut payloads = Vec::new();
    while let [0x82, short, rest @ ..] = wire {
        let bytes = match short & 0x7F {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let (long, rest) = rest.split_at(bytes);
        let number = |number, byte: &u8| number << 8 | usize::from(*byte);
        let length = match bytes {
            0 => usize::from(short & 0x7F),
            _ => long.iter().fold(0, number),
        };
        let (mask, rest) = rest.split_at(4);
        let (payload, rest) = rest.split_at(length);
        let bytes = payload.iter().zip(mask.iter().cycle());
        payloads.push(bytes.map(|(byte, mask)| byte ^ mask).collect());
        wire = rest;
    }
    assert!(wire.is_empty(), "{:?}", &wire[..wire.len().min(20)]);
    payloads
}

/// What the network does not take at once goes out later, whole and in order.
#[test]
fn messages_are_whole_although_the_network_is_full_in_between() {
    for size in [100, SCRATCH - MAX_CLIENT_HEADER, SCRATCH, 3 << 20, 5 << 20] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let mut peer = listener.accept().unwrap().0;
        ours.set_nonblocking(true).unwrap();
        let handle = handle(usize::MAX);
        let agreement = Agreement {
            packer: None,
            response: None,
        };
        let stream = Stream::new(mio::net::TcpStream::from_std(ours), None);
        handle.attach(Arc::new(stream), agreement, false);
        let mut sent = 0;
        while !handle.full.load(Ordering::Relaxed) {
            // There is no loop that goes on with a large message.
            if let Follow::Flush = send(&handle, sent, size) {
                handle.flush(usize::MAX);
            }
            sent += 1;
        }
        send(&handle, sent, size);
        sent += 1;
        let reading = std::thread::spawn(move || {
            let mut wire = Vec::new();
            peer.read_to_end(&mut wire).unwrap();
            wire
        });
        while !matches!(handle.flush(usize::MAX), Flushed::Done) {
            std::thread::yield_now();
        }
        assert_eq!(handle.buffered_amount(), 0);
        handle.detach();
        let payloads = payloads(&reading.join().unwrap());
        assert_eq!(payloads.len(), sent);
        for (number, payload) in payloads.iter().enumerate() {
            assert!(
                *payload == vec![number as u8; size],
                "{number} of {size} bytes"
            );
        }
    }
}

fn send(handle: &Arc<Handle>, number: usize, size: usize) -> Follow {
    handle.restore_credit();
    let follow = handle.send(MessageRef::Binary(&vec![number as u8; size]));
    let follow = follow.expect("there is no limit");
    assert!(!matches!(follow, Follow::Failed(_)), "{follow:?}");
    follow
}
