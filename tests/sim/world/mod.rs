//! The simulated world: a heap of events in virtual time, and the driver that turns the engine's crank as the data plane does. It has no
//! clock, no thread and no randomness but the scenario's seed.

mod traffic;

use core::fmt;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use engine::call::{Action, Call, Event, Outcome};
use engine::chain::ChainId;
use engine::config::{ChainConfig, HeadConfig, ShardConfig};
use engine::fault::{EmitRule, Fault, FaultClass};
use engine::index::{AttemptId, ChainIndex, UpstreamIndex};
use engine::rng::Rng;
use engine::shard::Shard;
use engine::time::Instant;

use crate::auditor::{Auditor, Check};
use crate::provider::{End, Plan, Provider};
use crate::report::Report;
use crate::scenario::Scenario;

/// The one chain of a simulated shard.
pub const CHAIN: ChainIndex = ChainIndex(0);
const CHAIN_ID: ChainId = ChainId(1);
/// So many events are more than any scenario here makes: a run that reaches it goes in circles.
const MAX_EVENTS: u64 = 100_000_000;
/// The engine's counters are compared with the auditor's every so many events.
const BALANCE_EVERY: u64 = 97;

/// Something that must never happen did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The scenario's name.
    pub name: &'static str,
    /// Its seed, with which it happens again.
    pub seed: u64,
    /// When.
    pub at: Instant,
    /// What.
    pub sentence: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} (seed {}) at {}: {}",
            self.name, self.seed, self.at, self.sentence
        )
    }
}

impl core::error::Error for Violation {}

/// Runs a scenario to its end.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(scenario: &Scenario) -> Result<Report, Violation> {
    let mut world = World::new(scenario);
    world.go().map_err(|sentence| Violation {
        name: scenario.name,
        seed: scenario.seed,
        at: world.now,
        sentence,
    })?;
    world.report.attempts = world.auditor.attempts_started();
    (
        world.report.retries,
        world.report.denied,
        world.report.reroutes,
    ) = world.auditor.retries;
    (world.report.hedges, world.report.hedges_denied) = world.auditor.hedges.made_and_denied();
    Ok(world.report)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Arrive,
    Commit { call: usize, attempt: u16 },
    End { call: usize, attempt: u16 },
    Timer { call: usize },
    Leave { call: usize },
    Probe { upstream: u16 },
}

struct Live {
    call: Call,
    begun: Instant,
    attempts: Vec<Sent>,
    timer: Option<Instant>,
}

struct Sent {
    plan: Plan,
    heard: bool,
}

struct World<'a> {
    scenario: &'a Scenario,
    shard: Shard,
    providers: Vec<Provider>,
    auditor: Auditor,
    report: Report,
    now: Instant,
    heap: BinaryHeap<Reverse<(Instant, u64, Kind)>>,
    sequence: u64,
    calls: Vec<Option<Box<Live>>>,
    arrivals: Rng,
    mix: Rng,
}

impl<'a> World<'a> {
    fn new(scenario: &'a Scenario) -> Self {
        let mut rng = Rng::new(scenario.seed);
        let chain = ChainConfig {
            chain_id: Some(CHAIN_ID),
            upstreams: scenario
                .upstreams
                .iter()
                .map(|script| script.config.clone())
                .collect(),
            policies: vec![scenario.policy],
            strategies: vec![scenario.strategy],
            max_lag_blocks: Some(16),
            heads: HeadConfig::default(),
            ..ChainConfig::default()
        };
        let config = ShardConfig {
            chains: vec![chain],
            retry_budget: scenario.retry_budget,
            ..ShardConfig::default()
        };
        let mut world = Self {
            scenario,
            shard: Shard::new(config, rng.next_u64(), Instant::ZERO),
            providers: Vec::new(),
            auditor: Auditor::new(&scenario.upstreams, scenario.retry_budget, &scenario.policy),
            report: Report::new(scenario.seed),
            now: Instant::ZERO,
            heap: BinaryHeap::new(),
            sequence: 0,
            calls: Vec::new(),
            arrivals: rng.fork(1),
            mix: rng.fork(2),
        };
        for (number, script) in scenario.upstreams.iter().enumerate() {
            world
                .providers
                .push(Provider::new(script.clone(), rng.fork(10 + number as u64)));
            if scenario.probe_every.is_some() {
                world.at(
                    Instant(number as u64),
                    Kind::Probe {
                        upstream: number as u16,
                    },
                );
            }
        }
        world.at(Instant::ZERO, Kind::Arrive);
        world
    }

    fn at(&mut self, at: Instant, kind: Kind) {
        self.sequence += 1;
        self.heap.push(Reverse((at, self.sequence, kind)));
    }

    fn go(&mut self) -> Check {
        let mut events = 0_u64;
        while let Some(Reverse((at, _, kind))) = self.heap.pop() {
            if at < self.now {
                return Err(format!("time runs backwards, to {at}"));
            }
            self.now = at;
            self.step(kind)?;
            events += 1;
            if events.is_multiple_of(BALANCE_EVERY) {
                self.auditor.balance(&self.shard, self.now)?;
            }
            if events > MAX_EVENTS {
                return Err("the run goes in circles".to_owned());
            }
        }
        self.auditor.closed()?;
        self.auditor.balance(&self.shard, self.now)
    }

    fn step(&mut self, kind: Kind) -> Check {
        match kind {
            Kind::Arrive => self.arrive(),
            Kind::Probe { upstream } => {
                self.probe(upstream);
                self.drain_notes()
            }
            Kind::Commit { call, attempt } => self.commit(call, attempt),
            Kind::End { call, attempt } => self.end(call, attempt),
            Kind::Timer { call } => {
                let now = self.now;
                self.with(call, |world, live| {
                    live.timer = None;
                    world.shard.handle_timeout(&mut live.call, now);
                    Ok(())
                })
            }
            Kind::Leave { call } => {
                let now = self.now;
                self.with(call, |world, live| {
                    world.report.trace.add(&[1, now.0, live.call.id().0]);
                    world
                        .shard
                        .handle_event(&mut live.call, now, Event::ClientGone);
                    Ok(())
                })
            }
        }
    }

    /// Does something to a call and then what the call wants. A call that is over is only kept where late events are wanted.
    fn with(&mut self, number: usize, act: impl FnOnce(&mut Self, &mut Live) -> Check) -> Check {
        let Some(mut live) = self.calls.get_mut(number).and_then(Option::take) else {
            return Ok(());
        };
        let was_done = live.call.is_done() && live.timer == Some(Instant::NEVER);
        act(self, &mut live)?;
        // A new call's attempts are noted before they are polled: the books are opened by the actions.
        self.perform(number, &mut live, was_done)?;
        self.drain_notes()?;
        let over = live.call.is_done();
        match self.shard.next_deadline(&live.call) {
            None if !over => {
                return Err(format!(
                    "{:?} is not over and waits for nothing",
                    live.call.id()
                ));
            }
            Some(_) if over => return Err(format!("{:?} is over and waits", live.call.id())),
            Some(at) if at > live.call.deadline() => {
                return Err(format!("{:?} waits beyond its deadline", live.call.id()));
            }
            Some(at) if live.timer.is_none_or(|timer| at < timer) => {
                live.timer = Some(at);
                self.at(at.max(self.now), Kind::Timer { call: number });
            }
            _ => {}
        }
        if over {
            live.timer = Some(Instant::NEVER);
        }
        if !over || self.scenario.late_events {
            self.calls[number] = Some(live);
        }
        Ok(())
    }

    fn perform(&mut self, number: usize, live: &mut Live, was_done: bool) -> Check {
        while let Some(action) = self.shard.poll_action(&mut live.call, self.now) {
            if was_done {
                return Err(format!("{:?} is over and wants {action:?}", live.call.id()));
            }
            match action {
                Action::Dispatch {
                    attempt,
                    upstream,
                    deadline,
                    fresh,
                } => self.dispatch(number, live, attempt, upstream, deadline, fresh)?,
                Action::Cancel { attempt } => {
                    self.report
                        .trace
                        .add(&[3, self.now.0, live.call.id().0, u64::from(attempt.0)]);
                    if let Some(sent) = live.attempts.get_mut(attempt.as_usize())
                        && !core::mem::replace(&mut sent.heard, true)
                    {
                        self.auditor.cancelled(live.call.id(), attempt)?;
                    }
                }
                Action::Complete(outcome) => self.complete(live, &outcome)?,
            }
        }
        Ok(())
    }

    fn dispatch(
        &mut self,
        number: usize,
        live: &mut Live,
        attempt: AttemptId,
        upstream: UpstreamIndex,
        deadline: Instant,
        fresh: bool,
    ) -> Check {
        let id = live.call.id();
        let words = [
            2,
            self.now.0,
            id.0,
            u64::from(attempt.0),
            u64::from(upstream.0),
            deadline.0,
        ];
        self.report.trace.add(&words);
        self.auditor
            .dispatched(id, attempt, upstream, deadline, self.now)?;
        let upstreams = self.providers.len();
        if let Some(count) = self
            .report
            .second(self.now, upstreams)
            .attempts
            .get_mut(upstream.as_usize())
        {
            *count += 1;
        }
        let provider = self
            .providers
            .get_mut(upstream.as_usize())
            .ok_or("no such provider")?;
        let plan = provider.receive(self.now, live.call.request().method, !fresh);
        live.attempts.push(Sent { plan, heard: false });
        let Some(after) = plan.ends_after else {
            return Ok(());
        };
        let attempt = attempt.0;
        if let End::Streamed(_) = plan.end {
            self.at(
                self.now + after / 2,
                Kind::Commit {
                    call: number,
                    attempt,
                },
            );
        }
        self.at(
            self.now + after,
            Kind::End {
                call: number,
                attempt,
            },
        );
        Ok(())
    }

    fn commit(&mut self, number: usize, attempt: u16) -> Check {
        let (now, late_events) = (self.now, self.scenario.late_events);
        self.with(number, |world, live| {
            let heard = live
                .attempts
                .get(usize::from(attempt))
                .is_none_or(|sent| sent.heard);
            if heard && !late_events {
                return Ok(());
            }
            let attempt = AttemptId(attempt);
            if !heard {
                world.auditor.committed(live.call.id(), attempt);
            }
            world
                .shard
                .handle_event(&mut live.call, now, Event::FirstByte { attempt });
            world
                .shard
                .handle_event(&mut live.call, now, Event::Committed { attempt });
            Ok(())
        })
    }

    fn end(&mut self, number: usize, attempt: u16) -> Check {
        let (now, late_events) = (self.now, self.scenario.late_events);
        self.with(number, |world, live| {
            let id = live.call.id();
            let Some(sent) = live.attempts.get_mut(usize::from(attempt)) else {
                return Err(format!("{id:?} hears of an attempt that it never made"));
            };
            let heard = core::mem::replace(&mut sent.heard, true);
            if heard && !late_events {
                return Ok(());
            }
            let attempt = AttemptId(attempt);
            let (result, event) = match sent.plan.end {
                End::Finished(result) | End::Streamed(result) => {
                    (result, Event::Finished { attempt, result })
                }
                End::Stale => (
                    Err(Fault::new(FaultClass::Transport, "stale_connection")),
                    Event::Stale {
                        attempt,
                        sent: true,
                    },
                ),
            };
            let class = result.map_or_else(|fault| fault.class.index() as u64, |()| u64::MAX);
            world
                .report
                .trace
                .add(&[4, now.0, id.0, u64::from(attempt.0), class]);
            if !heard {
                world.auditor.finished(id, attempt, result, now)?;
            }
            world.shard.handle_event(&mut live.call, now, event);
            Ok(())
        })
    }

    fn complete(&mut self, live: &Live, outcome: &Outcome) -> Check {
        self.auditor.completed(live.call.id(), outcome, self.now)?;
        let upstreams = self.providers.len();
        let class = match outcome {
            Outcome::Relay { fault: None, .. } => None,
            Outcome::Relay {
                fault: Some(fault), ..
            } if is_right(fault) => None,
            Outcome::Relay {
                fault: Some(fault), ..
            } => Some(fault.class),
            Outcome::Emit { fault, .. } | Outcome::Abort { fault } => Some(fault.class),
        };
        let word = class.map_or(u64::MAX, |class| class.index() as u64);
        self.report
            .trace
            .add(&[5, self.now.0, live.call.id().0, word]);
        match class {
            None => {
                self.report.good += 1;
                self.report.second(self.now, upstreams).good += 1;
                let took = self.now.saturating_duration_since(live.begun);
                self.report.latencies_us.push(took.as_micros() as u64);
            }
            Some(FaultClass::Cancelled) => self.report.abandoned += 1,
            Some(class) => {
                *self.report.bad.entry(class).or_default() += 1;
                self.report.second(self.now, upstreams).bad += 1;
            }
        }
        Ok(())
    }

    fn drain_notes(&mut self) -> Check {
        self.auditor.forget_failure();
        while let Some(note) = self.shard.poll_note() {
            self.auditor.note(&note, &self.shard)?;
        }
        Ok(())
    }
}

/// A node's right answer that happens to be an error: a revert is no failure of ours.
fn is_right(fault: &Fault) -> bool {
    let traits = fault.traits();
    traits.answered || traits.emit == EmitRule::TransactionHash
}
