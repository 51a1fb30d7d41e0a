//! Who is eligible for a call, who is chosen, and when nobody is, who is the least bad. It reads every policy and changes
//! none but the strategy's turns.

use crate::block::Height;
use crate::call::Call;
use crate::eligibility::{LeastBad, LeftOut, LeftOutBy};
use crate::head::HeadKind;
use crate::index::{StrategyIndex, UpstreamIndex, UpstreamSet};
use crate::method::Effect;
use crate::strategy::{Candidate, Context, Reason, Strategy};
use crate::time::Instant;

use super::chain::{Chain, Upstream};

/// A choice and how it came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) upstream: UpstreamIndex,
    pub(super) reason: Reason,
    pub(super) candidates: UpstreamSet,
    pub(super) left_out: LeftOut,
    pub(super) least_bad: Option<LeastBad>,
}

impl Choice {
    /// Is anybody else eligible, should this one fail?
    pub(super) fn has_others(&self) -> bool {
        self.candidates.len() > 1
    }
}

impl Chain {
    /// Everyone who may be sent the call, and why the others may not.
    pub(super) fn eligible(&self, call: &Call, now: Instant) -> (UpstreamSet, LeftOut) {
        let request = &call.request;
        let mut rest = UpstreamSet::EMPTY;
        let mut left_out = LeftOut::default();
        for (position, upstream) in self.upstreams.iter().enumerate() {
            let index = UpstreamIndex(position as u16);
            match self.why_left_out(call, index, upstream, now) {
                None => rest.insert(index),
                Some(why) => left_out.add(why, index),
            }
        }
        // One that has not come so far answers with the past, or not at all; but where nobody else is left, whoever came closest
        // is asked: its last report is some time old.
        if request.height != Height::Any {
            let mut short = self.having(rest, |index, _| {
                self.heads.falls_short(index, request.height)
            });
            if rest.minus(short).is_empty() {
                let newest = |index| self.heads.known(index, HeadKind::Newest);
                let closest = rest.iter().filter_map(newest).max();
                short = self.having(rest, |index, _| newest(index) < closest);
            }
            left_out.take(LeftOutBy::Lagging, &mut rest, short);
        }
        // A call with an effect is a probe only where nobody else could take it: what it finds out may cost the client a
        // doubt, but a client that does nothing else than write must not be left with the upstreams that are down.
        if request.effect != Effect::None {
            let waiting = self.having(rest, |_, upstream| upstream.breaker.wants_probe(now));
            if !rest.minus(waiting).is_empty() {
                left_out.take(LeftOutBy::BreakerOpen, &mut rest, waiting);
            }
        }
        (rest, left_out)
    }

    /// The first reason that applies, in the order of [`LeftOutBy`].
    fn why_left_out(
        &self,
        call: &Call,
        index: UpstreamIndex,
        upstream: &Upstream,
        now: Instant,
    ) -> Option<LeftOutBy> {
        let request = &call.request;
        if upstream.config.denied.contains(request.method) || request.excluded.contains(index) {
            Some(LeftOutBy::Excluded)
        } else if request.pinned.is_some_and(|pinned| pinned != index) {
            Some(LeftOutBy::Pinned)
        } else if call.tried.contains(index) {
            Some(LeftOutBy::AlreadyTried)
        } else if !self.reachable.contains(index) {
            Some(LeftOutBy::NoAddress)
        } else if !upstream.quarantine.admits(now) {
            Some(LeftOutBy::Quarantined)
        } else if !upstream.throttle.admits(now) {
            Some(LeftOutBy::HoldOff)
        } else if !upstream.breaker.admits(now) {
            Some(LeftOutBy::BreakerOpen)
        } else if upstream.bans.contains(request.method, now) {
            Some(LeftOutBy::Banned)
        } else if self.heads.is_late(index, now) {
            Some(LeftOutBy::Lagging)
        } else {
            None
        }
    }

    /// Chooses among the eligible; among the least bad if there are none and `any` allows it.
    pub(super) fn choose(
        &mut self,
        call: &Call,
        any: bool,
        now: Instant,
    ) -> Result<Choice, LeftOut> {
        let (candidates, left_out) = self.eligible(call, now);
        if !candidates.is_empty() {
            let chosen = self.rank(call, candidates, now);
            return chosen.map_or(Err(left_out), |(upstream, reason)| {
                Ok(Choice {
                    upstream,
                    reason,
                    candidates,
                    left_out,
                    least_bad: None,
                })
            });
        }
        let Some((set, least_bad)) = any.then(|| self.least_bad(&left_out, now)).flatten() else {
            return Err(left_out);
        };
        let chosen = self.rank(call, set, now);
        chosen.map_or(Err(left_out), |(upstream, reason)| {
            Ok(Choice {
                upstream,
                reason,
                candidates: UpstreamSet::EMPTY,
                left_out,
                least_bad: Some(least_bad),
            })
        })
    }

    /// At least half of the chain's upstreams are out for their health: then a retry may go to one that is out, too, since little
    /// is left to protect and one that has come back is worth finding (Envoy's panic threshold, for small pools).
    pub(super) fn is_panicking(&self, now: Instant) -> bool {
        let well = self.having(self.reachable, |index, _| self.admits(index, now));
        2 * well.len() <= self.upstreams.len()
    }

    /// Would its breaker, its hold-off and its quarantine admit an attempt now?
    pub(super) fn admits(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.upstream(index).is_some_and(|upstream| {
            upstream.quarantine.admits(now)
                && upstream.throttle.admits(now)
                && upstream.breaker.admits(now)
        })
    }

    /// May an attempt be made there although it is out, as the least bad? Never before its own Retry-After, never on
    /// the wrong chain, never without an address.
    pub(super) fn admits_least_bad(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.reachable.contains(index)
            && self.upstream(index).is_some_and(|upstream| {
                upstream.throttle.admits_least_bad(now) && upstream.quarantine.admits_least_bad()
            })
    }

    /// The earliest time at which a held-off upstream among `held` comes back.
    pub(super) fn earliest_return(&self, held: UpstreamSet) -> Option<Instant> {
        held.iter()
            .filter_map(|index| self.upstream(index)?.throttle.held_until())
            .min()
    }

    fn least_bad(&self, left_out: &LeftOut, now: Instant) -> Option<(UpstreamSet, LeastBad)> {
        let order = [
            (LeftOutBy::Lagging, LeastBad::Lagging),
            (LeftOutBy::BreakerOpen, LeastBad::BreakerOpen),
            (LeftOutBy::HoldOff, LeastBad::HoldOff),
            (LeftOutBy::Banned, LeastBad::Banned),
            (LeftOutBy::Quarantined, LeastBad::Quarantined),
        ];
        let somebody_is_held = !left_out.by(LeftOutBy::HoldOff).is_empty();
        order.into_iter().find_map(|(reason, least_bad)| {
            // "No such method" would be wrong while one that may have it only wants to be left alone for a moment.
            if reason == LeftOutBy::Banned && somebody_is_held {
                return None;
            }
            let set = self.having(left_out.by(reason), |index, _| {
                self.admits_least_bad(index, now)
            });
            (!set.is_empty()).then_some((set, least_bad))
        })
    }

    pub(super) fn having(
        &self,
        among: UpstreamSet,
        is: impl Fn(UpstreamIndex, &Upstream) -> bool,
    ) -> UpstreamSet {
        let mut set = UpstreamSet::EMPTY;
        for index in among.iter() {
            if self
                .upstream(index)
                .is_some_and(|upstream| is(index, upstream))
            {
                set.insert(index);
            }
        }
        set
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
        let chosen = self.rank_by_strategy(call, &mut candidates, now);
        self.candidates = candidates;
        chosen
    }

    fn rank_by_strategy(
        &mut self,
        call: &Call,
        candidates: &mut [Candidate],
        now: Instant,
    ) -> Option<(UpstreamIndex, Reason)> {
        let first_attempt = call.attempts_made() == 0;
        let context = Context {
            may_explore: first_attempt
                && call.request.effect == Effect::None
                && call.attempts_allowed > 1,
            method: call.request.method,
            session: call.request.session,
            now,
            offers: &[],
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
        Some(Candidate {
            upstream: index,
            priority: upstream.config.priority,
            weight: upstream.config.weight,
            cost_us: estimate.cost_us,
            cold: estimate.cold,
            in_flight: self.board.in_flight(index),
            silent_for_us: estimate.silent_for_us,
            promising: estimate.promising,
            probe_due: upstream.breaker.wants_probe(now),
            provider: upstream.config.provider,
            latency_us: estimate.latency_us,
            health: estimate.health,
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
