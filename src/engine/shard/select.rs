//! Who of the eligible is chosen, and when nobody is eligible, who is the least bad. It changes nothing but the strategy's turns and
//! the credit of those that have not their whole share.

use crate::call::Call;
use crate::eligibility::{LeastBad, LeftOut, LeftOutBy};
use crate::index::{StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::method::Effect;
use crate::strategy::{Candidate, Context, Reason, Strategy};
use crate::time::Instant;

use super::chain::Chain;

/// A choice and how it came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) upstream: UpstreamIndex,
    pub(super) reason: Reason,
    pub(super) candidates: UpstreamSet,
    pub(super) left_out: LeftOut,
    pub(super) least_bad: Option<LeastBad>,
    /// Should this one fail, another could take the call.
    pub(super) has_others: bool,
}

impl Choice {
    /// Is it one that is out, sent to for want of a better one?
    pub(super) fn is_out(&self) -> bool {
        self.least_bad
            .is_some_and(|least_bad| least_bad != LeastBad::Saturated)
    }
}

impl Chain {
    /// Chooses among the eligible; among those that have enough if there are none; and among the least bad, if there are none of those either and
    /// `any` allows it.
    pub(super) fn choose(
        &mut self,
        call: &Call,
        any: bool,
        now: Instant,
    ) -> Result<Choice, LeftOut> {
        let (eligible, mut left_out) = self.eligible(call, now);
        let (set, least_bad) = if eligible.is_empty() {
            let (set, least_bad) = self.least_bad(&left_out, any, now).ok_or(left_out)?;
            (set, Some(least_bad))
        } else {
            let mut set = eligible;
            let out = self.thin(eligible, call.group, call.request.effect);
            left_out.take(LeftOutBy::BreakerOpen, &mut set, out);
            (set, None)
        };
        let has_others = match least_bad {
            None => eligible.len() > 1,
            Some(LeastBad::Saturated) => set.len() > 1,
            Some(_) => false,
        };
        let (upstream, reason) = self.rank(call, set, now).ok_or(left_out)?;
        Ok(Choice {
            upstream,
            reason,
            candidates: if least_bad.is_none() {
                set
            } else {
                UpstreamSet::EMPTY
            },
            left_out,
            least_bad,
            has_others,
        })
    }

    /// The next rung of the ladder of [`crate::eligibility`]. Whoever merely has enough is taken in any case: for a call to fail there must be
    /// a better reason.
    fn least_bad(
        &self,
        left_out: &LeftOut,
        any: bool,
        now: Instant,
    ) -> Option<(UpstreamSet, LeastBad)> {
        let full = left_out.by(LeftOutBy::Saturated);
        if !full.is_empty() {
            return Some((full, LeastBad::Saturated));
        }
        if !any {
            return None;
        }
        let order = [
            (LeftOutBy::Lagging, LeastBad::Lagging),
            (LeftOutBy::BreakerOpen, LeastBad::BreakerOpen),
            (LeftOutBy::HoldOff, LeastBad::HoldOff),
            (LeftOutBy::Banned, LeastBad::Banned),
            (LeftOutBy::Range, LeastBad::Range),
            (LeftOutBy::Quarantined, LeastBad::Quarantined),
        ];
        let somebody_is_held = !left_out.by(LeftOutBy::HoldOff).is_empty();
        order.into_iter().find_map(|(reason, least_bad)| {
            // "No such method" would be wrong while one that may have it only wants to be left alone for a moment.
            let says_no = matches!(reason, LeftOutBy::Banned | LeftOutBy::Range);
            if says_no && somebody_is_held {
                return None;
            }
            let set = self.having(left_out.by(reason), |index, _| {
                self.admits_least_bad(index, now)
            });
            (!set.is_empty()).then_some((set, least_bad))
        })
    }

    pub(super) fn rank(
        &mut self,
        call: &Call,
        set: UpstreamSet,
        now: Instant,
    ) -> Option<(UpstreamIndex, Reason)> {
        if set.len() == 1 {
            let reason = if call.request.pinned.is_some() {
                Reason::Pinned
            } else {
                Reason::Only
            };
            return set.iter().next().map(|only| (only, reason));
        }
        let mut candidates = core::mem::take(&mut self.candidates);
        candidates.clear();
        candidates.extend(
            set.iter()
                .filter_map(|index| self.candidate(call, index, now)),
        );
        let chosen = self.rank_by_strategy(call, &mut candidates);
        self.candidates = candidates;
        chosen
    }

    fn rank_by_strategy(
        &mut self,
        call: &Call,
        candidates: &mut [Candidate],
    ) -> Option<(UpstreamIndex, Reason)> {
        let first_attempt = call.attempts_made() == 0;
        let context = Context {
            may_explore: first_attempt
                && call.request.effect == Effect::None
                && call.attempts_allowed > 1,
        };
        let strategy = position_or_first(&mut self.strategies, call.strategy)?;
        candidates.first()?;
        let mut reason = strategy.rank(candidates, &context, &mut self.rng);
        if call.request.pinned.is_some() {
            reason = Reason::Pinned;
        }
        let best = candidates.first()?;
        let other_company = candidates
            .iter()
            .find(|candidate| self.is_of_new_provider(call, candidate.upstream));
        let chosen = if first_attempt {
            best
        } else {
            other_company.unwrap_or(best)
        };
        Some((chosen.upstream, reason))
    }

    /// What one company's upstream could not do, another one's of the same company often cannot either.
    fn is_of_new_provider(&self, call: &Call, index: UpstreamIndex) -> bool {
        let provider = |index| {
            self.upstream(index)
                .map(|upstream| upstream.config.provider)
        };
        call.tried
            .iter()
            .all(|tried| provider(tried) != provider(index))
    }

    fn candidate(&self, call: &Call, index: UpstreamIndex, now: Instant) -> Option<Candidate> {
        let upstream = self.upstream(index)?;
        let estimate = self.board.estimate(index, call.request.method, now);
        let is_plain = self.plain.contains(index);
        Some(Candidate {
            upstream: index,
            priority: upstream.config.priority,
            weight: upstream.config.weight,
            cost_us: estimate.cost_us,
            cold: estimate.cold,
            in_flight: self.board.in_flight(index),
            silent_for_us: estimate.silent_for_us,
            promising: estimate.promising,
            probe_due: !is_plain && upstream.breakers.wants_probe(call.group, now),
        })
    }
}

/// A strategy that does not exist is the chain's own.
fn position_or_first(
    strategies: &mut [alloc::boxed::Box<dyn Strategy>],
    index: StrategyIndex,
) -> Option<&mut alloc::boxed::Box<dyn Strategy>> {
    let position = if index.as_usize() < strategies.len() {
        index.as_usize()
    } else {
        0
    };
    strategies.get_mut(position)
}
