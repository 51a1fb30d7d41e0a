//! How far each upstream of a chain is behind. It is told heads by checks beside the traffic, and asks nobody.
//!
//! An upstream's head is compared, when it arrives, with the best that was known by then. Nothing is judged between its own
//! checks, so an upstream is never called late only because another was asked a moment after it, however fast the chain is.
//!
//! The best head is the highest; with three or more upstreams it is the second highest, so that a single one
//! that reports nonsense cannot make all the others look late.

mod kind;
#[cfg(test)]
mod tests;

pub use kind::{ChainHead, HeadKind, HeadPoll, Mark};

use alloc::vec::Vec;
use core::time::Duration;

use crate::index::{UpstreamIndex, UpstreamSet};
use crate::time::Instant;

/// With this many reporting, one voice does not decide what is best.
const QUORUM: usize = 3;

/// The default limit of [`ChainConfig::max_lag_blocks`](crate::config::ChainConfig::max_lag_blocks): three minutes of Ethereum.
pub const DEFAULT_MAX_LAG_BLOCKS: u64 = 16;

/// An upstream that does not know a tag is asked for it again after this long: it may have been upgraded.
pub const ASK_AGAIN: Duration = Duration::from_secs(600);

#[derive(Clone, Copy, Debug, Default)]
struct Height {
    head: Option<u64>,
    lag_blocks: u64,
    not_ready_until: Instant,
}

/// The heads of one chain's upstreams.
#[derive(Clone, Debug)]
pub struct Heads {
    heights: Vec<Height>,
    max_lag_blocks: Option<u64>,
    lagging: UpstreamSet,
    served: ChainHead,
}

/// An upstream crossed the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crossed {
    /// How far it is behind.
    pub lag_blocks: u64,
    /// Is it out now?
    pub left_out: bool,
}

impl Heads {
    /// Nothing is known, so nobody lags.
    #[must_use]
    pub fn new(upstreams: usize, max_lag_blocks: Option<u64>) -> Self {
        Self {
            heights: alloc::vec![Height::default(); upstreams],
            max_lag_blocks,
            lagging: UpstreamSet::EMPTY,
            served: ChainHead::default(),
        }
    }

    /// What is served.
    #[must_use]
    pub const fn head(&self) -> ChainHead {
        self.served
    }

    /// The newest of an upstream's blocks of this kind.
    #[must_use]
    pub fn known(&self, upstream: UpstreamIndex, kind: HeadKind) -> Option<u64> {
        match kind {
            HeadKind::Newest => self.heights.get(upstream.as_usize())?.head,
            HeadKind::Safe | HeadKind::Finalized => None,
        }
    }

    /// Another shard serves this.
    pub fn raise(&mut self, mark: Mark, _now: Instant) {
        if let Some((era, number)) = mark.read()
            && mark > Mark::of(&self.served)
        {
            self.serve(era, number);
        }
    }

    /// What a client is told of an upstream's `eth_blockNumber`.
    pub fn answer(&mut self, upstream: UpstreamIndex, answered: u64, _now: Instant) -> u64 {
        if upstream.as_usize() < self.heights.len() && self.served.newest < Some(answered) {
            self.serve(self.served.era, answered);
        }
        self.served.newest.unwrap_or(answered)
    }

    /// Whom to ask for what.
    #[must_use]
    pub fn next_poll(&self, upstream: UpstreamIndex, now: Instant) -> Option<HeadPoll> {
        self.heights.get(upstream.as_usize())?;
        Some(HeadPoll {
            at: now + Duration::from_secs(1),
            kind: HeadKind::Newest,
        })
    }

    fn serve(&mut self, era: u32, number: u64) {
        self.served.era = era;
        self.served.newest = Some(number);
        self.served.seq += 1;
    }

    /// Takes in an upstream's newest block.
    pub fn observe(&mut self, upstream: UpstreamIndex, head: u64) -> Option<Crossed> {
        self.heights.get_mut(upstream.as_usize())?.head = Some(head);
        let best = self.best()?;
        if self.served.newest < Some(best) {
            self.serve(self.served.era, best);
        }
        let lag_blocks = best.saturating_sub(head);
        self.heights.get_mut(upstream.as_usize())?.lag_blocks = lag_blocks;
        let left_out = self.max_lag_blocks.is_some_and(|limit| lag_blocks > limit);
        if left_out == self.lagging.contains(upstream) {
            return None;
        }
        if left_out {
            self.lagging.insert(upstream);
        } else {
            self.lagging.remove(upstream);
        }
        Some(Crossed {
            lag_blocks,
            left_out,
        })
    }

    /// The upstream said itself that it is not in sync.
    pub fn mark_not_ready(&mut self, upstream: UpstreamIndex, now: Instant, span: Duration) {
        if let Some(height) = self.heights.get_mut(upstream.as_usize()) {
            height.not_ready_until = now + span;
        }
    }

    /// Is it too far behind for a call?
    #[must_use]
    pub fn is_late(&self, upstream: UpstreamIndex, now: Instant) -> bool {
        let not_ready = self
            .heights
            .get(upstream.as_usize())
            .is_some_and(|height| now < height.not_ready_until);
        not_ready || self.lagging.contains(upstream)
    }

    /// Its newest block and how far that is behind, where known.
    #[must_use]
    pub fn height(&self, upstream: UpstreamIndex) -> Option<(u64, u64)> {
        let height = self.heights.get(upstream.as_usize())?;
        height.head.map(|head| (head, height.lag_blocks))
    }

    fn best(&self) -> Option<u64> {
        let (mut highest, mut second, mut voices) = (None, None, 0_usize);
        for head in self.heights.iter().filter_map(|height| height.head) {
            voices += 1;
            if highest.is_none_or(|best| head > best) {
                second = highest;
                highest = Some(head);
            } else if second.is_none_or(|next| head > next) {
                second = Some(head);
            }
        }
        if voices >= QUORUM { second } else { highest }
    }
}
