//! How connections end: answers outlive their sender, patience is bounded, and several shards share one address.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::Duration;

use rt::{ListenOptions, Listener, Options, Stream};
use support::{
    MS, loopback, on_shard, on_shard_with, options, pattern, pause, read_exactly, settled,
};

/// Waits for a plain thread without stopping the shard.
async fn joined<T>(thread: std::thread::JoinHandle<T>) -> T {
    while !thread.is_finished() {
        pause(Duration::from_millis(2)).await;
    }
    thread.join().unwrap()
}

#[test]
fn an_answer_given_before_the_question_was_whole_arrives() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        let client = std::thread::spawn(move || {
            let mut stream = TcpStream::connect(addr).unwrap();
            let mut answer = Vec::new();
            for _ in 0..20 {
                stream.write_all(&[7; 10_000]).unwrap();
                std::thread::sleep(Duration::from_millis(5));
            }
            stream.read_to_end(&mut answer).unwrap();
            answer
        });
        let (stream, _) = listener.accept().await.unwrap();
        stream.recv().await.unwrap().unwrap();
        stream.send(b"400, and why".to_vec()).await.unwrap();
        drop(stream);
        // Closed outright, the first byte after this would have met a reset, and that would have eaten the answer.
        assert_eq!(joined(client).await, b"400, and why");
        settled(|c| (c.streams, c.buffers_in_use) == (0, 0)).await;
    });
}

#[test]
fn a_peer_that_never_closes_is_left_after_the_linger_timeout() {
    let options = Options {
        linger_timeout: Duration::from_millis(30),
        ..options()
    };
    on_shard_with(options, || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.close().await.unwrap();
        assert_eq!(rt::counters().streams, 1, "it lingers first");
        settled(|c| c.streams == 0).await;
        drop(client);
    });
}

#[test]
fn a_peer_that_never_reads_costs_the_flush_timeout_and_gets_a_reset() {
    let options = Options {
        flush_timeout: Duration::from_millis(60),
        ..options()
    };
    on_shard_with(options, || async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        for wait in [true, false] {
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            stream.send(pattern(1, 50_000_000)).await.unwrap();
            if wait {
                assert_eq!(
                    stream.close().await.unwrap_err().kind(),
                    ErrorKind::TimedOut
                );
            } else {
                drop(stream);
            }
            settled(|c| c.streams == 0).await;
            let end = std::thread::spawn(move || client.read_to_end(&mut Vec::new()));
            assert_eq!(
                joined(end).await.unwrap_err().kind(),
                ErrorKind::ConnectionReset
            );
        }
    });
}

#[test]
fn a_connect_that_hangs_in_the_kernel_is_cancelled_whole() {
    on_shard(|| async {
        // A listener that takes one connection and never accepts it: later ones wait for an answer to their SYN.
        let full =
            socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        full.bind(&loopback().into()).unwrap();
        full.listen(0).unwrap();
        let addr = full.local_addr().unwrap().as_socket().unwrap();
        let (mut connected, mut hung) = (Vec::new(), 0);
        for _ in 0..20 {
            match rt::timeout_at(rt::clock::read() + 20 * MS, Stream::connect(addr)).await {
                Ok(stream) => connected.push(stream.unwrap()),
                Err(rt::Elapsed) => hung += 1,
            }
        }
        assert!(hung > 10, "{hung} of 20 hung");
        settled(|c| c.streams == connected.len() as u64).await;
        drop(connected);
        drop(full);
        settled(|c| c.streams == 0).await;
    });
}

#[test]
fn a_plain_threads_waker_wakes_a_hot_and_a_parked_shard() {
    #[derive(Default)]
    struct Flag {
        up: AtomicBool,
        raised_ns: AtomicU64,
        waker: Mutex<Option<Waker>>,
    }
    on_shard(|| async {
        let flag = Arc::new(Flag::default());
        let (raise, raised) = std::sync::mpsc::channel::<u64>();
        let thread = std::thread::spawn({
            let flag = flag.clone();
            move || {
                while let Ok(delay_us) = raised.recv() {
                    std::thread::sleep(Duration::from_micros(delay_us));
                    flag.raised_ns.store(rt::clock::read(), Ordering::SeqCst);
                    flag.up.store(true, Ordering::SeqCst);
                    if let Some(waker) = flag.waker.lock().unwrap().take() {
                        waker.wake();
                    }
                }
            }
        });
        for delay_us in [0, 50, 300, 1_500, 4_000, 20_000].repeat(10) {
            raise.send(delay_us).unwrap();
            let wait = std::future::poll_fn(|cx| {
                *flag.waker.lock().unwrap() = Some(cx.waker().clone());
                if flag.up.swap(false, Ordering::SeqCst) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            });
            rt::timeout_at(rt::clock::read() + 5_000 * MS, wait)
                .await
                .expect("the wake was lost");
            // It was woken without a turn of the ring, and still does not live in the time of the last one.
            let raised_ns = flag.raised_ns.load(Ordering::SeqCst);
            assert!(delay_us < 20_000 || rt::now() + 10 * MS >= raised_ns);
        }
        drop(raise);
        joined(thread).await;
    });
}

#[test]
fn shards_share_one_address_and_both_get_connections() {
    let (ports, port) = std::sync::mpsc::channel();
    let stop = Arc::new(AtomicBool::new(false));
    let serve = |addr, ports: Option<std::sync::mpsc::Sender<_>>| {
        let stop = stop.clone();
        rt::spawn_shard(options(), move || async move {
            let listener = Listener::bind(addr, &ListenOptions::default()).unwrap();
            if let Some(ports) = ports {
                ports.send(listener.local_addr().unwrap()).unwrap();
            }
            let greeter = rt::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    stream.send(b"hi".to_vec()).await.unwrap();
                }
            });
            while !stop.load(Ordering::SeqCst) {
                pause(Duration::from_millis(5)).await;
            }
            drop(greeter);
            assert!(rt::counters().accepted > 0, "one shard got nothing");
        })
        .unwrap()
    };
    let first = serve(loopback(), Some(ports));
    let addr = port.recv().unwrap();
    let second = serve(addr, None);
    on_shard(move || async move {
        for _ in 0..64 {
            // The second may be a moment away from listening, not more.
            let stream = Stream::connect(addr).await.unwrap();
            assert_eq!(read_exactly(&stream, 2).await, b"hi");
            pause(Duration::from_millis(1)).await;
        }
    });
    stop.store(true, Ordering::SeqCst);
    first.join().unwrap();
    second.join().unwrap();
}
