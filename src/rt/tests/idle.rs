//! Ten thousand connections that have spoken once and rest: what each costs in memory, and what the shard does.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use rt::{Conn, ListenOptions, Listener, Options};
use support::{loopback, options, pause};

const BAR_BYTES: usize = 16 * 1024;

/// Memory of this process that is in RAM, in bytes.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: usize = line
        .unwrap()
        .trim()
        .trim_end_matches(" kB")
        .parse()
        .unwrap();
    kib * 1024
}

/// A connection's task as servers have one: it holds what it received only while it answers.
async fn serve(conn: Conn) {
    while let Ok(Some(chunk)) = conn.recv().await {
        let mut answer = rt::take_buffer();
        answer.extend_from_slice(&chunk);
        drop(chunk);
        if conn.send(answer).await.is_err() {
            break;
        }
    }
}

#[test]
fn ten_thousand_idle_connections_fit_into_little_and_cost_nothing() {
    // Both ends are in this process.
    let descriptors = usize::try_from(rt::probe::raise_nofile().unwrap()).unwrap();
    let count = 10_000.min((descriptors - 200) / 2);
    let (addresses, address) = std::sync::mpsc::channel();
    let (asks, asked) = std::sync::mpsc::channel::<()>();
    let (replies, reply) = std::sync::mpsc::channel();
    let server = rt::spawn_shard(
        Options {
            housekeeping: Duration::from_secs(3600),
            ..options()
        },
        move || async move {
            let listener = Listener::bind(loopback(), &ListenOptions::default()).unwrap();
            addresses.send(listener.local_addr().unwrap()).unwrap();
            let accepting = rt::spawn(async move {
                while let Ok((stream, _)) = listener.accept().await {
                    rt::spawn(serve(Conn::from(stream))).detach();
                }
            });
            while matches!(asked.try_recv(), Err(std::sync::mpsc::TryRecvError::Empty)) {
                pause(Duration::from_millis(20)).await;
            }
            let before = rt::counters();
            pause(Duration::from_millis(500)).await;
            replies.send((before, rt::counters())).unwrap();
            drop(accepting);
        },
    )
    .unwrap();
    let addr = address.recv().unwrap();
    let speak = |stream: &mut TcpStream| {
        let mut back = [0; 200];
        stream.write_all(&[7; 200]).unwrap();
        stream.read_exact(&mut back).unwrap();
        assert_eq!(back, [7; 200]);
    };
    speak(&mut TcpStream::connect(addr).unwrap());
    let empty = resident_bytes();
    let mut clients: Vec<TcpStream> = (0..count)
        .map(|_| TcpStream::connect(addr).unwrap())
        .collect();
    clients.iter_mut().for_each(speak);
    let each = resident_bytes().saturating_sub(empty) / count;
    println!("{count} connections, {each} bytes each");
    assert!(each <= BAR_BYTES / 4, "{each} bytes a connection");
    asks.send(()).unwrap();
    let (before, after) = reply.recv().unwrap();
    assert_eq!(after.streams, count as u64);
    assert_eq!((after.chunks_out, after.buffers_in_use), (0, 0));
    assert!(after.turns - before.turns < 100, "{before:?} {after:?}");
    drop(clients);
    server.join().unwrap();
}
