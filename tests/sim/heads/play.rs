//! Plays a scene and holds what clients are told against the chain as it is. The invariants that every scene must keep are checked at
//! every step; what only some must keep is left to the stories.

use core::time::Duration;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

use engine::block::Height;
use engine::call::{Action, Call, Event, Outcome as End, Request};
use engine::config::{
    ChainConfig, HeadConfig, MethodPolicy, RetryBudgetConfig, ShardConfig, UpstreamConfig,
};
use engine::eligibility::LeftOutBy;
use engine::fault::{Fault, FaultClass};
use engine::gossip::News;
use engine::head::{HeadKind, HeadPoll, Mark};
use engine::index::{
    AttemptId, ChainIndex, PolicyIndex, ProviderIndex, UpstreamIndex, UpstreamSet,
};
use engine::method::{Effect, lookup};
use engine::note::NoteKind;
use engine::rng::Rng;
use engine::shard::{ProbeResult, Shard};
use engine::strategy::{StrategySpec, find};
use engine::time::Instant;

use super::{Outcome, START, Scene, Truth};

const CHAIN: ChainIndex = ChainIndex(0);
/// What happens before is not held against anybody: heads and pace are being learned.
const WARM: Instant = Instant(60_000_000_000);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It is looked whether an upstream is to be asked.
    Look(u16),
    /// The answer to a question for a head.
    Polled(u16, HeadKind),
    /// Gossip arrives.
    Told(usize),
    /// A client asks.
    Ask,
    /// An upstream answers a call.
    Answer(usize, AttemptId),
}

struct Asked {
    call: Call,
    shard: usize,
    /// What had been told when it was asked.
    floor: Mark,
}

struct World<'a> {
    scene: &'a Scene,
    truth: Truth,
    shards: Vec<Shard>,
    mark: Mark,
    heap: BinaryHeap<Reverse<(Instant, u64, Kind)>>,
    sequence: u64,
    now: Instant,
    letters: Vec<Option<(usize, News)>>,
    calls: Vec<Option<Asked>>,
    network: Rng,
    nodes: Rng,
    clients: Rng,
    outcome: Outcome,
}

/// Plays a scene to its end.
///
/// # Errors
/// The first invariant that does not hold.
pub fn play(scene: &Scene) -> Result<Outcome, String> {
    let mut world = World::new(scene);
    let end = Instant::ZERO + scene.lasting;
    while let Some(Reverse((at, _, kind))) = world.heap.pop() {
        if at > end {
            break;
        }
        world.now = at;
        world
            .step(kind)
            .map_err(|sentence| format!("seed {} at {at}: {sentence}", scene.seed))?;
    }
    let shards = world.shards.iter();
    world.outcome.heads = shards.map(|shard| shard.chain_head(CHAIN)).collect();
    world.outcome.blocks = world.truth.blocks();
    Ok(world.outcome)
}

fn shard(scene: &Scene, number: usize, rng: &mut Rng) -> Shard {
    let upstream = |provider: usize| UpstreamConfig {
        provider: ProviderIndex(provider as u16),
        ..UpstreamConfig::default()
    };
    let strategy = find("round_robin").map(StrategySpec::of);
    let chain = ChainConfig {
        chain_id: None,
        upstreams: (0..scene.nodes.len()).map(upstream).collect(),
        policies: vec![MethodPolicy::default()],
        strategies: strategy.into_iter().collect(),
        max_lag_blocks: Some(16),
        heads: HeadConfig::default(),
        ..ChainConfig::default()
    };
    let config = ShardConfig {
        chains: vec![chain],
        retry_budget: RetryBudgetConfig::default(),
        ..ShardConfig::default()
    };
    Shard::new(config, rng.next_u64() + number as u64, Instant::ZERO)
}

impl<'a> World<'a> {
    fn new(scene: &'a Scene) -> Self {
        let mut rng = Rng::new(scene.seed);
        let truth = Truth::new(
            START,
            scene.block_time,
            Instant::ZERO + scene.lasting,
            scene.set_back,
            &mut rng.fork(1),
        );
        let shards = (0..scene.shards).map(|number| shard(scene, number, &mut rng));
        let count = scene.nodes.len();
        let mut world = Self {
            scene,
            truth,
            shards: shards.collect(),
            mark: Mark::NONE,
            heap: BinaryHeap::new(),
            sequence: 0,
            now: Instant::ZERO,
            letters: Vec::new(),
            calls: Vec::new(),
            network: rng.fork(2),
            nodes: rng.fork(3),
            clients: rng.fork(4),
            outcome: Outcome {
                polls: vec![0; count],
                calls: vec![0; count],
                left_out: vec![0; count],
                ..Outcome::default()
            },
        };
        for upstream in 0..count as u16 {
            world.after(Duration::ZERO, Kind::Look(upstream));
        }
        world.after(scene.asked_every, Kind::Ask);
        world
    }

    fn after(&mut self, span: Duration, kind: Kind) {
        self.sequence += 1;
        self.heap
            .push(Reverse((self.now + span, self.sequence, kind)));
    }

    fn step(&mut self, kind: Kind) -> Result<(), String> {
        match kind {
            Kind::Look(upstream) => self.look(upstream),
            Kind::Polled(upstream, kind) => self.polled(upstream, kind),
            Kind::Told(letter) => {
                if let Some((to, news)) = self.letters[letter] {
                    self.shards[to].take_news(0, news, self.now);
                }
            }
            Kind::Ask => self.ask()?,
            Kind::Answer(number, attempt) => self.answer(number, attempt)?,
        }
        for number in 0..self.shards.len() {
            self.share(number)?;
        }
        self.check_finality()
    }

    /// The driver's loop of one upstream, as the data plane has it.
    fn look(&mut self, upstream: u16) {
        let due = self.shards[0].next_head_poll(CHAIN, UpstreamIndex(upstream), self.now);
        match due {
            Some(HeadPoll { at, kind }) if at <= self.now => {
                if kind == HeadKind::Newest {
                    self.outcome.polls[usize::from(upstream)] += 1;
                } else {
                    self.outcome.finality_polls += 1;
                }
                let latency = Duration::from_millis(5 + self.network.below(80));
                self.after(latency, Kind::Polled(upstream, kind));
            }
            Some(HeadPoll { at, .. }) => {
                let sleep = at.saturating_duration_since(self.now);
                self.after(sleep.min(Duration::from_secs(1)), Kind::Look(upstream));
            }
            None => {}
        }
    }

    fn polled(&mut self, upstream: u16, kind: HeadKind) {
        let node = &self.scene.nodes[usize::from(upstream)];
        // It saw the chain as it was half a trip ago.
        let seen_at = self.now - Duration::from_millis(self.network.below(40));
        let said = match kind {
            HeadKind::Newest => self.truth.said(node, seen_at, &mut self.nodes),
            HeadKind::Safe | HeadKind::Finalized => {
                self.truth.said_final(node, seen_at, &mut self.nodes)
            }
        };
        let result = match (said, kind) {
            (Some(_), HeadKind::Safe | HeadKind::Finalized) if !node.tags => {
                ProbeResult::HeadUnknown(kind)
            }
            (None, _) => ProbeResult::HeadFailed(kind),
            (Some(number), HeadKind::Newest) => ProbeResult::Head(number),
            (Some(number), HeadKind::Safe) => ProbeResult::Safe(number),
            (Some(number), HeadKind::Finalized) => ProbeResult::Finalized(number),
        };
        self.shards[0].probe_result(self.now, CHAIN, UpstreamIndex(upstream), result);
        self.after(Duration::ZERO, Kind::Look(upstream));
    }

    fn ask(&mut self) -> Result<(), String> {
        self.after(self.scene.asked_every, Kind::Ask);
        let shard = self.clients.below(self.shards.len() as u64) as usize;
        let request = Request {
            chain: CHAIN,
            policy: PolicyIndex(0),
            method: lookup(b"eth_blockNumber"),
            effect: Effect::None,
            deadline: self.now + Duration::from_secs(10),
            strategy: None,
            pinned: None,
            excluded: UpstreamSet::EMPTY,
            height: Height::Latest,
            ..Request::default()
        };
        let call = self.shards[shard].begin(self.now, request);
        let floor = self.floor(shard);
        self.calls.push(Some(Asked { call, shard, floor }));
        self.drive(self.calls.len() - 1)
    }

    /// What a client that asks this shard must not be told less than.
    fn floor(&self, shard: usize) -> Mark {
        if self.scene.shared_mark {
            self.mark
        } else {
            self.shards[shard].head_mark(CHAIN)
        }
    }

    fn drive(&mut self, number: usize) -> Result<(), String> {
        let Some(mut asked) = self.calls[number].take() else {
            return Ok(());
        };
        while let Some(action) = self.shards[asked.shard].poll_action(&mut asked.call, self.now) {
            match action {
                Action::Dispatch {
                    attempt, upstream, ..
                } => {
                    self.outcome.calls[upstream.as_usize()] += 1;
                    let latency = Duration::from_millis(5 + self.network.below(60));
                    self.after(latency, Kind::Answer(number, attempt));
                }
                Action::Cancel { .. } => {}
                Action::Complete(End::Relay { attempt, .. }) => {
                    let upstream = asked.call.upstream_of(attempt);
                    let upstream = upstream.ok_or("an answer from nowhere")?;
                    return self.tell(&asked, upstream);
                }
                Action::Complete(_) => return Ok(()),
            }
        }
        self.calls[number] = Some(asked);
        Ok(())
    }

    fn answer(&mut self, number: usize, attempt: AttemptId) -> Result<(), String> {
        let Some(mut asked) = self.calls[number].take() else {
            return Ok(());
        };
        let upstream = asked.call.upstream_of(attempt).unwrap_or_default();
        let node = &self.scene.nodes[upstream.as_usize()];
        let well = self.truth.said(node, self.now, &mut self.nodes).is_some();
        let fault = Fault::new(FaultClass::Transport, "silent");
        let result = if well { Ok(()) } else { Err(fault) };
        let event = Event::Finished { attempt, result };
        self.shards[asked.shard].handle_event(&mut asked.call, self.now, event);
        self.calls[number] = Some(asked);
        self.drive(number)
    }

    /// The driver tells a client what an upstream answered, held against the shards' common mark.
    fn tell(&mut self, asked: &Asked, upstream: UpstreamIndex) -> Result<(), String> {
        let node = &self.scene.nodes[upstream.as_usize()];
        let Some(answered) = self.truth.said(node, self.now, &mut self.nodes) else {
            return Ok(());
        };
        let shard = &mut self.shards[asked.shard];
        if self.scene.shared_mark {
            shard.raise_head(CHAIN, self.mark, self.now);
        }
        let told = shard.answer_block_number(CHAIN, upstream, answered, self.now);
        let head = shard.chain_head(CHAIN);
        if let Some((era, floor)) = asked.floor.read()
            && (head.era < era || head.era == era && told < floor)
        {
            return Err(format!("told {told} after {floor} (shard {})", asked.shard));
        }
        if Some(told) > head.newest {
            return Err(format!("told {told} above the served head {head:?}"));
        }
        self.mark = self.mark.max(self.shards[asked.shard].head_mark(CHAIN));
        let truth = self.truth.newest(self.now);
        let outcome = &mut self.outcome;
        outcome.told += 1;
        outcome.last_told = told;
        if self.now >= WARM {
            outcome.worst_behind = outcome.worst_behind.max(truth.saturating_sub(told));
        }
        outcome.worst_ahead = outcome.worst_ahead.max(told.saturating_sub(truth));
        outcome.trace = outcome.trace.rotate_left(7) ^ told.wrapping_add(self.now.0);
        Ok(())
    }

    /// Drains a shard's notes and sends its news, some of them not, some twice, all of them late and in disorder.
    fn share(&mut self, number: usize) -> Result<(), String> {
        if self.scene.shared_mark {
            self.mark = self.mark.max(self.shards[number].head_mark(CHAIN));
        }
        while let Some(note) = self.shards[number].poll_note() {
            match note.kind {
                NoteKind::HeadReset { from, to } => self.outcome.resets.push((from, to)),
                NoteKind::Selected { left_out, .. } if self.now >= WARM => {
                    for upstream in left_out.by(LeftOutBy::Lagging).iter() {
                        self.outcome.left_out[upstream.as_usize()] += 1;
                    }
                }
                _ => {}
            }
        }
        while let Some(news) = self.shards[number].poll_news() {
            if number != 0 && matches!(news, News::Head { .. } | News::Agreed { .. }) {
                return Err("a shard tells of heads that it only heard of".to_owned());
            }
            for to in (0..self.shards.len()).filter(|to| *to != number) {
                let lost = self.network.chance(u64::from(self.scene.lossy), 1_000);
                let twice = self.network.chance(u64::from(self.scene.lossy), 1_000);
                for _ in 0..u8::from(!lost) + u8::from(twice) {
                    let late = 20
                        + self
                            .network
                            .below(if self.scene.lossy > 0 { 3_000_000 } else { 200 });
                    self.letters.push(Some((to, news)));
                    let letter = self.letters.len() - 1;
                    self.after(Duration::from_micros(late), Kind::Told(letter));
                }
            }
        }
        Ok(())
    }

    fn check_finality(&mut self) -> Result<(), String> {
        let truth = self.truth.finalized(self.now);
        for shard in &self.shards {
            let head = shard.chain_head(CHAIN);
            if head.finalized > head.newest || head.safe > head.newest {
                return Err(format!("final above the newest: {head:?}"));
            }
            let highest = head.finalized.unwrap_or(0);
            if highest > self.outcome.finalized.0 {
                self.outcome.finalized = (highest, truth);
            }
        }
        Ok(())
    }
}
