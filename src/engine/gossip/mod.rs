//! What one shard tells the others: small facts that are worth something while they are new. It sends nothing; the driver takes
//! [`News`] out of one shard and puts it into the others.
//!
//! Whatever arrives is a maximum or a newest-wins register by key, so that the order of arrival, repetition and loss do not matter: the same
//! set of news gives the same view. None is needed for a decision to be safe; without it a shard finds out by itself.
//!
//! All shards have one clock.

mod outbox;
#[cfg(test)]
mod tests;

pub use outbox::SCORE_EVERY;
pub(crate) use outbox::{Key, Outbox};

use core::time::Duration;

use crate::account::Report;
use crate::head::HeadKind;
use crate::index::{AccountIndex, ChainIndex, UpstreamIndex};
use crate::learned::Learned;
use crate::method::{MethodGroup, MethodId};
use crate::quarantine::Cause;
use crate::time::Instant;

/// A fact for the other shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// An upstream's newest, safe or finalized block. Of one upstream and kind the newest counts.
    Head {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// Which of its blocks.
        kind: HeadKind,
        /// Its number.
        number: u64,
        /// How far it was behind what was known of the chain by then, in blocks.
        behind: u64,
        /// When it said so.
        at: Instant,
        /// When it last said anything after a silence; the base for never. The latest counts.
        returned: Instant,
    },
    /// What the upstreams' reports together say of a chain. Of one era the highest counts, and a later era replaces.
    Agreed {
        /// Of which chain.
        chain: ChainIndex,
        /// How often the chain was reset before.
        era: u32,
        /// The newest block.
        newest: u64,
        /// Since when that is the newest.
        since: Instant,
        /// The newest safe block.
        safe: Option<u64>,
        /// The newest finalized block.
        finalized: Option<u64>,
        /// The mean time between two blocks, once it is known.
        block_time: Option<Duration>,
    },
    /// A breaker opened. Taken over by a shard that has no evidence to the contrary; nothing that is told ever closes one.
    Breaker {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream's.
        upstream: UpstreamIndex,
        /// Of which kind of work; `None` for the whole upstream.
        group: Option<MethodGroup>,
        /// When it opened.
        opened: Instant,
        /// When it half-opens.
        until: Instant,
    },
    /// An upstream throttles us: its limit is the process's, so the later of two ends counts.
    HoldOff {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// Before this the upstream itself does not want to hear of us.
        floor: Instant,
        /// When its ramp begins.
        until: Instant,
    },
    /// What a shard has spent of an account. Each shard's own count only grows within a period, so of two the larger counts.
    Spend {
        /// Whose count it is: its number among the shards.
        shard: u16,
        /// Of which account.
        account: AccountIndex,
        /// How much.
        report: Report,
    },
    /// How an upstream stands, for a shard that knows little of it.
    Score {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// How it stands.
        digest: Digest,
    },
    /// An upstream was quarantined for its account or its answers. Taken over by a shard that has no evidence to the contrary; nothing that is
    /// told ever ends one. The wrong chain is never told: every shard hears of checks.
    Quarantine {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// What for.
        cause: Cause,
        /// When it began.
        began: Instant,
        /// When it ends at the earliest.
        until: Instant,
    },
    /// An upstream does not serve a method, or does after all. The newest counts.
    Ban {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// Not this one.
        method: MethodId,
        /// When that was found.
        at: Instant,
        /// Until when it is believed; not after `at` if the method is served.
        until: Instant,
    },
    /// What an upstream was found to take. Of one upstream and kind the newest counts.
    Learned {
        /// Of which chain.
        chain: ChainIndex,
        /// Which upstream.
        upstream: UpstreamIndex,
        /// What.
        what: Learned,
        /// When that was found.
        at: Instant,
    },
}

impl News {
    /// The upstream that it is about, if it is about one.
    #[must_use]
    pub const fn upstream(&self) -> Option<UpstreamIndex> {
        match *self {
            Self::Agreed { .. } | Self::Spend { .. } => None,
            Self::Head { upstream, .. }
            | Self::Breaker { upstream, .. }
            | Self::HoldOff { upstream, .. }
            | Self::Score { upstream, .. }
            | Self::Quarantine { upstream, .. }
            | Self::Ban { upstream, .. }
            | Self::Learned { upstream, .. } => Some(upstream),
        }
    }

    /// The chain that it is about; `None` for what is about the process.
    #[must_use]
    pub const fn chain(&self) -> Option<ChainIndex> {
        match *self {
            Self::Spend { .. } => None,
            Self::Head { chain, .. }
            | Self::Agreed { chain, .. }
            | Self::Breaker { chain, .. }
            | Self::HoldOff { chain, .. }
            | Self::Score { chain, .. }
            | Self::Quarantine { chain, .. }
            | Self::Ban { chain, .. }
            | Self::Learned { chain, .. } => Some(chain),
        }
    }
}

/// How an upstream stands over all its methods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Digest {
    /// When it was so.
    pub at: Instant,
    /// Share of attempts that did not fail, in 1/65536.
    pub health: u32,
    /// Its latency's ratio to the methods' usual one, in 1/65536.
    pub relative: u32,
}
