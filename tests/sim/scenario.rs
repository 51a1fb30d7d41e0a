//! A scenario: upstreams, traffic, a chain, gossip and a seed. Everything that a run depends on is in it.

use core::time::Duration;
use std::sync::Arc;

use engine::chain::ChainId;
use engine::config::{
    AccountConfig, DEFAULT_PANIC_PERMILLE, GeoConfig, HeadConfig, MethodPolicy, MethodSet,
    RetryBudgetConfig, SheddingConfig, UpstreamConfig,
};
use engine::index::{PolicyIndex, ProviderIndex, RegionIndex};
use engine::method::{MethodId, lookup};
use engine::strategy::StrategySpec;
use engine::time::Instant;

use crate::distribution::Tail;
use crate::provider::{Behaviour, Kept, Phase, Price, Script};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For reports.
    pub name: String,
    /// Every draw comes from it.
    pub seed: u64,
    /// How many shards share the traffic.
    pub shards: u16,
    /// The chain's upstreams.
    pub upstreams: Vec<Script>,
    /// How they are ordered.
    pub strategy: StrategySpec,
    /// The policy of every method that has none of its own.
    pub policy: MethodPolicy,
    /// Policies of single methods.
    pub methods: MethodPolicies,
    /// Each shard's retry budget.
    pub retry_budget: RetryBudgetConfig,
    /// When a shard is full.
    pub shedding: SheddingConfig,
    /// How long a call waits where everybody throttles it.
    pub held_wait: Duration,
    /// What was agreed with providers; upstreams name theirs by index.
    pub accounts: Vec<AccountConfig>,
    /// The chain.
    pub chain: ChainScript,
    /// How shards hear of each other.
    pub gossip: Gossip,
    /// Calls a second, from when on. The first entry starts at 0.
    pub load: Vec<(Instant, u32)>,
    /// Calls that come all at once, beside the load.
    pub bursts: Vec<(Instant, u32)>,
    /// Arrivals that were recorded, in order: they are all that comes.
    pub recorded: Option<Arc<[Recorded]>>,
    /// What is asked for.
    pub menu: Menu,
    /// When no more calls begin. What is in flight is let finish.
    pub until: Instant,
    /// What the calls are like.
    pub mix: Mix,
    /// Where clients are; nowhere in particular where nothing is said.
    pub clients: Vec<Clients>,
    /// From then on every call is a plain read with patience.
    pub plain_from: Instant,
    /// Time between two checks of each upstream's chain beside the traffic; `None` for no checks.
    pub probe_every: Option<Duration>,
    /// Heads are followed, checks or not.
    pub follow_heads: bool,
    /// The driver also reports what came of attempts after they were cancelled, as a real one may by accident.
    pub late_events: bool,
}

/// Policies of methods beside the default, which is policy 0.
#[derive(Clone, Debug, Default)]
pub struct MethodPolicies {
    /// Policies 1, 2, and so on.
    pub further: Vec<MethodPolicy>,
    /// By [`MethodId::index`]; a method past the end has the default.
    pub of: Vec<PolicyIndex>,
    /// Strategies 1, 2, and so on, which policies may ask for.
    pub strategies: Vec<StrategySpec>,
}

impl MethodPolicies {
    /// The policy of a method.
    #[must_use]
    pub fn of(&self, method: MethodId) -> PolicyIndex {
        self.of.get(method.index()).copied().unwrap_or_default()
    }
}

/// The chain that the upstreams serve.
#[derive(Clone, Debug)]
pub struct ChainScript {
    /// Its id.
    pub id: ChainId,
    /// Its newest block at the start.
    pub height: u64,
    /// Mean time between blocks.
    pub block_time: Duration,
    /// It goes back by so many blocks then.
    pub set_back: Option<(Instant, u64)>,
    /// An answer about the newest block is of the past where its upstream is so many blocks behind.
    pub stale_after: u64,
    /// An upstream this far behind is left out.
    pub max_lag_blocks: Option<u64>,
    /// How heads are followed.
    pub heads: HeadConfig,
    /// So few of a thousand upstreams are well that those that are out are used too.
    pub panic_permille: u32,
    /// Whether regions matter.
    pub geo: Option<GeoConfig>,
}

/// How shards hear of each other.
#[derive(Clone, Copy, Debug)]
pub struct Gossip {
    /// Of a thousand pieces so many are lost.
    pub lost: u32,
    /// As many come twice.
    pub repeated: u32,
    /// The shortest that a piece takes.
    pub delay: Duration,
    /// Up to so much longer, at random: what was sent later may come sooner.
    pub disorder: Duration,
}

/// One call that was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// When it began.
    pub at: Instant,
    /// What was asked for, as a position in the menu.
    pub dish: u16,
}

/// What is asked for, the most popular first.
#[derive(Clone, Debug)]
pub struct Menu {
    /// Each method; at most [`MAX_DISHES`].
    pub dishes: Vec<Dish>,
}

/// The most methods that a scenario may ask for: a set of them is one word.
pub const MAX_DISHES: usize = 64;

/// One method as clients ask for it.
#[derive(Clone, Debug)]
pub struct Dish {
    /// The method.
    pub method: MethodId,
    /// How often, beside the others.
    pub weight: u64,
    /// What it takes an upstream, in thousandths of the usual.
    pub effort: u32,
    /// What it costs, in compute units.
    pub units: u32,
    /// It is about the newest block.
    pub latest: bool,
    /// It is about one block of these ages, by its number.
    pub ages: Option<Ages>,
}

/// How far below the newest a block may be, both ends included: each age is as likely as any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ages {
    /// As little,
    pub from: u64,
    /// and as far.
    pub to: u64,
}

impl Ages {
    /// How many there are.
    #[must_use]
    pub const fn count(&self) -> u64 {
        self.to.saturating_sub(self.from).saturating_add(1)
    }
}

impl Dish {
    /// A read of the usual effort and ten compute units, so popular.
    #[must_use]
    pub fn new(method: &str, weight: u64) -> Self {
        Self {
            method: lookup(method.as_bytes()),
            weight,
            effort: 1_000,
            units: 10,
            latest: false,
            ages: None,
        }
    }
}

/// The clients of one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clients {
    /// The region's name.
    pub region: String,
    /// Of a thousand clients so many are there.
    pub permille: u32,
    /// The region as deciders know it; `None` where they know of no upstream there, so that these clients count as saying nothing.
    pub index: Option<RegionIndex>,
}

/// Of a thousand calls, so many are…
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix {
    /// …signed transactions.
    pub signed: u32,
    /// …writes that use a node's keys.
    pub node_writes: u32,
    /// …for one named upstream.
    pub pinned: u32,
    /// …kept away from one upstream.
    pub excluded: u32,
    /// …given up by the client, some time between at once and a second later.
    pub abandoned: u32,
    /// …in a hurry: 200 ms and no more.
    pub hurried: u32,
    /// …arrivals of a whole batch,
    pub batched: u32,
    /// of so many calls.
    pub batch_calls: u32,
}

impl Scenario {
    /// A calm minute of a hundred calls a second at one shard.
    #[must_use]
    pub fn new(
        name: impl Into<String>,
        seed: u64,
        strategy: StrategySpec,
        upstreams: Vec<Script>,
    ) -> Self {
        Self {
            name: name.into(),
            seed,
            shards: 1,
            upstreams,
            strategy,
            policy: MethodPolicy {
                timeout: Duration::from_secs(10),
                ..MethodPolicy::default()
            },
            methods: MethodPolicies::default(),
            retry_budget: RetryBudgetConfig::default(),
            shedding: SheddingConfig::default(),
            held_wait: Duration::from_millis(1_500),
            accounts: Vec::new(),
            chain: ChainScript {
                id: ChainId(1),
                height: crate::heads::START,
                block_time: Duration::from_secs(1),
                set_back: None,
                stale_after: 4,
                max_lag_blocks: Some(16),
                heads: HeadConfig::default(),
                panic_permille: DEFAULT_PANIC_PERMILLE,
                geo: None,
            },
            gossip: Gossip {
                lost: 0,
                repeated: 0,
                delay: Duration::from_micros(20),
                disorder: Duration::from_micros(200),
            },
            load: vec![(Instant::ZERO, 100)],
            bursts: Vec::new(),
            recorded: None,
            menu: Menu {
                dishes: vec![Dish::new("eth_call", 3), Dish::new("eth_getBalance", 1)],
            },
            until: second(60),
            mix: Mix::default(),
            clients: Vec::new(),
            plain_from: Instant::NEVER,
            probe_every: None,
            follow_heads: false,
            late_events: false,
        }
    }

    /// With so many calls a second.
    #[must_use]
    pub fn at_rate(mut self, per_second: u32) -> Self {
        self.load = vec![(Instant::ZERO, per_second)];
        self
    }

    /// For so many seconds.
    #[must_use]
    pub fn lasting(mut self, seconds: u64) -> Self {
        self.until = second(seconds);
        self
    }

    /// Shared by so many shards.
    #[must_use]
    pub fn on_shards(mut self, shards: u16) -> Self {
        self.shards = shards;
        self
    }

    /// Calls a second then, on average, recorded arrivals aside.
    #[must_use]
    pub fn rate(&self, now: Instant) -> u32 {
        let mut steps = self.load.iter().rev();
        steps
            .find(|(from, _)| *from <= now)
            .map_or(0, |(_, rate)| *rate)
    }

    /// Are heads followed, so that calls about the newest block ask for who has it?
    #[must_use]
    pub const fn follows_heads(&self) -> bool {
        self.follow_heads || self.probe_every.is_some()
    }

    /// All method policies, by index.
    pub fn policies(&self) -> impl Iterator<Item = &MethodPolicy> {
        std::iter::once(&self.policy).chain(&self.methods.further)
    }

    /// The policy of a method.
    #[must_use]
    pub fn policy_of(&self, method: MethodId) -> &MethodPolicy {
        let index = self.methods.of(method).as_usize();
        let further = index.checked_sub(1);
        further
            .and_then(|index| self.methods.further.get(index))
            .unwrap_or(&self.policy)
    }
}

impl Script {
    /// An upstream of its own provider that answers around `median_ms`, with that priority.
    #[must_use]
    pub fn new(number: u16, median_ms: u64) -> Self {
        let config = UpstreamConfig {
            provider: ProviderIndex(number),
            priority: u32::from(number) + 1,
            ..UpstreamConfig::default()
        };
        Self {
            config,
            name: format!("upstream-{number}"),
            region: String::new(),
            median: Duration::from_millis(median_ms),
            tail: Tail::Usual,
            measured: Vec::new(),
            measured_by_method: Vec::new(),
            distance: Duration::ZERO,
            price: Price::default(),
            limit: None,
            allowance: None,
            capacity: None,
            kept: Kept::default(),
            head_delay: Duration::from_millis(100),
            phases: Vec::new(),
        }
    }

    /// Does this between those seconds.
    #[must_use]
    pub fn but(self, from_s: u64, until_s: u64, behaviour: Behaviour) -> Self {
        self.with_phase(from_s, until_s, None, behaviour)
    }

    /// Does this with these methods between those seconds.
    #[must_use]
    pub fn but_with(
        self,
        methods: &[MethodId],
        from_s: u64,
        until_s: u64,
        behaviour: Behaviour,
    ) -> Self {
        let only: MethodSet = methods.iter().copied().collect();
        self.with_phase(from_s, until_s, Some(only), behaviour)
    }

    fn with_phase(
        mut self,
        from_s: u64,
        until_s: u64,
        only: Option<MethodSet>,
        behaviour: Behaviour,
    ) -> Self {
        self.phases.push(Phase {
            from: second(from_s),
            until: second(until_s),
            only,
            behaviour,
        });
        self
    }
}

/// So many seconds after the start.
#[must_use]
pub fn second(seconds: u64) -> Instant {
    Instant::ZERO + Duration::from_secs(seconds)
}
