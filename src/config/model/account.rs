//! What providers charge and allow. Money is whole numbers of 10⁻¹² of the currency, never a fraction in binary. Counts nothing.

use super::method::MethodPattern;

/// What was agreed with a provider: the upstreams that name it share its limits, its allowance and its hold-offs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// The most a second.
    pub per_second: Option<Quota>,
    /// The most a day, in UTC.
    pub per_day: Option<Quota>,
    /// The most a calendar month, in UTC.
    pub per_month: Option<Quota>,
    /// What costs nothing.
    pub included: Option<Included>,
}

/// So much of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    /// How much; above zero.
    pub amount: u64,
    /// Of what.
    pub of: Measure,
}

/// What a provider counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Calls, each as one.
    Calls,
    /// Compute units, by method.
    ComputeUnits,
}

/// Compute units that cost nothing: a free tier, or what a plan's fixed price pays for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Included {
    /// So many.
    pub units: u64,
    /// In each such period.
    pub per: Period,
}

/// A period of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Period {
    /// From midnight to midnight.
    Day,
    /// From the first of a month to the first of the next.
    Month,
}

/// What calls to one upstream cost.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Price {
    /// What a unit costs beyond what is included, in 10⁻¹² of the currency; the price of a million units in millionths is the
    /// same number.
    pub per_unit_pico: u64,
    /// What calls count as, in compute units, by method; the most specific pattern wins, and what none matches counts as one.
    pub compute_units: Vec<(MethodPattern, u32)>,
}

impl Account {
    /// An account without limits: what upstreams share that a provider throttles together.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            per_second: None,
            per_day: None,
            per_month: None,
            included: None,
        }
    }
}

impl Price {
    /// What a call of this method counts as.
    #[must_use]
    pub fn units_of(&self, method: &str) -> u32 {
        let matching = self.compute_units.iter().filter(|(p, _)| p.matches(method));
        let most_specific = matching.max_by_key(|(pattern, _)| pattern.specificity());
        most_specific.map_or(1, |(_, units)| *units)
    }

    /// What a call of a method counts as that is in no table: what the pattern `*` says.
    #[must_use]
    pub fn units_of_unknown(&self) -> u32 {
        self.units_of("")
    }
}

impl Measure {
    /// The word that a configuration writes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::ComputeUnits => "compute_units",
        }
    }
}
