//! The runtime: executors, the shard's own ring, sockets, deadlines, TLS, signals. The only crate that names glommio
//! and io_uring, and one that knows no protocol above TLS.
//!
//! A shard is a thread pinned to a core ([`spawn_shard`]). glommio runs its tasks ([`spawn`]); its sockets live on an
//! io_uring of the shard's own, which one task turns: it submits what the tasks queued, waits for completions while
//! there is traffic, and parks in the executor when there is none. Everything made on a shard stays on it; only a
//! [`Doorbell`] may be used elsewhere.

pub mod clock;
mod conn;
mod counters;
mod deadline;
mod doorbell;
mod executor;
mod io;
mod net;
mod options;
pub mod probe;
mod ring;
mod shard;
pub mod signals;
mod task;
mod tls;
mod turns;

pub use clock::{now, waited};
pub use conn::Conn;
pub use counters::{Counters, counters, recycle, take_buffer};
pub use deadline::{Elapsed, Sleep, sleep_until, timeout_at};
pub use doorbell::{Doorbell, doorbell, rung};
pub use executor::{ShardHandle, StartError, spawn_shard};
pub use io::ConnIo;
pub use net::{ByteCounts, Chunk, ListenOptions, Listener, Stream};
pub use options::Options;
pub use task::{Panicked, Task, spawn, yield_now};
pub use tls::TlsStream;
