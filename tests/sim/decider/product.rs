//! The production engine as a decider: one shard, unmodified, with its auditor beside it.

use engine::call::{Action, Call, Event, Request};
use engine::config::{ChainConfig, ShardConfig};
use engine::gossip::News;
use engine::head::{HeadPoll, Mark};
use engine::index::UpstreamIndex;
use engine::note::NoteKind;
use engine::shard::{ProbeResult, Shard};
use engine::time::Instant;

use super::{Decider, Deciding, Seen};
use crate::auditor::{Auditor, Check};
use crate::report::{Change, Moment, Report};
use crate::scenario::Scenario;
use crate::world::CHAIN;

impl Deciding for Call {
    fn number(&self) -> u64 {
        self.id().0
    }
    fn is_done(&self) -> bool {
        Self::is_done(self)
    }
    fn deadline(&self) -> Instant {
        Self::deadline(self)
    }
}

/// One shard and its auditor.
#[derive(Debug)]
pub struct Product {
    shard: Shard,
    auditor: Auditor,
    moments: std::collections::VecDeque<Moment>,
}

impl Product {
    /// The shard of that number, of this scenario's chain.
    #[must_use]
    pub fn new(scenario: &Scenario, shard: u16, seed: u64) -> Self {
        Self {
            shard: Shard::new(told(scenario, shard), seed, Instant::ZERO),
            auditor: Auditor::new(scenario),
            moments: std::collections::VecDeque::new(),
        }
    }
}

impl Product {
    /// Takes the engine's notes out, for the books and the time line.
    fn take_notes(&mut self) -> Check {
        while let Some(note) = self.shard.poll_note() {
            self.auditor.note(&note, &self.shard)?;
            if let Some((upstream, what)) = change(&note.kind) {
                self.moments.push_back(Moment {
                    at: note.at,
                    shard: 0,
                    upstream,
                    what,
                });
            }
        }
        Ok(())
    }
}

/// What a shard is told of a scenario. The one place where it is: what an operator would write down of prices, published limits and regions
/// goes into the upstreams' configurations, which whoever makes the scenario has filled in.
fn told(scenario: &Scenario, shard: u16) -> ShardConfig {
    let strategies = std::iter::once(&scenario.strategy).chain(&scenario.methods.strategies);
    let chain = ChainConfig {
        chain_id: Some(scenario.chain.id),
        upstreams: scenario
            .upstreams
            .iter()
            .map(|script| script.config.clone())
            .collect(),
        policies: scenario.policies().copied().collect(),
        strategies: strategies.copied().collect(),
        max_lag_blocks: scenario.chain.max_lag_blocks,
        heads: scenario.chain.heads,
        panic_permille: scenario.chain.panic_permille,
        geo: scenario.chain.geo,
    };
    ShardConfig {
        chains: vec![chain],
        retry_budget: scenario.retry_budget,
        shedding: scenario.shedding,
        held_wait: scenario.held_wait,
        accounts: scenario.accounts.clone(),
        shards: scenario.shards.max(1),
        shard,
        ..ShardConfig::default()
    }
}

impl Decider for Product {
    type Call = Call;

    fn begin(&mut self, slot: usize, request: Request, now: Instant) -> Result<Call, String> {
        let call = self.shard.begin(now, request);
        self.auditor
            .begun(slot, call.id(), request, call.deadline(), now)?;
        Ok(call)
    }

    fn handle_event(&mut self, call: &mut Call, event: Event, now: Instant) {
        self.shard.handle_event(call, now, event);
    }

    fn handle_timeout(&mut self, call: &mut Call, now: Instant) {
        self.shard.handle_timeout(call, now);
    }

    fn poll_action(&mut self, call: &mut Call, now: Instant) -> Option<Action> {
        self.shard.poll_action(call, now)
    }

    fn next_deadline(&self, call: &Call) -> Option<Instant> {
        self.shard.next_deadline(call)
    }

    fn turn(&mut self, slot: usize, call: &Call) {
        self.auditor.turn(slot, call.id());
    }

    fn see(&mut self, slot: usize, seen: Seen<'_>, now: Instant) -> Check {
        match seen {
            Seen::Dispatched(attempt, to, deadline) => {
                self.auditor.dispatched(slot, attempt, to, deadline, now)
            }
            Seen::Cancelled(attempt) => self.auditor.cancelled(slot, attempt),
            Seen::Committed(attempt) => {
                self.auditor.committed(slot, attempt);
                Ok(())
            }
            Seen::Finished(attempt, result) => self.auditor.finished(slot, attempt, result, now),
            Seen::Completed(outcome) => self.auditor.completed(slot, outcome, now),
        }
    }

    fn settle(&mut self, _now: Instant) -> Check {
        self.auditor.forget_failure();
        self.take_notes()
    }

    fn balance(&self, now: Instant) -> Check {
        self.auditor.balance(&self.shard, now)
    }

    fn close(&mut self, report: &mut Report, now: Instant) -> Check {
        self.auditor.closed()?;
        self.auditor.balance(&self.shard, now)?;
        let (retries, denied, reroutes) = self.auditor.retries;
        report.retries += retries;
        report.denied += denied;
        report.reroutes += reroutes;
        report.hedges_denied += self.auditor.hedges_denied();
        Ok(())
    }

    fn take_moment(&mut self) -> Option<Moment> {
        self.moments.pop_front()
    }

    fn probed(&mut self, upstream: UpstreamIndex, result: ProbeResult, now: Instant) {
        if let ProbeResult::ChainId(id) = result {
            self.auditor.saw_chain(upstream, id);
        }
        self.shard.probe_result(now, CHAIN, upstream, result);
    }

    fn next_head_poll(&self, upstream: UpstreamIndex, now: Instant) -> Option<HeadPoll> {
        self.shard.next_head_poll(CHAIN, upstream, now)
    }

    fn poll_news(&mut self) -> Option<News> {
        self.shard.poll_news()
    }

    fn take_news(&mut self, from: u16, news: News, now: Instant) -> Check {
        self.auditor.forget_failure();
        self.auditor.will_hear(&news);
        self.shard.take_news(from, news, now);
        self.take_notes()
    }

    fn head_mark(&self) -> Mark {
        self.shard.head_mark(CHAIN)
    }

    fn raise_head(&mut self, mark: Mark, now: Instant) {
        self.shard.raise_head(CHAIN, mark, now);
    }

    fn answer_block_number(&mut self, from: UpstreamIndex, answered: u64, now: Instant) -> u64 {
        self.shard.answer_block_number(CHAIN, from, answered, now)
    }
}

/// What a note tells of an upstream's standing.
const fn change(kind: &NoteKind) -> Option<(UpstreamIndex, Change)> {
    match *kind {
        NoteKind::Breaker { upstream, to, .. } => Some((upstream, Change::Breaker(to))),
        NoteKind::HoldOffBegan { upstream, until } => Some((upstream, Change::HeldOff(until))),
        NoteKind::HoldOffEnded { upstream } => Some((upstream, Change::Returned)),
        NoteKind::Quarantined {
            upstream, until, ..
        } => Some((upstream, Change::Quarantined(until))),
        NoteKind::Released { upstream } => Some((upstream, Change::Released)),
        _ => None,
    }
}
