//! A reader that does not read stops its sender, and nobody else.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::Write;
use std::rc::Rc;
use std::time::Duration;

use rt::{ListenOptions, Listener, Options, Stream};
use support::{loopback, on_shard_with, options, pattern, pause, read_exactly, settled};

#[test]
fn a_connection_that_is_not_read_holds_a_bounded_number_of_chunks_and_its_sender_stops() {
    let options = Options {
        held_chunks: 8,
        ..options()
    };
    on_shard_with(options, || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let total = 64_000_000;
        let sender = std::thread::spawn(move || {
            let mut stream = std::net::TcpStream::connect(addr).unwrap();
            stream.write_all(&pattern(4, total)).unwrap();
        });
        let (stream, _) = listener.accept().await.unwrap();
        let mut last = 0;
        loop {
            pause(Duration::from_millis(100)).await;
            let received = stream.byte_counts().received;
            if received == last && received > 0 {
                break;
            }
            last = received;
        }
        // Eight chunks, and what one turn of the kernel brought before the pause was heard.
        assert!(
            last <= 4096 * (8 + 96),
            "{last} bytes were received although nobody reads"
        );
        assert!(!sender.is_finished());
        assert_eq!(read_exactly(&stream, total).await, pattern(4, total));
        sender.join().unwrap();
    });
}

#[test]
fn paused_connections_do_not_starve_the_others_of_buffers() {
    let options = Options {
        buffers: 64,
        held_chunks: 16,
        ..options()
    };
    on_shard_with(options, || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        // Thirty connections that could hold every buffer many times over, none of them read.
        let senders: Vec<_> = (0..30u64)
            .map(|seed| {
                rt::spawn(async move {
                    let stream = Stream::connect(addr).await.unwrap();
                    stream.send(pattern(seed, 1_000_000)).await.unwrap();
                    stream.flush().await.unwrap();
                    stream
                })
            })
            .collect();
        let mut unread = Vec::new();
        for _ in 0..30 {
            unread.push(listener.accept().await.unwrap().0);
        }
        pause(Duration::from_millis(100)).await;
        let echo = rt::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            while let Some(chunk) = stream.recv().await.unwrap() {
                stream.send(chunk.to_vec()).await.unwrap();
            }
        });
        let lively = Stream::connect(addr).await.unwrap();
        for round in 0..500u64 {
            lively.send(pattern(round, 10_000)).await.unwrap();
            assert_eq!(read_exactly(&lively, 10_000).await, pattern(round, 10_000));
        }
        assert!(
            rt::counters().pieces_moved > 0,
            "buffers were never short: {:?}",
            rt::counters()
        );
        drop(lively);
        echo.await.unwrap();
        // The unread ones still have all of their bytes, in order, whichever connection was which.
        let mut firsts: Vec<_> = (0..30).map(|seed| pattern(seed, 1_000_000)).collect();
        for stream in &unread {
            let got = read_exactly(stream, 1_000_000).await;
            let position = firsts.iter().position(|pattern| *pattern == got);
            firsts.remove(position.expect("bytes of no sender"));
        }
        for sender in senders {
            drop(sender.await.unwrap());
        }
        drop(unread);
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
    });
}

#[test]
fn chunks_that_are_kept_pause_their_connection_until_they_are_dropped() {
    let options = Options {
        buffers: 32,
        buffer_bytes: 512,
        held_chunks: 4,
        ..options()
    };
    on_shard_with(options, || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let client = Rc::new(client);
        let sender = rt::spawn({
            let client = client.clone();
            async move { client.send(pattern(5, 400_000)).await.unwrap() }
        });
        let mut kept = Vec::new();
        let mut got = Vec::new();
        while got.len() < 400_000 {
            let next = rt::timeout_at(rt::clock::read() + 20 * support::MS, server.recv()).await;
            match next {
                Ok(chunk) => {
                    let chunk = chunk.unwrap().unwrap();
                    got.extend_from_slice(&chunk);
                    kept.push(chunk);
                }
                // Nothing comes while we keep what we have.
                Err(rt::Elapsed) => {
                    assert!(kept.len() >= 4);
                    kept.clear();
                }
            }
            assert!(kept.len() <= 32);
        }
        assert_eq!(got, pattern(5, 400_000));
        drop(kept);
        sender.await.unwrap();
        drop((client, server));
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out) == (0, 0, 0)).await;
    });
}
