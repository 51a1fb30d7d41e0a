//! What a call does next: its first attempt, another after a failure, a pause, or its end. The fault table says what may be repeated, the
//! strategy where; here is the order of the questions.
//!
//! After a failure, in this order: is the answer final (the class is not retried)? is another attempt still out? is there time, an
//! attempt left, and no effect that could double? is there a fresh upstream (another company's first)? does the budget
//! allow it? If no upstream is fresh: may one that failed be asked again, after a pause?

use core::time::Duration;

use crate::call::{Attempt, Call, Failure, Outcome, Phase};
use crate::eligibility::{LeftOut, LeftOutBy};
use crate::fault::{EmitRule, Fault, FaultClass, RetryOther, RetrySame};
use crate::index::{AttemptId, UpstreamIndex, UpstreamSet};
use crate::method::{self, Effect, MethodClass, MethodId};
use crate::note::{NoteKind, Purpose};
use crate::retry;
use crate::time::Instant;

use super::select::Choice;
use super::{Shard, silence};

/// A retry on an upstream that is out takes as much of the budget as two: where all are out, few retries can help.
const LEAST_BAD_COST: u32 = 2;

impl Shard {
    pub(super) fn attempt_first(&mut self, call: &mut Call, now: Instant) {
        match self.choose(call, true, now) {
            Ok(choice) if self.is_hopeless(call, &choice, now) => {
                let fault = Fault::unsent(FaultClass::DeadlineExceeded, "cannot_finish");
                self.emit(call, fault, now);
            }
            Ok(choice) if self.waits_for_room(call, &choice, now) => {}
            Ok(choice) => {
                self.dispatch_choice(call, &choice, Purpose::First, now);
                self.arm(call, choice.least_bad.is_some(), now);
            }
            Err(left_out) if self.waits_for_held(call, &left_out, now) => {}
            Err(left_out) => self.reject(call, &left_out, now),
        }
    }

    /// An attempt failed: is that the call's end?
    pub(super) fn failed(
        &mut self,
        call: &mut Call,
        id: AttemptId,
        attempt: &Attempt,
        fault: Fault,
        now: Instant,
    ) {
        let traits = fault.traits();
        // From here on it is a retry's matter.
        call.hedge_at = Instant::NEVER;
        call.sent |= fault.sent;
        let ambiguous =
            call.request.effect != Effect::None && fault.sent && is_ambiguous(fault.class);
        call.ambiguous |= ambiguous;
        if fault.class == FaultClass::RateLimited {
            call.throttled.insert(attempt.upstream);
        }
        if traits.retry_same == RetrySame::OnceFresh {
            call.may_return.insert(attempt.upstream);
        }
        let failure = Failure { attempt: id, fault };
        let is_final = traits.retry_other == RetryOther::No && traits.retry_same == RetrySame::No;
        let rank = |fault: &Fault| telling(fault.class, call.request.effect);
        if is_final
            || call
                .answer
                .is_none_or(|known| rank(&known.fault) < rank(&fault))
        {
            call.answer = Some(failure);
        }
        if is_final {
            self.give_up(call, now);
        } else if !call.has_live() {
            self.try_again(call, &fault, now);
        } else if traits.retry_other == RetryOther::Once {
            // The other one that is out is the second opinion.
            call.second_opinion = true;
        }
    }

    fn try_again(&mut self, call: &mut Call, fault: &Fault, now: Instant) {
        let exhausted = call.attempts_made() >= call.attempts_allowed;
        if now >= call.deadline || exhausted || !call.may_send_again(call.sent) {
            return self.give_up(call, now);
        }
        if fault.traits().retry_other == RetryOther::Once
            && core::mem::replace(&mut call.second_opinion, true)
        {
            return self.give_up(call, now);
        }
        let panicking = self
            .chain(call.request.chain)
            .is_some_and(|chain| chain.is_panicking(now));
        match self.choose(call, panicking, now) {
            Ok(choice) if self.is_hopeless(call, &choice, now) => self.give_up(call, now),
            Ok(choice) if self.waits_for_room(call, &choice, now) => {}
            Ok(choice) => self.move_on(call, &choice, fault, now),
            Err(left_out)
                if fault.class == FaultClass::RateLimited
                    && self.waits_for_held(call, &left_out, now) => {}
            Err(_) => self.pause(call, now),
        }
    }

    pub(super) fn move_on(
        &mut self,
        call: &mut Call,
        choice: &Choice,
        fault: &Fault,
        now: Instant,
    ) {
        let (purpose, cost) = if is_rerouted(fault.class) {
            (Purpose::Reroute, 0)
        } else if choice.is_out() {
            (Purpose::Retry, LEAST_BAD_COST)
        } else {
            (Purpose::Retry, 1)
        };
        if self.budget.take(now, cost) {
            self.dispatch_choice(call, choice, purpose, now);
        } else if fault.class != FaultClass::RateLimited || !self.waits_for_budget(call, now) {
            self.deny_retry(call, now);
            self.give_up(call, now);
        }
    }

    /// Every upstream was tried: one that failed in transport may be asked once more, after a pause.
    fn pause(&mut self, call: &mut Call, now: Instant) {
        let until = now + retry::pause(call.returned.len() as u32, &mut self.rng);
        let can_return = !call.may_return.minus(call.returned).is_empty() && until < call.deadline;
        if can_return && self.take_from_budget(call, 1, now) {
            call.phase = Phase::Backoff { until };
            let id = call.id;
            self.note(
                now,
                call.request.chain,
                NoteKind::Paused { call: id, until },
            );
        } else {
            self.give_up(call, now);
        }
    }

    pub(super) fn return_from_backoff(&mut self, call: &mut Call, now: Instant) {
        call.phase = Phase::Attempting;
        if core::mem::take(&mut call.is_held) {
            return self.go_on_after_hold(call, now);
        }
        if let Ok(choice) = self.choose(call, false, now) {
            return self.dispatch_choice(call, &choice, Purpose::Retry, now);
        }
        let may_return = call.may_return.minus(call.returned);
        let target = self.chain(call.request.chain).and_then(|chain| {
            let panicking = chain.is_panicking(now);
            let admits = |index| {
                chain.admits(index, call.group, now)
                    || panicking && chain.admits_least_bad(index, now)
            };
            may_return.iter().find(|&index| admits(index))
        });
        match target {
            Some(upstream) => {
                call.returned.insert(upstream);
                self.dispatch(call, upstream, Purpose::Retry, false, now);
            }
            None => self.give_up(call, now),
        }
    }

    pub(super) fn take_from_budget(&mut self, call: &Call, cost: u32, now: Instant) -> bool {
        let allowed = self.budget.take(now, cost);
        if !allowed {
            self.deny_retry(call, now);
        }
        allowed
    }

    fn deny_retry(&mut self, call: &Call, now: Instant) {
        let kind = NoteKind::RetryDenied { call: call.id };
        self.note(now, call.request.chain, kind);
    }

    pub(super) fn choose(
        &mut self,
        call: &Call,
        any: bool,
        now: Instant,
    ) -> Result<Choice, LeftOut> {
        self.survey(call, now);
        let chain = self.chains.get_mut(call.request.chain.as_usize());
        chain.map_or(Err(LeftOut::default()), |chain| {
            chain.choose(call, any, now)
        })
    }

    pub(super) fn dispatch_choice(
        &mut self,
        call: &mut Call,
        choice: &Choice,
        purpose: Purpose,
        now: Instant,
    ) {
        self.note(
            now,
            call.request.chain,
            NoteKind::Selected {
                call: call.id,
                strategy: call.strategy,
                reason: choice.reason,
                chosen: choice.upstream,
                candidates: choice.candidates,
                left_out: choice.left_out,
                least_bad: choice.least_bad,
            },
        );
        self.note_saving(call, now);
        self.dispatch(call, choice.upstream, purpose, choice.has_others, now);
    }

    pub(super) fn dispatch(
        &mut self,
        call: &mut Call,
        index: UpstreamIndex,
        purpose: Purpose,
        has_others: bool,
        now: Instant,
    ) {
        let (chain, method) = (call.request.chain, call.request.method);
        let Some(state) = self.chains.get_mut(chain.as_usize()) else {
            return;
        };
        let estimate = state.board.estimate(index, method, now);
        let micros = |us: u64| u32::try_from(us).unwrap_or(u32::MAX);
        let usual = Duration::from_micros(estimate.usual_us);
        let limit = state
            .upstream(index)
            .map(|upstream| upstream.config.timeout);
        let forced = !state.admits(index, call.group, now);
        let permits = state.admit(index, method, call.group, now, &mut |kind| {
            self.notes.push(now, chain, kind)
        });
        let reserved = if self.metered {
            self.reserve(chain, index, method, now)
        } else {
            None
        };
        let (account, units) = reserved.unzip();
        let is_last = !has_others || call.attempts_made() + 1 >= call.attempts_allowed;
        let left = call.deadline.saturating_duration_since(now);
        // An effect that may not be repeated gains nothing from time kept back.
        let share = if is_last || call.request.effect == Effect::NodeWrite {
            left
        } else {
            (left / 2).min(patience(method))
        };
        let deadline = now + limit.unwrap_or(share).min(share);
        let attempt = Attempt {
            upstream: index,
            live: true,
            started: now,
            deadline,
            check: silence::first_check(call, is_last, usual, now),
            first_byte: Instant::NEVER,
            fresh: call.tried.contains(index),
            committed: false,
            breaker: permits.breaker,
            throttle: permits.throttle,
            quarantined: permits.quarantined,
            on_trial: permits.on_trial,
            outing: permits.outing,
            expected_us: micros(estimate.latency_us),
            usual_us: micros(estimate.usual_us),
            account,
            units: units.unwrap_or(0),
        };
        call.take_room(&mut self.spare);
        // Attempts were counted before this was called, so there is room.
        let Some(id) = call.add_attempt(attempt) else {
            return;
        };
        call.phase = Phase::Attempting;
        self.note(
            now,
            chain,
            NoteKind::AttemptStarted {
                call: call.id,
                attempt: id,
                upstream: index,
                purpose,
                probe: permits.breaker.is_probe(),
                forced,
            },
        );
    }

    /// Nothing could be chosen for a first attempt: says why.
    fn reject(&mut self, call: &mut Call, left_out: &LeftOut, now: Instant) {
        self.note(
            now,
            call.request.chain,
            NoteKind::NothingEligible {
                call: call.id,
                left_out: *left_out,
            },
        );
        let held = left_out.by(LeftOutBy::HoldOff);
        let spent = left_out.by(LeftOutBy::Quota);
        let known = self
            .chain(call.request.chain)
            .map_or(0, |chain| chain.upstreams.len());
        // Whoever could be asked is not asked this method; that a path names one upstream leaves out the others.
        let excluded = left_out
            .by(LeftOutBy::Excluded)
            .or(left_out.by(LeftOutBy::Protocol));
        let pinned_out = left_out.by(LeftOutBy::Pinned);
        let fault = if !held.is_empty() {
            Fault::unsent(FaultClass::RateLimited, "all_held_off")
        } else if !spent.is_empty() {
            Fault::unsent(FaultClass::RateLimited, "quota_spent")
        } else if !excluded.is_empty() && excluded.or(pinned_out) == UpstreamSet::first(known) {
            Fault::unsent(FaultClass::UnsupportedMethod, "excluded_everywhere")
        } else {
            Fault::unsent(FaultClass::NoUpstream, "nothing_eligible")
        };
        self.emit(call, fault, now);
    }

    pub(super) fn emit(&mut self, call: &mut Call, fault: Fault, now: Instant) {
        let fault = self.with_return(call, fault, now);
        self.complete(
            call,
            Outcome::Emit {
                fault,
                attempt: None,
                outcome_unknown: false,
            },
            now,
        );
    }

    /// Ends the call with the best that its attempts gave.
    pub(super) fn give_up(&mut self, call: &mut Call, now: Instant) {
        let Some(Failure { attempt, fault }) = call.answer else {
            let fault = Fault {
                sent: call.sent,
                ..Fault::new(FaultClass::DeadlineExceeded, "call_deadline")
            };
            return self.emit(call, fault, now);
        };
        match fault.traits().emit {
            EmitRule::Relay | EmitRule::TransactionHash => {
                self.relay(call, attempt, Some(fault), now)
            }
            EmitRule::Nothing => self.abort(call, fault, now),
            EmitRule::Own | EmitRule::RelayUnlessRevealing => {
                let outcome = Outcome::Emit {
                    fault: self.with_return(call, fault, now),
                    attempt: Some(attempt),
                    outcome_unknown: call.ambiguous,
                };
                self.complete(call, outcome, now);
            }
        }
    }

    /// A throttle that the client is told of says when to come back: when the first of the held-off upstreams does, or the first account
    /// may spend again.
    fn with_return(&mut self, call: &Call, fault: Fault, now: Instant) -> Fault {
        if !matches!(
            fault.class,
            FaultClass::RateLimited | FaultClass::QuotaBilling
        ) {
            return fault;
        }
        let request = &call.request;
        let Some(chain) = self.chain(request.chain) else {
            return fault;
        };
        let all = chain.all.minus(request.excluded);
        let wanted = request.pinned.map_or(all, UpstreamSet::only);
        let returns = chain.earliest_return(wanted.minus(chain.spent));
        let funds = self.earliest_funds(request.chain, wanted, request.method, now);
        let earliest = returns.into_iter().chain(funds).min();
        fault.with_hold_off(
            earliest.map_or(fault.hold_off, |at| Some(at.saturating_duration_since(now))),
        )
    }

    pub(super) fn relay(
        &mut self,
        call: &mut Call,
        attempt: AttemptId,
        fault: Option<Fault>,
        now: Instant,
    ) {
        self.complete(call, Outcome::Relay { attempt, fault }, now);
    }

    pub(super) fn abort(&mut self, call: &mut Call, fault: Fault, now: Instant) {
        self.complete(call, Outcome::Abort { fault }, now);
    }

    fn complete(&mut self, call: &mut Call, outcome: Outcome, now: Instant) {
        let answered = !matches!(outcome, Outcome::Abort { .. });
        self.cancel_live(call, None, answered, now);
        call.complete(outcome);
        self.live_calls = self.live_calls.saturating_sub(1);
    }

    /// Cancels what is still out, but for one: outrun, where the call is answered; else there is nothing to learn from it.
    pub(super) fn cancel_live(
        &mut self,
        call: &mut Call,
        except: Option<AttemptId>,
        answered: bool,
        now: Instant,
    ) {
        for position in 0..call.attempts_made() as u16 {
            let id = AttemptId(position);
            if Some(id) == except {
                continue;
            }
            let Some(attempt) = call.end(id) else {
                continue;
            };
            call.cancel(id);
            if answered {
                self.outrun(call, &attempt, now);
            } else {
                self.let_go(call, &attempt, now);
            }
            self.note(
                now,
                call.request.chain,
                NoteKind::AttemptCancelled {
                    call: call.id,
                    attempt: id,
                    upstream: attempt.upstream,
                },
            );
        }
    }
}

/// The upstream is well and told us that *it* cannot serve this call. To ask another is no repetition: it is what the client would
/// have got had we known, and it teaches us. An outage never takes this way, so the budget is not drawn.
const fn is_rerouted(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::UnsupportedMethod | FaultClass::MissingData | FaultClass::CapabilityRange
    )
}

/// How long an attempt may take while another upstream could serve the call. Client libraries wait ten seconds by default (viem), so a
/// question that nodes answer in milliseconds must have found another node well before. Scans and traces take what they take.
fn patience(method: MethodId) -> Duration {
    match method::policy(method).class {
        MethodClass::Read
        | MethodClass::HeadRead
        | MethodClass::Static
        | MethodClass::Filter
        | MethodClass::Write => Duration::from_secs(4),
        MethodClass::Logs
        | MethodClass::Trace
        | MethodClass::Subscription
        | MethodClass::Admin
        | MethodClass::Other => Duration::MAX,
    }
}

/// Failures that leave open whether the call took effect.
const fn is_ambiguous(class: FaultClass) -> bool {
    matches!(
        class,
        FaultClass::Transport | FaultClass::Timeout | FaultClass::Server | FaultClass::Unclassified
    )
}

/// When several attempts failed, each in its own way, the highest is what the client is told. First a node's own words about the call,
/// from the most to the least particular; then what tells the client best what to do; last what is true of one upstream only.
const fn telling(class: FaultClass, effect: Effect) -> u8 {
    if !matches!(effect, Effect::None) && is_ambiguous(class) {
        // "It may have happened" must not be hidden behind another upstream's opinion.
        return 100;
    }
    match class {
        FaultClass::TxPoolPolicy => 90,
        FaultClass::CapabilityRange => 80,
        FaultClass::MissingData => 70,
        FaultClass::Unclassified => 60,
        FaultClass::RateLimited => 50,
        FaultClass::Server => 45,
        FaultClass::Timeout => 40,
        FaultClass::Transport => 35,
        FaultClass::Syncing => 30,
        FaultClass::QuotaBilling => 25,
        FaultClass::UnsupportedMethod => 20,
        FaultClass::Auth => 15,
        _ => 10,
    }
}
