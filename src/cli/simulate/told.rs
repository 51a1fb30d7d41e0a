//! What the simulated engine is told: a chain of a configuration as the data plane's shards would be told of it, or the defaults of a configuration
//! for a scenario's own upstreams.

use config::{
    Account, Chain, ClientRegion, Config, Geo, HedgeRule, Included, Measure, MethodPattern,
    MethodRule, Period, Quota, Upstream, UpstreamUrl,
};
use engine::index::PolicyIndex;
use engine::method;
use sim::file::{Template, Told, ToldUpstream};
use sim::provider::Script;
use sim::scenario::MethodPolicies;

use crate::control::regions::Regions;
use crate::data_plane::decisions;

/// Where a scenario's upstreams are said to be: nobody connects.
const NOWHERE: &str = "https://simulated.invalid/";

/// A chain of this configuration.
///
/// # Errors
/// One sentence.
pub fn of_config(
    config: &Config,
    chain: Option<&str>,
    template: &Template,
) -> Result<Told, String> {
    let chain = match (chain, config.chains.as_slice()) {
        (None, [only]) => only,
        (None, all) => {
            let names: Vec<_> = all.iter().map(|chain| chain.name.as_str()).collect();
            return Err(format!(
                "the configuration has the chains {}: choose one with --chain",
                names.join(", ")
            ));
        }
        (Some(name), all) => {
            let is_meant = |chain: &&Chain| {
                chain.name == name || chain.aliases.iter().any(|alias| alias == name)
            };
            all.iter()
                .find(is_meant)
                .ok_or_else(|| format!("the configuration has no chain `{name}`"))?
        }
    };
    of_chain(config, chain, template)
}

/// The defaults of a configuration, for the scenario's own upstreams, with what an operator would write down of them: prices, published limits,
/// regions. Reads are hedged where the scenario does not say otherwise: that is one rule
/// in a configuration, and the simulator is there to show what it does.
///
/// # Errors
/// One sentence; none is expected.
pub fn of_defaults(template: &Template) -> Result<Told, String> {
    let (mut upstreams, mut accounts) = (Vec::new(), Vec::new());
    for (script, provider) in template.scripts().iter().zip(&template.providers) {
        let url = UpstreamUrl::parse(NOWHERE).map_err(|fault| fault.message)?;
        let mut upstream = Upstream::new(&script.name, url);
        upstream.provider.clone_from(provider);
        upstream.priority = script.config.priority;
        upstream.weight = script.config.weight;
        upstream.region = Some(script.region.clone()).filter(|region| !region.is_empty());
        agree(template, script, &mut upstream, &mut accounts);
        upstreams.push(upstream);
    }
    let mut config = Config::of_chains(vec![Chain::new("simulated", Some(1), upstreams)]);
    config.accounts = accounts;
    if let Some(chain) = config.chains.first_mut() {
        chain.geo = template.geo.as_ref().map(|geo| Geo {
            home: geo.home.clone(),
            bound: geo.bound,
        });
    }
    if let Some(attempts) = template.attempts {
        config.retry.attempts = attempts;
    }
    if template.hedge
        && let Some(pattern) = MethodPattern::parse("*")
    {
        config.methods.push(MethodRule {
            pattern,
            allow: None,
            timeout: None,
            attempts: None,
            strategy: None,
            hedge: HedgeRule {
                enabled: Some(true),
                ..HedgeRule::default()
            },
            cache: None,
        });
    }
    let chain = config.chains.first().ok_or("no chain")?;
    let told = of_chain(&config, chain, template)?;
    Ok(Told {
        knows_clients: true,
        ..told
    })
}

/// What was agreed with the provider of an upstream, as far as it publishes that.
fn agree(
    template: &Template,
    script: &Script,
    upstream: &mut Upstream,
    accounts: &mut Vec<Account>,
) {
    let published = script.limit.filter(|limit| limit.published);
    let is_counted = script.price.micros_per_million > 0 || script.allowance.is_some();
    if is_counted {
        let units = template.units().filter_map(|(method, units)| {
            Some((MethodPattern::parse(method::name(method))?, units))
        });
        upstream.price.per_unit_pico = script.price.micros_per_million;
        upstream.price.compute_units = units.collect();
    }
    if !is_counted && published.is_none() {
        return;
    }
    accounts.push(Account {
        per_second: published.map(|limit| Quota {
            amount: limit.per_second.into(),
            of: Measure::Calls,
        }),
        per_month: script.allowance.map(|amount| Quota {
            amount,
            of: Measure::ComputeUnits,
        }),
        included: (script.price.free > 0).then_some(Included {
            units: script.price.free,
            per: Period::Month,
        }),
        ..Account::new(&script.name)
    });
    upstream.account = Some(script.name.clone());
}

fn of_chain(config: &Config, chain: &Chain, template: &Template) -> Result<Told, String> {
    let shards = u32::from(template.shards());
    let regions = Regions::new(config, None);
    let (policies, engine) = decisions::chain(config, chain, shards, &regions)?;
    let names = chain.upstreams.iter().map(|upstream| upstream.name.clone());
    let strategy = *engine.strategies.first().ok_or("no strategy")?;
    let mut of = vec![PolicyIndex(0); engine::method::MethodId::COUNT + 1];
    for (id, name, _) in method::all() {
        if let Some(place) = of.get_mut(id.index()) {
            *place = policies.of(config, chain, name.as_bytes()).policy;
        }
    }
    Ok(Told {
        upstreams: names
            .zip(engine.upstreams)
            .map(|(name, config)| ToldUpstream { name, config })
            .collect(),
        strategy,
        policy: engine.policies.first().copied().unwrap_or_default(),
        methods: MethodPolicies {
            further: engine.policies.into_iter().skip(1).collect(),
            of,
            strategies: engine.strategies.into_iter().skip(1).collect(),
        },
        retries: (
            decisions::retry_permille(config),
            config.retry.min_per_second,
        ),
        chain_id: engine.chain_id,
        max_lag_blocks: engine.max_lag_blocks,
        heads: engine.heads,
        probe_every: chain.probe.enabled.then_some(chain.probe.interval),
        follow_heads: chain.heads.enabled,
        accounts: decisions::accounts(config),
        shedding: decisions::shedding(config, shards),
        held_wait: config.retry.max_wait,
        panic_permille: engine.panic_permille,
        regions: config.regions().into_iter().map(str::to_owned).collect(),
        knows_clients: config.server.client_region != ClientRegion::default(),
        geo: engine.geo,
    })
}
