//! What must be true at every step, seen from outside. It is told what the driver does and what the engine notes, keeps its own
//! books, and never asks the engine how it decided.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use engine::breaker::State;
use engine::call::{Outcome, Request};
use engine::config::RetryBudgetConfig;
use engine::fault::{Fault, FaultClass};
use engine::index::{AttemptId, CallId, UpstreamIndex};
use engine::method::{Effect, MethodId};
use engine::note::{Note, NoteKind, Purpose};
use engine::shard::Shard;
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

/// The books.
#[derive(Debug)]
pub struct Auditor {
    upstreams: Vec<Upstream>,
    calls: BTreeMap<CallId, Call>,
    budget: RetryBudgetConfig,
    attempts_allowed: usize,
    seconds: VecDeque<(u64, u64, u64)>,
    paused: BTreeSet<CallId>,
    /// Attempts started, finished, cancelled.
    attempts: (u64, u64, u64),
    /// Retries granted and denied, and reroutes.
    pub(crate) retries: (u64, u64, u64),
}

#[derive(Debug)]
struct Upstream {
    probes_allowed: usize,
    state: State,
    probes: BTreeSet<(CallId, AttemptId)>,
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
}

#[derive(Debug)]
struct Attempt {
    upstream: UpstreamIndex,
    deadline: Instant,
    end: AttemptEnd,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AttemptEnd {
    Live,
    Cancelled,
    Finished(Result<(), Fault>),
}

impl Auditor {
    /// Empty books.
    #[must_use]
    pub fn new(scripts: &[Script], budget: RetryBudgetConfig, attempts_allowed: u8) -> Self {
        Self {
            upstreams: scripts
                .iter()
                .map(|script| Upstream {
                    probes_allowed: script.config.breaker.probes as usize,
                    state: State::Closed,
                    probes: BTreeSet::new(),
                    floor: Instant::ZERO,
                    wrong_chain: false,
                    banned: Vec::new(),
                    live: 0,
                })
                .collect(),
            calls: BTreeMap::new(),
            budget,
            attempts_allowed: usize::from(attempts_allowed),
            seconds: VecDeque::new(),
            paused: BTreeSet::new(),
            attempts: (0, 0, 0),
            retries: (0, 0, 0),
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
            deadline,
            end: AttemptEnd::Live,
        });
        self.attempts.0 += 1;
        Ok(())
    }

    /// An attempt's answer is on its way to the client: from now on it may use all of the call's time.
    pub(crate) fn committed(&mut self, id: CallId, attempt: AttemptId) {
        if let Some(call) = self.calls.get_mut(&id)
            && let Some(known) = call.attempts.get_mut(attempt.as_usize())
        {
            known.deadline = call.deadline;
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
        let live = call
            .attempts
            .iter()
            .any(|attempt| attempt.end == AttemptEnd::Live);
        must!(!live, "{id:?} completes with an attempt out");
        self.paused.remove(&id);
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

    /// What the engine says that it did.
    pub(crate) fn note(&mut self, note: &Note, shard: &Shard) -> Check {
        match note.kind {
            NoteKind::Breaker { upstream, from, to } => {
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
                if forced && purpose != Purpose::Fresh {
                    self.check_least_bad(call, upstream, shard, note.at)?;
                }
            }
            NoteKind::AttemptFinished {
                call,
                attempt,
                upstream,
                ..
            }
            | NoteKind::AttemptCancelled {
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
            State::Closed => must!(
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
        let earlier = self.calls.get(&id).map_or(&[][..], |call| &call.attempts);
        let earlier = earlier.get(..attempt.as_usize()).unwrap_or(earlier);
        let been_there = earlier.iter().any(|earlier| earlier.upstream == to);
        must!(
            attempt.as_usize() <= self.attempts_allowed,
            "{id:?} makes {attempt:?}, {} attempts are allowed",
            self.attempts_allowed
        );
        match purpose {
            Purpose::First => must!(attempt.0 == 0, "{id:?}: {attempt:?} is called the first"),
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
        let Some(call) = self.calls.get(&id) else {
            return Ok(());
        };
        for other in shard
            .views(now)
            .filter(|other| other.eligible && other.upstream != to)
        {
            let index = other.upstream;
            let tried = call
                .attempts
                .iter()
                .any(|attempt| attempt.upstream == index);
            let may_not = call.request.excluded.contains(index)
                || call.request.pinned.is_some_and(|pinned| pinned != index);
            let banned = self.upstreams.get(index.as_usize()).is_some_and(|known| {
                let mut banned = known.banned.iter();
                banned.any(|&(method, until)| method == call.request.method && now < until)
            });
            let plainly_well = other.breaker == State::Closed
                && !other.ramping
                && other.quarantined.is_none()
                && !banned;
            must!(
                tried || may_not || !plainly_well,
                "{id:?} is sent to {to:?}, which is out, although {index:?} is well"
            );
        }
        Ok(())
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
        let late = self.calls.iter().find(|(_, call)| {
            let mut live = call
                .attempts
                .iter()
                .filter(|attempt| attempt.end == AttemptEnd::Live);
            live.any(|attempt| attempt.deadline < now)
        });
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

    fn second(&mut self, now: Instant) -> &mut (u64, u64, u64) {
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
