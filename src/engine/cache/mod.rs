//! What may be kept of an answer, and for how long. It holds no answer and no key; it reads a method's policy, the block that a
//! call names and the heads that the shard knows.
//!
//! Three lifetimes. **Final**: the block is not above the finalized one, so the answer stays true. **Head-bound**: true until the
//! shard hears of a newer head, and at most for [`HEAD_BOUND`], because the shard hears late. **Until**: as long as the
//! operator said; but what tells how far the chain is ends with a newer head all the same, since clients never see it go back.
//! None of them outlives its generation ([`ChainHead::generation`]): a reset, or an upstream that turns out to be of another chain.
//!
//! What is never kept, whatever is configured: `null` (the next node may know better), errors, answers about the pending block or
//! about another block than the one that was asked for, answers of calls that leave an effect or belong to one node's memory.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::block::{BlockRef, RangeEnd};
use crate::head::ChainHead;
use crate::method::{CacheClass, Effect, FilterRole, MethodClass, StandardPolicy};
use crate::time::Instant;

/// The longest that a head-bound answer is kept: a shard may hear of a new head this much late, by a poll that came just before it.
pub const HEAD_BOUND: Duration = Duration::from_millis(500);

/// How long answers of a method are kept, as an operator put it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ttl {
    /// Not at all.
    Never,
    /// Until the next head.
    Head,
    /// For ever, or until it is evicted.
    Final,
    /// For so long at most, whatever the heads do; of what tells the head itself, until a newer one.
    For(Duration),
}

/// How long one answer may be given again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the head moves, and at most until then.
    Head {
        /// The head that it hangs on ([`ChainHead::seq`]).
        seq: u64,
        /// The first instant at which it is too old.
        until: Instant,
    },
    /// Until then, as long as the chain is the one that it was.
    Until {
        /// The generation in which it was said ([`ChainHead::generation`]).
        generation: u32,
        /// The first instant at which it is too old.
        until: Instant,
    },
    /// As long as the chain is the one that it was: one that was reset, or turned out to be another one's, begins a new era.
    Final {
        /// The generation in which the block was final ([`ChainHead::generation`]).
        generation: u32,
    },
}

/// Why a call takes no part in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bypass {
    /// The cache is off here. Said by whoever knows the configuration, never by this module.
    Disabled,
    /// The method's answers are never kept: it has an effect, belongs to one node, or is not known.
    Method,
    /// The operator said `never`.
    Configured,
    /// It is about the pending block, or about a block that we cannot read.
    Block,
}

impl Bypass {
    /// The name in metrics and headers.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Method => "method",
            Self::Configured => "configured",
            Self::Block => "block",
        }
    }
}

/// Why an entry that was found may not be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stale {
    /// The shard knows another head than the one that it hung on.
    NewHead,
    /// Its time is over.
    TooOld,
}

impl Stale {
    /// The name in metrics and headers.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::NewHead => "new_head",
            Self::TooOld => "too_old",
        }
    }
}

/// The block that a result names as its own: its `blockNumber`, or `number` of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OwnBlock {
    /// It has no such member.
    #[default]
    Absent,
    /// The member is there and `null`: the thing is not in a block yet.
    Null,
    /// This one.
    Number(u64),
}

/// What is known of a result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// It is `null`.
    pub null: bool,
    /// It is `[]`, `{}`, `""` or `"0x"`: what a node says that has not got it yet, too.
    pub empty: bool,
    /// The block that it names as its own.
    pub own_block: OwnBlock,
    /// It says how far the chain is: a number or a block that clients never see go back.
    pub tells_head: bool,
    /// The newest block of the upstream that answered, where it is known ([`Shard::upstream_head`](crate::shard::Shard::upstream_head)).
    pub upstream_head: Option<u64>,
}

/// May an answer to this call be looked for, and kept? Asked before the call is made.
///
/// # Errors
/// Why not.
pub fn may_look(policy: &StandardPolicy, ttl: Option<Ttl>, block: &BlockRef) -> Result<(), Bypass> {
    if !is_pure(policy) {
        return Err(Bypass::Method);
    }
    match ttl {
        Some(Ttl::Never) => return Err(Bypass::Configured),
        None if policy.cache == CacheClass::Never => return Err(Bypass::Method),
        _ => {}
    }
    let pending = |end: RangeEnd| end == RangeEnd::Pending;
    match *block {
        BlockRef::Pending | BlockRef::Unreadable => Err(Bypass::Block),
        BlockRef::Range { from, to } if pending(from) || pending(to) => Err(Bypass::Block),
        _ => Ok(()),
    }
}

/// How long this answer may be given again; `None` for not at all.
///
/// `began` is the chain's head when the call began, `now_head` when its answer was there.
#[must_use]
pub fn keep(
    policy: &StandardPolicy,
    ttl: Option<Ttl>,
    block: &BlockRef,
    answer: &Answer,
    began: &ChainHead,
    now_head: &ChainHead,
    now: Instant,
) -> Option<Lifetime> {
    may_look(policy, ttl, block).ok()?;
    let worthless = answer.null || answer.own_block == OwnBlock::Null || is_another(block, answer);
    if worthless || began.generation != now_head.generation {
        return None;
    }
    let kept_for_ever = Lifetime::Final {
        generation: now_head.generation,
    };
    let lasting = match ttl {
        Some(Ttl::Final) => {
            policy.cache == CacheClass::Static
                || !answer.empty && is_final(policy, block, answer, now_head)
        }
        Some(_) => false,
        None => match policy.cache {
            CacheClass::Static => true,
            CacheClass::Finality => !answer.empty && is_final(policy, block, answer, now_head),
            CacheClass::HeadBound | CacheClass::Never => false,
        },
    };
    if lasting {
        return Some(kept_for_ever);
    }
    if is_behind(answer, now_head) {
        return None;
    }
    let span = match ttl {
        Some(Ttl::For(span)) if !answer.tells_head => {
            return Some(Lifetime::Until {
                generation: now_head.generation,
                until: now + span,
            });
        }
        Some(Ttl::For(span)) => span,
        _ => HEAD_BOUND,
    };
    (began.seq == now_head.seq).then(|| Lifetime::Head {
        seq: now_head.seq,
        until: now + span,
    })
}

/// May an entry of this lifetime be given now?
///
/// # Errors
/// Why not.
pub fn is_fresh(lifetime: &Lifetime, head: &ChainHead, now: Instant) -> Result<(), Stale> {
    match *lifetime {
        Lifetime::Head { seq, .. } if seq != head.seq => Err(Stale::NewHead),
        Lifetime::Until { generation, .. } | Lifetime::Final { generation }
            if generation != head.generation =>
        {
            Err(Stale::NewHead)
        }
        Lifetime::Head { until, .. } | Lifetime::Until { until, .. } if now >= until => {
            Err(Stale::TooOld)
        }
        Lifetime::Head { .. } | Lifetime::Until { .. } | Lifetime::Final { .. } => Ok(()),
    }
}

/// May identical calls that are in flight at the same time be answered by one? Not those with an effect, those that belong to one
/// node's memory, nor those of which the table does not know that they only read.
#[must_use]
pub fn may_share(policy: &StandardPolicy) -> bool {
    is_pure(policy) && policy.cache != CacheClass::Never
}

/// A read that any node may answer, and any client may be told the answer of.
fn is_pure(policy: &StandardPolicy) -> bool {
    policy.effect == Effect::None
        && policy.filter == FilterRole::None
        && !policy.sensitive
        && !matches!(
            policy.class,
            MethodClass::Write
                | MethodClass::Filter
                | MethodClass::Subscription
                | MethodClass::Admin
        )
}

/// Is it about another block than the one that was asked for?
fn is_another(block: &BlockRef, answer: &Answer) -> bool {
    match (block, answer.own_block) {
        (BlockRef::Number(asked), OwnBlock::Number(got)) => *asked != got,
        _ => false,
    }
}

/// Can the block that the answer hangs on not be replaced any more, and did an upstream say so that has come past it?
fn is_final(policy: &StandardPolicy, block: &BlockRef, answer: &Answer, head: &ChainHead) -> bool {
    let Some(finalized) = head.finalized else {
        return false;
    };
    let highest = match *block {
        BlockRef::Number(number) => Some(number),
        BlockRef::Earliest => Some(0),
        BlockRef::Range { from, to } => highest_of(from, to),
        // What a trace says is written by the caller's own tracer: it may name any block.
        BlockRef::None | BlockRef::Hash if policy.class == MethodClass::Trace => None,
        BlockRef::None | BlockRef::Hash => match answer.own_block {
            OwnBlock::Number(number) => Some(number),
            OwnBlock::Absent | OwnBlock::Null => None,
        },
        BlockRef::Latest
        | BlockRef::Safe
        | BlockRef::Finalized
        | BlockRef::Pending
        | BlockRef::Unreadable => None,
    };
    // One that has not come as far as the finalized block may stand on a branch that was given up.
    let came_past = answer.upstream_head.is_some_and(|head| head >= finalized);
    came_past && highest.is_some_and(|number| number <= finalized)
}

fn highest_of(from: RangeEnd, to: RangeEnd) -> Option<u64> {
    let number = |end| match end {
        RangeEnd::Number(number) => Some(number),
        RangeEnd::Earliest => Some(0),
        RangeEnd::Latest | RangeEnd::Safe | RangeEnd::Finalized | RangeEnd::Pending => None,
    };
    Some(number(from)?.max(number(to)?))
}

/// Is the upstream that answered known to be behind what clients were told?
fn is_behind(answer: &Answer, head: &ChainHead) -> bool {
    answer
        .upstream_head
        .zip(head.newest)
        .is_some_and(|(its, newest)| its < newest)
}
