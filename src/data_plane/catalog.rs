//! The bridge between the engine's strategy registry and the configuration: what may be written in a
//! file, and what a validated strategy becomes. It holds no strategy of its own.

use config::{OptionDescription, StrategyCatalog, StrategyDescription};
use engine::strategy::{self, REGISTRY, StrategySpec};

/// The strategies that a configuration may name, as the engine registers them.
pub fn catalog() -> StrategyCatalog {
    let strategies = REGISTRY
        .iter()
        .map(|kind| StrategyDescription {
            name: kind.name,
            about: kind.summary,
            when_to_use: kind.when_to_use,
            over: kind.wraps().then_some(strategy::OVER),
            options: kind.options.iter().map(option).collect(),
        })
        .collect();
    StrategyCatalog { strategies }
}

fn option(descriptor: &strategy::OptionDescriptor) -> OptionDescription {
    OptionDescription {
        name: descriptor.name,
        about: descriptor.summary,
        kind: descriptor.kind,
    }
}

/// The engine's form of a validated strategy.
///
/// # Errors
/// One sentence; only for a strategy that was not validated against [`catalog`].
pub fn spec(configured: &config::Strategy) -> Result<StrategySpec, String> {
    let settings: Vec<_> = configured
        .options
        .iter()
        .map(|(name, setting)| (name.as_str(), self::setting(setting)))
        .collect();
    StrategySpec::new(&configured.name, &settings).map_err(|errors| {
        let sentences: Vec<_> = errors.iter().map(ToString::to_string).collect();
        sentences.join("; ")
    })
}

fn setting(setting: &config::Setting) -> strategy::Setting<'_> {
    match setting {
        config::Setting::Flag(value) => strategy::Setting::Flag(*value),
        config::Setting::Integer(value) => strategy::Setting::Integer(*value),
        config::Setting::Share(share) => strategy::Setting::Share(*share),
        config::Setting::Duration(span) => strategy::Setting::Duration(*span),
        config::Setting::Word(word) => strategy::Setting::Word(word),
    }
}

/// The position of a strategy in the registry: its index in metrics and events.
pub fn registry_index(spec: &StrategySpec) -> usize {
    REGISTRY
        .iter()
        .position(|kind| kind.name == spec.name())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_strategy_with_its_defaults_becomes_one_of_the_engine() {
        for description in catalog().strategies {
            let spec = spec(&config::Strategy::named(description.name)).unwrap();
            assert_eq!(spec.name(), description.name);
        }
        assert!(spec(&config::Strategy::named("fastest")).is_err());
    }

    #[test]
    fn the_configuration_page_of_the_manual_is_current() {
        let page = config::reference(&catalog());
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/manual/config.md");
        if std::env::var_os("LIVECHAIN_BLESS").is_some() {
            std::fs::write(path, &page).unwrap();
        }
        assert!(
            std::fs::read_to_string(path).unwrap_or_default() == page,
            "src/manual/config.md is out of date: run this test with LIVECHAIN_BLESS=1"
        );
    }
}
