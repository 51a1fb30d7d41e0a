//! Running out of descriptors pauses accepting; it neither spins nor ends, and clients are served when some are free
//! again. In a process of its own, because the limit is the process's.
#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rt::{ListenOptions, Listener, Stream};
use support::{loopback, on_shard, open_descriptors, pause, settled};

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
        // Connected before the shard has a turn, so that none is accepted yet: 8 descriptors are left for 12.
        let old = limit_descriptors(20);
        let clients: Vec<_> = (0..12).map(|_| TcpStream::connect(addr).unwrap()).collect();
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
        let asked = std::thread::spawn(move || {
            for mut client in clients {
                client.write_all(b"hello").unwrap();
                let mut answer = [0; 5];
                client.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"hello");
            }
        });
        while !asked.is_finished() {
            pause(Duration::from_millis(5)).await;
        }
        asked.join().unwrap();
        settled(|c| c.streams == 0).await;
        drop(server);
        settled(|c| c.listeners == 0).await;
    });
}
