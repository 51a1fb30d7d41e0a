//! How a shard runs. Plain values; nothing here is read from the environment.

use std::time::Duration;

/// The options of one shard. `Default` is what production uses.
#[derive(Debug, Clone)]
pub struct Options {
    /// The thread's name.
    pub name: String,
    /// The processor to run on; `None` lets the scheduler move the thread.
    pub cpu: Option<usize>,
    /// Receive buffers of the ring; a power of two from 8 to 32768.
    pub buffers: u16,
    /// The size of one receive buffer, and so of the largest chunk, in bytes.
    pub buffer_bytes: u32,
    /// Chunks that one connection may hold, received or lent out, before its receive pauses.
    pub held_chunks: u32,
    /// Whether a shard with traffic waits on its ring directly rather than parking in the executor after each turn.
    pub direct_wait: bool,
    /// How long a shard with traffic looks at its ring before it sleeps, where that has paid lately; zero never looks.
    /// What a sleep and the wake-up cost is about right; on a virtual machine that is 30 µs.
    pub spin: Duration,
    /// Never sleep at all, with traffic or without: the shard spends its core, and answers sooner. The executor gets its
    /// turns all the same.
    pub busy_poll: bool,
    /// The period of the executor's standing timer, which bounds how long any lost wake-up could last. Tests that
    /// look for lost wake-ups make it long.
    pub housekeeping: Duration,
    /// How long what was sent may take to leave a connection that was closed.
    pub flush_timeout: Duration,
    /// How long a closed connection waits for the peer to close too before its descriptor is.
    pub linger_timeout: Duration,
    /// How long connections may flush when the shard ends.
    pub shutdown_flush: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: String::from("shard"),
            cpu: None,
            buffers: 1024,
            buffer_bytes: 4096,
            held_chunks: 16,
            direct_wait: true,
            spin: Duration::from_micros(30),
            busy_poll: false,
            housekeeping: Duration::from_millis(100),
            flush_timeout: Duration::from_secs(30),
            linger_timeout: Duration::from_secs(2),
            shutdown_flush: Duration::from_secs(1),
        }
    }
}

/// A duration as whole nanoseconds, at most what 64 bits hold.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
