//! What the runtime's tests share: starting a shard, waiting for a state, plain-thread peers.
#![allow(dead_code, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::future::Future;
use std::sync::{Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rt::Options;

/// Milliseconds as nanoseconds.
pub const MS: u64 = 1_000_000;

/// Small limits, so that tests meet them.
pub fn options() -> Options {
    Options {
        name: String::from("test"),
        ..Options::default()
    }
}

/// Held while a test runs: the tests of one process count the process's descriptors.
static ALONE: Mutex<()> = Mutex::new(());

/// Runs `main` on a fresh shard and hands its result over; a hang becomes a failure.
pub fn on_shard_with<F, Fut, T>(options: Options, main: F) -> T
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (results, result) = mpsc::channel();
    let shard = rt::spawn_shard(options, move || async move {
        let value = main().await;
        results.send(value).unwrap();
    })
    .unwrap();
    let patience = Duration::from_secs(120);
    let soak = std::env::var("RT_SOAK_SECONDS")
        .ok()
        .and_then(|v| v.parse().ok())
        .unwrap_or(0);
    match result.recv_timeout(patience + Duration::from_secs(soak)) {
        Ok(value) => {
            shard.join().unwrap();
            value
        }
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("the shard hangs"),
        Err(mpsc::RecvTimeoutError::Disconnected) => panic!("{:?}", shard.join()),
    }
}

/// [`on_shard_with`] the default options.
pub fn on_shard<F, Fut, T>(main: F) -> T
where
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = T> + 'static,
    T: Send + 'static,
{
    on_shard_with(options(), main)
}

/// Sleeps on the shard.
pub async fn pause(duration: Duration) {
    rt::sleep_until(rt::clock::read() + duration.as_nanos() as u64).await;
}

/// Waits until `what` holds; panics with the counters when it does not come.
pub async fn settled(what: impl Fn(&rt::Counters) -> bool) {
    let begun = Instant::now();
    while !what(&rt::counters()) {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "not settled: {:?}",
            rt::counters()
        );
        pause(Duration::from_millis(2)).await;
    }
}

/// Descriptors that this process has open.
pub fn open_descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Reads exactly as many bytes as `want` from a connection, into one vector.
pub async fn read_exactly(stream: &rt::Stream, want: usize) -> Vec<u8> {
    let mut got = Vec::with_capacity(want);
    while got.len() < want {
        let chunk = stream
            .recv()
            .await
            .unwrap()
            .expect("the stream ended early");
        got.extend_from_slice(&chunk);
    }
    assert_eq!(got.len(), want);
    got
}

/// Bytes that differ by position, so that a shift, a loss or a mix-up shows.
pub fn pattern(seed: u64, len: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(len + 8);
    while bytes.len() < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(len);
    bytes
}

/// An address of this machine with a port of the kernel's choice.
pub fn loopback() -> std::net::SocketAddr {
    ([127, 0, 0, 1], 0).into()
}

/// Polls a future `polls` times, then drops it; true if it was ready by then.
pub async fn poll_and_drop(future: impl Future, polls: usize) -> bool {
    let mut future = std::pin::pin!(future);
    for _ in 0..polls {
        let ready =
            std::future::poll_fn(|cx| std::task::Poll::Ready(future.as_mut().poll(cx).is_ready()))
                .await;
        if ready {
            return true;
        }
        rt::yield_now().await;
    }
    false
}
