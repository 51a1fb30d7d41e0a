//! What must be true at every step, seen from outside. It is told what the driver does and what the engine notes, keeps its own
//! books, and never asks the engine how it decided.

mod breakers;
mod hedges;
mod notes;
mod shares;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::call::MAX_LIVE_ATTEMPTS;
use engine::call::{Outcome, Request};
use engine::config::{MethodPolicy, RetryBudgetConfig, SheddingConfig};
use engine::fault::{Fault, FaultClass};
use engine::index::{AttemptId, CallId, ProviderIndex, UpstreamIndex};
use engine::method::{self, Effect, MethodGroup, MethodId};
use engine::shard::Shard;
use engine::shed::Priority;
use engine::time::Instant;

use crate::provider::Script;
use crate::world::CHAIN;

/// Nothing may be false; the first that is, ends the run with this sentence.
pub type Check = Result<(), String>;

/// How far back the retry budget looks.
const WINDOW_S: u64 = 10;

macro_rules! must {
    ($truth:expr, $($sentence:tt)+) => {
        if !$truth {
            return Err(format!($($sentence)+));
        }
    };
}
use must;

/// The books.
#[derive(Debug)]
pub struct Auditor {
    upstreams: Vec<Upstream>,
    calls: BTreeMap<CallId, Call>,
    budget: RetryBudgetConfig,
    shedding: SheddingConfig,
    /// Calls that were refused since the shard is full.
    shed: BTreeSet<CallId>,
    attempts_allowed: usize,
    seconds: VecDeque<(u64, u64, u64)>,
    paused: BTreeSet<CallId>,
    /// The attempt that has just failed in a way that counts for a breaker.
    failed: Option<(UpstreamIndex, MethodGroup)>,
    /// Attempts started, finished, cancelled.
    attempts: (u64, u64, u64),
    /// Retries granted and denied, and reroutes.
    pub(crate) retries: (u64, u64, u64),
    pub(crate) hedges: hedges::Hedges,
}

#[derive(Debug)]
struct Upstream {
    provider: ProviderIndex,
    breakers: breakers::Breakers,
    shares: shares::Shares,
    /// Its own Retry-After, the latest that was told.
    floor: Instant,
    wrong_chain: bool,
    /// Methods that it said it does not serve, and until when that is believed.
    banned: Vec<(MethodId, Instant)>,
    live: u32,
}

#[derive(Debug)]
struct Call {
    request: Request,
    deadline: Instant,
    attempts: Vec<Attempt>,
    /// An attempt ended after its bytes had left.
    sent: bool,
    /// It has had its hedge.
    hedged: bool,
    /// Attempts beside its first that it was sent to from the start.
    raced: usize,
    /// An answer is on its way to the client.
    committed: bool,
}

#[derive(Debug)]
struct Attempt {
    upstream: UpstreamIndex,
    started: Instant,
    deadline: Instant,
    end: AttemptEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptEnd {
    Live,
    Cancelled,
    Finished(Result<(), Fault>),
}

impl Call {
    fn group(&self) -> MethodGroup {
        method::policy(self.request.method).class.group()
    }

    fn live(&self) -> impl Iterator<Item = &Attempt> {
        self.attempts
            .iter()
            .filter(|attempt| attempt.end == AttemptEnd::Live)
    }
}

impl Auditor {
    /// Empty books.
    #[must_use]
    pub fn new(
        scripts: &[Script],
        budget: RetryBudgetConfig,
        policy: &MethodPolicy,
        shedding: SheddingConfig,
    ) -> Self {
        Self {
            upstreams: scripts
                .iter()
                .map(|script| Upstream {
                    provider: script.config.provider,
                    breakers: breakers::Breakers::new(&script.config.breaker),
                    shares: shares::Shares::new(&script.config),
                    floor: Instant::ZERO,
                    wrong_chain: false,
                    banned: Vec::new(),
                    live: 0,
                })
                .collect(),
            calls: BTreeMap::new(),
            budget,
            shedding,
            shed: BTreeSet::new(),
            attempts_allowed: usize::from(policy.attempts),
            seconds: VecDeque::new(),
            paused: BTreeSet::new(),
            failed: None,
            attempts: (0, 0, 0),
            retries: (0, 0, 0),
            hedges: hedges::Hedges::new(policy.hedge),
        }
    }

    pub(crate) fn begun(
        &mut self,
        id: CallId,
        request: Request,
        deadline: Instant,
        now: Instant,
    ) -> Check {
        let call = Call {
            request,
            deadline,
            attempts: Vec::new(),
            sent: false,
            hedged: false,
            raced: 0,
            committed: false,
        };
        must!(
            self.calls.insert(id, call).is_none(),
            "{id:?} was begun twice"
        );
        self.second(now).1 += 1;
        Ok(())
    }

    pub(crate) fn dispatched(
        &mut self,
        id: CallId,
        attempt: AttemptId,
        to: UpstreamIndex,
        deadline: Instant,
        now: Instant,
    ) -> Check {
        let call = self
            .calls
            .get_mut(&id)
            .ok_or(format!("{id:?} sends after its end"))?;
        must!(
            attempt.as_usize() == call.attempts.len(),
            "{id:?} skips an ordinal: {attempt:?}"
        );
        must!(
            now < call.deadline,
            "{id:?} sends at {now}, its deadline was {}",
            call.deadline
        );
        must!(
            deadline <= call.deadline,
            "{id:?}: {attempt:?} may outlive its call"
        );
        must!(now < deadline, "{id:?}: {attempt:?} has no time at all");
        let request = &call.request;
        must!(
            !request.excluded.contains(to),
            "{id:?} is sent to {to:?}, which is excluded"
        );
        must!(
            request.pinned.is_none_or(|pinned| pinned == to),
            "{id:?} is pinned, not to {to:?}"
        );
        must!(
            !(call.sent && request.effect == Effect::NodeWrite),
            "{id:?}, a node write, is sent again to {to:?} although it may have left"
        );
        let upstream = self
            .upstreams
            .get_mut(to.as_usize())
            .ok_or(format!("{to:?} does not exist"))?;
        must!(
            now >= upstream.floor,
            "{id:?} is sent to {to:?} at {now}, which asked for silence until {}",
            upstream.floor
        );
        must!(
            !upstream.wrong_chain,
            "{id:?} is sent to {to:?}, which serves another chain"
        );
        upstream.live += 1;
        call.attempts.push(Attempt {
            upstream: to,
            started: now,
            deadline,
            end: AttemptEnd::Live,
        });
        let live = call.live().count();
        must!(
            live <= MAX_LIVE_ATTEMPTS,
            "{id:?} has {live} attempts out at once"
        );
        must!(
            !call.committed,
            "{id:?} sends although an answer is on its way to the client"
        );
        self.attempts.0 += 1;
        Ok(())
    }

    /// An attempt's answer is on its way to the client: from now on it may use all of the call's time.
    pub(crate) fn committed(&mut self, id: CallId, attempt: AttemptId) {
        if let Some(call) = self.calls.get_mut(&id)
            && let Some(known) = call.attempts.get_mut(attempt.as_usize())
        {
            known.deadline = call.deadline;
            call.committed = true;
        }
    }

    pub(crate) fn cancelled(&mut self, id: CallId, attempt: AttemptId) -> Check {
        self.end(id, attempt, AttemptEnd::Cancelled)
    }

    /// An attempt that the engine had not cancelled came to its end; the engine is about to be told.
    pub(crate) fn finished(
        &mut self,
        id: CallId,
        attempt: AttemptId,
        result: Result<(), Fault>,
        now: Instant,
    ) -> Check {
        if let Err(fault) = result
            && fault.class == FaultClass::RateLimited
            && let Some(asked) = fault.hold_off
            && let Some(to) = self.upstream_of(id, attempt)
            && let Some(upstream) = self.upstreams.get_mut(to.as_usize())
        {
            upstream.floor = upstream.floor.max(now + asked);
        }
        self.end(id, attempt, AttemptEnd::Finished(result))
    }

    fn end(&mut self, id: CallId, attempt: AttemptId, end: AttemptEnd) -> Check {
        let call = self.calls.get_mut(&id).ok_or(format!("{id:?} is over"))?;
        let known = call
            .attempts
            .get_mut(attempt.as_usize())
            .ok_or(format!("{id:?} never made {attempt:?}"))?;
        must!(
            known.end == AttemptEnd::Live,
            "{id:?}: {attempt:?} ends twice"
        );
        known.end = end;
        call.sent |= match end {
            AttemptEnd::Finished(Err(fault)) => fault.sent,
            _ => true,
        };
        match end {
            AttemptEnd::Cancelled => self.attempts.2 += 1,
            _ => self.attempts.1 += 1,
        }
        if let Some(upstream) = self.upstreams.get_mut(known.upstream.as_usize()) {
            upstream.live -= 1;
        }
        Ok(())
    }

    /// The call's one outcome.
    pub(crate) fn completed(&mut self, id: CallId, outcome: &Outcome, now: Instant) -> Check {
        let call = self
            .calls
            .remove(&id)
            .ok_or(format!("{id:?} completes twice"))?;
        must!(
            now <= call.deadline,
            "{id:?} completes at {now}, its deadline was {}",
            call.deadline
        );
        must!(
            call.live().count() == 0,
            "{id:?} completes with an attempt out"
        );
        self.paused.remove(&id);
        if let Outcome::Emit { fault, .. } = outcome
            && fault.class == FaultClass::Overloaded
            && call.attempts.is_empty()
        {
            self.check_shed(id, &call.request, now)?;
        }
        if let Outcome::Relay { attempt, fault } = outcome {
            let end = call
                .attempts
                .get(attempt.as_usize())
                .map(|attempt| attempt.end);
            let said = AttemptEnd::Finished(fault.map_or(Ok(()), Err));
            must!(
                end == Some(said),
                "{id:?} relays what {attempt:?} never said: {end:?}"
            );
        }
        let in_doubt = call.request.effect == Effect::NodeWrite
            && call.attempts.iter().any(|attempt| is_doubtful(attempt.end));
        if let Outcome::Emit {
            outcome_unknown, ..
        } = outcome
        {
            must!(
                *outcome_unknown || !in_doubt,
                "{id:?} may have had its effect, and does not say so"
            );
        }
        Ok(())
    }

    /// A call was refused since the shard is full: it is, for a call of this priority, and the budget does not know of it.
    fn check_shed(&mut self, id: CallId, request: &Request, now: Instant) -> Check {
        let class = method::policy(request.method).class;
        let percent = match Priority::of(class, request.effect) {
            Priority::Bulk => 70,
            Priority::Normal => 85,
            Priority::Cheap => 95,
            Priority::Critical => 100,
        };
        let (others, most) = (self.calls.len() as u64, self.shedding.max_live_calls);
        must!(
            others >= u64::from(most) * percent / 100,
            "{id:?} is refused beside {others} calls, {most} may be alive"
        );
        let second = self.second(now);
        second.1 = second.1.saturating_sub(1);
        self.shed.insert(id);
        Ok(())
    }

    /// The books agree with the engine's counters.
    pub(crate) fn balance(&self, shard: &Shard, now: Instant) -> Check {
        let live: u64 = self
            .upstreams
            .iter()
            .map(|upstream| u64::from(upstream.live))
            .sum();
        let (started, finished, cancelled) = self.attempts;
        must!(
            started == finished + cancelled + live,
            "{started} started, {finished} finished, {cancelled} cancelled, {live} live"
        );
        let calls = self.calls.len() as u64;
        must!(
            calls <= u64::from(self.shedding.max_live_calls),
            "{calls} calls are alive, {} may be",
            self.shedding.max_live_calls
        );
        must!(
            shard.live_calls() == calls,
            "{} calls are live, not {calls}",
            shard.live_calls()
        );
        for view in shard.views(now) {
            let known = self
                .upstreams
                .get(view.upstream.as_usize())
                .map_or(0, |upstream| upstream.live);
            must!(
                view.in_flight == known,
                "{:?} has {known} attempts in flight, the engine counts {}",
                view.upstream,
                view.in_flight
            );
            must!(view.chain == CHAIN, "{:?} is of no chain", view.upstream);
        }
        let late = self
            .calls
            .iter()
            .find(|(_, call)| call.live().any(|attempt| attempt.deadline < now));
        must!(
            late.is_none(),
            "{:?} has an attempt out past its deadline",
            late.map(|(id, _)| id)
        );
        must!(
            shard.notes_dropped() == 0,
            "{} notes were dropped",
            shard.notes_dropped()
        );
        Ok(())
    }

    /// Nothing is left.
    pub(crate) fn closed(&self) -> Check {
        must!(
            self.calls.is_empty(),
            "{:?} never ended",
            self.calls.keys().next()
        );
        Ok(())
    }

    pub(crate) fn saw_chain(&mut self, upstream: UpstreamIndex, is_right: bool) {
        if let Some(upstream) = self.upstreams.get_mut(upstream.as_usize()) {
            upstream.wrong_chain = !is_right;
        }
    }

    /// What failed in an earlier verb explains nothing in this one.
    pub(crate) const fn forget_failure(&mut self) {
        self.failed = None;
    }

    pub(crate) const fn attempts_started(&self) -> u64 {
        self.attempts.0
    }

    fn upstream_of(&self, id: CallId, attempt: AttemptId) -> Option<UpstreamIndex> {
        let call = self.calls.get(&id)?;
        call.attempts
            .get(attempt.as_usize())
            .map(|attempt| attempt.upstream)
    }

    fn upstream(&mut self, index: UpstreamIndex) -> Result<&mut Upstream, String> {
        self.upstreams
            .get_mut(index.as_usize())
            .ok_or(format!("{index:?} does not exist"))
    }
}

/// Given up by its deadline, or broken after the bytes had left.
fn is_doubtful(end: AttemptEnd) -> bool {
    match end {
        AttemptEnd::Finished(Err(fault)) => {
            fault.sent
                && matches!(
                    fault.class,
                    FaultClass::Transport | FaultClass::Timeout | FaultClass::Server
                )
        }
        AttemptEnd::Cancelled => true,
        AttemptEnd::Finished(Ok(())) | AttemptEnd::Live => false,
    }
}
