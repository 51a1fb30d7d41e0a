//! A second attempt beside one that has waited unusually long, on another provider: when it may be made, and how many. It is worth
//! a small share of extra calls because slow answers are mostly bad luck of one node at one moment (Dean and Barroso, *The Tail at
//! Scale*, 2013). It does not send, does not measure (the score does) and does not choose where to (the strategy does).
//!
//! **Which calls.** Those whose policy hedges and whose method may be sent twice at once without harm, never one with an effect, never one
//! that is for a named upstream. Only beside the call's first attempt, while no byte of an answer has come; a failure before that is a retry's
//! matter. At most one hedge a call.
//!
//! **When.** After the observed quantile of that upstream's answers to that method, or the method's over all upstreams where too
//! little is known of the one, and not before `min_delay`. The quantile is at least the one beyond which no more calls lie than may be hedged:
//! were more to ask, those that are early would take the share of those that are stuck. Where nothing is known, and where that time is not before the
//! attempt's deadline, not at all. An attempt that finds out whether an upstream has come back (a breaker's probe, a
//! trial in quarantine) is not hedged either: outrun and cancelled, it would find out nothing, again and again.
//!
//! **Where to.** To an upstream of another provider that is eligible and plainly well: its breaker closed, no hold-off nor the ramp after
//! one, no quarantine, a weight above 0; since a hedge is load that nobody needs. Never to the least bad.
//!
//! **How many.** Within any ten seconds, hedges are at most `max_extra` of the calls that got a first attempt under the policy on this
//! shard, and one: counted when they are sent, and not before they could be.
//!
//! Where upstreams count in compute units the hedges' units are held to the same share of the calls' units, so that hedges are not all
//! made of the dear calls.
//!
//! **Races.** A strategy may send a call to several upstreams from the start ([`Race`](crate::strategy::Race)). The same calls may be raced that may be
//! hedged, to the same upstreams: each of another provider than those before it, eligible and plainly well. Nothing is raced where the first
//! attempt finds out whether its upstream has come back, or goes to the least bad. How many extra attempts there may be the strategy says; they are
//! counted like hedges, but apart. A call that was raced is not hedged as well.
//!
//! **What comes of them.** The first good answer, or a node's own final error, ends the call, and the other attempt is cancelled. That is
//! nobody's failure: breakers, hold-offs and health hear nothing of it. But an attempt that was outrun has taken at least as long as it was
//! waited for, which the latency estimate and the quantile are told, so that an upstream which hangs loses its share although none of its
//! calls ever fails. If one of the two fails, the other goes on; if both do, retries go on from there, and the hedge has not used
//! up any.

mod extra;
#[cfg(test)]
mod tests;

use alloc::boxed::Box;
use core::time::Duration;

use crate::config::{HedgeConfig, MethodPolicy, UpstreamConfig};
use crate::index::{PolicyIndex, StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::method::{self, Effect, MethodId};
use crate::time::Instant;

use extra::Extra;

/// Within the window one hedge more than the share allows, so that a quiet shard hedges at all.
pub const ALLOWANCE: u32 = 1;

/// May a call of this method and effect be sent twice at once?
#[must_use]
pub fn is_harmless(method: MethodId, effect: Effect) -> bool {
    effect == Effect::None && method::policy(method).hedgeable
}

/// How long to wait before a hedge, given the observed quantile.
#[must_use]
pub fn delay(config: &HedgeConfig, quantile: Duration) -> Duration {
    quantile.max(config.min_delay)
}

/// What one chain's hedges rest on: who is of another provider, and how many each policy has left.
#[derive(Clone, Debug)]
pub struct Hedges {
    /// By upstream: those of other providers.
    strangers: Box<[UpstreamSet]>,
    /// By policy; `None` for one that does not hedge.
    budgets: Box<[Option<Extra>]>,
    /// By strategy; `None` for one that does not race.
    races: Box<[Option<Extra>]>,
}

impl Hedges {
    /// No call was made yet. Policies whose limits do not hold do not hedge. `races` is, by strategy, how many attempts beyond the first may be made
    /// for a thousand calls, where it races.
    #[must_use]
    pub fn new(
        upstreams: &[UpstreamConfig],
        policies: &[MethodPolicy],
        races: impl Iterator<Item = Option<u32>>,
    ) -> Self {
        let in_units = upstreams.iter().any(|upstream| {
            let price = &upstream.price;
            price.units != 1 || !price.method_units.is_empty()
        });
        let strangers_of = |one: &UpstreamConfig| {
            let mut set = UpstreamSet::EMPTY;
            for (position, other) in upstreams.iter().enumerate() {
                if other.provider != one.provider {
                    set.insert(UpstreamIndex(position as u16));
                }
            }
            set
        };
        let budget_of = |policy: &MethodPolicy| {
            policy.hedge.map(|hedge| {
                let share = hedge.max_extra_permille.min(HedgeConfig::MAX_EXTRA);
                Extra::new(share, in_units)
            })
        };
        let race = |share: Option<u32>| share.map(|share| Extra::new(share, in_units));
        Self {
            strangers: upstreams.iter().map(strangers_of).collect(),
            budgets: policies.iter().map(budget_of).collect(),
            races: races.map(race).collect(),
        }
    }

    /// The upstreams of other providers than this one's.
    #[must_use]
    pub fn strangers(&self, upstream: UpstreamIndex) -> UpstreamSet {
        let set = self.strangers.get(upstream.as_usize());
        set.copied().unwrap_or_default()
    }

    /// A call under this policy, of so many compute units, got its first attempt.
    pub fn count_call(&mut self, policy: PolicyIndex, units: u32, now: Instant) {
        if let Some(budget) = self.budget(policy) {
            budget.count(units, now);
        }
    }

    /// Takes one hedge of so many units out of the policy's share, if it has one.
    pub fn take(&mut self, policy: PolicyIndex, units: u32, now: Instant) -> bool {
        self.budget(policy)
            .is_some_and(|budget| budget.take(units, now))
    }

    /// A call that this strategy may race, of so many compute units, got its first attempt.
    pub fn count_raced(&mut self, strategy: StrategyIndex, units: u32, now: Instant) {
        if let Some(Some(budget)) = self.races.get_mut(strategy.as_usize()) {
            budget.count(units, now);
        }
    }

    /// Takes one extra attempt of so many units out of the strategy's share, if it has one.
    pub fn take_raced(&mut self, strategy: StrategyIndex, units: u32, now: Instant) -> bool {
        match self.races.get_mut(strategy.as_usize()) {
            Some(Some(budget)) => budget.take(units, now),
            _ => false,
        }
    }

    /// How many extra attempts the strategy has left now; `None` for one that does not race.
    #[must_use]
    pub fn races_left(&self, strategy: StrategyIndex, now: Instant) -> Option<u32> {
        let budget = self.races.get(strategy.as_usize())?.as_ref()?;
        Some(budget.left(now))
    }

    /// How many hedges the policy has left now; `None` for one that does not hedge.
    #[must_use]
    pub fn left(&self, policy: PolicyIndex, now: Instant) -> Option<u32> {
        let budget = self.budgets.get(self.position(policy))?.as_ref()?;
        Some(budget.left(now))
    }

    fn budget(&mut self, policy: PolicyIndex) -> Option<&mut Extra> {
        let position = self.position(policy);
        self.budgets.get_mut(position)?.as_mut()
    }

    /// A policy that does not exist is the default.
    const fn position(&self, policy: PolicyIndex) -> usize {
        if policy.as_usize() < self.budgets.len() {
            policy.as_usize()
        } else {
            0
        }
    }
}
