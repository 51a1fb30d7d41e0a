//! What was spent of one account in one day or month, by whom, and how that compares with the pace that lasts to the end.

use crate::config::{Allowance, Carried, Measure, Period};

use super::calendar::{Calendar, Span};

/// One, as a part of a share.
pub(super) const ONE: u64 = 1 << 16;
/// An account may be ahead of its pace by this part of its allowance: a busy hour is not to be spread over the night. Towards the end of the
/// period by a quarter of what is left of it, so that three quarters of an even pace are left to the end, too.
const LEAD: u64 = 20;

/// So many calls, of so many units together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tally {
    /// Calls.
    pub calls: u64,
    /// Compute units.
    pub units: u64,
}

impl Tally {
    /// What is counted of it.
    #[must_use]
    pub const fn of(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Calls => self.calls,
            Measure::Units => self.units,
        }
    }

    /// Both together.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_add(other.calls),
            units: self.units.saturating_add(other.units),
        }
    }

    pub(super) const fn minus(self, other: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(other.calls),
            units: self.units.saturating_sub(other.units),
        }
    }

    /// The larger of each.
    #[must_use]
    pub fn max_of_each(self, other: Self) -> Self {
        Self {
            calls: self.calls.max(other.calls),
            units: self.units.max(other.units),
        }
    }

    /// One call of so many units.
    pub(super) const fn one(units: u32) -> Self {
        Self {
            calls: 1,
            units: units as u64,
        }
    }
}

/// One period of one account, as far as this shard counts itself.
#[derive(Clone, Debug)]
pub(super) struct Ledger {
    period: Period,
    limit: Option<Allowance>,
    span: Span,
    /// What was spent in this period before the process began.
    carried: Tally,
    own: Tally,
}

impl Ledger {
    pub(super) fn new(
        period: Period,
        limit: Option<Allowance>,
        carried: Carried,
        now_ms: u64,
    ) -> Self {
        let span = Calendar::span(period, now_ms);
        let is_this = carried.period == span.number;
        let carried = Tally {
            calls: carried.calls,
            units: carried.units,
        };
        Self {
            period,
            limit,
            span,
            carried: if is_this { carried } else { Tally::default() },
            own: Tally::default(),
        }
    }

    /// Begins the next period if this one is over.
    pub(super) fn roll(&mut self, now_ms: u64) {
        if now_ms >= self.span.to_ms {
            self.span = Calendar::span(self.period, now_ms);
            self.carried = Tally::default();
            self.own = Tally::default();
        }
    }

    pub(super) fn add(&mut self, tally: Tally) {
        self.own = self.own.plus(tally);
    }

    pub(super) const fn period(&self) -> Period {
        self.period
    }

    pub(super) const fn span(&self) -> &Span {
        &self.span
    }

    pub(super) const fn own(&self) -> Tally {
        self.own
    }

    pub(super) const fn limit(&self) -> Option<Allowance> {
        self.limit
    }

    /// What was spent by everybody, given what was spent by the others.
    pub(super) const fn used(&self, others: Tally) -> Tally {
        self.carried.plus(self.own).plus(others)
    }

    /// Is this within the limit?
    pub(super) fn allows(&self, used: Tally) -> bool {
        let limit = self.limit;
        limit.is_none_or(|limit| used.of(limit.of) <= limit.amount)
    }

    /// How much of its usual share the account can afford if its allowance is to last, in 1/65536.
    pub(super) fn room(&self, used: Tally, now_ms: u64) -> u64 {
        let Some(limit) = self.limit else {
            return ONE;
        };
        let elapsed = self.span.elapsed(now_ms);
        let part = |part: u64| ((u128::from(limit.amount) * u128::from(part)) >> 32) as u64;
        let left = (1 << 32) - elapsed;
        // Small allowances come in whole calls: one ahead is always allowed.
        let lead = (limit.amount / LEAD).min(part(left) / 4).max(1);
        let bound = part(elapsed).saturating_add(lead).min(limit.amount);
        let free = bound.saturating_sub(used.of(limit.of));
        share(free, lead)
    }
}

/// `free / whole` in 1/65536, at most one.
pub(super) fn share(free: u64, whole: u64) -> u64 {
    if free >= whole {
        return ONE;
    }
    ((u128::from(free) << 16) / u128::from(whole.max(1))) as u64
}
