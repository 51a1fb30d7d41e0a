//! What a shard has and has done, for leak tests and metrics. Plain numbers of one thread; reading them costs nothing.

use crate::shard::Shard;

/// A snapshot of one shard. Gauges say "now", all others count from the shard's start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Gauge: connections whose descriptor is open, those on their way out included.
    pub streams: u64,
    /// Gauge: listeners whose descriptor is open.
    pub listeners: u64,
    /// Gauge: chunks lent out and not dropped yet.
    pub chunks_out: u64,
    /// Gauge: receive buffers that the kernel cannot fill now: lent out, or received and not yet taken.
    pub buffers_in_use: u64,
    /// Gauge: tasks spawned and not ended.
    pub tasks: u64,
    /// Gauge: deadlines waited for.
    pub deadlines: u64,
    /// Connections accepted.
    pub accepted: u64,
    /// Times that accepting paused because the process ran out of descriptors or memory.
    pub accept_pauses: u64,
    /// System calls on the shard's ring.
    pub enters: u64,
    /// Those of them that were allowed to sleep.
    pub waits: u64,
    /// Times that the shard looked at its ring for a moment rather than sleep at once.
    pub spins: u64,
    /// Those of them that made the sleep unnecessary.
    pub spins_paid: u64,
    /// Turns of the ring.
    pub turns: u64,
    /// Times that a task was polled.
    pub polls: u64,
    /// Times that the shard slept in its executor instead of on its ring.
    pub parks: u64,
    /// Sends that met a full socket and went on as one that waits.
    pub full_sockets: u64,
    /// Receives that ended because no buffer was free.
    pub starvations: u64,
    /// Received pieces moved to the heap because buffers were short and nobody took them.
    pub pieces_moved: u64,
    /// Tasks that ended by a panic.
    pub panics: u64,
}

/// The current shard's counters; all zero off a shard.
pub fn counters() -> Counters {
    let Ok(shard) = Shard::current() else {
        return Counters::default();
    };
    let deadlines = shard.wheel.borrow().len() as u64;
    shard.look(|driver| Counters {
        streams: driver.sockets.len() as u64,
        listeners: driver.acceptors.len() as u64,
        chunks_out: driver.counters.chunks_out,
        buffers_in_use: u64::from(driver.buffers.count() - driver.buffers.free()),
        tasks: shard.tasks.get(),
        deadlines,
        accepted: driver.counters.accepted,
        accept_pauses: driver.counters.accept_pauses,
        enters: driver.counters.enters,
        waits: driver.counters.waits,
        spins: driver.counters.spins,
        spins_paid: driver.counters.spins_paid,
        turns: driver.counters.turns,
        polls: shard.polls.get(),
        parks: shard.parks.get(),
        full_sockets: driver.counters.full_sockets,
        starvations: driver.counters.starvations,
        pieces_moved: driver.counters.pieces_moved,
        panics: shard.panics.get(),
    })
}

/// An empty send buffer of this shard, with the room it had in its last use.
pub fn take_buffer() -> Vec<u8> {
    Shard::current().map_or_else(
        |_| Vec::new(),
        |shard| shard.with(|driver| driver.take_buffer()),
    )
}

/// Hands a buffer that was not sent back for [`take_buffer`].
pub fn recycle(buffer: Vec<u8>) {
    if let Ok(shard) = Shard::current() {
        shard.with(|driver| driver.recycle(buffer));
    }
}
