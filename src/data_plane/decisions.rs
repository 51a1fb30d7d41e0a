//! What the engine is told of a configuration: chains, upstreams, policies and strategies by index. Shards are built from it, and the command
//! `simulate` asks it what a configuration would have done. Pure: no socket, no key, no pool.

use config::Config;
use engine::chain::ChainId;
use engine::config::{
    BreakerConfig, ChainConfig, HeadConfig, MethodSet, RetryBudgetConfig, UpstreamConfig,
};
use engine::index::ProviderIndex;
use engine::method;
use engine::strategy::{REGISTRY, StrategySpec};

use super::catalog;
use super::policies::Policies;

/// One chain as the engine is told of it, with the policies that its indices stand for. Strategies are the configured ones and then
/// every one of the registry with its defaults.
///
/// # Errors
/// One sentence for the operator; none is expected of a validated configuration.
pub fn chain(config: &Config, chain: &config::Chain) -> Result<(Policies, ChainConfig), String> {
    let policies = Policies::new(config, chain);
    let mut strategies = Vec::new();
    for strategy in policies.strategies() {
        strategies.push(catalog::spec(strategy)?);
    }
    strategies.extend(REGISTRY.into_iter().map(StrategySpec::of));
    let engine = ChainConfig {
        chain_id: chain.chain_id.map(ChainId),
        upstreams: upstreams(chain),
        policies: policies.engine().to_vec(),
        strategies,
        max_lag_blocks: chain.probe.max_lag_blocks,
        heads: HeadConfig {
            enabled: chain.heads.enabled,
            min_interval: chain.heads.min_interval,
            max_interval: chain.heads.max_interval,
            finality_interval: chain.heads.finality_interval,
        },
        ..ChainConfig::default()
    };
    engine
        .check()
        .map_err(|error| format!("chain {}: {error}", chain.name))?;
    Ok((policies, engine))
}

/// Upstreams of one provider have one number.
fn upstreams(chain: &config::Chain) -> Vec<UpstreamConfig> {
    let mut providers: Vec<&str> = Vec::new();
    let mut number = |provider| {
        let known = providers.iter().position(|known| *known == provider);
        let number = known.unwrap_or_else(|| {
            providers.push(provider);
            providers.len() - 1
        });
        ProviderIndex(u16::try_from(number).unwrap_or(u16::MAX))
    };
    chain
        .upstreams
        .iter()
        .map(|configured| UpstreamConfig {
            provider: number(configured.provider.as_str()),
            priority: configured.priority,
            weight: configured.weight,
            timeout: configured.timeout,
            breaker: BreakerConfig {
                failures: configured.breaker.failures,
                window: configured.breaker.window,
                open_for: configured.breaker.open_for,
                probes: configured.breaker.probes,
                ..BreakerConfig::default()
            },
            denied: denied(configured),
            ..UpstreamConfig::default()
        })
        .collect()
}

/// The standard methods that an upstream is never sent.
fn denied(upstream: &config::Upstream) -> MethodSet {
    method::all()
        .filter(|(_, name, _)| !upstream.methods.permits(name))
        .map(|(id, _, _)| id)
        .collect()
}

/// Retries per thousand calls.
pub fn retry_permille(config: &Config) -> u32 {
    (config.retry.budget * 1000.0).round() as u32
}

/// A shard's part of the process's retry budget.
pub fn retry_budget(config: &Config, shards: u32) -> RetryBudgetConfig {
    RetryBudgetConfig::share(retry_permille(config), config.retry.min_per_second, shards)
}
