//! What the caller's strategy registry offers, so that names and options are checked and documented
//! here without this crate knowing any strategy. Only the form of an option is shared with the engine.

pub use engine::strategy::OptionKind;

use crate::model::{Setting, Strategy};

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
    /// One sentence on what it does.
    pub about: &'static str,
    /// When to use it, one sentence.
    pub when_to_use: &'static str,
    /// The option that names the strategy beneath, of one that orders what another has ranked: that one's options may be given beside
    /// its own.
    pub over: Option<&'static str>,
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
            when_to_use: "",
            over: None,
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

    /// The strategies that `wrapper` can be over; none of one that is over none.
    pub fn beneath(
        &self,
        wrapper: &StrategyDescription,
    ) -> impl Iterator<Item = &StrategyDescription> {
        let over = wrapper
            .over
            .and_then(|over| wrapper.options.iter().find(|option| option.name == over));
        let words: &[&str] = match over.map(|option| option.kind) {
            Some(OptionKind::Word { words, .. }) => words,
            _ => &[],
        };
        words.iter().filter_map(|word| self.find(word))
    }

    /// The strategy that `wrapper` is over with these settings; `None` for one that is over none.
    pub(crate) fn chosen_beneath(
        &self,
        wrapper: &StrategyDescription,
        settings: &[(String, Setting)],
    ) -> Option<&StrategyDescription> {
        let over = wrapper.over?;
        let given = settings.iter().find(|(name, _)| name == over);
        let OptionKind::Word { words, default } =
            wrapper.options.iter().find(|o| o.name == over)?.kind
        else {
            return None;
        };
        match given {
            Some((_, Setting::Word(word))) => self.find(word),
            _ => self.find(words.get(default)?),
        }
    }

    /// All names, in the registry's order.
    pub fn names(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.strategies.iter().map(|strategy| strategy.name)
    }
}
