//! The simulated world: shards that share upstreams, a heap of what will happen in virtual time, and the driver that turns the deciders' cranks as
//! the data plane does. It has no clock, no thread and no randomness but the scenario's seed.

mod beside;
mod mail;
mod queue;
mod slots;
mod traffic;

use core::fmt;

use engine::call::{Action, Event, Outcome};
use engine::fault::{EmitRule, Fault, FaultClass};
use engine::head::Mark;
use engine::index::{AttemptId, ChainIndex};
use engine::rng::Rng;
use engine::time::Instant;

use crate::auditor::Check;
use crate::decider::{Decider, Deciding, Product, Seen};
use crate::heads::Truth;
use crate::oracle::Service;
use crate::provider::{Ask, End, Provider, mixed};
use crate::report::Report;
use crate::scenario::Scenario;
use mail::Mail;
use queue::{CallName, Happening, Queue};
use slots::{Sent, Slots};
use traffic::Traffic;

/// The one chain of a simulated shard.
pub const CHAIN: ChainIndex = ChainIndex(0);
/// So many events are more than any scenario makes: a run that reaches it goes in circles.
const MAX_EVENTS: u64 = 10_000_000_000;
/// The deciders' counters are compared with the books every so many events, more rarely where more calls live at once.
const BALANCE_EVERY: u64 = 97;

/// Something that must never happen did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The scenario's name.
    pub name: String,
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

/// Runs a scenario to its end with the production engine. Every call counts as one that somebody could serve.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(scenario: &Scenario) -> Result<Report, Violation> {
    run_with(scenario, &Service::ALWAYS, Product::new)
}

/// Runs a scenario to its end with deciders of this kind, one a shard. `service` says when somebody could serve what.
///
/// # Errors
/// The first thing that must not be.
pub fn run_with<D: Decider>(
    scenario: &Scenario,
    service: &Service,
    decider: impl FnMut(&Scenario, u16, u64) -> D,
) -> Result<Report, Violation> {
    let mut world = World::new(scenario, service, decider);
    let end = world.go();
    end.map_err(|sentence| Violation {
        name: scenario.name.clone(),
        seed: scenario.seed,
        at: world.now,
        sentence,
    })?;
    Ok(world.report)
}

/// Whose draws: each concern has a stream of its own, so that a new draw in one place does not shift another's.
#[derive(Clone, Copy)]
enum Concern {
    Engine = 1,
    Arrivals,
    Calls,
    Gossip,
    Chain,
    Heads,
    Upstreams,
}

fn seed_of(seed: u64, concern: Concern, number: u64) -> u64 {
    mixed(seed ^ mixed((concern as u64) << 32 | number))
}

fn stream(seed: u64, concern: Concern) -> Rng {
    Rng::new(seed_of(seed, concern, 0))
}

struct Lane<D: Decider> {
    decider: D,
    slots: Slots<D::Call>,
}

struct World<'a, D: Decider> {
    scenario: &'a Scenario,
    service: &'a Service,
    lanes: Vec<Lane<D>>,
    providers: Vec<Provider>,
    queue: Queue,
    traffic: Traffic<'a>,
    mail: Mail,
    truth: Truth,
    /// What nodes say of their heads.
    heads: Rng,
    /// The highest head that any shard has told a client.
    mark: Mark,
    report: Report,
    now: Instant,
    /// Position in [`Self::service`], which only goes on.
    stretch: usize,
}

/// What a turn of a call is about.
enum Turn {
    Timer,
    Gone,
    Commit(AttemptId),
    End(AttemptId),
}

impl<'a, D: Decider> World<'a, D> {
    fn new(
        scenario: &'a Scenario,
        service: &'a Service,
        mut decider: impl FnMut(&Scenario, u16, u64) -> D,
    ) -> Self {
        let seed = scenario.seed;
        let lanes = (0..scenario.shards.max(1)).map(|number| Lane {
            decider: decider(
                scenario,
                number,
                seed_of(seed, Concern::Engine, u64::from(number)),
            ),
            slots: Slots::new(),
        });
        let providers = (0_u64..).zip(&scenario.upstreams).map(|(number, script)| {
            Provider::new(script.clone(), seed_of(seed, Concern::Upstreams, number))
        });
        let mut world = Self {
            scenario,
            service,
            lanes: lanes.collect(),
            providers: providers.collect(),
            queue: Queue::default(),
            traffic: Traffic::new(
                scenario,
                stream(seed, Concern::Arrivals),
                stream(seed, Concern::Calls),
            ),
            mail: Mail::new(scenario.gossip, stream(seed, Concern::Gossip)),
            truth: Truth::new(
                scenario.chain.height,
                scenario.chain.block_time,
                scenario.until,
                scenario.chain.set_back,
                &mut stream(seed, Concern::Chain),
            ),
            heads: stream(seed, Concern::Heads),
            mark: Mark::NONE,
            report: Report::new(seed, scenario.upstreams.len()).in_regions(&scenario.clients),
            now: Instant::ZERO,
            stretch: 0,
        };
        world.begin_checks();
        world
    }

    fn go(&mut self) -> Check {
        let (mut events, mut balanced) = (0_u64, 0_u64);
        loop {
            let (arrival, next) = (self.traffic.next_at(), self.queue.next_at());
            match (arrival, next) {
                (None, None) => break,
                (Some(at), next) if next.is_none_or(|next| at <= next) => {
                    self.now = at;
                    self.arrive()?;
                }
                _ => {
                    let Some((at, what)) = self.queue.pop() else {
                        break;
                    };
                    if at < self.now {
                        return Err(format!("time runs backwards, to {at}"));
                    }
                    self.now = at;
                    self.happen(what)?;
                }
            }
            events += 1;
            if events - balanced >= BALANCE_EVERY.max(self.slots()) {
                balanced = events;
                for lane in &self.lanes {
                    lane.decider.balance(self.now)?;
                }
            }
            if events > MAX_EVENTS {
                return Err("the run goes in circles".to_owned());
            }
        }
        for lane in &mut self.lanes {
            lane.decider.close(&mut self.report, self.now)?;
        }
        Ok(())
    }

    fn slots(&self) -> u64 {
        let lives = self.lanes.iter().map(|lane| lane.slots.lives.len() as u64);
        lives.sum()
    }

    fn happen(&mut self, what: Happening) -> Check {
        match what {
            Happening::Commit(name, attempt) => {
                self.turn(name, &Turn::Commit(AttemptId(u16::from(attempt))))
            }
            Happening::End(name, attempt) => {
                self.turn(name, &Turn::End(AttemptId(u16::from(attempt))))
            }
            Happening::Timer(name) => self.turn(name, &Turn::Timer),
            Happening::Leave(name) => self.turn(name, &Turn::Gone),
            Happening::Probe(upstream) => self.probe(upstream),
            Happening::Look(upstream) => self.look(upstream),
            Happening::Polled(upstream, kind) => self.polled(upstream, kind),
            Happening::Letter(number) => self.deliver(number),
        }
    }

    /// Does something to a call and then what the call wants.
    fn turn(&mut self, name: CallName, what: &Turn) -> Check {
        let now = self.now;
        let Some(lane) = self.lanes.get_mut(usize::from(name.lane)) else {
            return Ok(());
        };
        let Some(live) = lane.slots.lives.get_mut(name.slot as usize) else {
            return Ok(());
        };
        let (Some(call), true) = (live.call.as_mut(), live.life == name.life) else {
            return Ok(());
        };
        let was_done = call.is_done();
        let slot = name.slot as usize;
        lane.decider.turn(slot, call);
        match what {
            Turn::Timer => {
                if live.timer <= now {
                    live.timer = Instant::NEVER;
                }
                match lane.decider.next_deadline(call) {
                    // It was set for something that is no more.
                    Some(at) if at > now => {
                        if at < live.timer {
                            live.timer = at;
                            self.queue.push(at, Happening::Timer(name));
                        }
                        return Ok(());
                    }
                    _ => lane.decider.handle_timeout(call, now),
                }
            }
            Turn::Gone => {
                self.report.trace.add(&[1, now.0, call.number()]);
                lane.decider.handle_event(call, Event::ClientGone, now);
            }
            Turn::Commit(attempt) => {
                let heard = live
                    .sent
                    .get(attempt.as_usize())
                    .is_none_or(|sent| sent.heard);
                if heard && !self.scenario.late_events {
                    return Ok(());
                }
                let attempt = *attempt;
                if !heard {
                    lane.decider.see(slot, Seen::Committed(attempt), now)?;
                }
                lane.decider
                    .handle_event(call, Event::FirstByte { attempt }, now);
                lane.decider
                    .handle_event(call, Event::Committed { attempt }, now);
            }
            Turn::End(attempt) => {
                let attempt = *attempt;
                let Some(sent) = live.sent.get_mut(attempt.as_usize()) else {
                    return Err(format!("{slot} hears of an attempt that it never made"));
                };
                let heard = core::mem::replace(&mut sent.heard, true);
                if heard && !self.scenario.late_events {
                    return Ok(());
                }
                let stale = Fault::new(FaultClass::Transport, "stale_connection");
                let (result, event) = match sent.result() {
                    Some(result) => (result, Event::Finished { attempt, result }),
                    None => (
                        Err(stale),
                        Event::Stale {
                            attempt,
                            sent: true,
                        },
                    ),
                };
                let class = result.map_or_else(|fault| fault.class.index() as u64, |()| u64::MAX);
                let words = [4, now.0, call.number(), u64::from(attempt.0), class];
                self.report.trace.add(&words);
                if !heard {
                    lane.decider
                        .see(slot, Seen::Finished(attempt, result), now)?;
                }
                lane.decider.handle_event(call, event, now);
            }
        }
        self.perform(name, was_done)
    }

    /// Does what a call wants, takes observations out and sets its timer.
    fn perform(&mut self, name: CallName, was_done: bool) -> Check {
        let now = self.now;
        let slot = name.slot as usize;
        let Self {
            scenario,
            lanes,
            providers,
            queue,
            report,
            truth,
            heads,
            mark,
            ..
        } = self;
        let Some(lane) = lanes.get_mut(usize::from(name.lane)) else {
            return Ok(());
        };
        let Some(live) = lane.slots.lives.get_mut(slot) else {
            return Ok(());
        };
        let Some(call) = live.call.as_mut() else {
            return Ok(());
        };
        let number = call.number();
        while let Some(action) = lane.decider.poll_action(call, now) {
            if was_done {
                return Err(format!("call {number} is over and wants {action:?}"));
            }
            match action {
                Action::Dispatch {
                    attempt,
                    upstream,
                    deadline,
                    fresh,
                } => {
                    let words = [
                        2,
                        now.0,
                        number,
                        u64::from(attempt.0),
                        u64::from(upstream.0),
                        deadline.0,
                    ];
                    report.trace.add(&words);
                    let seen = Seen::Dispatched(attempt, upstream, deadline);
                    lane.decider.see(slot, seen, now)?;
                    let provider = providers.get_mut(upstream.as_usize());
                    let provider = provider.ok_or("no such upstream")?;
                    let earlier = live.sent.iter().filter(|sent| sent.upstream == upstream);
                    let Some(dish) = scenario.menu.dishes.get(usize::from(live.dish)) else {
                        return Err("no such dish".to_owned());
                    };
                    let lacks = live
                        .block
                        .and_then(|number| provider.lacks(dish.method, number, now, truth));
                    let plan = provider.receive(
                        now,
                        &Ask {
                            method: dish.method,
                            effort: dish.effort,
                            units: dish.units,
                            key: live.key,
                            nth: earlier.count() as u64,
                            pooled: !fresh,
                            lacks,
                        },
                    );
                    let is_hedge = live.sent.iter().any(|sent| !sent.heard);
                    report.count_attempt(now, upstream.as_usize(), is_hedge);
                    if plan.billed
                        && let Some(units) = report.units.get_mut(upstream.as_usize())
                    {
                        *units += u64::from(dish.units);
                    }
                    live.sent.push(Sent {
                        upstream,
                        end: plan.end,
                        right: plan.right,
                        heard: false,
                    });
                    let ordinal = attempt.0 as u8;
                    if let Some(after) = plan.ends_after {
                        if let End::Streamed(_) = plan.end {
                            queue.push(now + after / 2, Happening::Commit(name, ordinal));
                        }
                        queue.push(now + after, Happening::End(name, ordinal));
                    }
                }
                Action::Cancel { attempt } => {
                    let words = [3, now.0, number, u64::from(attempt.0)];
                    report.trace.add(&words);
                    if let Some(sent) = live.sent.get_mut(attempt.as_usize())
                        && !core::mem::replace(&mut sent.heard, true)
                    {
                        lane.decider.see(slot, Seen::Cancelled(attempt), now)?;
                    }
                }
                Action::Complete(outcome) => {
                    lane.decider.see(slot, Seen::Completed(&outcome), now)?;
                    let dish = scenario.menu.dishes.get(usize::from(live.dish));
                    let relayed = match outcome {
                        Outcome::Relay { attempt, fault } => {
                            let sent = live.sent.get(attempt.as_usize());
                            sent.map(|sent| (*sent, fault))
                        }
                        _ => None,
                    };
                    let mut right = true;
                    if let (Some(dish), Some((sent, fault))) = (dish, relayed) {
                        right = sent.right || fault.is_some();
                        if dish.latest && fault.is_none() {
                            let provider = &providers[sent.upstream.as_usize()];
                            let newest = truth.newest(now);
                            let said = provider.said(now, truth, heads);
                            let behind = newest.saturating_sub(said.unwrap_or(newest));
                            right &= behind < scenario.chain.stale_after;
                            if dish.method == traffic::block_number() {
                                let answered = said.unwrap_or(newest);
                                lane.decider.raise_head(*mark, now);
                                let told =
                                    lane.decider
                                        .answer_block_number(sent.upstream, answered, now);
                                let head = lane.decider.head_mark();
                                below_floor(live.floor, head, told)?;
                                right = told.abs_diff(newest) < scenario.chain.stale_after;
                                *mark = (*mark).max(head);
                            }
                        }
                    }
                    let class = failure(&outcome);
                    let word = class.map_or(u64::MAX, |class| class.index() as u64);
                    report.trace.add(&[5, now.0, number, word]);
                    match class {
                        None => {
                            report.good += 1;
                            report.wrong += u64::from(!right);
                            report.second(now).good += 1;
                            let took = now.saturating_duration_since(live.begun);
                            let counts = live.served && right;
                            let took_us = counts.then_some(took.as_micros() as u64);
                            report.latencies_us.extend(took_us);
                            if let Some(region) = report.region(live.clients) {
                                let from = relayed
                                    .and_then(|(sent, _)| providers.get(sent.upstream.as_usize()));
                                let from = from.map(|one| one.script().region.as_str());
                                region.answered(from, took_us);
                            }
                        }
                        Some(FaultClass::Cancelled) => {
                            report.abandoned += 1;
                            if let Some(region) = report.region(live.clients) {
                                region.abandoned += 1;
                            }
                        }
                        Some(class) => {
                            *report.bad.entry(class).or_default() += 1;
                            report.avoidable += u64::from(live.well);
                            report.second(now).bad += 1;
                        }
                    }
                }
            }
        }
        lane.decider.settle(now)?;
        while let Some(moment) = lane.decider.take_moment() {
            report.keep(crate::report::Moment {
                shard: name.lane,
                ..moment
            });
        }
        let over = call.is_done();
        match lane.decider.next_deadline(call) {
            None if !over => {
                return Err(format!("call {number} is not over and waits for nothing"));
            }
            Some(_) if over => return Err(format!("call {number} is over and waits")),
            Some(at) if at > call.deadline() => {
                return Err(format!("call {number} waits beyond its deadline"));
            }
            Some(at) if at < live.timer => {
                live.timer = at;
                queue.push(at.max(now), Happening::Timer(name));
            }
            _ => {}
        }
        if over && !scenario.late_events {
            lane.slots.give_back(name.slot);
        }
        self.share(name.lane)
    }
}

/// No client is told a lower block than any client was told before it asked.
fn below_floor(floor: Mark, head: Mark, told: u64) -> Check {
    let (Some((era, least)), Some((now, _))) = (floor.read(), head.read()) else {
        return Ok(());
    };
    if now < era || now == era && told < least {
        return Err(format!(
            "a client is told of block {told}, another was told of {least}"
        ));
    }
    Ok(())
}

/// The failure that a client sees; `None` where it got what it wanted, or a node's right answer that happens to be an error.
fn failure(outcome: &Outcome) -> Option<FaultClass> {
    match outcome {
        Outcome::Relay { fault: None, .. } => None,
        Outcome::Relay {
            fault: Some(fault), ..
        } if is_right(fault) => None,
        Outcome::Relay {
            fault: Some(fault), ..
        } => Some(fault.class),
        Outcome::Emit { fault, .. } | Outcome::Abort { fault } => Some(fault.class),
    }
}

fn is_right(fault: &Fault) -> bool {
    let traits = fault.traits();
    traits.answered || traits.emit == EmitRule::TransactionHash
}

/// Calls of these names are never mixed up: the upstream index fits.
const _: () = assert!(engine::call::MAX_CALL_ATTEMPTS <= u8::MAX as usize);
