//! One shard of a proxy that chooses by some rule and fails over plainly: one call's life, without hedges, budgets or memory beyond its
//! rule's. It speaks the engine's vocabulary so that the world can drive it.

use core::time::Duration;

use engine::call::{Action, Event, Outcome, Request};
use engine::fault::{Fault, FaultClass, RetryOther};
use engine::head::{HeadKind, HeadPoll};
use engine::index::{AttemptId, UpstreamIndex};
use engine::method::Effect;
use engine::rng::Rng;
use engine::shard::ProbeResult;
use engine::time::Instant;

use super::accrual::Standing;
use super::{Ended, Kind, Rule};
use crate::decider::{Decider, Deciding};
use crate::scenario::Scenario;

/// Attempts that a call may make.
pub const ATTEMPTS: usize = 3;
/// How long one may take.
pub const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(5);

/// A call.
#[derive(Debug)]
pub struct PlainCall {
    number: u64,
    request: Request,
    deadline: Instant,
    /// Upstreams that it was sent to, in order; the last may be out.
    tried: [u16; ATTEMPTS + 1],
    made: usize,
    out: Option<Out>,
    /// Bytes may have reached an upstream.
    sent: bool,
    replaced: bool,
    /// What the client is told if nothing better comes.
    failure: Option<(AttemptId, Fault)>,
    dispatch: bool,
    cancel: Option<AttemptId>,
    outcome: Option<Outcome>,
    done: bool,
}

/// The attempt that is out.
#[derive(Clone, Copy, Debug)]
struct Out {
    upstream: usize,
    started: Instant,
    deadline: Instant,
    fresh: bool,
    committed: bool,
}

impl Deciding for PlainCall {
    fn number(&self) -> u64 {
        self.number
    }
    fn is_done(&self) -> bool {
        self.done
    }
    fn deadline(&self) -> Instant {
        self.deadline
    }
}

impl PlainCall {
    const fn current(&self) -> AttemptId {
        AttemptId(self.made as u16 - 1)
    }

    fn complete(&mut self, outcome: Outcome) {
        self.outcome = Some(outcome);
        self.done = true;
    }
}

/// One shard.
#[derive(Debug)]
pub struct Baseline {
    kind: &'static Kind,
    rule: Box<dyn Rule>,
    standings: Vec<Standing>,
    /// When each upstream was asked for its head last.
    asked: Vec<Instant>,
    timeouts: Vec<Duration>,
    candidates: Vec<usize>,
    calls: u64,
    rng: Rng,
}

impl Baseline {
    /// A shard that knows nothing yet.
    #[must_use]
    pub fn new(kind: &'static Kind, scenario: &Scenario, seed: u64) -> Self {
        let configs: Vec<_> = scenario
            .upstreams
            .iter()
            .map(|script| script.config.clone())
            .collect();
        let policies = scenario.policies().map(|policy| policy.timeout);
        Self {
            kind,
            rule: (kind.build)(&configs),
            standings: vec![Standing::default(); configs.len()],
            asked: vec![Instant::ZERO; configs.len()],
            timeouts: policies.collect(),
            candidates: Vec::with_capacity(configs.len()),
            calls: 0,
            rng: Rng::new(seed),
        }
    }

    /// Sends a call to an upstream that it has not been to, if there is one.
    fn send(&mut self, call: &mut PlainCall, now: Instant) -> bool {
        let tried = |upstream: usize| {
            let mut tried = call.tried.iter().take(call.made);
            tried.any(|known| usize::from(*known) == upstream)
        };
        let may = |upstream: usize| {
            let index = UpstreamIndex(upstream as u16);
            let wanted = call.request.pinned.is_none_or(|pinned| pinned == index);
            wanted && !call.request.excluded.contains(index) && !tried(upstream)
        };
        let all = 0..self.standings.len();
        self.candidates.clear();
        self.candidates
            .extend(all.filter(|&upstream| may(upstream)));
        let standings = &self.standings;
        let is_in = |upstream: &usize| standings[*upstream].is_in(now);
        if self.candidates.iter().any(is_in) {
            self.candidates.retain(is_in);
        }
        if self.candidates.is_empty() {
            return false;
        }
        let upstream = self
            .rule
            .choose(&self.candidates, call.request.method, now, &mut self.rng);
        self.dispatch(call, upstream, false, now);
        true
    }

    fn dispatch(&mut self, call: &mut PlainCall, upstream: usize, fresh: bool, now: Instant) {
        self.rule.sent(upstream, now);
        if let Some(place) = call.tried.get_mut(call.made) {
            *place = upstream as u16;
        }
        call.made += 1;
        call.out = Some(Out {
            upstream,
            started: now,
            deadline: call.deadline.min(now + ATTEMPT_TIMEOUT),
            fresh,
            committed: false,
        });
        call.dispatch = true;
    }

    /// An attempt has come to its end.
    fn end(&mut self, call: &mut PlainCall, how: Ended, now: Instant) -> Option<Out> {
        let out = call.out.take()?;
        let took = now.saturating_duration_since(out.started);
        self.rule
            .ended(out.upstream, call.request.method, how, took, now);
        let standing = self.standings.get_mut(out.upstream)?;
        match how {
            Ended::Answered => standing.answered(),
            Ended::Failed(fault) => standing.failed(&self.kind.accrual, &fault, now),
            Ended::GivenUp => {}
        }
        Some(out)
    }

    fn failed(&mut self, call: &mut PlainCall, fault: Fault, now: Instant) {
        let attempt = call.current();
        let traits = fault.traits();
        let how = if traits.answered {
            Ended::Answered
        } else {
            Ended::Failed(fault)
        };
        let Some(out) = self.end(call, how, now) else {
            return;
        };
        call.sent |= fault.sent;
        call.failure = Some((attempt, fault));
        if out.committed {
            return call.complete(Outcome::Abort { fault });
        }
        if traits.retry_other == RetryOther::No {
            return call.complete(Outcome::Relay {
                attempt,
                fault: Some(fault),
            });
        }
        let may = !(call.sent && call.request.effect == Effect::NodeWrite);
        let has_left = call.made < ATTEMPTS + usize::from(call.replaced) && now < call.deadline;
        if !(may && has_left && self.send(call, now)) {
            self.give_up(call);
        }
    }

    fn give_up(&self, call: &mut PlainCall) {
        let fault = Fault::new(FaultClass::NoUpstream, "none_left");
        let (attempt, fault) = call
            .failure
            .map_or((None, fault), |(attempt, fault)| (Some(attempt), fault));
        call.complete(Outcome::Emit {
            fault,
            attempt,
            outcome_unknown: call.sent,
        });
    }

    fn cancel(&mut self, call: &mut PlainCall, now: Instant) {
        if call.out.is_some() {
            let attempt = call.current();
            self.end(call, Ended::GivenUp, now);
            call.cancel = Some(attempt);
        }
    }
}

impl Decider for Baseline {
    type Call = PlainCall;

    fn begin(&mut self, _slot: usize, request: Request, now: Instant) -> Result<PlainCall, String> {
        self.calls += 1;
        let policy = self.timeouts.get(request.policy.as_usize());
        let timeout = policy.or(self.timeouts.first()).copied();
        let mut call = PlainCall {
            number: self.calls,
            deadline: request.deadline.min(now + timeout.unwrap_or_default()),
            request,
            tried: [0; ATTEMPTS + 1],
            made: 0,
            out: None,
            sent: false,
            replaced: false,
            failure: None,
            dispatch: false,
            cancel: None,
            outcome: None,
            done: false,
        };
        if !self.send(&mut call, now) {
            self.give_up(&mut call);
        }
        Ok(call)
    }

    fn handle_event(&mut self, call: &mut PlainCall, event: Event, now: Instant) {
        let is_out = |call: &PlainCall, attempt| call.out.is_some() && call.current() == attempt;
        match event {
            Event::Finished { attempt, result } if is_out(call, attempt) => match result {
                Ok(()) => {
                    self.end(call, Ended::Answered, now);
                    call.complete(Outcome::Relay {
                        attempt,
                        fault: None,
                    });
                }
                Err(fault) => self.failed(call, fault, now),
            },
            Event::Committed { attempt } if is_out(call, attempt) => {
                let deadline = call.deadline;
                if let Some(out) = &mut call.out {
                    out.committed = true;
                    out.deadline = deadline;
                }
            }
            Event::Stale { attempt, sent } if is_out(call, attempt) => {
                let doubles = sent && call.request.effect == Effect::NodeWrite;
                let again = !(call.replaced || doubles) && now < call.deadline;
                if again {
                    call.replaced = true;
                    call.sent |= sent;
                    if let Some(out) = self.end(call, Ended::GivenUp, now) {
                        self.dispatch(call, out.upstream, true, now);
                    }
                } else {
                    let fault = Fault::new(FaultClass::Transport, "stale_connection");
                    self.failed(call, fault, now);
                }
            }
            Event::ClientGone if !call.done => {
                self.cancel(call, now);
                let fault = Fault::new(FaultClass::Cancelled, "client_gone");
                call.complete(Outcome::Abort { fault });
            }
            _ => {}
        }
    }

    fn handle_timeout(&mut self, call: &mut PlainCall, now: Instant) {
        if call.done {
            return;
        }
        if now >= call.deadline {
            self.cancel_late(call, now);
            let fault = Fault::new(FaultClass::DeadlineExceeded, "call_deadline");
            let attempt = call.failure.map(|(attempt, _)| attempt);
            return call.complete(Outcome::Emit {
                fault,
                attempt,
                outcome_unknown: call.sent,
            });
        }
        if call.out.is_some_and(|out| out.deadline <= now) {
            call.cancel = Some(call.current());
            let fault = Fault::new(FaultClass::Timeout, "attempt_deadline");
            self.failed(call, fault, now);
        }
    }

    fn poll_action(&mut self, call: &mut PlainCall, _now: Instant) -> Option<Action> {
        if let Some(attempt) = call.cancel.take() {
            return Some(Action::Cancel { attempt });
        }
        if let Some(out) = call.out.filter(|_| core::mem::take(&mut call.dispatch)) {
            return Some(Action::Dispatch {
                attempt: call.current(),
                upstream: UpstreamIndex(out.upstream as u16),
                deadline: out.deadline,
                fresh: out.fresh,
            });
        }
        call.outcome.take().map(Action::Complete)
    }

    fn next_deadline(&self, call: &PlainCall) -> Option<Instant> {
        let out = call.out.map_or(call.deadline, |out| out.deadline);
        (!call.done).then(|| out.min(call.deadline))
    }

    fn probed(&mut self, upstream: UpstreamIndex, result: ProbeResult, now: Instant) {
        if let ProbeResult::Head(number) = result {
            self.rule.head(upstream.as_usize(), number, now);
        }
        if let Some(asked) = self.asked.get_mut(upstream.as_usize())
            && matches!(result, ProbeResult::Head(_) | ProbeResult::HeadFailed(_))
        {
            *asked = now;
        }
    }

    fn next_head_poll(&self, upstream: UpstreamIndex, now: Instant) -> Option<HeadPoll> {
        let every = self.rule.asks_heads()?;
        let asked = self.asked.get(upstream.as_usize()).copied()?;
        let at = if asked == Instant::ZERO {
            now
        } else {
            asked + every
        };
        Some(HeadPoll {
            at: at.max(now),
            kind: HeadKind::Newest,
        })
    }
}

impl Baseline {
    /// The call's time is over with an attempt out: that is a time-out of its upstream, unless the client was in a hurry.
    fn cancel_late(&mut self, call: &mut PlainCall, now: Instant) {
        if let Some(out) = call.out {
            call.cancel = Some(call.current());
            let waited = now.saturating_duration_since(out.started);
            let how = if waited >= ATTEMPT_TIMEOUT / 2 {
                Ended::Failed(Fault::new(FaultClass::Timeout, "call_deadline"))
            } else {
                Ended::GivenUp
            };
            self.end(call, how, now);
        }
    }
}
