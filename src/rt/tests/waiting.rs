//! How a shard waits: looking at its ring while that pays, sleeping when it does not, never with `busy_poll`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use rt::{Counters, ListenOptions, Listener, Options, Stream};
use support::{loopback, on_shard_with, options, pattern, pause, read_exactly};

/// Messages to and fro between two tasks of this shard, then to and fro with a thread that takes its time.
async fn traffic() {
    let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
    let addr = listener.local_addr().unwrap();
    let echo = rt::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        while let Ok(Some(chunk)) = stream.recv().await {
            stream.send(chunk.to_vec()).await.unwrap();
        }
    });
    let stream = Stream::connect(addr).await.unwrap();
    for round in 0..200 {
        let message = pattern(round, 300);
        stream.send(message.clone()).await.unwrap();
        assert_eq!(read_exactly(&stream, 300).await, message);
    }
    stream.close().await.unwrap();
    echo.await.unwrap();
    let bell = rt::doorbell().unwrap();
    let (asks, asked) = std::sync::mpsc::channel::<()>();
    let other = std::thread::spawn(move || {
        while asked.recv().is_ok() {
            bell.ring();
        }
    });
    for _ in 0..50 {
        asks.send(()).unwrap();
        rt::rung().await;
    }
    drop(asks);
    other.join().unwrap();
}

/// The counters after [`traffic`], and again after a rest.
fn before_and_after_a_rest(options: Options) -> (Counters, Counters) {
    on_shard_with(options, || async {
        traffic().await;
        // Until it is no longer hot.
        pause(Duration::from_millis(50)).await;
        let before = rt::counters();
        pause(Duration::from_millis(300)).await;
        (before, rt::counters())
    })
}

#[test]
fn a_shard_at_rest_does_not_look() {
    let (before, after) = before_and_after_a_rest(options());
    assert!(before.spins > 0, "{before:?}");
    assert_eq!(after.spins, before.spins);
    assert!(after.parks > before.parks, "{after:?}");
    assert!(after.turns - before.turns < 100, "{before:?} {after:?}");
}

#[test]
fn with_no_time_to_look_a_shard_sleeps_at_once() {
    let (_, after) = before_and_after_a_rest(Options {
        spin: Duration::ZERO,
        ..options()
    });
    assert_eq!((after.spins, after.spins_paid), (0, 0));
    assert!(after.waits > 0);
}

#[test]
fn a_busy_shard_never_sleeps_and_serves_everybody_all_the_same() {
    for direct_wait in [true, false] {
        let (before, after) = before_and_after_a_rest(Options {
            busy_poll: true,
            direct_wait,
            ..options()
        });
        assert_eq!((after.waits, after.parks), (0, 0));
        assert!(after.spins > before.spins);
    }
}

#[test]
fn a_busy_shard_leaves_the_executor_its_turns() {
    let passed = on_shard_with(
        Options {
            busy_poll: true,
            ..options()
        },
        || async {
            // One that always can run, beside one that waits for a deadline and one for another thread's word.
            let hog = rt::spawn(async {
                loop {
                    rt::yield_now().await;
                }
            });
            pause(Duration::from_millis(20)).await;
            let bell = rt::doorbell().unwrap();
            let other = std::thread::spawn(move || bell.ring());
            rt::rung().await;
            other.join().unwrap();
            drop(hog);
            true
        },
    );
    assert!(passed);
}

#[test]
fn whoever_waits_for_a_send_that_leaves_no_completion_does_not_wait_for_the_next_event() {
    let waits = on_shard_with(options(), || async {
        let listener = std::net::TcpListener::bind(loopback()).unwrap();
        let stream = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (mut peer, _) = listener.accept().unwrap();
        // Something arrives, so that the shard is hot and would wait on its ring.
        std::io::Write::write_all(&mut peer, b"hello").unwrap();
        assert_eq!(read_exactly(&stream, 5).await, b"hello");
        let before = rt::counters();
        for round in 0..100 {
            stream.send(pattern(round, 100)).await.unwrap();
            stream.flush().await.unwrap();
        }
        rt::counters().waits - before.waits
    });
    assert_eq!(waits, 0);
}
