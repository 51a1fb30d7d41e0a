//! When a call is sent to other upstreams as well, because it waits or because its strategy races: the rule of [`crate::hedge`] put together
//! with who is well and what is observed. It does not decide which of them is the answer; whatever ends first well does.

use crate::breaker::State;
use crate::call::{Attempt, Call, MAX_LIVE_ATTEMPTS};
use crate::config::HedgeConfig;
use crate::hedge;
use crate::index::{ChainIndex, PolicyIndex, StrategyIndex, UpstreamIndex};
use crate::method::{MethodGroup, MethodId};
use crate::note::{NoteKind, Purpose};
use crate::strategy::Race;
use crate::time::Instant;

use super::Shard;
use super::chain::{Chain, Upstream};
use super::select::Choice;

impl Shard {
    /// A call's first attempt is out, to the least bad or not: it is raced from the start, or worth a second from some time on, or neither.
    pub(super) fn arm(&mut self, call: &mut Call, least_bad: bool, now: Instant) {
        let request = &call.request;
        let Some(chain) = self.chains.get_mut(request.chain.as_usize()) else {
            return;
        };
        let hedge = chain.policy(request.policy).hedge;
        if let Some(config) = hedge {
            let first = call.attempts().next();
            let units = first.map_or(0, |first| first.units);
            chain.hedges.count_call(request.policy, units, now);
            arm_hedge(chain, call, &config, now);
        }
        if chain.races
            && let Some(race) = chain.ranker(call.strategy).and_then(|ranker| ranker.race)
            && self.race(call, race, least_bad, now)
        {
            call.hedge_at = Instant::NEVER;
        }
    }

    /// Sends a call whose first attempt is out to others as well, from the start. True if it did.
    fn race(&mut self, call: &mut Call, race: Race, least_bad: bool, now: Instant) -> bool {
        let request = call.request;
        let first = call.attempts().next();
        let Some(first) = first.filter(|first| !finds_out(first)).copied() else {
            return false;
        };
        if least_bad
            || request.pinned.is_some()
            || !hedge::is_harmless(request.method, request.effect)
        {
            return false;
        }
        let Some(chain) = self.chains.get_mut(request.chain.as_usize()) else {
            return false;
        };
        let strategy = StrategyIndex(chain.position(call.strategy) as u16);
        chain.hedges.count_raced(strategy, first.units, now);
        // Bounded: each turn sends an attempt.
        while call.attempts_made() < usize::from(race.attempts).min(MAX_LIVE_ATTEMPTS) {
            self.survey(call, now);
            let Some(chain) = self.chains.get_mut(request.chain.as_usize()) else {
                break;
            };
            let Some(choice) = chain.choose_beside(call, now) else {
                break;
            };
            let units = chain.units(choice.upstream, request.method);
            if !chain.hedges.take_raced(strategy, units, now) {
                let denied = NoteKind::RaceDenied { call: call.id };
                self.note(now, request.chain, denied);
                break;
            }
            call.attempts_allowed += 1;
            self.dispatch_choice(call, &choice, Purpose::Race, now);
        }
        call.attempts_made() > 1
    }

    /// The first attempt has taken unusually long: sends the call to a second upstream, if one is well and the budget allows it.
    pub(super) fn hedge(&mut self, call: &mut Call, now: Instant) {
        call.hedge_at = Instant::NEVER;
        if self.shedder.is_waiting() {
            // There is no work here to spare for more of it.
            return;
        }
        // The first, or what replaced its dead connection.
        let waiting = call.attempts().find(|attempt| attempt.live);
        if waiting.is_none_or(finds_out) {
            return;
        }
        self.survey(call, now);
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let Some(choice) = chain.choose_beside(call, now) else {
            return;
        };
        let units = chain.units(choice.upstream, call.request.method);
        if !chain.hedges.take(call.request.policy, units, now) {
            let denied = NoteKind::HedgeDenied { call: call.id };
            return self.note(now, call.request.chain, denied);
        }
        call.attempts_allowed += 1;
        self.dispatch_choice(call, &choice, Purpose::Hedge, now);
    }

    /// How many hedges a policy of a chain has left now; `None` for one that does not hedge.
    #[must_use]
    pub fn hedges_left(&self, chain: ChainIndex, policy: PolicyIndex, now: Instant) -> Option<u32> {
        self.chain(chain)?.hedges.left(policy, now)
    }

    /// How many attempts beyond the first a strategy of a chain may still send now; `None` for one that does not race.
    #[must_use]
    pub fn races_left(
        &self,
        chain: ChainIndex,
        strategy: StrategyIndex,
        now: Instant,
    ) -> Option<u32> {
        self.chain(chain)?.hedges.races_left(strategy, now)
    }
}

/// From when on is the first attempt worth a second?
fn arm_hedge(chain: &mut Chain, call: &mut Call, config: &HedgeConfig, now: Instant) {
    let request = &call.request;
    let Some(first) = call.attempts().next() else {
        return;
    };
    let strangers = chain.hedges.strangers(first.upstream);
    if request.pinned.is_some()
        || !hedge::is_harmless(request.method, request.effect)
        || strangers.minus(request.excluded).is_empty()
        || finds_out(first)
    {
        return;
    }
    let observed = chain.board.quantile(
        first.upstream,
        request.method,
        config.effective_quantile(),
        now,
    );
    let at = observed.map_or(Instant::NEVER, |quantile| {
        now + hedge::delay(config, quantile)
    });
    if at < first.deadline {
        call.hedge_at = at;
    }
}

impl Chain {
    /// Somebody who is plainly well, and of another provider than whoever has an attempt of the call out.
    fn choose_beside(&mut self, call: &Call, now: Instant) -> Option<Choice> {
        let (candidates, left_out) = self.eligible(call, now);
        let out = call.attempts().filter(|attempt| attempt.live);
        let strangers = out.fold(candidates, |rest, attempt| {
            rest.and(self.hedges.strangers(attempt.upstream))
        });
        let plain = self.plain;
        let well = self.having(strangers, |index, upstream| {
            upstream.config.weight > 0
                && (plain.contains(index) || upstream.is_plainly_well(call.group))
        });
        let choice = self.choose_among(call, well, left_out, now)?;
        Some(Choice {
            has_others: candidates.len() > 1,
            ..choice
        })
    }

    /// What a call counts as there, in compute units; 0 where nothing is counted.
    fn units(&self, upstream: UpstreamIndex, method: MethodId) -> u32 {
        let tariff = self.tariffs.get(upstream.as_usize());
        tariff.map_or(0, |tariff| tariff.units(method))
    }
}

impl Upstream {
    /// No breaker for this kind of work, hold-off, quarantine or probation is at work, not even one that would let an attempt through to find
    /// out.
    fn is_plainly_well(&self, group: MethodGroup) -> bool {
        self.breakers.state(group) == State::Closed
            && self.throttle.is_free()
            && self.quarantine.state().is_none()
            && !self.probation.is_on()
    }
}

/// Does the attempt find out whether its upstream has come back? Outrun, it would find out nothing, and the next one would be sent to find out again.
const fn finds_out(attempt: &Attempt) -> bool {
    attempt.breaker.is_probe() || attempt.quarantined || attempt.on_trial
}
