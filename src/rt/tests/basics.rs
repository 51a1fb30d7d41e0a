//! A shard starts, serves, sleeps, is rung, and ends; what prevents a start is a sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::rc::Rc;
use std::time::Duration;

use rt::{ListenOptions, Listener, Options, Stream};
use support::{MS, loopback, on_shard, on_shard_with, options, pause, read_exactly, settled};

#[test]
fn an_echo_over_ipv4_and_ipv6_leaves_nothing_behind() {
    on_shard(|| async {
        for addr in [loopback(), "[::1]:0".parse().unwrap()] {
            let listener = Listener::bind(addr, &ListenOptions::default()).unwrap();
            let addr = listener.local_addr().unwrap();
            let server = rt::spawn(async move {
                let (stream, _) = listener.accept().await.unwrap();
                while let Some(chunk) = stream.recv().await.unwrap() {
                    stream.send(chunk.to_vec()).await.unwrap();
                }
            });
            let stream = Stream::connect(addr).await.unwrap();
            assert_eq!(stream.peer_addr(), addr);
            for round in 0..100u32 {
                stream.send(round.to_be_bytes().to_vec()).await.unwrap();
                assert_eq!(read_exactly(&stream, 4).await, round.to_be_bytes());
            }
            assert!(stream.is_quiet());
            assert_eq!(
                (stream.byte_counts().received, stream.byte_counts().sent),
                (400, 400)
            );
            stream.close().await.unwrap();
            server.await.unwrap();
        }
        settled(|c| (c.streams, c.listeners, c.buffers_in_use, c.chunks_out) == (0, 0, 0, 0)).await;
    });
}

#[test]
fn a_core_that_does_not_exist_is_a_sentence_and_not_a_panic() {
    let options = Options {
        cpu: Some(1_000_000),
        ..options()
    };
    let error = rt::spawn_shard(options, || async {}).unwrap_err();
    assert!(error.to_string().contains("core 1000000"), "{error}");
}

#[test]
fn a_panic_in_main_is_reported_by_join() {
    let shard = rt::spawn_shard(options(), || async { panic!("as told") }).unwrap();
    assert!(shard.join().unwrap_err().message.contains("as told"));
}

#[test]
fn a_panic_in_a_task_costs_that_task_alone() {
    on_shard(|| async {
        let other = rt::spawn(async {
            pause(Duration::from_millis(20)).await;
            7
        });
        let broken = rt::spawn(async {
            if rt::now() > 0 {
                panic!("boom")
            }
        });
        assert!(broken.await.unwrap_err().message.contains("boom"));
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("in drop");
            }
        }
        let odd = rt::spawn(async {
            let _bomb = Bomb;
            std::future::pending::<()>().await;
        });
        rt::yield_now().await;
        drop(odd);
        assert_eq!(other.await.unwrap(), 7);
        settled(|c| c.panics == 2 && c.tasks == 1).await;
    });
}

#[test]
fn a_doorbell_wakes_a_parked_and_a_hot_shard_and_is_never_lost() {
    on_shard(|| async {
        let bell = rt::doorbell().unwrap();
        let parks = rt::counters().parks;
        let ringer = std::thread::spawn(move || {
            for pause_us in [0, 10, 100, 1_000, 5_000, 20_000].repeat(20) {
                std::thread::sleep(Duration::from_micros(pause_us));
                bell.ring();
            }
            bell
        });
        let mut answers = 0;
        while !ringer.is_finished() {
            rt::rung().await;
            answers += 1;
        }
        assert!((2..=120).contains(&answers), "{answers}");
        assert!(
            rt::counters().parks > parks,
            "it never parked, so this showed half of it"
        );
        let bell = ringer.join().unwrap();
        let _ = rt::timeout_at(rt::clock::read() + 5 * MS, rt::rung()).await;
        bell.ring();
        bell.ring();
        rt::rung().await;
        assert!(
            rt::timeout_at(rt::clock::read() + 20 * MS, rt::rung())
                .await
                .is_err()
        );
    });
}

#[test]
fn sleeps_are_never_early_and_end_in_order() {
    on_shard(|| async {
        let order = Rc::new(std::cell::RefCell::new(Vec::new()));
        let begun = rt::clock::read();
        let tasks: Vec<_> = [30u64, 1, 200, 5, 80, 0]
            .into_iter()
            .map(|ms| {
                let order = order.clone();
                rt::spawn(async move {
                    rt::sleep_until(begun + ms * MS).await;
                    assert!(rt::clock::read() >= begun + ms * MS);
                    order.borrow_mut().push(ms);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.borrow(), [0, 1, 5, 30, 80, 200]);
        assert_eq!(
            rt::timeout_at(rt::now() + MS, std::future::pending::<()>()).await,
            Err(rt::Elapsed)
        );
        assert_eq!(rt::timeout_at(0, async { 5 }).await, Ok(5));
        settled(|c| c.deadlines <= 1).await;
    });
}

#[test]
fn the_peers_end_does_not_stop_our_answer() {
    let direct = [true, false];
    for direct_wait in direct {
        on_shard_with(
            Options {
                direct_wait,
                ..options()
            },
            || async {
                let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
                let addr = listener.local_addr().unwrap();
                let client = std::thread::spawn(move || {
                    use std::io::{Read, Write};
                    let mut stream = std::net::TcpStream::connect(addr).unwrap();
                    stream.write_all(b"question").unwrap();
                    stream.shutdown(std::net::Shutdown::Write).unwrap();
                    let mut answer = Vec::new();
                    stream.read_to_end(&mut answer).unwrap();
                    answer
                });
                let (stream, _) = listener.accept().await.unwrap();
                assert_eq!(read_exactly(&stream, 8).await, b"question");
                assert!(stream.recv().await.unwrap().is_none());
                assert!(!stream.is_quiet() && stream.has_ended());
                stream.send(support::pattern(3, 3_000_000)).await.unwrap();
                stream.close().await.unwrap();
                rt::spawn(async move {
                    while !client.is_finished() {
                        pause(Duration::from_millis(1)).await;
                    }
                    assert_eq!(client.join().unwrap(), support::pattern(3, 3_000_000));
                })
                .await
                .unwrap();
            },
        );
    }
}
