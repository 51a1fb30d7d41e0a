//! The chain that synthetic providers serve: its id, and a head that advances with (virtual) block time. Several
//! providers share one `Chain`, so their heads agree. Holds no blocks: blocks are derived from their number.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// A chain, cheap to clone: all clones see one head.
#[derive(Clone, Debug)]
pub struct Chain(Arc<State>);

#[derive(Debug)]
struct State {
    id: u64,
    start_head: u64,
    started: Instant,
    block_time: Duration,
    /// Added to the head that time gives: what `advance` moves.
    offset_blocks: AtomicI64,
    /// Head pinned by `freeze`; `u64::MAX` means that it moves.
    frozen: AtomicU64,
}

/// Block 0 of every synthetic chain has this timestamp (seconds since 1970).
pub(super) const GENESIS_TIME_S: u64 = 1_700_000_000;

impl Chain {
    /// A chain whose head is at `head` now and moves by one each `block_time` (zero: it stands still).
    #[must_use]
    pub fn new(id: u64, head: u64, block_time: Duration) -> Self {
        Self(Arc::new(State {
            id,
            start_head: head,
            started: Instant::now(),
            block_time,
            offset_blocks: AtomicI64::new(0),
            frozen: AtomicU64::new(u64::MAX),
        }))
    }

    /// Chain id, EIP-155.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.0.id
    }

    /// Time between blocks.
    #[must_use]
    pub fn block_time(&self) -> Duration {
        self.0.block_time
    }

    /// Number of the newest block.
    #[must_use]
    pub fn head(&self) -> u64 {
        let frozen = self.0.frozen.load(Ordering::Relaxed);
        if frozen == u64::MAX {
            self.moving_head()
        } else {
            frozen
        }
    }

    /// Moves the head by `blocks` at once, also backwards, as a test's hand on the clock.
    pub fn advance(&self, blocks: i64) {
        self.0.offset_blocks.fetch_add(blocks, Ordering::Relaxed);
        let frozen = self.0.frozen.load(Ordering::Relaxed);
        if frozen != u64::MAX {
            self.0
                .frozen
                .store(frozen.saturating_add_signed(blocks), Ordering::Relaxed);
        }
    }

    /// Stops the head where it is. [`Chain::advance`] still moves it.
    pub fn freeze(&self) {
        self.0.frozen.store(self.head(), Ordering::Relaxed);
    }

    /// Lets a frozen head follow time again.
    pub fn thaw(&self) {
        self.0.frozen.store(u64::MAX, Ordering::Relaxed);
    }

    fn moving_head(&self) -> u64 {
        let passed = self
            .0
            .started
            .elapsed()
            .as_nanos()
            .checked_div(self.0.block_time.as_nanos())
            .unwrap_or(0);
        self.0
            .start_head
            .saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
            .saturating_add_signed(self.0.offset_blocks.load(Ordering::Relaxed))
    }
}

impl Default for Chain {
    /// Chain id 1, head 20,000,000, a block every 12 s.
    fn default() -> Self {
        Self::new(1, 20_000_000, Duration::from_secs(12))
    }
}

#[cfg(test)]
mod tests {
    use super::Chain;
    use std::time::Duration;

    #[test]
    fn clones_share_a_head_that_moves_both_ways() {
        let chain = Chain::new(5, 100, Duration::ZERO);
        let other = chain.clone();
        chain.advance(3);
        assert_eq!((other.id(), other.head()), (5, 103));
        other.advance(-4);
        assert_eq!(chain.head(), 99);
    }

    #[test]
    fn a_frozen_head_moves_only_by_hand() {
        let chain = Chain::new(5, 100, Duration::from_nanos(1));
        chain.freeze();
        let stopped = chain.head();
        std::thread::sleep(Duration::from_millis(1));
        assert_eq!(chain.head(), stopped);
        chain.advance(2);
        assert_eq!(chain.head(), stopped + 2);
        chain.thaw();
        assert!(chain.head() > stopped + 2);
    }
}
