//! Clients: calls that come open-loop (the next one comes whether or not the last has ended), in bursts and batches, or as they were recorded.
//! What comes, and when, does not depend on what is decided about it.

use core::time::Duration;

use engine::block::Height;
use engine::call::{Request, SessionKey};
use engine::index::{UpstreamIndex, UpstreamSet};
use engine::method::{Effect, MethodId, lookup};
use engine::rng::Rng;
use engine::time::Instant;

use super::queue::{CallName, Happening};
use super::{CHAIN, Check, Decider, World};
use crate::distribution;
use crate::heads::Truth;
use crate::scenario::{Mix, Scenario};

/// So many clients take turns.
const SESSIONS: u64 = 300;
/// How long a client waits that is in no hurry.
const PATIENCE: Duration = Duration::from_secs(30);
/// And one that is.
const HURRY: Duration = Duration::from_millis(200);

/// The method whose answer is the head's number.
pub fn block_number() -> MethodId {
    lookup(b"eth_blockNumber")
}

/// Where calls come from.
#[derive(Debug)]
pub struct Traffic<'a> {
    scenario: &'a Scenario,
    arrivals: Rng,
    calls: Rng,
    /// The next arrival of the load; [`Instant::NEVER`] for none.
    next: Instant,
    /// The next burst, and the next recorded arrival.
    burst: usize,
    recorded: usize,
    /// How many calls have come.
    count: u64,
    weights: u64,
}

/// What comes next.
#[derive(Clone, Copy)]
enum Source {
    Load,
    Burst,
    Recorded,
}

/// A call as its client means it.
struct Wanted {
    dish: u16,
    key: u64,
    shard: u16,
    /// Where its client is, as a position among the scenario's.
    clients: Option<u16>,
    /// The block that it asks for, if it names one.
    block: Option<u64>,
    leaves_after: Option<Duration>,
    request: Request,
}

impl<'a> Traffic<'a> {
    /// Nothing has come yet.
    pub fn new(scenario: &'a Scenario, arrivals: Rng, calls: Rng) -> Self {
        let dishes = &scenario.menu.dishes;
        let mut traffic = Self {
            scenario,
            arrivals,
            calls,
            next: Instant::NEVER,
            burst: 0,
            recorded: 0,
            count: 0,
            weights: dishes.iter().map(|dish| dish.weight).sum(),
        };
        if scenario.recorded.is_none() {
            traffic.next = traffic.following(Instant::ZERO);
        }
        traffic
    }

    /// When something comes next; `None` if nothing does any more.
    pub fn next_at(&self) -> Option<Instant> {
        let (at, _) = self.upcoming()?;
        (at < self.scenario.until).then_some(at)
    }

    fn upcoming(&self) -> Option<(Instant, Source)> {
        let burst = self.scenario.bursts.get(self.burst).map(|burst| burst.0);
        let recorded = self.scenario.recorded.as_deref();
        let recorded = recorded.and_then(|all| all.get(self.recorded));
        let load = (self.next < Instant::NEVER).then_some((self.next, Source::Load));
        let others = [
            burst.map(|at| (at, Source::Burst)),
            recorded.map(|call| (call.at, Source::Recorded)),
        ];
        let all = load.into_iter().chain(others.into_iter().flatten());
        all.min_by_key(|(at, _)| *at)
    }

    /// The arrival after one at `now`. Where the load changes before it, the wait goes on at the new rate from then on.
    fn following(&mut self, now: Instant) -> Instant {
        let mut now = now;
        loop {
            let changes = self.scenario.load.iter().map(|step| step.0);
            let change = changes.filter(|at| *at > now).min();
            let rate = self.scenario.rate(now);
            let at = match Duration::from_secs(1).checked_div(rate) {
                Some(mean) => now + distribution::gap(mean, &mut self.arrivals),
                None => Instant::NEVER,
            };
            match change {
                Some(change) if change < at => now = change,
                _ => return at,
            }
        }
    }

    /// What comes now: how many calls, and of what, where that was recorded.
    fn take(&mut self, now: Instant) -> (u32, Option<u16>) {
        match self.upcoming().map(|(_, source)| source) {
            Some(Source::Burst) => {
                self.burst += 1;
                let burst = self.scenario.bursts.get(self.burst - 1);
                (burst.map_or(0, |burst| burst.1), None)
            }
            Some(Source::Recorded) => {
                self.recorded += 1;
                let recorded = self.scenario.recorded.as_deref();
                let call = recorded.and_then(|all| all.get(self.recorded - 1));
                (1, call.map(|call| call.dish))
            }
            _ => {
                self.next = self.following(now);
                let mix = self.mix(now);
                let batched = draw(&mut self.calls, mix.batched);
                (if batched { mix.batch_calls } else { 1 }, None)
            }
        }
    }

    fn mix(&self, now: Instant) -> Mix {
        if now < self.scenario.plain_from {
            self.scenario.mix
        } else {
            Mix::default()
        }
    }

    /// A call. All its draws are made from a stream of its own, so that none shifts another call's.
    fn want(
        &mut self,
        now: Instant,
        shard: u16,
        dish: Option<u16>,
        truth: &Truth,
    ) -> Option<Wanted> {
        let mix = self.mix(now);
        let key = self.count;
        self.count += 1;
        let rng = &mut Rng::new(self.calls.next_u64());
        let dish = match dish {
            Some(dish) => dish,
            None => self.choose(rng),
        };
        let asked = self.scenario.menu.dishes.get(usize::from(dish))?;
        let standard = engine::method::policy(asked.method);
        let (method, effect) = if draw(rng, mix.signed) {
            (lookup(b"eth_sendRawTransaction"), Effect::SignedTransaction)
        } else if draw(rng, mix.node_writes) {
            (lookup(b"eth_sendTransaction"), Effect::NodeWrite)
        } else {
            (asked.method, standard.effect)
        };
        let upstreams = self.scenario.upstreams.len() as u64;
        let one = UpstreamIndex(rng.below(upstreams) as u16);
        let patience = if draw(rng, mix.hurried) {
            HURRY
        } else {
            PATIENCE
        };
        let pinned = draw(rng, mix.pinned).then_some(one);
        let excluded = if draw(rng, mix.excluded) {
            UpstreamSet::only(one)
        } else {
            UpstreamSet::EMPTY
        };
        let leaves = draw(rng, mix.abandoned);
        let leaves_after = leaves.then(|| Duration::from_millis(rng.below(1_000)));
        // Some hundreds of clients, each a session.
        let session = rng.below(SESSIONS);
        let clients = self.clients_of(session);
        let region = clients.and_then(|place| self.scenario.clients.get(usize::from(place)));
        let block = asked.ages.map(|ages| {
            let back = ages.from + rng.below(ages.count());
            self.heard_of(now, truth).saturating_sub(back).max(1)
        });
        // The one place where a request is made: what else a client may say is added here.
        let request = Request {
            chain: CHAIN,
            policy: self.scenario.methods.of(method),
            method,
            effect,
            deadline: now + patience,
            strategy: None,
            pinned,
            excluded,
            session: Some(SessionKey::new(1 + session)),
            region: region.and_then(|clients| clients.index),
            height: match block {
                Some(number) => Height::At(number),
                None if asked.latest && self.scenario.follows_heads() => Height::Latest,
                None => Height::Any,
            },
            blocks: block.map_or(0, |_| 1),
            ..Request::default()
        };
        Some(Wanted {
            dish,
            key,
            shard,
            clients,
            block,
            leaves_after,
            request,
        })
    }

    /// The newest block that clients may know of: every upstream that keeps up has it.
    fn heard_of(&self, now: Instant, truth: &Truth) -> u64 {
        let delays = self.scenario.upstreams.iter();
        let slowest = delays.map(|script| script.head_delay).max();
        let heard = truth.newest(now - slowest.unwrap_or_default());
        heard.min(truth.newest(now))
    }

    /// Where the client of a session is, which is always the same place: the sessions are shared out in order, without a draw.
    fn clients_of(&self, session: u64) -> Option<u16> {
        let permille = session * 1_000 / SESSIONS;
        let mut all = 0;
        let mut regions = (0_u16..).zip(&self.scenario.clients);
        let found = regions.find(|(_, clients)| {
            all += u64::from(clients.permille);
            permille < all
        });
        found.map(|(place, _)| place)
    }

    fn choose(&self, rng: &mut Rng) -> u16 {
        let mut drawn = rng.below(self.weights);
        for (place, dish) in (0_u16..).zip(&self.scenario.menu.dishes) {
            if drawn < dish.weight {
                return place;
            }
            drawn -= dish.weight;
        }
        0
    }
}

fn draw(rng: &mut Rng, permille: u32) -> bool {
    permille > 0 && rng.chance(u64::from(permille), 1_000)
}

impl<D: Decider> World<'_, D> {
    /// A client's request: one call, or a batch, all at one shard.
    pub(super) fn arrive(&mut self) -> Check {
        let (calls, dish) = self.traffic.take(self.now);
        let shard = self.traffic.calls.below(self.lanes.len() as u64) as u16;
        for _ in 0..calls {
            if let Some(wanted) = self.traffic.want(self.now, shard, dish, &self.truth) {
                self.begin(&wanted)?;
            }
        }
        Ok(())
    }

    fn begin(&mut self, wanted: &Wanted) -> Check {
        let now = self.now;
        let (served, well) = self.service.at(&mut self.stretch, now, wanted.dish);
        let Some(lane) = self.lanes.get_mut(usize::from(wanted.shard)) else {
            return Ok(());
        };
        let slot = lane.slots.take();
        let call = lane.decider.begin(slot as usize, wanted.request, now)?;
        let Some(live) = lane.slots.lives.get_mut(slot as usize) else {
            return Ok(());
        };
        live.call = Some(call);
        live.begun = now;
        live.key = wanted.key;
        live.dish = wanted.dish;
        live.clients = wanted.clients;
        live.block = wanted.block;
        live.served = served;
        live.well = well;
        live.timer = Instant::NEVER;
        live.floor = self.mark;
        let name = CallName {
            lane: wanted.shard,
            slot,
            life: live.life,
        };
        self.report.calls += 1;
        if let Some(region) = self.report.region(wanted.clients) {
            region.calls += 1;
        }
        self.report.second(now).calls += 1;
        if let Some(after) = wanted.leaves_after {
            self.queue.push(now + after, Happening::Leave(name));
        }
        self.perform(name, false)
    }
}
