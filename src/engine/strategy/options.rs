//! Typed, validated options: what a configuration may say about a strategy. It reads no text but names and words.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use super::{Build, REGISTRY, Strategy, StrategyKind, find};
use crate::time::nanos;

/// The most options that one strategy may declare.
pub const MAX_OPTIONS: usize = 8;

/// One option of a strategy, for validation, documentation and the schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionDescriptor {
    /// The key in a configuration.
    pub name: &'static str,
    /// What it does, in a sentence.
    pub summary: &'static str,
    /// Its type, bounds and default.
    pub kind: OptionKind,
}

/// An option that every strategy has.
pub(super) const MAX_SHARE: OptionDescriptor = OptionDescriptor {
    name: "max_share",
    summary: "No provider gets more than this part of the calls, over a minute, while another provider could take them. 100% is no limit.",
    kind: OptionKind::Share {
        max_basis_points: 10_000,
        default_basis_points: 10_000,
    },
};
/// How many calls may be spent on learning.
pub(super) const EXPLORE: OptionDescriptor = OptionDescriptor {
    name: "explore",
    summary: "The largest part of the calls that may be spent on looking at upstreams that are not preferred.",
    kind: OptionKind::Share {
        max_basis_points: 2_000,
        default_basis_points: 100,
    },
};
/// When there is something to learn.
pub(super) const EXPLORE_AFTER: OptionDescriptor = OptionDescriptor {
    name: "explore_after",
    summary: "How long an upstream must have been silent about a method to be looked at.",
    kind: OptionKind::Duration {
        min: Duration::from_millis(100),
        max: Duration::from_secs(60),
        default: Duration::from_secs(1),
    },
};
/// How strongly a share follows the score.
pub(super) const SHARPNESS: OptionDescriptor = OptionDescriptor {
    name: "sharpness",
    summary: "How strongly the better are preferred: 1 is in proportion to their speed, 8 is nearly winner takes all.",
    kind: OptionKind::Integer {
        min: 1,
        max: 8,
        default: 5,
    },
};

/// The type of an option, its bounds (inclusive) and its default.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Yes or no.
    Flag {
        /// Unless given.
        default: bool,
    },
    /// A whole number.
    Integer {
        /// The smallest allowed.
        min: i64,
        /// The largest allowed.
        max: i64,
        /// Unless given.
        default: i64,
    },
    /// A share of the whole, in hundredths of a per cent (basis points), from 0.
    Share {
        /// The largest allowed.
        max_basis_points: u32,
        /// Unless given.
        default_basis_points: u32,
    },
    /// A span of time.
    Duration {
        /// The shortest allowed.
        min: Duration,
        /// The longest allowed.
        max: Duration,
        /// Unless given.
        default: Duration,
    },
    /// One of a list of words.
    Word {
        /// The list.
        words: &'static [&'static str],
        /// The position of the default.
        default: usize,
    },
}

/// A value as a configuration gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting<'a> {
    /// `true` or `false`.
    Flag(bool),
    /// A whole number.
    Integer(i64),
    /// A share in basis points: 1 % is 100.
    Share(u32),
    /// A span of time.
    Duration(Duration),
    /// A word.
    Word(&'a str),
}

/// What is wrong with a strategy's name or options.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpecError {
    /// There is no strategy of that name.
    UnknownStrategy {
        /// The name.
        name: String,
    },
    /// The strategy has no such option.
    UnknownOption {
        /// The strategy.
        strategy: &'static str,
        /// The key.
        option: String,
    },
    /// The option was given twice.
    Repeated {
        /// The key.
        option: &'static str,
    },
    /// The value has another type than the option, or is out of its bounds.
    BadValue {
        /// The key.
        option: &'static str,
        /// What it must be.
        kind: OptionKind,
    },
}

impl SpecError {
    /// The key that is wrong; `None` where it is the strategy's name.
    #[must_use]
    pub fn option(&self) -> Option<&str> {
        match self {
            Self::UnknownStrategy { .. } => None,
            Self::UnknownOption { option, .. } => Some(option),
            Self::Repeated { option } | Self::BadValue { option, .. } => Some(option),
        }
    }
}

impl fmt::Display for OptionKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag { .. } => f.write_str("true or false"),
            Self::Integer { min, max, .. } => write!(f, "a whole number from {min} to {max}"),
            Self::Share {
                max_basis_points, ..
            } => {
                write!(
                    f,
                    "a share from 0% to {}.{:02}%",
                    max_basis_points / 100,
                    max_basis_points % 100
                )
            }
            Self::Duration { min, max, .. } => write!(f, "a duration from {min:?} to {max:?}"),
            Self::Word { words, .. } => {
                f.write_str("one of")?;
                for (position, word) in words.iter().enumerate() {
                    write!(f, "{} {word}", if position == 0 { "" } else { "," })?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for SpecError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownStrategy { name } => {
                write!(f, "there is no strategy `{name}`; there are")?;
                for (position, kind) in REGISTRY.into_iter().enumerate() {
                    write!(f, "{} {}", if position == 0 { "" } else { "," }, kind.name)?;
                }
                Ok(())
            }
            Self::UnknownOption { strategy, option } => {
                write!(f, "strategy `{strategy}` has no option `{option}`")
            }
            Self::Repeated { option } => write!(f, "option `{option}` is given twice"),
            Self::BadValue { option, kind } => write!(f, "option `{option}` must be {kind}"),
        }
    }
}

impl core::error::Error for SpecError {}

/// The resolved options of one strategy, in the order of its descriptors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Values([u64; MAX_OPTIONS]);

impl Values {
    /// The value of the descriptor at `position`: a flag as 0 or 1, an integer as it is (never negative here), a share in
    /// basis points, a duration in nanoseconds, a word by its position.
    #[must_use]
    pub fn get(&self, position: usize) -> u64 {
        self.0.get(position).copied().unwrap_or(0)
    }
}

impl OptionKind {
    const fn default_value(&self) -> u64 {
        match *self {
            Self::Flag { default } => default as u64,
            Self::Integer { default, .. } => default.unsigned_abs(),
            Self::Share {
                default_basis_points,
                ..
            } => default_basis_points as u64,
            Self::Duration { default, .. } => nanos(default),
            Self::Word { default, .. } => default as u64,
        }
    }

    fn accept(&self, setting: Setting<'_>) -> Option<u64> {
        match (*self, setting) {
            (Self::Flag { .. }, Setting::Flag(value)) => Some(u64::from(value)),
            (Self::Integer { min, max, .. }, Setting::Integer(value))
                if (min..=max).contains(&value) =>
            {
                u64::try_from(value).ok()
            }
            (
                Self::Share {
                    max_basis_points, ..
                },
                Setting::Share(value),
            ) if value <= max_basis_points => Some(u64::from(value)),
            (Self::Duration { min, max, .. }, Setting::Duration(value))
                if (min..=max).contains(&value) =>
            {
                Some(nanos(value))
            }
            (Self::Word { words, .. }, Setting::Word(value)) => words
                .iter()
                .position(|&word| word == value)
                .map(|position| position as u64),
            _ => None,
        }
    }
}

/// A strategy with its options, checked: what a configuration asks for. A shard makes its own instance of it.
#[derive(Clone, Copy, Debug)]
pub struct StrategySpec {
    kind: &'static StrategyKind,
    values: Values,
    /// What it is over, if it is over another.
    inner: Option<(&'static StrategyKind, Values)>,
}

impl StrategySpec {
    /// The strategy `name` with these settings and its defaults for the others. One that is over another takes that one's options as
    /// well; of an option that both have, its own is meant.
    ///
    /// # Errors
    /// Everything that is wrong, in the order of the settings.
    pub fn new(name: &str, settings: &[(&str, Setting<'_>)]) -> Result<Self, Vec<SpecError>> {
        let Some(kind) = find(name) else {
            return Err(Vec::from([SpecError::UnknownStrategy {
                name: name.to_string(),
            }]));
        };
        let mut spec = Self::of(kind);
        let mut given = 0_u64;
        let mut errors = Vec::new();
        // What it is over comes first: it says which other options there are.
        let is_over = |key: &str| kind.wraps() && key == OVER;
        let over = settings.iter().filter(|(key, _)| is_over(key));
        let rest = settings.iter().filter(|(key, _)| !is_over(key));
        for &(key, setting) in over {
            spec.set(key, setting, &mut given, &mut errors);
            spec.inner = inner_of(kind, &spec.values);
        }
        for &(key, setting) in rest {
            spec.set(key, setting, &mut given, &mut errors);
        }
        if errors.is_empty() {
            return Ok(spec);
        }
        let place = |error: &SpecError| {
            let mut keys = settings.iter().map(|(key, _)| Some(*key));
            keys.position(|key| key == error.option())
        };
        errors.sort_by_key(place);
        Err(errors)
    }

    fn set(
        &mut self,
        key: &str,
        setting: Setting<'_>,
        given: &mut u64,
        errors: &mut Vec<SpecError>,
    ) {
        let place = |options: &'static [OptionDescriptor]| {
            let mut options = options.iter().enumerate();
            options.find(|(_, option)| option.name == key)
        };
        let own = place(self.kind.options).map(|found| (found, 0));
        let found = own.or_else(|| {
            let (inner, _) = self.inner?;
            Some((place(inner.options)?, MAX_OPTIONS))
        });
        let Some(((position, option), bits)) = found else {
            errors.push(SpecError::UnknownOption {
                strategy: self.kind.name,
                option: key.to_string(),
            });
            return;
        };
        let bit = 1_u64 << (position + bits);
        if *given & bit != 0 {
            errors.push(SpecError::Repeated {
                option: option.name,
            });
        }
        *given |= bit;
        let values = match &mut self.inner {
            Some((_, values)) if bits > 0 => values,
            _ => &mut self.values,
        };
        match (option.kind.accept(setting), values.0.get_mut(position)) {
            (Some(value), Some(slot)) => *slot = value,
            _ => errors.push(SpecError::BadValue {
                option: option.name,
                kind: option.kind,
            }),
        }
    }

    /// A strategy of the registry with its defaults.
    #[must_use]
    pub fn of(kind: &'static StrategyKind) -> Self {
        let values = defaults(kind);
        Self {
            kind,
            values,
            inner: inner_of(kind, &values),
        }
    }

    /// Its name in the registry.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.kind.name
    }

    /// Its options as resolved.
    #[must_use]
    pub const fn values(&self) -> &Values {
        &self.values
    }

    /// The name of the strategy that it is over, if it is over another, and that one's options as resolved.
    #[must_use]
    pub fn over(&self) -> Option<(&'static str, &Values)> {
        self.inner
            .as_ref()
            .map(|(kind, values)| (kind.name, values))
    }

    /// The largest part of the calls that one provider may have, in basis points; `None` for no limit.
    #[must_use]
    pub fn max_share(&self) -> Option<u64> {
        let share = |kind: &StrategyKind, values: &Values| {
            let position = position(kind, MAX_SHARE.name)?;
            Some(values.get(position)).filter(|&share| share < 10_000)
        };
        share(self.kind, &self.values)
    }

    pub(crate) fn build(&self) -> Box<dyn Strategy> {
        match (self.kind.build, &self.inner) {
            (Build::Alone(build), _) => build(&self.values),
            (Build::Over(build), Some((kind, values))) => {
                let inner = Self {
                    kind,
                    values: *values,
                    inner: None,
                };
                build(&self.values, inner.build())
            }
            // A wrapper whose word names nothing that can be wrapped; a test of the registry says that there is none.
            (Build::Over(build), None) => build(&self.values, super::leaderboard::by_default()),
        }
    }
}

/// The key by which a wrapper names what it is over.
pub const OVER: &str = "over";

fn position(kind: &StrategyKind, name: &str) -> Option<usize> {
    kind.options.iter().position(|option| option.name == name)
}

fn defaults(kind: &StrategyKind) -> Values {
    let mut values = Values([0; MAX_OPTIONS]);
    for (slot, option) in values.0.iter_mut().zip(kind.options) {
        *slot = option.kind.default_value();
    }
    values
}

/// What a wrapper with these values is over, with that one's defaults.
fn inner_of(kind: &StrategyKind, values: &Values) -> Option<(&'static StrategyKind, Values)> {
    let position = position(kind, OVER).filter(|_| kind.wraps())?;
    let OptionKind::Word { words, .. } = kind.options.get(position)?.kind else {
        return None;
    };
    let word = words.get(values.get(position) as usize)?;
    let inner = find(word).filter(|inner| !inner.wraps())?;
    Some((inner, defaults(inner)))
}

impl PartialEq for StrategySpec {
    fn eq(&self, other: &Self) -> bool {
        self.kind.name == other.kind.name
            && self.values == other.values
            && self.over() == other.over()
    }
}

impl Eq for StrategySpec {}
