//! Who of the eligible is chosen, and when nobody is eligible, who is the least bad. It changes nothing but the strategy's turns and
//! the credit of those that have not their whole share.

use crate::call::Call;
use crate::eligibility::{LeastBad, LeftOut, LeftOutBy};
use crate::index::{UpstreamIndex, UpstreamSet};
use crate::method::Effect;
use crate::strategy::{Candidate, Context, Reason};
use crate::time::Instant;

use super::chain::Chain;
use super::regions;
use super::spend::Saving;

/// A choice and how it came about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) upstream: UpstreamIndex,
    pub(super) reason: Reason,
    pub(super) candidates: UpstreamSet,
    pub(super) left_out: LeftOut,
    pub(super) least_bad: Option<LeastBad>,
    /// Is anybody else eligible, should this one fail? One that is only farther away is somebody.
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
        if eligible.is_empty() {
            return self.choose_least_bad(call, left_out, any, now);
        }
        let mut whole = eligible;
        let sessions = self.needs(call.strategy).sessions;
        let session = call.request.session.filter(|_| sessions);
        let out = self.thin(eligible, call.group, call.request.effect, session);
        left_out.take(LeftOutBy::Share, &mut whole, out);
        let choice = self.choose_among(call, whole, left_out, now);
        choice.ok_or(left_out).map(|choice| Choice {
            has_others: eligible.len() > 1,
            ..choice
        })
    }

    fn choose_least_bad(
        &mut self,
        call: &Call,
        left_out: LeftOut,
        any: bool,
        now: Instant,
    ) -> Result<Choice, LeftOut> {
        let (set, least_bad) = self.least_bad(call, &left_out, any, now).ok_or(left_out)?;
        // They are out already: nothing more leaves them out.
        let (upstream, reason) = self.rank(call, set, None, now).ok_or(left_out)?;
        Ok(Choice {
            upstream,
            reason,
            candidates: UpstreamSet::EMPTY,
            left_out,
            least_bad: Some(least_bad),
            has_others: least_bad == LeastBad::Saturated && set.len() > 1,
        })
    }

    /// Chooses among these, who are eligible.
    pub(super) fn choose_among(
        &mut self,
        call: &Call,
        eligible: UpstreamSet,
        mut left_out: LeftOut,
        now: Instant,
    ) -> Option<Choice> {
        let (upstream, reason) = self.rank(call, eligible, Some(&mut left_out), now)?;
        Some(Choice {
            upstream,
            reason,
            candidates: eligible.minus(left_out.all()),
            left_out,
            least_bad: None,
            has_others: eligible.len() > 1,
        })
    }

    /// The next rung of the ladder of [`crate::eligibility`]. Whoever merely has enough is taken in any case: for a call to fail there must be
    /// a better reason.
    fn least_bad(
        &self,
        call: &Call,
        left_out: &LeftOut,
        any: bool,
        now: Instant,
    ) -> Option<(UpstreamSet, LeastBad)> {
        let full = left_out.by(LeftOutBy::Saturated);
        if !full.is_empty() {
            let soonest = self.soonest_room(full, now).map(UpstreamSet::only);
            return Some((soonest.unwrap_or(full), LeastBad::Saturated));
        }
        if !any {
            return None;
        }
        let order = [
            (LeftOutBy::Lagging, LeastBad::Lagging),
            (LeftOutBy::Drained, LeastBad::Drained),
            (LeftOutBy::BreakerOpen, LeastBad::BreakerOpen),
            (LeftOutBy::HoldOff, LeastBad::HoldOff),
            (LeftOutBy::Banned, LeastBad::Banned),
            (LeftOutBy::Range, LeastBad::Range),
            (LeftOutBy::Quarantined, LeastBad::Quarantined),
            (LeftOutBy::Drained, LeastBad::Drained),
        ];
        // What is drained is healthy, or comes last.
        let drained = left_out.by(LeftOutBy::Drained);
        let healthy = self.having(drained, |index, upstream| {
            self.why_left_out(call, index, upstream, now).is_none()
        });
        let somebody_is_held = !left_out.by(LeftOutBy::HoldOff).is_empty();
        order
            .into_iter()
            .enumerate()
            .find_map(|(place, (reason, least_bad))| {
                // "No such method" would be wrong while one that may have it only wants to be left alone for a moment.
                let says_no = matches!(reason, LeftOutBy::Banned | LeftOutBy::Range);
                if says_no && somebody_is_held {
                    return None;
                }
                let is_for_the_healthy = reason == LeftOutBy::Drained && place + 1 < order.len();
                let all = if is_for_the_healthy {
                    healthy
                } else {
                    left_out.by(reason)
                };
                let set = self.having(all, |index, _| self.admits_least_bad(index, now));
                (!set.is_empty()).then_some((set, least_bad))
            })
    }

    /// Of those that have enough attempts a second, the one that has room first; `None` where not all are short of that.
    fn soonest_room(&self, full: UpstreamSet, now: Instant) -> Option<UpstreamIndex> {
        let mut soonest: Option<(Instant, UpstreamIndex)> = None;
        for index in full.iter() {
            let at = self
                .upstream(index)?
                .limiter
                .room_at(self.board.load(index), now)?;
            if soonest.is_none_or(|(known, _)| at < known) {
                soonest = Some((at, index));
            }
        }
        soonest.map(|(_, index)| index)
    }

    pub(super) fn rank(
        &mut self,
        call: &Call,
        set: UpstreamSet,
        narrowed: Option<&mut LeftOut>,
        now: Instant,
    ) -> Option<(UpstreamIndex, Reason)> {
        self.saving = None;
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
        if let Some(left_out) = narrowed {
            if self.geo.is_some() {
                self.keep_near(call, may_explore(call), &mut candidates, left_out);
            }
            if regions::any_slower(call, &candidates, now) {
                regions::keep_in_time(call, &mut candidates, left_out, now);
            }
        }
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
        let context = Context {
            may_explore: may_explore(call),
            method: call.request.method,
            session: call.request.session,
            now,
            offers: &self.offers,
            identities: &self.identities,
        };
        let position = self.position(call.strategy);
        let ranker = self.rankers.get_mut(position)?;
        candidates.first()?;
        let mut reason = ranker.strategy.rank(candidates, &context, &mut self.rng);
        let capped = ranker.cap.as_mut();
        if capped.is_some_and(|cap| cap.enforce(candidates, now)) {
            reason = Reason::Capped;
        }
        if call.request.pinned.is_some() {
            reason = Reason::Pinned;
        }
        let mut chosen = candidates.first()?.upstream;
        if call.attempts_made() > 0 {
            let mut ranked = candidates.iter().map(|candidate| candidate.upstream);
            let other = ranked.find(|&upstream| self.is_of_new_provider(call, upstream));
            chosen = other.unwrap_or(chosen);
        }
        if let Some(ranker) = self.rankers.get_mut(position) {
            if let Some(cap) = &mut ranker.cap {
                cap.count(chosen);
            }
            if ranker.needs.prices {
                self.saving = self.saved(candidates, chosen);
            }
        }
        Some((chosen, reason))
    }

    /// What the choice costs, and what the leaderboard's best would.
    fn saved(&self, candidates: &[Candidate], chosen: UpstreamIndex) -> Option<Saving> {
        let price = |upstream: UpstreamIndex| {
            let offer = self.offers.get(upstream.as_usize());
            offer.map_or(0, |offer| offer.price_pico)
        };
        let weighty = candidates.iter().filter(|candidate| candidate.weight > 0);
        let best = weighty.min_by_key(|candidate| (candidate.cost_us, candidate.upstream));
        Some(Saving {
            price_pico: price(chosen),
            best_pico: price(best.map_or(chosen, |best| best.upstream)),
        })
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
            in_flight: self.board.load(index).fresh,
            silent_for_us: estimate.silent_for_us,
            promising: estimate.promising,
            probe_due: !is_plain && upstream.breakers.wants_probe(call.group, now),
            provider: upstream.config.provider,
            latency_us: estimate.latency_us,
            health: estimate.health,
        })
    }
}

/// May the call be spent on learning about an upstream?
fn may_explore(call: &Call) -> bool {
    call.attempts_made() == 0 && call.request.effect == Effect::None && call.attempts_allowed > 1
}
