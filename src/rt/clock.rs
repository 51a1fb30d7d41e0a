//! The process's one clock: nanoseconds since a base that every thread shares. It never jumps back and knows nothing of wall time.

use std::cell::Cell;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

static BASE: OnceLock<Instant> = OnceLock::new();

thread_local! {
    static TURN_NS: Cell<u64> = const { Cell::new(0) };
    static WAITED_NS: Cell<u64> = const { Cell::new(0) };
}

/// A fresh reading, in nanoseconds since the process's base; usable on any thread, never 0.
pub fn read() -> u64 {
    let elapsed = BASE.get_or_init(Instant::now).elapsed();
    u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Wall time since 1970, for what people and other machines say about time. May jump; never use it to wait.
pub fn unix() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Wall time in whole seconds since 1970 (HTTP dates).
pub fn unix_s() -> u64 {
    unix().as_secs()
}

/// The time of this shard's current turn, in nanoseconds since the process's base.
///
/// It is read once after each return from the ring, so that every decision of one turn sees one time. Off a shard
/// this is [`read`].
pub fn now() -> u64 {
    match TURN_NS.get() {
        0 => read(),
        turn => turn,
    }
}

/// How long the work of this shard's current turn may have waited for the turn before it to end, in nanoseconds: what arrived when that had
/// just begun waited for all of it. 0 where that was too short to be worth a look at the clock.
pub fn waited() -> u64 {
    WAITED_NS.get()
}

/// A turn of so much work ends: what waits for the next one has waited so long.
pub(crate) fn end_turn(work: bool) {
    let waited = if work {
        read().saturating_sub(TURN_NS.get())
    } else {
        0
    };
    WAITED_NS.set(waited);
}

/// Reads the clock and makes the reading this thread's time of the turn.
pub(crate) fn begin_turn() -> u64 {
    let now = read();
    TURN_NS.set(now);
    now
}

/// The processor time that this thread has used so far, user and system, in nanoseconds; 0 where the kernel does not tell. A system call.
pub(crate) fn thread_cpu() -> u64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let used = Duration::try_from(used).unwrap_or_default();
    u64::try_from(used.as_nanos()).unwrap_or(u64::MAX)
}

/// Forgets the time of the turn, for a thread whose shard has ended.
pub(crate) fn end_turns() {
    TURN_NS.set(0);
}
