//! Many connections at once: held for seconds without the direct wait, opened and closed so fast that descriptor
//! numbers are reused at once, and one request every few milliseconds for long.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use rt::{ListenOptions, Listener, Options, Stream};
use support::{loopback, on_shard_with, options, pattern, pause, read_exactly, settled};

/// Accepts and echoes until the listener is closed.
async fn echo(listener: Rc<Listener>) {
    while let Ok((stream, _)) = listener.accept().await {
        rt::spawn(async move {
            while let Ok(Some(chunk)) = stream.recv().await {
                if stream.send(chunk.to_vec()).await.is_err() {
                    break;
                }
            }
        })
        .detach();
    }
}

/// 256 connections, each with one message under way all the time, on two shards for `seconds`.
fn crowd(direct_wait: bool, seconds: u64) -> u64 {
    // Nothing but the wake-ups themselves may end a park.
    let options = Options {
        direct_wait,
        housekeeping: Duration::from_secs(3600),
        ..options()
    };
    let (addresses, address) = std::sync::mpsc::channel();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let server = rt::spawn_shard(
        Options {
            cpu: Some(0),
            ..options.clone()
        },
        move || async move {
            let listener = Rc::new(Listener::bind(loopback(), &ListenOptions::default()).unwrap());
            addresses.send(listener.local_addr().unwrap()).unwrap();
            let echoes = rt::spawn(echo(listener.clone()));
            while matches!(
                stopped.try_recv(),
                Err(std::sync::mpsc::TryRecvError::Empty)
            ) {
                pause(Duration::from_millis(20)).await;
            }
            listener.close();
            echoes.await.unwrap();
            settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
        },
    )
    .unwrap();
    let addr = address.recv().unwrap();
    let rounds = on_shard_with(options, move || async move {
        let until = Instant::now() + Duration::from_secs(seconds);
        let rounds = Rc::new(Cell::new(0u64));
        let clients: Vec<_> = (0..256u64)
            .map(|seed| {
                let rounds = rounds.clone();
                rt::spawn(async move {
                    let stream = Stream::connect(addr).await.unwrap();
                    let message = pattern(seed, 200);
                    while Instant::now() < until {
                        stream.send(message.clone()).await.unwrap();
                        let answer = rt::timeout_at(
                            rt::clock::read() + 10_000_000_000,
                            read_exactly(&stream, 200),
                        );
                        assert_eq!(
                            answer.await.expect("an answer was lost or slept through"),
                            message
                        );
                        rounds.set(rounds.get() + 1);
                    }
                    stream.close().await.unwrap();
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
        rounds.get()
    });
    drop(stop);
    server.join().unwrap();
    rounds
}

#[test]
fn two_hundred_fifty_six_connections_for_seconds_without_the_direct_wait() {
    assert!(crowd(false, 5) > 1_000);
}

#[test]
fn two_hundred_fifty_six_connections_with_the_direct_wait() {
    assert!(crowd(true, 3) > 1_000);
}

#[test]
fn descriptor_numbers_that_are_reused_at_once_bring_nobody_anothers_bytes() {
    on_shard_with(options(), || async {
        let listener = Rc::new(Listener::bind(loopback(), &ListenOptions::default()).unwrap());
        let addr = listener.local_addr().unwrap();
        let echoes = rt::spawn(echo(listener.clone()));
        let clients: Vec<_> = (0..16u64)
            .map(|lane| {
                rt::spawn(async move {
                    for round in 0..150u64 {
                        let mine = pattern(lane << 32 | round, 6_000);
                        let stream = Stream::connect(addr).await.unwrap();
                        stream.send(mine.clone()).await.unwrap();
                        match round % 4 {
                            // Gone before, in the middle of, and after the answer, in good order and not.
                            0 => drop(stream),
                            1 => {
                                let first = stream.recv().await.unwrap().unwrap();
                                assert!(mine.starts_with(&first));
                                stream.abort();
                            }
                            2 => {
                                assert_eq!(read_exactly(&stream, 6_000).await, mine);
                                stream.reset().await;
                            }
                            _ => {
                                assert_eq!(read_exactly(&stream, 6_000).await, mine);
                                stream.close().await.unwrap();
                            }
                        }
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        listener.close();
        echoes.await.unwrap();
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out, c.panics) == (0, 0, 0, 0)).await;
    });
}

/// One request every few milliseconds, from a plain thread: the shard parks and wakes for each. Late means that a
/// wake-up was lost and only the standing timer, here a rare one, made up for it.
#[test]
fn one_request_every_few_milliseconds_and_none_late() {
    let seconds = std::env::var("RT_SOAK_SECONDS")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(15u64);
    let rare = Options {
        housekeeping: Duration::from_secs(2),
        ..options()
    };
    let (late, worst, requests, parks) = on_shard_with(rare, move || async move {
        let listener = Rc::new(Listener::bind(loopback(), &ListenOptions::default()).unwrap());
        let addr = listener.local_addr().unwrap();
        let echoes = rt::spawn(echo(listener.clone()));
        let client = std::thread::spawn(move || {
            use std::io::{Read, Write};
            let mut stream = std::net::TcpStream::connect(addr).unwrap();
            stream.set_nodelay(true).unwrap();
            let until = Instant::now() + Duration::from_secs(seconds);
            let (mut late, mut worst, mut requests) = (0u64, Duration::ZERO, 0u64);
            while Instant::now() < until {
                // 0 to 16 ms, so that requests meet the ring hot, about to park, and parked.
                std::thread::sleep(Duration::from_micros(requests * 379 % 16_007));
                let asked = Instant::now();
                stream.write_all(&requests.to_be_bytes()).unwrap();
                let mut answer = [0; 8];
                stream.read_exact(&mut answer).unwrap();
                assert_eq!(answer, requests.to_be_bytes());
                let took = asked.elapsed();
                late += u64::from(took > Duration::from_millis(250));
                worst = worst.max(took);
                requests += 1;
            }
            (late, worst, requests)
        });
        while !client.is_finished() {
            pause(Duration::from_secs(1)).await;
        }
        let (late, worst, requests) = client.join().unwrap();
        listener.close();
        echoes.await.unwrap();
        (late, worst, requests, rt::counters().parks)
    });
    println!("{requests} requests, {parks} parks, worst {worst:?}, {late} late");
    assert_eq!(late, 0, "worst {worst:?} of {requests} requests");
    assert!(
        parks > requests / 4,
        "it hardly ever parked: {parks} of {requests}"
    );
}
