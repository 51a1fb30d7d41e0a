//! What metrics and events are split by, from the configuration and the engine's own tables. Pure.

use config::Config;
use engine::breaker::State;
use engine::method::{self, MethodGroup};
use engine::shed::Priority;

/// The breaker's states in the order of their index in metrics and events.
pub const BREAKER_STATES: [State; 4] =
    [State::Closed, State::Open, State::HalfOpen, State::Brownout];

/// What metrics and events are split by under this configuration.
pub fn dimensions(config: &Config, shards: usize) -> telemetry::Dimensions {
    telemetry::Dimensions {
        shards,
        chains: config
            .chains
            .iter()
            .map(|chain| telemetry::ChainDimension {
                name: chain.name.clone(),
                upstreams: chain
                    .upstreams
                    .iter()
                    .map(|upstream| telemetry::UpstreamDimension {
                        name: upstream.name.clone(),
                        provider: upstream.provider.clone(),
                    })
                    .collect(),
            })
            .collect(),
        methods: method::all().map(|(_, name, _)| name).collect(),
        strategies: engine::strategy::REGISTRY
            .iter()
            .map(|kind| kind.name)
            .collect(),
        fault_classes: engine::fault::FaultClass::ALL
            .iter()
            .map(|class| class.label())
            .collect(),
        breaker_states: BREAKER_STATES.iter().map(|state| state.label()).collect(),
        method_groups: MethodGroup::ALL.iter().map(|group| group.label()).collect(),
        priorities: Priority::ALL.iter().map(|one| one.label()).collect(),
        accounts: config.accounts.iter().map(|one| one.name.clone()).collect(),
        exclusions: engine::eligibility::LeftOutBy::ALL
            .iter()
            .map(|why| why.label())
            .collect(),
        version: env!("CARGO_PKG_VERSION"),
    }
}
