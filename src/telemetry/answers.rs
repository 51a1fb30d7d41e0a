//! What a shard tells its recorder about answers that need not be asked for, attempts that are made
//! twice, heads, and the gossip between shards. Like [`crate::record`], verbs and levels by index.
//! Never sees an answer, a key or a message.

use crate::labels::{
    CacheLifetime, CacheStatus, FlightOutcome, GossipResult, HeadKind, HeadPoll, HedgeOutcome,
    PollOutcome,
};
use crate::metrics::Metric;
use crate::recorder::Recorder;

/// The levels of one shard's cache at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct CacheLevels {
    /// Bytes that kept answers take, keys included.
    pub bytes: u64,
    /// Answers in it.
    pub entries: u64,
    /// Bytes that they may take: the shard's part of the budget.
    pub max_bytes: u64,
}

/// What one shard knows of a chain at the time of a scrape.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChainLevels {
    /// Newest block, as clients see it; 0 when unknown.
    pub newest: u64,
    /// `safe` block, 0 when unknown.
    pub safe: u64,
    /// `finalized` block, 0 when unknown.
    pub finalized: u64,
    /// Learned time between two blocks, 0 when unknown.
    pub block_time_us: u64,
}

/// What one shard's lanes to and from the others have done so far.
#[derive(Clone, Copy, Debug, Default)]
pub struct GossipLevels {
    /// Messages handed to other shards.
    pub sent: u64,
    /// Messages taken from other shards.
    pub received: u64,
    /// Messages that found a full lane.
    pub dropped: u64,
}

/// Answers that need not be asked for.
impl Recorder {
    /// The cache was asked for a call's answer, or was passed by. Once for each call.
    #[inline]
    pub fn cache_looked_up(&mut self, chain: usize, status: CacheStatus) {
        self.add(Metric::CacheLookups, [chain, status.index()], 1);
    }

    /// An answer was put into the cache.
    #[inline]
    pub fn cache_stored(&mut self, chain: usize, lifetime: CacheLifetime) {
        self.add(Metric::CacheStored, [chain, lifetime.index()], 1);
    }

    /// Answers were dropped so that the cache stays within its budget.
    #[inline]
    pub fn cache_evicted(&mut self, count: u64) {
        self.add(Metric::CacheEvictions, [], count);
    }

    /// The shard's cache, as it is now.
    pub fn set_cache(&mut self, levels: &CacheLevels) {
        self.set(Metric::CacheBytes, [], levels.bytes);
        self.set(Metric::CacheEntries, [], levels.entries);
        self.set(Metric::CacheMaxBytes, [], levels.max_bytes);
    }

    /// A flight ended, or went over to another leader.
    #[inline]
    pub fn flight_ended(&mut self, chain: usize, outcome: FlightOutcome) {
        self.add(Metric::Flights, [chain, outcome.index()], 1);
    }

    /// A hedge ended, or could not be made. That it was made is told with [`Recorder::retried`] and
    /// [`crate::RetryKind::Hedge`].
    #[inline]
    pub fn hedge_ended(&mut self, chain: usize, outcome: HedgeOutcome) {
        self.add(Metric::Hedges, [chain, outcome.index()], 1);
    }
}

/// Heads, and the gossip that carries them.
impl Recorder {
    /// An upstream was asked for a head.
    pub fn head_polled(
        &mut self,
        chain: usize,
        upstream: usize,
        kind: HeadPoll,
        outcome: PollOutcome,
    ) {
        let upstream = self.flat_upstream(chain, upstream);
        self.add(
            Metric::HeadPolls,
            [upstream, kind.index(), outcome.index()],
            1,
        );
    }

    /// What was known of a chain's head was given up.
    pub fn head_reset(&mut self, chain: usize) {
        self.add(Metric::HeadResets, [chain], 1);
    }

    /// What this shard knows of a chain, as of now.
    pub fn set_chain(&mut self, chain: usize, levels: &ChainLevels) {
        for (kind, block) in [
            (HeadKind::Newest, levels.newest),
            (HeadKind::Safe, levels.safe),
            (HeadKind::Finalized, levels.finalized),
        ] {
            self.set(Metric::ChainHead, [chain, kind.index()], block);
        }
        self.set(Metric::BlockTime, [chain], levels.block_time_us);
    }

    /// What the gossip lanes of this shard have done so far.
    pub fn set_gossip(&mut self, levels: &GossipLevels) {
        for (result, total) in [
            (GossipResult::Sent, levels.sent),
            (GossipResult::Received, levels.received),
            (GossipResult::Dropped, levels.dropped),
        ] {
            self.set(Metric::Gossip, [result.index()], total);
        }
    }
}
