//! Bytes stay whole through full sockets, slow readers and short buffers, in both directions at once.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use rt::{ListenOptions, Listener, Options, Stream};
use support::{loopback, on_shard_with, options, pattern, pause, settled};

/// Sends `bytes` in pieces of uneven sizes.
async fn send_all(stream: &Stream, bytes: &[u8]) {
    let sizes = [1, 70_000, 3, 1_000_000, 4096, 12_345, 300_000];
    let mut rest = bytes;
    for size in sizes.into_iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (piece, after) = rest.split_at(size.min(rest.len()));
        let mut buffer = rt::take_buffer();
        assert!(buffer.is_empty());
        buffer.extend_from_slice(piece);
        stream.send(buffer).await.unwrap();
        rest = after;
    }
    stream.flush().await.unwrap();
}

/// Receives until `expected` is complete, pausing for a while every so often.
async fn receive_all(stream: &Stream, expected: &[u8], every: usize, rest: Duration) {
    let (mut at, mut since) = (0, 0);
    while at < expected.len() {
        let chunk = stream.recv().await.unwrap().expect("ended early");
        assert!(expected[at..].starts_with(&chunk), "other bytes at {at}");
        at += chunk.len();
        since += chunk.len();
        drop(chunk);
        if since >= every {
            since = 0;
            pause(rest).await;
        }
    }
}

/// `full`: nobody reads before both sides have met a full socket.
fn both_directions(
    options: Options,
    len: usize,
    every: usize,
    rest: Duration,
    full: bool,
) -> rt::Counters {
    on_shard_with(options, move || async move {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let exchange = move |stream: Stream, mine: u64, theirs: u64| async move {
            let stream = std::rc::Rc::new(stream);
            let sender = rt::spawn({
                let stream = stream.clone();
                async move { send_all(&stream, &pattern(mine, len)).await }
            });
            if full {
                settled(|c| c.full_sockets >= 2).await;
            }
            receive_all(&stream, &pattern(theirs, len), every, rest).await;
            sender.await.unwrap();
            std::rc::Rc::into_inner(stream)
                .unwrap()
                .close()
                .await
                .unwrap();
        };
        let server = rt::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            exchange(stream, 1, 2).await;
        });
        let client = Stream::connect(addr).await.unwrap();
        exchange(client, 2, 1).await;
        server.await.unwrap();
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
        rt::counters()
    })
}

#[test]
fn slow_readers_and_full_sockets_lose_nothing() {
    let counters = both_directions(
        options(),
        24_000_000,
        500_000,
        Duration::from_millis(1),
        true,
    );
    assert!(
        counters.full_sockets > 10,
        "no socket was full, so this showed nothing: {counters:?}"
    );
}

#[test]
fn fast_readers_lose_nothing() {
    both_directions(options(), 48_000_000, usize::MAX, Duration::ZERO, false);
}

#[test]
fn eight_buffers_are_enough_to_be_right() {
    let few = Options {
        buffers: 8,
        buffer_bytes: 1024,
        held_chunks: 64,
        ..options()
    };
    let counters = both_directions(few, 2_000_000, 100_000, Duration::from_millis(1), false);
    assert!(
        counters.starvations > 10,
        "buffers never ran out, so this showed nothing: {counters:?}"
    );
}

#[test]
fn bytes_stay_whole_without_the_direct_wait() {
    both_directions(
        Options {
            direct_wait: false,
            ..options()
        },
        12_000_000,
        200_000,
        Duration::from_millis(1),
        false,
    );
}

#[test]
fn one_send_of_many_megabytes_goes_whole_and_leaves_before_a_drop_closes() {
    on_shard_with(options(), || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let server = rt::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            stream.send(pattern(9, 30_000_000)).await.unwrap();
            // Dropped here, with nearly all of it still to be sent.
        });
        let client = Stream::connect(addr).await.unwrap();
        server.await.unwrap();
        receive_all(
            &client,
            &pattern(9, 30_000_000),
            1_000_000,
            Duration::from_millis(1),
        )
        .await;
        assert!(client.recv().await.unwrap().is_none());
    });
}
