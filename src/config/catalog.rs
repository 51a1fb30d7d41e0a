//! What the caller's strategy registry offers, so that names and options are checked and documented
//! here without this crate knowing any strategy. Only the form of an option is shared with the engine.

pub use engine::strategy::OptionKind;

use crate::model::Strategy;

/// The strategies that a configuration may name.
#[derive(Debug, Clone, Default)]
pub struct StrategyCatalog {
    /// One for each registered strategy; the first is the default.
    pub strategies: Vec<StrategyDescription>,
}

/// One strategy.
#[derive(Debug, Clone)]
pub struct StrategyDescription {
    /// Its name in a configuration.
    pub name: &'static str,
    /// One sentence on when to use it.
    pub about: &'static str,
    /// What it may be told.
    pub options: Vec<OptionDescription>,
}

/// One option of a strategy.
#[derive(Debug, Clone)]
pub struct OptionDescription {
    /// Its key.
    pub name: &'static str,
    /// One sentence on what it does.
    pub about: &'static str,
    /// What its value is, within which bounds, and its default.
    pub kind: OptionKind,
}

impl StrategyCatalog {
    /// A catalog of strategies without options.
    #[must_use]
    pub fn of_names(names: &[&'static str]) -> Self {
        let plain = |name: &&'static str| StrategyDescription {
            name,
            about: "",
            options: Vec::new(),
        };
        Self {
            strategies: names.iter().map(plain).collect(),
        }
    }

    /// What a chain uses that names no strategy: the first, or what the model says of itself.
    #[must_use]
    pub fn default_strategy(&self) -> Strategy {
        self.strategies
            .first()
            .map_or_else(Strategy::default, |first| Strategy::named(first.name))
    }

    /// The strategy called `name`.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&StrategyDescription> {
        self.strategies
            .iter()
            .find(|strategy| strategy.name == name)
    }

    /// All names, in the registry's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.strategies.iter().map(|strategy| strategy.name)
    }
}
