//! A scenario: upstreams, traffic and a seed. Everything that a run depends on is in it.

use core::time::Duration;

use engine::config::{MethodPolicy, RetryBudgetConfig, SheddingConfig, UpstreamConfig};
use engine::index::ProviderIndex;
use engine::strategy::StrategySpec;
use engine::time::Instant;

use crate::provider::{Behaviour, Phase, Script};

/// What a run is made of.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// For reports.
    pub name: &'static str,
    /// Every draw comes from it.
    pub seed: u64,
    /// The chain's upstreams.
    pub upstreams: Vec<Script>,
    /// How they are ordered.
    pub strategy: StrategySpec,
    /// The policy of every method.
    pub policy: MethodPolicy,
    /// The shard's retry budget.
    pub retry_budget: RetryBudgetConfig,
    /// When the shard is full.
    pub shedding: SheddingConfig,
    /// Calls a second, from when on. The first entry starts at 0.
    pub load: Vec<(Instant, u32)>,
    /// When no more calls begin. What is in flight is let finish.
    pub until: Instant,
    /// What the calls are like.
    pub mix: Mix,
    /// From then on every call is a plain read with patience.
    pub plain_from: Instant,
    /// Time between two checks of each upstream beside the traffic; `None` for no checks.
    pub probe_every: Option<Duration>,
    /// The driver also reports what came of attempts after they were cancelled, as a real one may by accident.
    pub late_events: bool,
}

/// Of a thousand calls, so many are…
#[derive(Clone, Copy, Debug, Default)]
pub struct Mix {
    /// …signed transactions.
    pub signed: u32,
    /// …writes that use a node's keys.
    pub node_writes: u32,
    /// …traces.
    pub traces: u32,
    /// …for one named upstream.
    pub pinned: u32,
    /// …kept away from one upstream.
    pub excluded: u32,
    /// …given up by the client, some time between at once and a second later.
    pub abandoned: u32,
    /// …in a hurry: 200 ms and no more.
    pub hurried: u32,
}

impl Scenario {
    /// A calm minute of a hundred calls a second.
    #[must_use]
    pub fn new(
        name: &'static str,
        seed: u64,
        strategy: StrategySpec,
        upstreams: Vec<Script>,
    ) -> Self {
        Self {
            name,
            seed,
            upstreams,
            strategy,
            policy: MethodPolicy {
                timeout: Duration::from_secs(10),
                ..MethodPolicy::default()
            },
            retry_budget: RetryBudgetConfig::default(),
            shedding: SheddingConfig::default(),
            load: vec![(Instant::ZERO, 100)],
            until: second(60),
            mix: Mix::default(),
            plain_from: Instant::NEVER,
            probe_every: None,
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
}

impl Script {
    /// An upstream of its own provider that answers around `median_ms`, with that priority.
    #[must_use]
    pub fn new(number: u16, median_ms: u64) -> Self {
        Self {
            config: UpstreamConfig {
                provider: ProviderIndex(number),
                priority: u32::from(number) + 1,
                ..UpstreamConfig::default()
            },
            median: Duration::from_millis(median_ms),
            phases: Vec::new(),
        }
    }

    /// Does this between those seconds.
    #[must_use]
    pub fn but(mut self, from_s: u64, until_s: u64, behaviour: Behaviour) -> Self {
        self.phases.push(Phase {
            from: second(from_s),
            until: second(until_s),
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
