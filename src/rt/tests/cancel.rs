//! Every await can be dropped at any point: no descriptor, buffer, deadline or task is left behind, and no byte of a
//! cancelled call turns up elsewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Duration;

use rt::{ListenOptions, Listener, Stream};
use support::{
    MS, loopback, on_shard, open_descriptors, pattern, pause, poll_and_drop, read_exactly, settled,
};

#[test]
fn cancelled_connects_leak_nothing() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let acceptor = rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                drop(stream);
            }
        });
        let before = open_descriptors();
        let mut ready = 0;
        for round in 0..2_000usize {
            ready += usize::from(poll_and_drop(Stream::connect(addr), round % 7).await);
            if round % 50 == 0 {
                pause(Duration::from_millis(1)).await;
            }
        }
        // An address that swallows the attempt: the connect is in the kernel when it is dropped.
        let nowhere = "10.255.255.1:9".parse().unwrap();
        for _ in 0..20 {
            let _ = rt::timeout_at(rt::clock::read() + MS, Stream::connect(nowhere)).await;
        }
        assert!(ready < 2_000);
        settled(|c| c.streams == 0).await;
        assert_eq!(open_descriptors(), before);
        drop(acceptor);
        settled(|c| (c.listeners, c.buffers_in_use, c.deadlines) == (0, 0, 0)).await;
    });
}

#[test]
fn a_refused_connect_is_an_error_and_leaves_no_descriptor() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        listener.close();
        settled(|c| c.listeners == 0).await;
        let before = open_descriptors();
        for _ in 0..100 {
            assert_eq!(
                Stream::connect(addr).await.unwrap_err().kind(),
                std::io::ErrorKind::ConnectionRefused
            );
        }
        settled(|c| c.streams == 0).await;
        assert_eq!(open_descriptors(), before);
    });
}

#[test]
fn cancelled_receives_lose_no_byte_and_no_buffer() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let sender = rt::spawn(async move {
            for round in 0..500u64 {
                server.send(pattern(round, 300)).await.unwrap();
                if round % 5 == 0 {
                    pause(Duration::from_millis(2)).await;
                }
            }
            server
        });
        let expected: Vec<u8> = (0..500).flat_map(|round| pattern(round, 300)).collect();
        let mut got = Vec::new();
        let mut cancelled = 0;
        while got.len() < expected.len() {
            match rt::timeout_at(rt::clock::read() + MS / 4, client.recv()).await {
                Ok(chunk) => got.extend_from_slice(&chunk.unwrap().unwrap()),
                Err(rt::Elapsed) => cancelled += 1,
            }
            // A future that is polled and dropped with bytes at hand would lose them if it had taken them.
            if let Some(chunk) = client.try_recv() {
                got.extend_from_slice(&chunk);
            }
        }
        assert_eq!(got, expected);
        assert!(cancelled > 0);
        drop((client, sender.await.unwrap()));
        settled(|c| (c.streams, c.buffers_in_use, c.chunks_out, c.deadlines) == (0, 0, 0, 0)).await;
    });
}

#[test]
fn a_cancelled_send_sends_all_or_nothing() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = Stream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let mut expected = Vec::new();
        let (mut taken, mut dropped) = (0, 0);
        for round in 0..60u64 {
            let bytes = pattern(round, 400_000);
            if poll_and_drop(client.send(bytes.clone()), 2).await {
                expected.extend_from_slice(&bytes);
                taken += 1;
            } else {
                dropped += 1;
            }
            if round % 9 == 8 {
                let want = expected.len();
                assert_eq!(read_exactly(&server, want).await, expected);
                expected.clear();
            }
        }
        assert!(taken > 5 && dropped > 5, "{taken} taken, {dropped} dropped");
        let rest = rt::spawn(async move {
            client.close().await.unwrap();
        });
        assert_eq!(read_exactly(&server, expected.len()).await, expected);
        assert!(server.recv().await.unwrap().is_none());
        rest.await.unwrap();
        drop(server);
        settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
    });
}

#[test]
fn raced_accepts_lose_no_connection() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let before = open_descriptors();
        let clients = rt::spawn(async move {
            for round in 0..1_000u32 {
                let stream = Stream::connect(addr).await.unwrap();
                stream.send(round.to_be_bytes().to_vec()).await.unwrap();
                assert_eq!(read_exactly(&stream, 4).await, round.to_be_bytes());
                if round % 10 == 0 {
                    pause(Duration::from_millis(2)).await;
                }
            }
        });
        let (mut accepted, mut cancelled) = (0, 0);
        while accepted < 1_000 {
            match rt::timeout_at(rt::clock::read() + MS / 8, listener.accept()).await {
                Ok(connection) => {
                    let (stream, _) = connection.unwrap();
                    accepted += 1;
                    rt::spawn(async move {
                        let question = read_exactly(&stream, 4).await;
                        stream.send(question).await.unwrap();
                    })
                    .detach();
                }
                Err(rt::Elapsed) => cancelled += 1,
            }
            poll_and_drop(rt::yield_now(), 1).await;
        }
        clients.await.unwrap();
        assert!(cancelled > 0);
        settled(|c| c.streams == 0).await;
        assert_eq!(open_descriptors(), before);
        assert_eq!(rt::counters().panics, 0);
    });
}

#[test]
fn a_closed_listener_closes_what_nobody_collected_and_refuses() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let before = open_descriptors();
        let clients: Vec<_> = {
            let mut clients = Vec::new();
            for _ in 0..50 {
                clients.push(Stream::connect(addr).await.unwrap());
            }
            clients
        };
        let (kept, _) = listener.accept().await.unwrap();
        settled(|c| c.accepted == 50).await;
        listener.close();
        assert_eq!(
            listener.accept().await.unwrap_err().kind(),
            std::io::ErrorKind::NotConnected
        );
        settled(|c| c.listeners == 0).await;
        assert!(Stream::connect(addr).await.is_err());
        kept.send(b"still here".to_vec()).await.unwrap();
        assert_eq!(read_exactly(&clients[0], 10).await, b"still here");
        for client in &clients[1..] {
            assert!(!matches!(client.recv().await, Ok(Some(_))));
        }
        drop((clients, kept));
        settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
        assert_eq!(
            open_descriptors(),
            before - 1,
            "the listening socket is closed too"
        );
    });
}

#[test]
fn dropped_sleeps_and_tasks_leave_the_queue_empty() {
    on_shard(|| async {
        for round in 0..1_000u64 {
            let task = rt::spawn(async move {
                let _ =
                    rt::timeout_at(rt::now() + 1_000_000 * MS, std::future::pending::<()>()).await;
            });
            poll_and_drop(rt::sleep_until(rt::now() + round * MS), 1).await;
            if round % 2 == 0 {
                rt::yield_now().await;
            }
            drop(task);
        }
        settled(|c| (c.deadlines, c.tasks) == (0, 1)).await;
    });
}

#[test]
fn a_reset_is_an_error_for_the_peer_and_an_end_is_an_end() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        for cut in [true, false] {
            let client = Stream::connect(addr).await.unwrap();
            let (server, _) = listener.accept().await.unwrap();
            server.send(b"half an ans".to_vec()).await.unwrap();
            server.flush().await.unwrap();
            if cut {
                server.reset().await;
                let mut last = client.recv().await;
                while matches!(last, Ok(Some(_))) {
                    last = client.recv().await;
                }
                assert_eq!(
                    last.unwrap_err().kind(),
                    std::io::ErrorKind::ConnectionReset
                );
            } else {
                server.close().await.unwrap();
                assert_eq!(read_exactly(&client, 11).await, b"half an ans");
                assert!(client.recv().await.unwrap().is_none());
            }
        }
        settled(|c| c.streams == 0).await;
    });
}

#[test]
fn shards_that_end_with_everything_under_way_give_every_descriptor_back() {
    let before = open_descriptors();
    for _ in 0..5 {
        on_shard(|| async {
            let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
            let addr = listener.local_addr().unwrap();
            for seed in 0..20 {
                rt::spawn(async move {
                    let stream = Stream::connect(addr).await.unwrap();
                    stream.send(pattern(seed, 8_000_000)).await.unwrap();
                    let _ = stream.recv().await;
                })
                .detach();
            }
            let mut kept = Vec::new();
            for _ in 0..10 {
                kept.push(listener.accept().await.unwrap().0);
            }
            rt::spawn(async move {
                let _listener = listener;
                let _kept = kept;
                std::future::pending::<()>().await;
            })
            .detach();
            pause(Duration::from_millis(5)).await;
        });
    }
    // Other tests of this process may be at work, so only a growth per shard counts.
    let after = open_descriptors();
    assert!(
        after < before + 100,
        "{before} descriptors before, {after} after"
    );
}
