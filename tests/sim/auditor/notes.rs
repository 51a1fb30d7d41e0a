//! The part of the books that is kept from the engine's notes: breakers and their probes, purposes, and the retry budget, counted
//! again.

use engine::breaker::State;
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::Effect;
use engine::note::{Note, NoteKind, Purpose};
use engine::shard::Shard;
use engine::time::Instant;

use super::{Auditor, Check, WINDOW_S, must};

impl Auditor {
    /// What the engine says that it did.
    pub(crate) fn note(&mut self, note: &Note, shard: &Shard) -> Check {
        match note.kind {
            NoteKind::Breaker {
                upstream, from, to, ..
            } => {
                let failed = self.failed.take();
                must!(
                    to != State::Open || failed == Some(upstream),
                    "{upstream:?} is opened, but nothing failed there"
                );
                let known = self.upstream(upstream)?;
                must!(
                    known.state == from,
                    "{upstream:?} leaves {from:?}, but was {:?}",
                    known.state
                );
                known.state = to;
                known.probes.clear();
            }
            NoteKind::AttemptStarted {
                call,
                attempt,
                upstream,
                purpose,
                probe,
                forced,
            } => {
                self.started(call, attempt, upstream, probe, forced)?;
                self.check_purpose(call, attempt, upstream, purpose, forced, note.at)?;
                self.check_half(call, attempt, shard, note.at)?;
                if forced && purpose != Purpose::Fresh {
                    self.check_least_bad(call, upstream, shard, note.at)?;
                }
            }
            NoteKind::AttemptFinished {
                call,
                attempt,
                upstream,
                class,
                ..
            } => {
                self.upstream(upstream)?.probes.remove(&(call, attempt));
                let counts = class.is_some_and(|class| class.traits().breaker_weight > 0);
                self.failed = counts.then_some(upstream);
            }
            NoteKind::AttemptCancelled {
                call,
                attempt,
                upstream,
            } => {
                self.upstream(upstream)?.probes.remove(&(call, attempt));
            }
            NoteKind::Banned {
                upstream,
                method,
                until,
            } => self.upstream(upstream)?.banned.push((method, until)),
            NoteKind::Paused { call, .. } => {
                self.paused.insert(call);
                self.grant(1, note.at)?;
            }
            NoteKind::RetryDenied { .. } => self.retries.1 += 1,
            NoteKind::HedgeDenied { call } => self.hedge_denied(call, shard, note.at)?,
            _ => {}
        }
        Ok(())
    }

    fn started(
        &mut self,
        call: CallId,
        attempt: AttemptId,
        to: UpstreamIndex,
        probe: bool,
        forced: bool,
    ) -> Check {
        let upstream = self.upstream(to)?;
        match upstream.state {
            State::Closed | State::Brownout => must!(
                !probe,
                "{call:?}: a probe of {to:?}, whose breaker is closed"
            ),
            State::Open => must!(forced, "{call:?} is sent to {to:?}, whose breaker is open"),
            State::HalfOpen => {
                must!(
                    probe || forced,
                    "{call:?} is sent to {to:?}, half-open, and is no probe"
                );
                if probe {
                    upstream.probes.insert((call, attempt));
                }
                let (out, allowed) = (upstream.probes.len(), upstream.probes_allowed);
                must!(
                    out <= allowed,
                    "{to:?} has {out} probes out, {allowed} are allowed"
                );
            }
        }
        Ok(())
    }

    /// Is each attempt made for a reason that allows it, within the call's number and the budget?
    fn check_purpose(
        &mut self,
        id: CallId,
        attempt: AttemptId,
        to: UpstreamIndex,
        purpose: Purpose,
        forced: bool,
        now: Instant,
    ) -> Check {
        let was_paused = self.paused.remove(&id);
        if purpose == Purpose::Hedge {
            self.hedged(id, attempt, to, now)?;
        }
        let hedged = self.calls.get(&id).is_some_and(|call| call.hedged);
        let earlier = self.calls.get(&id).map_or(&[][..], |call| &call.attempts);
        let earlier = earlier.get(..attempt.as_usize()).unwrap_or(earlier);
        let been_there = earlier.iter().any(|earlier| earlier.upstream == to);
        must!(
            attempt.as_usize() <= self.attempts_allowed + usize::from(hedged),
            "{id:?} makes {attempt:?}, {} attempts are allowed",
            self.attempts_allowed
        );
        match purpose {
            Purpose::First => {
                must!(attempt.0 == 0, "{id:?}: {attempt:?} is called the first");
                self.hedges.second(now).1 += 1;
            }
            Purpose::Hedge | Purpose::Race => must!(
                !been_there && !forced,
                "{id:?} is hedged to {to:?}, where it was or which is out"
            ),
            Purpose::Fresh => {
                must!(
                    been_there,
                    "{id:?}: a fresh connection to {to:?}, which had none"
                );
            }
            Purpose::Reroute => {
                must!(!been_there, "{id:?} is rerouted to {to:?}, where it was");
                self.retries.2 += 1;
            }
            Purpose::Retry if was_paused => {}
            Purpose::Retry => {
                must!(!been_there, "{id:?} goes back to {to:?} without a pause");
                self.grant(if forced { 2 } else { 1 }, now)?;
            }
        }
        Ok(())
    }

    /// One that is out is only sent to when nobody else, untried and allowed, is well.
    fn check_least_bad(&self, id: CallId, to: UpstreamIndex, shard: &Shard, now: Instant) -> Check {
        let other = self.well_elsewhere(id, shard, now);
        must!(
            other.is_none(),
            "{id:?} is sent to {to:?}, which is out, although {other:?} is well"
        );
        Ok(())
    }

    /// While another can still serve the call, an attempt has half of what is left at most.
    fn check_half(&self, id: CallId, attempt: AttemptId, shard: &Shard, now: Instant) -> Check {
        let Some(call) = self.calls.get(&id) else {
            return Ok(());
        };
        let Some(made) = call.attempts.get(attempt.as_usize()) else {
            return Ok(());
        };
        let has_another = attempt.as_usize() + 1 < self.attempts_allowed;
        if has_another && call.request.effect == Effect::None {
            let half = call.deadline.saturating_duration_since(now) / 2;
            let other = self.well_elsewhere(id, shard, now);
            must!(
                made.deadline <= now + half || other.is_none(),
                "{id:?}: {attempt:?} may take all the time, although {other:?} is well"
            );
        }
        Ok(())
    }

    /// Somebody to whom this call has not been, and may go, and who is plainly well.
    fn well_elsewhere(&self, id: CallId, shard: &Shard, now: Instant) -> Option<UpstreamIndex> {
        let call = self.calls.get(&id)?;
        let mut well = shard.views(now).filter(|other| {
            let index = other.upstream;
            let tried = call
                .attempts
                .iter()
                .any(|attempt| attempt.upstream == index);
            let pinned_away = call.request.pinned.is_some_and(|pinned| pinned != index);
            let banned = self.upstreams.get(index.as_usize()).is_some_and(|known| {
                let mut banned = known.banned.iter();
                banned.any(|&(method, until)| method == call.request.method && now < until)
            });
            let plainly_well = other.eligible
                && other.breaker == State::Closed
                && !other.ramping
                && other.quarantined.is_none();
            plainly_well
                && !tried
                && !pinned_away
                && !banned
                && !call.request.excluded.contains(index)
        });
        well.next().map(|view| view.upstream)
    }

    /// Takes from the budget, by our own count.
    fn grant(&mut self, cost: u64, now: Instant) -> Check {
        self.second(now).2 += cost;
        self.retries.0 += 1;
        let (calls, retries) = self
            .seconds
            .iter()
            .fold((0, 0), |(calls, retries), second| {
                (calls + second.1, retries + second.2)
            });
        let by_share = calls * u64::from(self.budget.permille_of_calls);
        let by_rate = WINDOW_S * u64::from(self.budget.min_millis_per_second);
        let allowed = (by_share + by_rate) / 1_000;
        must!(
            retries <= allowed,
            "{retries} retries for {calls} calls in ten seconds, {allowed} are allowed"
        );
        Ok(())
    }

    pub(super) fn second(&mut self, now: Instant) -> &mut (u64, u64, u64) {
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
}
