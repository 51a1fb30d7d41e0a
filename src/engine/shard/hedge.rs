//! When a call that waits is sent to a second upstream as well: the rule of [`crate::hedge`] put together with who is well and what is
//! observed. It does not decide which of the two is the answer; whatever ends first well does.

use crate::breaker::State;
use crate::call::{Attempt, Call};
use crate::hedge;
use crate::index::{ChainIndex, PolicyIndex, UpstreamIndex};
use crate::method::MethodGroup;
use crate::note::{NoteKind, Purpose};
use crate::time::Instant;

use super::Shard;
use super::chain::{Chain, Upstream};
use super::select::Choice;

impl Shard {
    /// A call's first attempt is out: from when on is it worth a second?
    pub(super) fn arm(&mut self, call: &mut Call, now: Instant) {
        let request = &call.request;
        let Some(chain) = self.chains.get_mut(request.chain.as_usize()) else {
            return;
        };
        let Some(config) = chain.policy(request.policy).hedge else {
            return;
        };
        chain.hedges.count_call(request.policy, now);
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
            now + hedge::delay(&config, quantile)
        });
        if at < first.deadline {
            call.hedge_at = at;
        }
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
        let Some(waiting) = waiting.filter(|attempt| !finds_out(attempt)) else {
            return;
        };
        let slow = waiting.upstream;
        let Some(chain) = self.chains.get_mut(call.request.chain.as_usize()) else {
            return;
        };
        let Some(choice) = chain.choose_hedge(call, slow, now) else {
            return;
        };
        if !chain.hedges.take(call.request.policy, now) {
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
}

impl Chain {
    /// Somebody of another provider who is plainly well.
    fn choose_hedge(&mut self, call: &Call, slow: UpstreamIndex, now: Instant) -> Option<Choice> {
        let (candidates, left_out) = self.eligible(call, now);
        let strangers = candidates.and(self.hedges.strangers(slow));
        let plain = self.plain;
        let well = self.having(strangers, |index, upstream| {
            upstream.config.weight > 0
                && (plain.contains(index) || upstream.is_plainly_well(call.group))
        });
        let (upstream, reason) = self.rank(call, well, now)?;
        Some(Choice {
            upstream,
            reason,
            candidates,
            left_out,
            least_bad: None,
            has_others: candidates.len() > 1,
        })
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
