//! The sections about answers that serve more than one call, attempts that are sent twice, and heads.
//! Like [`super`]: no defaults here, and a key's first sentence is what an editor shows.

use super::{DAY, HOUR, MINUTE};
use crate::kind::{CacheSize, Share, Span, Ttl, section};

/// Shortest time between two questions about heads, in milliseconds.
const SHORTEST_POLL: u64 = 50;

section! {
    /// Answers that are kept.
    Cache {
        /// Whether answers are kept, on chains that say nothing of their own.
        optional enabled: bool,
        /// What kept answers may take, keys included; the process's budget, split over its cores.
        optional max_bytes: CacheSize,
    }
}

section! {
    /// Whether the chain's answers are kept.
    ChainCache {
        /// Whether they are; as `cache.enabled` of the process unless given.
        optional enabled: bool,
    }
}

section! {
    /// Identical calls in flight as one call to an upstream.
    Coalesce {
        /// Whether they join, on chains that say nothing of their own.
        optional enabled: bool,
    }
}

section! {
    /// Whether the chain's identical calls in flight join.
    ChainCoalesce {
        /// Whether they do; as `coalesce.enabled` of the process unless given.
        optional enabled: bool,
    }
}

section! {
    /// How the chain's newest, safe and finalized blocks are watched. The cache and `eth_blockNumber` rest on it.
    Heads {
        /// Whether upstreams are asked for their heads beside their traffic; each question is a call that the provider counts. Without, no block counts as final, and `eth_blockNumber` is answered as the upstream did.
        optional enabled: bool,
        /// Shortest time between two questions for the newest block of one upstream; between the bounds it is the chain's learned block time.
        optional min_interval: Span<SHORTEST_POLL, HOUR>,
        /// Longest time between two such questions.
        optional max_interval: Span<SHORTEST_POLL, HOUR>,
        /// Time between two questions for the safe and finalized blocks.
        optional finality_interval: Span<SHORTEST_POLL, HOUR>,
    }
}

section! {
    /// When a second attempt is made at another upstream, beside a first one that is slow. The first answer wins. In a pattern it does not reach methods that do more than read, or that are too costly or too little known to be sent twice.
    HedgeRule {
        /// Whether it is made.
        optional enabled: bool,
        /// It is made when the first attempt has taken longer than this share of earlier ones; than 1 − `max_extra` of them, where that is more.
        optional quantile: Share<500, 999>,
        /// Shortest wait for the first attempt.
        optional min_delay: Span<0, MINUTE>,
        /// Second attempts as a share of calls, at most.
        optional max_extra: Share<1, 1_000>,
    }
}

section! {
    /// How long answers are kept, where what is known of the method is not to decide it.
    MethodCache {
        /// `never`; `head`, until the chain has a newer block, and half a second at most; `final`, for good once the block that they hang on is final, and until then like `head`; or a duration. In a pattern it does not reach methods that do more than read, are about one node, or are not known: those are named one by one. A duration for what tells how far the chain is ends with a new head.
        optional ttl: Ttl<1, { 365 * DAY }>,
    }
}
