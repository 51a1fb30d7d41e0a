//! The part of the books that is kept from the engine's notes: breakers and their probes, purposes, and the retry budget, counted
//! again.

use engine::block::Height;
use engine::breaker::State;
use engine::eligibility::LeftOutBy;
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::{self, Effect, MethodGroup};
use engine::note::{Note, NoteKind, Purpose};
use engine::shard::Shard;
use engine::time::Instant;

use engine::fault::FaultClass;

use super::{AttemptEnd, Auditor, Check, WINDOW_S, must};

impl Auditor {
    /// What the engine says that it did.
    pub(crate) fn note(&mut self, note: &Note, shard: &Shard) -> Check {
        match note.kind {
            NoteKind::Breaker {
                upstream,
                group,
                from,
                to,
            } => self.breaker_turned(upstream, group, (from, to))?,
            NoteKind::Selected {
                call,
                chosen,
                candidates,
                left_out,
                least_bad,
                ..
            } => {
                // Who is merely too far away has had its share of the choices.
                self.count_shares(
                    call,
                    chosen,
                    candidates.or(left_out.by(LeftOutBy::Region)),
                    left_out.by(LeftOutBy::Share),
                )?;
                self.check_regions(call, chosen, candidates, &left_out)?;
                match least_bad {
                    Some(_) => self.check_nobody_is_well(call, shard, note.at)?,
                    None => self.check_history(call, chosen, note.at)?,
                }
            }
            NoteKind::ProbationBegan { upstream } => {
                self.upstream(upstream)?.shares.begin_ramp(note.at);
            }
            NoteKind::ProbationEnded { upstream } => {
                self.upstream(upstream)?.shares.end_ramp(note.at)?;
            }
            NoteKind::AttemptStarted {
                call,
                attempt,
                upstream,
                purpose,
                probe,
                forced,
            } => {
                self.regions.meet(upstream);
                self.started((call, attempt), upstream, probe, forced)?;
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
                method,
                class,
                ..
            } => {
                let group = method::policy(method).class.group();
                let known = self.upstream(upstream)?;
                known.breakers.ended((call, attempt));
                let counts = class.is_some_and(|class| class.traits().breaker_weight > 0);
                known.shares.ended(call, group, counts);
                self.failed = counts.then_some((upstream, group));
            }
            NoteKind::AttemptCancelled {
                call,
                attempt,
                upstream,
            } => {
                let known = self.upstream(upstream)?;
                known.breakers.ended((call, attempt));
                known.shares.ended(call, MethodGroup::Reads, false);
            }
            NoteKind::Banned {
                upstream,
                method,
                until,
            } => self.upstream(upstream)?.banned.push((method, until)),
            NoteKind::Learned { upstream, what } => {
                self.upstream(upstream)?.gone.learn(what, note.at);
            }
            NoteKind::Paused { call, .. } => {
                self.noted_mut(call)?.paused = true;
                self.grant(1, note.at)?;
            }
            NoteKind::Shed { call, .. } => must!(
                self.shed.remove(&call),
                "{call:?} is called refused, and was not"
            ),
            NoteKind::HoldOffBegan { upstream, until } => {
                self.hold_off_began(upstream, until, note.at)?;
            }
            NoteKind::RetryDenied { .. } => self.retries.1 += 1,
            NoteKind::HedgeDenied { call } => self.hedge_denied(call, shard, note.at)?,
            _ => {}
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
        if purpose == Purpose::Hedge {
            self.hedged(id, attempt, to, now)?;
        }
        if purpose == Purpose::Race {
            self.raced(id, attempt, to)?;
        }
        let Some(call) = self.noted(id)? else {
            return Ok(());
        };
        let (was_paused, policy) = (call.paused, call.request.policy);
        let beside = usize::from(call.hedged) + call.raced;
        let earlier = call.attempts().iter().take(attempt.as_usize());
        // A throttle was no visit: nothing was done there.
        let throttled = |end| matches!(end, AttemptEnd::Finished(Err(fault)) if fault.class == FaultClass::RateLimited);
        let been_there = earlier
            .into_iter()
            .any(|earlier| earlier.upstream == to && !throttled(earlier.end));
        self.noted_mut(id)?.paused = false;
        let Some((allowed, hedges)) = self.policy(policy) else {
            return Ok(());
        };
        let allowed = *allowed;
        if purpose == Purpose::First {
            hedges.count_call(now);
        }
        must!(
            attempt.as_usize() <= allowed + beside,
            "{id:?} makes {attempt:?}, {allowed} attempts are allowed"
        );
        match purpose {
            Purpose::First => {
                must!(attempt.0 == 0, "{id:?}: {attempt:?} is called the first");
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

    /// One that is out, or has enough, is only sent to when nobody else, untried and allowed, is well.
    fn check_nobody_is_well(&self, id: CallId, shard: &Shard, now: Instant) -> Check {
        let other = self.well_elsewhere(id, shard, now)?;
        must!(
            other.is_none(),
            "{id:?} is sent to the least bad, although {other:?} is well"
        );
        Ok(())
    }

    /// The same of an attempt that was made without a choice.
    fn check_least_bad(&self, id: CallId, to: UpstreamIndex, shard: &Shard, now: Instant) -> Check {
        let other = self.well_elsewhere(id, shard, now)?;
        must!(
            other.is_none(),
            "{id:?} is sent to {to:?}, which is out, although {other:?} is well"
        );
        Ok(())
    }

    /// While another can still serve the call, an attempt has half of what is left at most.
    fn check_half(&self, id: CallId, attempt: AttemptId, shard: &Shard, now: Instant) -> Check {
        let Some(call) = self.noted(id)? else {
            return Ok(());
        };
        let Some(made) = call.attempts().get(attempt.as_usize()).copied() else {
            return Ok(());
        };
        let half = call.deadline.saturating_duration_since(now) / 2;
        if made.deadline <= now + half || call.request.effect != Effect::None {
            return Ok(());
        }
        let policy = self.policies.get(call.request.policy.as_usize());
        let allowed = policy
            .or(self.policies.first())
            .map_or(0, |policy| policy.0);
        if attempt.as_usize() + 1 < allowed {
            let other = self.well_elsewhere(id, shard, now)?;
            must!(
                other.is_none(),
                "{id:?}: {attempt:?} may take all the time, although {other:?} is well"
            );
        }
        Ok(())
    }

    /// Somebody to whom this call has not been, and may go, and who is plainly well.
    fn well_elsewhere(
        &self,
        id: CallId,
        shard: &Shard,
        now: Instant,
    ) -> Result<Option<UpstreamIndex>, String> {
        let Some(call) = self.noted(id)? else {
            return Ok(None);
        };
        let mut well = shard.views(now).filter(|other| {
            let index = other.upstream;
            let tried = call
                .attempts()
                .iter()
                .any(|attempt| attempt.upstream == index);
            let pinned_away = call.request.pinned.is_some_and(|pinned| pinned != index);
            let known = self.upstreams.get(index.as_usize());
            let banned = known.is_some_and(|known| {
                let mut banned = known.banned.iter();
                banned.any(|&(method, until)| method == call.request.method && now < until)
            });
            let has = known.is_some_and(|known| known.gone.may_have(call));
            let plainly_well = other.eligible
                && other.breaker == State::Closed
                && other.groups[call.group() as usize] == State::Closed
                && !other.ramping
                && !other.on_probation
                && !other.saturated
                && other.quarantined.is_none();
            // Who may be behind is no plain choice for a call about the newest block, nor who is not known to have a block yet.
            let high_enough = match call.request.height {
                Height::Any => true,
                Height::At(number) => other.head.is_some_and(|head| head >= number),
                _ => other.lag_blocks == Some(0),
            };
            plainly_well
                && high_enough
                && has
                && !tried
                && !pinned_away
                && !banned
                && !call.request.excluded.contains(index)
        });
        Ok(well.next().map(|view| view.upstream))
    }

    /// Takes from the budget, by our own count.
    fn grant(&mut self, cost: u64, now: Instant) -> Check {
        self.second(now).2 += cost;
        self.in_window.1 += cost;
        self.retries.0 += 1;
        let (calls, retries) = self.in_window;
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
        while let Some(&(oldest, calls, retries)) = self.seconds.front()
            && oldest + WINDOW_S <= number
        {
            self.seconds.pop_front();
            self.in_window.0 -= calls;
            self.in_window.1 -= retries;
        }
        if self.seconds.back().is_none_or(|second| second.0 != number) {
            self.seconds.push_back((number, 0, 0));
        }
        let last = self.seconds.len() - 1;
        &mut self.seconds[last]
    }
}
