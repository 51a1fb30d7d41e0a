//! What must be true of one shard at every step, seen from outside. It is told what the driver does and what the engine notes, keeps its own
//! books, and never asks the engine how it decided.
//!
//! A call is known by its slot while it lives: the driver's own name for it, so that a look-up is an index. What the engine notes carries the
//! engine's number, which must be that of the call whose turn it is.

mod breakers;
mod call;
mod hedges;
mod history;
mod notes;
mod regions;
mod shares;

use std::collections::{BTreeSet, VecDeque};

use engine::call::{MAX_LIVE_ATTEMPTS, Outcome, Request};
use engine::chain::ChainId;
use engine::config::{RetryBudgetConfig, SheddingConfig};
use engine::fault::{Fault, FaultClass};
use engine::gossip::News;
use engine::index::{AttemptId, CallId, PolicyIndex, ProviderIndex, UpstreamIndex};
use engine::method::{self, Effect, MethodGroup, MethodId};
use engine::shard::Shard;
use engine::shed::Priority;
use engine::time::Instant;

use crate::scenario::Scenario;
use crate::world::CHAIN;

use call::{Attempt, AttemptEnd, Call, is_doubtful};

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

/// The books of one shard.
#[derive(Debug)]
pub struct Auditor {
    upstreams: Vec<Upstream>,
    /// By slot.
    calls: Vec<Option<Call>>,
    live_calls: u64,
    /// The call that began last: the engine counts them.
    newest: CallId,
    /// The call whose turn it is, and its slot.
    current: (CallId, usize),
    chain_id: ChainId,
    budget: RetryBudgetConfig,
    shedding: SheddingConfig,
    /// Calls that were refused since the shard is full.
    shed: BTreeSet<CallId>,
    /// Seconds of the budget's window: number, calls, retries; and their sums.
    seconds: VecDeque<(u64, u64, u64)>,
    in_window: (u64, u64),
    /// The attempt that has just failed in a way that counts for a breaker, or the upstream of which that was heard.
    failed: Option<(UpstreamIndex, MethodGroup)>,
    /// What another shard tells is being taken in.
    hears: bool,
    /// Before when an upstream wants to be left alone by another shard's word, while that is taken in.
    heard_floor: Option<(UpstreamIndex, Instant)>,
    /// Attempts started, finished, cancelled.
    attempts: (u64, u64, u64),
    /// Retries granted and denied, and reroutes.
    pub(crate) retries: (u64, u64, u64),
    /// By policy: attempts allowed, and the hedges.
    policies: Vec<(usize, hedges::Hedges)>,
    regions: regions::Regions,
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
    /// What it said that it has no more.
    gone: history::Gone,
    live: u32,
}

impl Auditor {
    /// Empty books.
    #[must_use]
    pub fn new(scenario: &Scenario) -> Self {
        let upstreams = scenario.upstreams.iter().map(|script| Upstream {
            provider: script.config.provider,
            breakers: breakers::Breakers::new(&script.config.breaker),
            shares: shares::Shares::new(&script.config),
            floor: Instant::ZERO,
            wrong_chain: false,
            banned: Vec::new(),
            gone: history::Gone::default(),
            live: 0,
        });
        let mut configs = scenario.upstreams.iter().map(|script| &script.config);
        let in_units =
            configs.any(|one| one.price.units != 1 || !one.price.method_units.is_empty());
        let policies = scenario.policies().map(|policy| {
            let hedges = hedges::Hedges::new(policy.hedge, in_units);
            (usize::from(policy.attempts), hedges)
        });
        Self {
            upstreams: upstreams.collect(),
            calls: Vec::new(),
            live_calls: 0,
            newest: CallId(0),
            current: (CallId(0), 0),
            chain_id: scenario.chain.id,
            budget: scenario.retry_budget,
            shedding: scenario.shedding,
            shed: BTreeSet::new(),
            seconds: VecDeque::new(),
            in_window: (0, 0),
            failed: None,
            hears: false,
            heard_floor: None,
            attempts: (0, 0, 0),
            retries: (0, 0, 0),
            policies: policies.collect(),
            regions: regions::Regions::new(scenario),
        }
    }

    pub(crate) fn begun(
        &mut self,
        slot: usize,
        id: CallId,
        request: Request,
        deadline: Instant,
        now: Instant,
    ) -> Check {
        if self.calls.len() <= slot {
            self.calls.resize_with(slot + 1, || None);
        }
        let free = self.calls.get(slot).is_some_and(Option::is_none);
        must!(free, "{id:?} begins in the place of a call that lives");
        must!(id > self.newest, "{id:?} was begun twice");
        self.newest = id;
        self.calls[slot] = Some(Call::new(id, request, deadline));
        self.live_calls += 1;
        self.turn(slot, id);
        self.second(now).1 += 1;
        self.in_window.0 += 1;
        Ok(())
    }

    /// It is this call's turn.
    pub(crate) const fn turn(&mut self, slot: usize, id: CallId) {
        self.current = (id, slot);
    }

    pub(crate) fn dispatched(
        &mut self,
        slot: usize,
        attempt: AttemptId,
        to: UpstreamIndex,
        deadline: Instant,
        now: Instant,
    ) -> Check {
        let id = self.current.0;
        let call = self.calls.get_mut(slot).and_then(Option::as_mut);
        let call = call.ok_or_else(|| format!("{id:?} sends after its end"))?;
        must!(
            attempt.as_usize() == call.made_count,
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
        let upstream = self.upstreams.get_mut(to.as_usize());
        let upstream = upstream.ok_or_else(|| format!("{to:?} does not exist"))?;
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
        let place = call.made.get_mut(call.made_count);
        *place.ok_or_else(|| format!("{id:?} makes more attempts than any call may"))? = Attempt {
            upstream: to,
            started: now,
            deadline,
            end: AttemptEnd::Live,
        };
        call.made_count += 1;
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
    pub(crate) fn committed(&mut self, slot: usize, attempt: AttemptId) {
        if let Some(call) = self.calls.get_mut(slot).and_then(Option::as_mut) {
            call.committed = true;
            let deadline = call.deadline;
            if let Some(known) = call.attempt(attempt) {
                known.deadline = deadline;
            }
        }
    }

    pub(crate) fn cancelled(&mut self, slot: usize, attempt: AttemptId) -> Check {
        self.end(slot, attempt, AttemptEnd::Cancelled).map(|_| ())
    }

    /// An attempt that the engine had not cancelled came to its end; the engine is about to be told.
    pub(crate) fn finished(
        &mut self,
        slot: usize,
        attempt: AttemptId,
        result: Result<(), Fault>,
        now: Instant,
    ) -> Check {
        let from = self.end(slot, attempt, AttemptEnd::Finished(result))?;
        if let Err(fault) = result
            && fault.class == FaultClass::RateLimited
            && let Some(asked) = fault.hold_off
            && let Some(upstream) = self.upstreams.get_mut(from.as_usize())
        {
            upstream.floor = upstream.floor.max(now + asked);
        }
        Ok(())
    }

    fn end(
        &mut self,
        slot: usize,
        attempt: AttemptId,
        end: AttemptEnd,
    ) -> Result<UpstreamIndex, String> {
        let id = self.current.0;
        let call = self.calls.get_mut(slot).and_then(Option::as_mut);
        let call = call.ok_or_else(|| format!("{id:?} is over"))?;
        let known = call.attempt(attempt);
        let known = known.ok_or_else(|| format!("{id:?} never made {attempt:?}"))?;
        must!(
            known.end == AttemptEnd::Live,
            "{id:?}: {attempt:?} ends twice"
        );
        known.end = end;
        let upstream = known.upstream;
        call.sent |= match end {
            AttemptEnd::Finished(Err(fault)) => fault.sent,
            _ => true,
        };
        match end {
            AttemptEnd::Cancelled => self.attempts.2 += 1,
            _ => self.attempts.1 += 1,
        }
        if let Some(known) = self.upstreams.get_mut(upstream.as_usize()) {
            known.live -= 1;
        }
        Ok(upstream)
    }

    /// The call's one outcome.
    pub(crate) fn completed(&mut self, slot: usize, outcome: &Outcome, now: Instant) -> Check {
        let id = self.current.0;
        let call = self.calls.get_mut(slot).and_then(Option::take);
        let call = call.ok_or_else(|| format!("{id:?} completes twice"))?;
        self.live_calls -= 1;
        must!(
            now <= call.deadline,
            "{id:?} completes at {now}, its deadline was {}",
            call.deadline
        );
        must!(
            call.live().count() == 0,
            "{id:?} completes with an attempt out"
        );
        if let Outcome::Emit { fault, .. } = outcome
            && fault.class == FaultClass::Overloaded
            && call.attempts().is_empty()
        {
            self.check_shed(id, &call.request, now)?;
        }
        if let Outcome::Relay { attempt, fault } = outcome {
            let end = call
                .attempts()
                .get(attempt.as_usize())
                .map(|attempt| attempt.end);
            let said = AttemptEnd::Finished(fault.map_or(Ok(()), Err));
            must!(
                end == Some(said),
                "{id:?} relays what {attempt:?} never said: {end:?}"
            );
        }
        let in_doubt = call.request.effect == Effect::NodeWrite
            && call
                .attempts()
                .iter()
                .any(|attempt| is_doubtful(attempt.end));
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
        let (others, most) = (self.live_calls, self.shedding.max_live_calls);
        must!(
            others >= u64::from(most) * percent / 100,
            "{id:?} is refused beside {others} calls, {most} may be alive"
        );
        let second = self.second(now);
        second.1 = second.1.saturating_sub(1);
        self.in_window.0 = self.in_window.0.saturating_sub(1);
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
        must!(
            self.live_calls <= u64::from(self.shedding.max_live_calls),
            "{} calls are alive, {} may be",
            self.live_calls,
            self.shedding.max_live_calls
        );
        must!(
            shard.live_calls() == self.live_calls,
            "{} calls are live, not {}",
            shard.live_calls(),
            self.live_calls
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
        let mut calls = self.calls.iter().flatten();
        let late = calls.find(|call| call.live().any(|attempt| attempt.deadline < now));
        must!(
            late.is_none(),
            "{:?} has an attempt out past its deadline",
            late.map(|call| call.id)
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
        let left = self.calls.iter().flatten().next().map(|call| call.id);
        must!(left.is_none(), "{left:?} never ended");
        Ok(())
    }

    pub(crate) fn saw_chain(&mut self, upstream: UpstreamIndex, seen: ChainId) {
        let wrong = seen != self.chain_id;
        if let Some(upstream) = self.upstreams.get_mut(upstream.as_usize()) {
            upstream.wrong_chain = wrong;
        }
    }

    /// Another shard tells something; this one is about to take it in.
    pub(crate) fn will_hear(&mut self, news: &News) {
        self.hears = true;
        match *news {
            News::Breaker {
                upstream, group, ..
            } => self.failed = Some((upstream, group.unwrap_or_default())),
            News::HoldOff {
                upstream, floor, ..
            } => self.heard_floor = Some((upstream, floor)),
            News::Score { upstream, .. } => self.regions.meet(upstream),
            _ => {}
        }
    }

    /// A hold-off began. Where it began with what another shard told, that upstream's word binds here, too.
    fn hold_off_began(&mut self, upstream: UpstreamIndex, until: Instant, now: Instant) -> Check {
        must!(
            until > now,
            "a hold-off of {upstream:?} is over as it begins"
        );
        if let Some((told, floor)) = self.heard_floor
            && told == upstream
        {
            let known = self.upstream(upstream)?;
            known.floor = known.floor.max(floor.min(until));
        }
        Ok(())
    }

    /// What failed in an earlier verb explains nothing in this one.
    pub(crate) const fn forget_failure(&mut self) {
        self.failed = None;
        self.hears = false;
        self.heard_floor = None;
    }

    pub(crate) fn hedges_denied(&self) -> u64 {
        self.policies
            .iter()
            .map(|(_, hedges)| hedges.denied())
            .sum()
    }

    /// The call that a note is about: it must be the one whose turn it is. `None` where the turn has ended it.
    fn noted(&self, id: CallId) -> Result<Option<&Call>, String> {
        let (current, slot) = self.current;
        must!(
            current == id,
            "a note about {id:?} in the turn of {current:?}"
        );
        Ok(self.calls.get(slot).and_then(Option::as_ref))
    }

    fn noted_mut(&mut self, id: CallId) -> Result<&mut Call, String> {
        let (current, slot) = self.current;
        must!(
            current == id,
            "a note about {id:?} in the turn of {current:?}"
        );
        let call = self.calls.get_mut(slot).and_then(Option::as_mut);
        call.ok_or_else(|| format!("{id:?} is over"))
    }

    fn policy(&mut self, policy: PolicyIndex) -> Option<&mut (usize, hedges::Hedges)> {
        let known = policy.as_usize() < self.policies.len();
        let index = if known { policy.as_usize() } else { 0 };
        self.policies.get_mut(index)
    }

    fn upstream(&mut self, index: UpstreamIndex) -> Result<&mut Upstream, String> {
        self.upstreams
            .get_mut(index.as_usize())
            .ok_or_else(|| format!("{index:?} does not exist"))
    }
}
