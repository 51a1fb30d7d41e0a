//! The part of the books that is kept about second attempts: what must be true of each, and their share of the calls, counted again.

use std::collections::VecDeque;

use engine::breaker::State;
use engine::config::HedgeConfig;
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::Effect;
use engine::shard::Shard;
use engine::time::Instant;

use super::{AttemptEnd, Auditor, Check, WINDOW_S, must};
use crate::world::CHAIN;

/// Second, calls that got a first attempt in it, hedges made in it.
type Second = (u64, u64, u64);

/// Hedges of one policy and the calls that they are a share of.
#[derive(Debug)]
pub(crate) struct Hedges {
    config: Option<HedgeConfig>,
    /// Calls count as compute units, too, of which no books are kept here: a hedge may be denied for their sake.
    in_units: bool,
    seconds: VecDeque<Second>,
    denied: u64,
}

impl Hedges {
    pub(super) const fn new(config: Option<HedgeConfig>, in_units: bool) -> Self {
        Self {
            config,
            in_units,
            seconds: VecDeque::new(),
            denied: 0,
        }
    }

    pub(super) const fn denied(&self) -> u64 {
        self.denied
    }

    /// A call got its first attempt.
    pub(super) fn count_call(&mut self, now: Instant) {
        if self.config.is_some() {
            self.second(now).1 += 1;
        }
    }

    fn second(&mut self, now: Instant) -> &mut Second {
        let number = now.0 / 1_000_000_000;
        while self
            .seconds
            .front()
            .is_some_and(|second| second.0 + WINDOW_S <= number)
        {
            self.seconds.pop_front();
        }
        if self.seconds.back().is_none_or(|second| second.0 != number) {
            self.seconds.push_back((number, 0, 0));
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }

    /// How many were made in the last ten seconds, and how many may have been.
    fn made_and_allowed(&self) -> (u64, u64) {
        let share = self.config.map_or(0, |config| config.max_extra_permille);
        let calls: u64 = self.seconds.iter().map(|second| second.1).sum();
        let made = self.seconds.iter().map(|second| second.2).sum();
        (made, calls * u64::from(share) / 1_000 + 1)
    }
}

impl Auditor {
    /// A second attempt was sent.
    pub(super) fn hedged(
        &mut self,
        id: CallId,
        attempt: AttemptId,
        to: UpstreamIndex,
        now: Instant,
    ) -> Check {
        let call = self.noted_mut(id)?;
        let (policy, group) = (call.request.policy, call.group());
        let config = self.policy(policy).and_then(|(_, hedges)| hedges.config);
        let Some(config) = config else {
            return Err(format!("{id:?} is hedged, and no policy says so"));
        };
        let known = self.upstream(to)?;
        let state = known.breakers.state(group);
        must!(
            state == State::Closed && !known.shares.is_on_ramp(),
            "{id:?} is hedged to {to:?}, whose breaker is {state:?}, or which is on probation"
        );
        let provider_of = |upstream: UpstreamIndex| {
            let known = self.upstreams.get(upstream.as_usize());
            known.map(|known| known.provider)
        };
        let call = self.noted(id)?.ok_or_else(|| format!("{id:?} is over"))?;
        let request = &call.request;
        must!(
            request.effect == Effect::None,
            "{id:?} has an effect and is hedged"
        );
        must!(request.pinned.is_none(), "{id:?} is pinned and is hedged");
        must!(!call.hedged, "{id:?} is hedged twice");
        let others = call
            .attempts()
            .iter()
            .take(attempt.as_usize())
            .filter(|other| other.end == AttemptEnd::Live);
        let (mut live, mut same) = (0, false);
        for other in others {
            live += 1;
            same |= provider_of(other.upstream) == provider_of(to);
        }
        must!(live == 1, "{id:?} is hedged with {live} attempts out");
        must!(!same, "{id:?} is hedged to the same company, {to:?}");
        // From the first send on: a dead connection that was replaced does not start the wait anew.
        let first = call.attempts().first();
        let waited = first.map(|first| now.saturating_duration_since(first.started));
        must!(
            waited.is_some_and(|waited| waited >= config.min_delay),
            "{id:?} is hedged after {waited:?}"
        );
        self.noted_mut(id)?.hedged = true;
        let Some((_, hedges)) = self.policy(policy) else {
            return Ok(());
        };
        hedges.second(now).2 += 1;
        let (made, allowed) = hedges.made_and_allowed();
        must!(
            made <= allowed,
            "{made} hedges in ten seconds, {allowed} are allowed"
        );
        Ok(())
    }

    /// An attempt of a race was sent, beside the first.
    pub(super) fn raced(&mut self, id: CallId, attempt: AttemptId, to: UpstreamIndex) -> Check {
        let group = self.noted_mut(id)?.group();
        let known = self.upstream(to)?;
        let state = known.breakers.state(group);
        must!(
            state == State::Closed && !known.shares.is_on_ramp(),
            "{id:?} is raced to {to:?}, whose breaker is {state:?}, or which is on probation"
        );
        let provider = known.provider;
        let providers: Vec<_> = self.upstreams.iter().map(|known| known.provider).collect();
        let call = self.noted_mut(id)?;
        must!(
            call.request.effect == Effect::None && call.request.pinned.is_none(),
            "{id:?} has an effect or is pinned, and is raced"
        );
        call.raced += 1;
        must!(
            attempt.as_usize() == call.raced && !call.hedged,
            "{id:?} is raced with {attempt:?}, not from the start"
        );
        let mut others = call.attempts().iter().take(attempt.as_usize());
        let same = others.any(|other| providers.get(other.upstream.as_usize()) == Some(&provider));
        must!(!same, "{id:?} is raced to the same company, {to:?}");
        Ok(())
    }

    /// A second attempt was not sent, since there were enough.
    pub(super) fn hedge_denied(&mut self, id: CallId, shard: &Shard, now: Instant) -> Check {
        let call = self.noted_mut(id)?;
        must!(
            !core::mem::replace(&mut call.hedged, true),
            "{id:?} is denied a hedge after it had one"
        );
        let policy = call.request.policy;
        let Some((_, hedges)) = self.policy(policy) else {
            return Ok(());
        };
        let _ = hedges.second(now);
        hedges.denied += 1;
        if hedges.in_units {
            return Ok(());
        }
        let (made, allowed) = hedges.made_and_allowed();
        must!(
            made >= allowed,
            "{id:?} is denied a hedge, but {made} of {allowed} were made"
        );
        let left = shard.hedges_left(CHAIN, policy, now);
        must!(
            left == Some(0),
            "{id:?} is denied a hedge, but {left:?} are left"
        );
        Ok(())
    }
}
