//! Who is eligible for a call, who is chosen, and when nobody is, who is the least bad. It reads every policy and changes
//! none but the strategy's turns.

use crate::block::Height;
use crate::call::Call;
use crate::eligibility::{LeastBad, LeftOut, LeftOutBy};
use crate::head::HeadKind;
use crate::index::{UpstreamIndex, UpstreamSet};
use crate::method::Effect;
use crate::protocol::ProtocolSet;
use crate::strategy::{Candidate, Context, Reason};
use crate::time::Instant;

use super::chain::{Chain, Upstream};
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

impl Chain {
    /// Everyone who may be sent the call, and why the others may not.
    pub(super) fn eligible(&self, call: &Call, now: Instant) -> (UpstreamSet, LeftOut) {
        let request = &call.request;
        let mut rest = self.all;
        let mut left_out = LeftOut::default();
        self.keep_away(call, &mut rest, &mut left_out);
        for (position, upstream) in self.upstreams.iter().enumerate() {
            let index = UpstreamIndex(position as u16);
            if rest.contains(index)
                && let Some(why) = self.why_left_out(call, index, upstream, now)
            {
                rest.remove(index);
                left_out.add(why, index);
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

    /// The reasons that are known as sets, in the order of [`LeftOutBy`]. For most calls all of them are empty.
    fn keep_away(&self, call: &Call, rest: &mut UpstreamSet, left_out: &mut LeftOut) {
        let request = &call.request;
        let excluded = request.excluded.or(self.denied(request.method));
        let unused = self.all.minus(self.reachable);
        let out = excluded
            .or(call.tried)
            .or(unused)
            .or(self.drained)
            .or(self.spent);
        let anybody = request.pinned.is_none() && request.protocols == ProtocolSet::ANY;
        if out.is_empty() && anybody {
            return;
        }
        left_out.take(LeftOutBy::Excluded, rest, excluded);
        if let Some(pinned) = request.pinned {
            let others = self.all.minus(UpstreamSet::only(pinned));
            left_out.take(LeftOutBy::Pinned, rest, others);
        }
        if !anybody {
            let speechless = self.having(*rest, |_, upstream| {
                !upstream.config.protocols.meets(request.protocols)
            });
            left_out.take(LeftOutBy::Protocol, rest, speechless);
        }
        left_out.take(LeftOutBy::AlreadyTried, rest, call.tried);
        left_out.take(LeftOutBy::NoAddress, rest, unused);
        left_out.take(LeftOutBy::Drained, rest, self.drained);
        left_out.take(LeftOutBy::Quota, rest, self.spent);
    }

    /// The first of the other reasons that applies, in the order of [`LeftOutBy`].
    fn why_left_out(
        &self,
        call: &Call,
        index: UpstreamIndex,
        upstream: &Upstream,
        now: Instant,
    ) -> Option<LeftOutBy> {
        let request = &call.request;
        if !upstream.quarantine.admits(now) {
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
            return self
                .choose_among(call, candidates, left_out, now)
                .ok_or(left_out);
        }
        let Some((set, least_bad)) = any.then(|| self.least_bad(call, &left_out, now)).flatten()
        else {
            return Err(left_out);
        };
        // They are out already: nothing more leaves them out.
        let chosen = self.rank(call, set, None, now);
        chosen.map_or(Err(left_out), |(upstream, reason)| {
            Ok(Choice {
                upstream,
                reason,
                candidates: UpstreamSet::EMPTY,
                left_out,
                least_bad: Some(least_bad),
                has_others: false,
            })
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

    /// At least half of the chain's upstreams are out for their health: then a retry may go to one that is out, too, since little
    /// is left to protect and one that has come back is worth finding (Envoy's panic threshold, for small pools).
    pub(super) fn is_panicking(&self, now: Instant) -> bool {
        let well = self.having(self.reachable, |index, _| self.admits(index, now));
        2 * well.len() <= self.upstreams.len()
    }

    /// Would its breaker, its hold-off and its quarantine admit an attempt now, and is it neither drained nor its account spent?
    pub(super) fn admits(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.upstream(index).is_some_and(|upstream| {
            upstream.quarantine.admits(now)
                && upstream.throttle.admits(now)
                && upstream.breaker.admits(now)
        }) && !self.drained.or(self.spent).contains(index)
    }

    /// May an attempt be made there although it is out, as the least bad? Never before its own Retry-After, never on
    /// the wrong chain, never without an address, never beyond its account's limits.
    pub(super) fn admits_least_bad(&self, index: UpstreamIndex, now: Instant) -> bool {
        self.reachable.minus(self.spent).contains(index)
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

    fn least_bad(
        &self,
        call: &Call,
        left_out: &LeftOut,
        now: Instant,
    ) -> Option<(UpstreamSet, LeastBad)> {
        let order = [
            (LeftOutBy::Lagging, LeastBad::Lagging),
            (LeftOutBy::Drained, LeastBad::Drained),
            (LeftOutBy::BreakerOpen, LeastBad::BreakerOpen),
            (LeftOutBy::HoldOff, LeastBad::HoldOff),
            (LeftOutBy::Banned, LeastBad::Banned),
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
                if reason == LeftOutBy::Banned && somebody_is_held {
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

/// May the call be spent on learning about an upstream?
fn may_explore(call: &Call) -> bool {
    call.attempts_made() == 0 && call.request.effect == Effect::None && call.attempts_allowed > 1
}
