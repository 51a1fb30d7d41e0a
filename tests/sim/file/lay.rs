//! A scenario's behaviours laid over what the deciders are told: our defaults, or an operator's configuration.

use core::time::Duration;

use engine::chain::ChainId;
use engine::config::{
    AccountConfig, DEFAULT_PANIC_PERMILLE, GeoConfig, HeadConfig, HedgeConfig, MethodPolicy,
    RetryBudgetConfig, SheddingConfig, UpstreamConfig,
};
use engine::index::{PolicyIndex, ProviderIndex, RegionIndex};
use engine::method;
use engine::strategy::StrategySpec;

use super::Template;
use crate::provider::Script;
use crate::scenario::{MethodPolicies, Scenario};

/// What deciders are told, whatever upstreams do.
#[derive(Clone, Debug)]
pub struct Told {
    /// The chain's upstreams.
    pub upstreams: Vec<ToldUpstream>,
    /// How they are ordered.
    pub strategy: StrategySpec,
    /// The policy of methods without one of their own.
    pub policy: MethodPolicy,
    /// Those of single methods.
    pub methods: MethodPolicies,
    /// Retries per thousand calls, and those that are allowed in any case, a second, of the process.
    pub retries: (u32, u32),
    /// The chain's id, where it is known.
    pub chain_id: Option<ChainId>,
    /// An upstream this far behind is left out.
    pub max_lag_blocks: Option<u64>,
    /// How heads are followed.
    pub heads: HeadConfig,
    /// How often upstreams are asked for their chain; `None` for never.
    pub probe_every: Option<Duration>,
    /// Heads are followed.
    pub follow_heads: bool,
    /// What was agreed with providers; upstreams name theirs by index.
    pub accounts: Vec<AccountConfig>,
    /// How long a call waits where everybody throttles it.
    pub held_wait: Duration,
    /// When each shard is full.
    pub shedding: SheddingConfig,
    /// So few of a thousand upstreams are well that those that are out are used too.
    pub panic_permille: u32,
    /// The regions' names, by index.
    pub regions: Vec<String>,
    /// The region of a client is known; else all count as saying nothing.
    pub knows_clients: bool,
    /// Whether regions matter.
    pub geo: Option<GeoConfig>,
}

/// An upstream as deciders are told of it.
#[derive(Clone, Debug)]
pub struct ToldUpstream {
    /// Its name.
    pub name: String,
    /// What the engine knows of it.
    pub config: UpstreamConfig,
}

impl Told {
    /// The engine's own defaults for a template's upstreams. The command `simulate` tells the product's defaults instead.
    #[must_use]
    pub fn plain(template: &Template, strategy: StrategySpec) -> Self {
        let hedge = template.hedge.then(HedgeConfig::default);
        let of = |timeout: Duration, hedge: Option<HedgeConfig>| MethodPolicy {
            timeout,
            attempts: template.attempts.unwrap_or(4),
            hedge,
            ..MethodPolicy::default()
        };
        let mut methods = MethodPolicies::default();
        let default = of(Duration::from_secs(30), None);
        for (id, _, standard) in method::all() {
            let policy = of(standard.timeout, hedge.filter(|_| standard.hedgeable));
            let known = methods.further.iter().position(|known| *known == policy);
            let place = known.unwrap_or_else(|| {
                methods.further.push(policy);
                methods.further.len() - 1
            });
            methods.of.resize(id.index() + 1, PolicyIndex(0));
            methods.of[id.index()] = PolicyIndex(place as u16 + 1);
        }
        let upstreams = template.base.upstreams.iter();
        let mut regions: Vec<String> = Vec::new();
        for script in &template.base.upstreams {
            if !script.region.is_empty() && !regions.contains(&script.region) {
                regions.push(script.region.clone());
            }
        }
        Self {
            upstreams: upstreams
                .map(|script| ToldUpstream {
                    name: script.name.clone(),
                    config: UpstreamConfig {
                        timeout: Duration::from_secs(60),
                        region: numbered_region(&regions, &script.region),
                        ..script.config.clone()
                    },
                })
                .collect(),
            strategy,
            policy: default,
            methods,
            retries: (200, 10),
            chain_id: None,
            max_lag_blocks: template.base.chain.max_lag_blocks,
            heads: HeadConfig::default(),
            probe_every: Some(Duration::from_secs(30)),
            follow_heads: true,
            accounts: Vec::new(),
            held_wait: Duration::from_millis(1_500),
            shedding: SheddingConfig::default(),
            panic_permille: DEFAULT_PANIC_PERMILLE,
            geo: template.geo.as_ref().map(|geo| GeoConfig {
                home: numbered_region(&regions, geo.home.as_deref().unwrap_or_default()),
                bound: geo.bound,
            }),
            regions,
            knows_clients: true,
        }
    }
}

/// The region of this name as deciders know it.
fn numbered_region(regions: &[String], name: &str) -> Option<RegionIndex> {
    let place = regions.iter().position(|known| known == name)?;
    u16::try_from(place).ok().map(RegionIndex)
}

impl Template {
    /// The scenario with these deciders. Behaviours go to upstreams of the same name, what is left over to the others in order; an upstream that
    /// gets none behaves as the first of the file does without its faults.
    #[must_use]
    pub fn scenario(&self, told: &Told, seed: u64) -> Scenario {
        let mut scenario = self.base.clone();
        scenario.seed = seed;
        scenario.upstreams = self.lay(told);
        scenario.strategy = told.strategy;
        scenario.policy = told.policy;
        scenario.methods = told.methods.clone();
        let (permille, per_second) = told.retries;
        scenario.retry_budget =
            RetryBudgetConfig::share(permille, per_second, u32::from(scenario.shards));
        scenario.chain.id = told.chain_id.unwrap_or(scenario.chain.id);
        scenario.chain.max_lag_blocks = told.max_lag_blocks;
        scenario.chain.heads = told.heads;
        scenario.probe_every = told.probe_every;
        scenario.follow_heads = told.follow_heads;
        scenario.accounts.clone_from(&told.accounts);
        scenario.shedding = told.shedding;
        scenario.held_wait = told.held_wait;
        scenario.chain.panic_permille = told.panic_permille;
        scenario.chain.geo = told.geo;
        for clients in &mut scenario.clients {
            let known = numbered_region(&told.regions, &clients.region);
            clients.index = known.filter(|_| told.knows_clients);
        }
        scenario
    }

    /// For each upstream that deciders are told of, which one of the file it behaves as; `None` for none.
    #[must_use]
    pub fn roles(&self, told: &Told) -> Vec<Option<usize>> {
        let scripts = &self.base.upstreams;
        let by_name = |name: &str| scripts.iter().position(|script| script.name == name);
        let mut roles: Vec<_> = told
            .upstreams
            .iter()
            .map(|one| by_name(&one.name))
            .collect();
        let taken = roles.clone();
        let mut rest: Vec<_> = (0..scripts.len())
            .filter(|script| !taken.contains(&Some(*script)))
            .collect();
        // Where not all find a place, those to whom something happens do.
        if rest.len() > roles.iter().filter(|role| role.is_none()).count() {
            rest.sort_by_key(|script| scripts[*script].phases.is_empty());
        }
        let mut rest = rest.into_iter();
        for role in roles.iter_mut().filter(|role| role.is_none()) {
            *role = rest.next();
        }
        roles
    }

    /// The file's upstreams to whom something happens and who have no place among those that deciders are told of.
    #[must_use]
    pub fn left_out(&self, told: &Told) -> Vec<&str> {
        let roles = self.roles(told);
        let scripts = self.base.upstreams.iter().enumerate();
        scripts
            .filter(|(place, script)| !script.phases.is_empty() && !roles.contains(&Some(*place)))
            .map(|(_, script)| script.name.as_str())
            .collect()
    }

    fn lay(&self, told: &Told) -> Vec<Script> {
        let roles = self.roles(told);
        let upstreams = told.upstreams.iter().zip(roles);
        let lay = |(one, role): (&ToldUpstream, Option<usize>)| {
            let script = role.and_then(|role| self.base.upstreams.get(role));
            let calm = || Script {
                phases: Vec::new(),
                ..self.base.upstreams[0].clone()
            };
            let script = script.cloned().unwrap_or_else(calm);
            let region = one.config.region;
            let region = region.and_then(|region| told.regions.get(usize::from(region.0)));
            Script {
                name: one.name.clone(),
                config: one.config.clone(),
                region: region.cloned().unwrap_or(script.region),
                ..script
            }
        };
        upstreams.map(lay).collect()
    }

    /// The bands with the positions of the upstreams that deciders are told of.
    #[must_use]
    pub fn bands_for(&self, told: &Told) -> Vec<super::Band> {
        let roles = self.roles(told);
        let bands = self.bands.iter().map(|band| {
            let strikes =
                |role: &Option<usize>| role.is_some_and(|role| band.upstreams.contains(&role));
            let struck = roles.iter().enumerate().filter(|(_, role)| strikes(role));
            super::Band {
                upstreams: struck.map(|(place, _)| place).collect(),
                ..band.clone()
            }
        });
        bands.filter(|band| !band.upstreams.is_empty()).collect()
    }
}

/// Numbers for companies: upstreams of one name have one.
pub(crate) fn numbered(providers: &[String]) -> Vec<ProviderIndex> {
    let number = |provider: &String| providers.iter().position(|known| known == provider);
    let all = providers
        .iter()
        .map(|provider| number(provider).unwrap_or(0));
    all.map(|number| ProviderIndex(number as u16)).collect()
}
