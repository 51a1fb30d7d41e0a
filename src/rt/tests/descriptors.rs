//! Running out of descriptors pauses accepting; it neither spins nor ends, and clients are served when some are free
//! again. In a process of its own, because the limit is the process's.
#![allow(unsafe_code)]

mod support;

use std::time::Duration;

use rt::{ListenOptions, Listener, Stream};
use support::{loopback, on_shard, open_descriptors, pause, read_exactly, settled};

/// Leaves room for `room` descriptors more; returns the limit before.
fn limit_descriptors(room: usize) -> libc::rlimit {
    let mut old = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: both calls get pointers to live values.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut old), 0);
        let new = libc::rlimit {
            rlim_cur: (open_descriptors() + room) as u64,
            ..old
        };
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const new), 0);
    }
    old
}

#[test]
fn accepting_pauses_without_descriptors_and_goes_on_with_them() {
    on_shard(|| async {
        let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
        let addr = listener.local_addr().unwrap();
        // 20 descriptors: 12 clients leave 8 for the server's ends.
        let old = limit_descriptors(20);
        let mut clients = Vec::new();
        for _ in 0..12 {
            clients.push(Stream::connect(addr).await.unwrap());
        }
        let server = rt::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                rt::spawn(async move {
                    while let Ok(Some(chunk)) = stream.recv().await {
                        stream.send(chunk.to_vec()).await.unwrap();
                    }
                })
                .detach();
            }
        });
        settled(|c| c.accept_pauses > 0).await;
        let (before, enters) = (rt::counters().accept_pauses, rt::counters().enters);
        pause(Duration::from_millis(500)).await;
        let pauses = rt::counters().accept_pauses - before;
        assert!(
            (2..=60).contains(&pauses),
            "{pauses} pauses in half a second"
        );
        let enters = rt::counters().enters - enters;
        assert!(enters < 3_000, "{enters} enters in half a second is a spin");
        // A connect without a descriptor is an error too, and no panic.
        assert!(Stream::connect(addr).await.is_err());
        // The limit comes back, and every client is served.
        // SAFETY: the pointer is to a live value.
        assert_eq!(
            unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const old) },
            0
        );
        for client in &clients {
            client.send(b"hello".to_vec()).await.unwrap();
            assert_eq!(read_exactly(client, 5).await, b"hello");
        }
        drop(clients);
        settled(|c| c.streams == 0).await;
        drop(server);
        settled(|c| c.listeners == 0).await;
    });
}
