//! One call's life, verb by verb: the outcomes, the deadlines, the retries, and what each fault does to the next call.

mod calls;
mod exclusions;
mod heads;
mod hedges;
mod held;
mod learning;
mod leaving_out;
mod outrun;
mod overload;
mod races;
mod recovery;
mod regions;
mod returns;
mod shares;
mod silence;
mod spending;
mod writes;

use std::vec::Vec;

use core::time::Duration;

use crate::block::Height;
use crate::call::{Action, Call, Event, Outcome, Request};
use crate::config::{ChainConfig, MethodPolicy, RetryBudgetConfig, ShardConfig, UpstreamConfig};
use crate::eligibility::LeftOutBy;
use crate::fault::{Fault, FaultClass};
use crate::index::{AttemptId, ChainIndex, PolicyIndex, ProviderIndex, UpstreamIndex, UpstreamSet};
use crate::method::{Effect, MethodId, lookup};
use crate::note::{Note, NoteKind};
use crate::strategy::StrategySpec;
use crate::time::Instant;

use super::{ProbeResult, Shard};

const A: UpstreamIndex = UpstreamIndex(0);
const B: UpstreamIndex = UpstreamIndex(1);
const C: UpstreamIndex = UpstreamIndex(2);
const CHAIN: ChainIndex = ChainIndex(0);

/// A shard, a clock, and everything that was noted.
struct Bench {
    shard: Shard,
    now: Instant,
    notes: Vec<Note>,
}

/// A chain of upstreams A, B, C… of different providers, tried in that order.
fn chain(upstreams: u16) -> ChainConfig {
    ChainConfig {
        chain_id: Some(crate::chain::ChainId(1)),
        upstreams: (0..upstreams)
            .map(|index| UpstreamConfig {
                provider: ProviderIndex(index),
                priority: u32::from(index) + 1,
                ..UpstreamConfig::default()
            })
            .collect(),
        policies: std::vec![MethodPolicy::default()],
        strategies: std::vec![StrategySpec::new("priority", &[]).unwrap()],
        max_lag_blocks: Some(16),
        ..ChainConfig::default()
    }
}

fn read(method: &str) -> Request {
    Request {
        chain: CHAIN,
        policy: PolicyIndex(0),
        method: lookup(method.as_bytes()),
        ..Request::default()
    }
}

impl Bench {
    fn new(upstreams: u16) -> Self {
        Self::of(chain(upstreams))
    }

    fn of(chain: ChainConfig) -> Self {
        Self::with_budget(chain, RetryBudgetConfig::default())
    }

    fn with_budget(chain: ChainConfig, retry_budget: RetryBudgetConfig) -> Self {
        Self::with(ShardConfig {
            chains: std::vec![chain],
            retry_budget,
            ..ShardConfig::default()
        })
    }

    fn with(config: ShardConfig) -> Self {
        assert_eq!(config.check(), Ok(()));
        for chain in &config.chains {
            assert_eq!(chain.check(), Ok(()));
        }
        Self {
            shard: Shard::new(config, 1, Instant(0)),
            now: Instant(0),
            notes: Vec::new(),
        }
    }

    /// One whose calls never wait for those who throttle them.
    fn impatient(upstreams: u16) -> Self {
        Self::with(ShardConfig {
            chains: std::vec![chain(upstreams)],
            held_wait: Duration::ZERO,
            ..ShardConfig::default()
        })
    }

    fn wait(&mut self, millis: u64) {
        self.now = self.now + Duration::from_millis(millis);
    }

    fn begin(&mut self, request: Request) -> Call {
        self.shard.begin(self.now, request)
    }

    /// What the call wants done.
    fn poll(&mut self, call: &mut Call) -> Vec<Action> {
        let actions = core::iter::from_fn(|| self.shard.poll_action(call, self.now)).collect();
        while let Some(note) = self.shard.poll_note() {
            self.notes.push(note);
        }
        for chain in &self.shard.chains {
            chain.assert_sets(self.now);
        }
        actions
    }

    /// The one dispatch that the call wants.
    fn dispatched(&mut self, call: &mut Call) -> (AttemptId, UpstreamIndex, Instant) {
        match self.poll(call).as_slice() {
            &[
                Action::Dispatch {
                    attempt,
                    upstream,
                    deadline,
                    ..
                },
            ] => (attempt, upstream, deadline),
            other => panic!("one dispatch was due, not {other:?}"),
        }
    }

    /// The outcome that the call has, and nothing besides.
    fn outcome(&mut self, call: &mut Call) -> Outcome {
        match self.poll(call).as_slice() {
            &[Action::Complete(outcome)] => outcome,
            other => panic!("an outcome was due, not {other:?}"),
        }
    }

    fn finish(&mut self, call: &mut Call, attempt: AttemptId, result: Result<(), Fault>) {
        self.shard
            .handle_event(call, self.now, Event::Finished { attempt, result });
    }

    fn fail(&mut self, call: &mut Call, attempt: AttemptId, class: FaultClass) {
        self.finish(call, attempt, Err(Fault::new(class, "test")));
    }

    /// A whole call that the first upstream chosen answers with `result`, and the next ones with success. Where it ended.
    fn call_with(
        &mut self,
        request: Request,
        result: Result<(), Fault>,
    ) -> (UpstreamIndex, Outcome) {
        let mut call = self.begin(request);
        let (first, upstream, _) = self.dispatched(&mut call);
        self.finish(&mut call, first, result);
        loop {
            match self.poll(&mut call).as_slice() {
                &[Action::Dispatch { attempt, .. }] => self.finish(&mut call, attempt, Ok(())),
                &[Action::Complete(outcome)] => return (upstream, outcome),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A call whose only upstream fails it.
    fn call_with_pinned(&mut self, request: Request, fault: Fault) {
        let mut call = self.begin(request);
        let (attempt, _, _) = self.dispatched(&mut call);
        self.finish(&mut call, attempt, Err(fault));
        self.poll(&mut call);
    }

    /// Calls that fail at `upstream` until its breaker is open.
    fn trip(&mut self, upstream: UpstreamIndex) {
        for _ in 0..5 {
            let mut request = read("eth_call");
            request.pinned = Some(upstream);
            let mut call = self.begin(request);
            let (attempt, _, _) = self.dispatched(&mut call);
            self.fail(&mut call, attempt, FaultClass::Server);
            self.poll(&mut call);
        }
        assert!(self.view(upstream).open_until.is_some());
    }

    fn view(&self, upstream: UpstreamIndex) -> super::UpstreamView {
        self.shard.view(CHAIN, upstream, self.now).unwrap()
    }

    /// Why `upstream` was left out at the last selection.
    fn last_reason(&self, upstream: UpstreamIndex) -> Option<LeftOutBy> {
        self.notes.iter().rev().find_map(|note| match note.kind {
            NoteKind::Selected { left_out, .. } | NoteKind::NothingEligible { left_out, .. } => {
                Some(left_out.reason(upstream))
            }
            _ => None,
        })?
    }
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn relayed(outcome: Outcome) -> AttemptId {
    match outcome {
        Outcome::Relay { attempt, .. } => attempt,
        other => panic!("{other:?}"),
    }
}

fn emitted(outcome: Outcome) -> (Fault, bool) {
    match outcome {
        Outcome::Emit {
            fault,
            outcome_unknown,
            ..
        } => (fault, outcome_unknown),
        other => panic!("{other:?}"),
    }
}
