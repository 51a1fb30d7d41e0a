//! What the engine is told of a configuration: chains, upstreams, accounts, policies and strategies by index. Shards are built from it, and the
//! command `simulate` asks it what a configuration would have done. Pure: no socket, no key, no pool.

use config::Config;
use engine::chain::ChainId;
use engine::config::{
    AccountConfig, BreakerConfig, ChainConfig, HeadConfig, HoldOffConfig, LimiterConfig, MethodSet,
    RetryBudgetConfig, SheddingConfig, UpstreamConfig,
};
use engine::index::ProviderIndex;
use engine::method;
use engine::protocol::{Protocol, ProtocolSet};
use engine::strategy::{REGISTRY, StrategySpec};

use super::policies::{Policies, permille};
use super::{catalog, sender, tariff};
use crate::control::regions::Regions;

/// One chain as each of so many shards is told of it, with the policies that its indices stand for. Strategies are the configured ones and then
/// every one of the registry with its defaults.
///
/// # Errors
/// One sentence for the operator; none is expected of a validated configuration.
pub fn chain(
    config: &Config,
    chain: &config::Chain,
    shards: u32,
    regions: &Regions,
) -> Result<(Policies, ChainConfig), String> {
    let policies = Policies::new(config, chain);
    let mut strategies = Vec::new();
    for strategy in policies.strategies() {
        strategies.push(catalog::spec(strategy)?);
    }
    strategies.extend(REGISTRY.into_iter().map(StrategySpec::of));
    let geo = chain.geo.as_ref();
    let engine = ChainConfig {
        chain_id: chain.chain_id.map(ChainId),
        upstreams: upstreams(config, chain, shards, regions),
        policies: policies.engine().to_vec(),
        strategies,
        max_lag_blocks: chain.probe.max_lag_blocks,
        heads: HeadConfig {
            enabled: chain.heads.enabled,
            min_interval: chain.heads.min_interval,
            max_interval: chain.heads.max_interval,
            finality_interval: chain.heads.finality_interval,
        },
        geo: geo.map(|geo| tariff::geo(geo, regions)),
        panic_permille: permille(chain.panic),
    };
    engine
        .check()
        .map_err(|error| format!("chain {}: {error}", chain.name))?;
    Ok((policies, engine))
}

/// Upstreams of one provider have one number.
fn upstreams(
    config: &Config,
    chain: &config::Chain,
    shards: u32,
    regions: &Regions,
) -> Vec<UpstreamConfig> {
    let mut providers: Vec<&str> = Vec::new();
    let mut number = |provider| {
        let known = providers.iter().position(|known| *known == provider);
        let number = known.unwrap_or_else(|| {
            providers.push(provider);
            providers.len() - 1
        });
        ProviderIndex(u16::try_from(number).unwrap_or(u16::MAX))
    };
    let region = |name: &String| regions.named(name.as_bytes());
    let upstreams = chain.upstreams.iter();
    upstreams
        .map(|configured| UpstreamConfig {
            provider: number(configured.provider.as_str()),
            priority: configured.priority,
            weight: configured.weight,
            timeout: configured.timeout,
            breaker: breaker(&configured.breaker),
            hold_off: HoldOffConfig {
                first: configured.hold_off.first,
                longest: configured.hold_off.longest,
            },
            limiter: LimiterConfig {
                in_flight: configured.limiter.in_flight,
                rate: configured.limiter.rate,
                max_in_flight: configured
                    .max_in_flight
                    .map_or(u32::MAX, |most| most.div_ceil(shards.max(1))),
            },
            slow_start: configured.slow_start,
            denied: denied(configured),
            identity: sender::hash(configured.name.as_bytes()).max(1),
            region: configured.region.as_ref().and_then(region),
            protocols: ProtocolSet::only(Protocol::Http),
            account: tariff::account_of(config, configured),
            price: tariff::price(&configured.price),
        })
        .collect()
}

fn breaker(configured: &config::Breaker) -> BreakerConfig {
    BreakerConfig {
        failures: configured.failures,
        window: configured.window,
        open_for: configured.open_for,
        probes: configured.probes,
        brownout: configured.brownout,
        by_group: configured.by_group,
    }
}

/// The standard methods that an upstream is never sent.
fn denied(upstream: &config::Upstream) -> MethodSet {
    method::all()
        .filter(|(_, name, _)| !upstream.methods.permits(name))
        .map(|(id, _, _)| id)
        .collect()
}

/// What was agreed with providers.
pub fn accounts(config: &Config) -> Vec<AccountConfig> {
    config.accounts.iter().map(tariff::account).collect()
}

/// When a shard refuses calls for its own sake.
pub fn shedding(config: &Config, shards: u32) -> SheddingConfig {
    let overload = &config.server.overload;
    SheddingConfig {
        max_live_calls: overload.max_live_calls.div_ceil(shards.max(1)),
        max_wait: overload.max_wait,
    }
}

/// Retries per thousand calls.
pub fn retry_permille(config: &Config) -> u32 {
    permille(config.retry.budget)
}

/// A shard's part of the process's retry budget.
pub fn retry_budget(config: &Config, shards: u32) -> RetryBudgetConfig {
    RetryBudgetConfig::share(retry_permille(config), config.retry.min_per_second, shards)
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    #[test]
    fn hold_offs_are_each_upstream_s_own_and_one_that_cannot_be_is_refused() {
        let url = || config::UpstreamUrl::parse("http://10.0.0.1:8545/").unwrap();
        let one = config::Upstream::new("one", url());
        let mut two = config::Upstream::new("two", url());
        let (first, longest) = (Duration::from_secs(30), Duration::from_secs(7_200));
        two.hold_off = config::HoldOff { first, longest };
        let told = |upstreams| {
            let chains = vec![config::Chain::new("a", Some(1), upstreams)];
            let config = Config::of_chains(chains);
            chain(&config, &config.chains[0], 2, &Regions::new(&config, None))
        };
        let (_, engine) = told(vec![one.clone(), two.clone()]).unwrap();
        let hold_offs = engine.upstreams.iter().map(|upstream| upstream.hold_off);
        assert_eq!(
            hold_offs.collect::<Vec<_>>(),
            // The defaults of the two crates are one.
            [HoldOffConfig::default(), HoldOffConfig { first, longest }]
        );
        two.hold_off.longest = Duration::from_secs(29);
        let said = told(vec![one, two]).err().unwrap();
        assert!(said.contains("the hold-off of upstream number 1"), "{said}");
    }
}
