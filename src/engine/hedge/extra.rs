//! A share of extra attempts: so many per thousand calls, and where calls are counted in compute units, so many units per thousand of theirs.
//! It sends nothing.

use crate::config::RetryBudgetConfig;
use crate::retry::{Budget, WINDOW_S};
use crate::time::Instant;

use super::ALLOWANCE;

/// What extra attempts may still be made.
#[derive(Clone, Debug)]
pub(super) struct Extra {
    calls: Budget,
    /// `None` where units are not configured: then each call counts the same, and one budget says it all.
    units: Option<Budget>,
}

impl Extra {
    /// So many per thousand, and one.
    pub(super) const fn new(permille: u32, in_units: bool) -> Self {
        Self {
            calls: Budget::new(RetryBudgetConfig {
                permille_of_calls: permille,
                min_millis_per_second: ALLOWANCE * 1_000 / WINDOW_S as u32,
            }),
            units: if in_units {
                Some(Budget::new(RetryBudgetConfig {
                    permille_of_calls: permille,
                    min_millis_per_second: 0,
                }))
            } else {
                None
            },
        }
    }

    /// A call of so many units got its first attempt.
    pub(super) fn count(&mut self, units: u32, now: Instant) {
        self.calls.count_call(now);
        if let Some(budget) = &mut self.units {
            budget.count(now, units);
        }
    }

    /// Takes an extra attempt of so many units, if there is one to be had. In units, too, the first within the window is always allowed.
    pub(super) fn take(&mut self, units: u32, now: Instant) -> bool {
        if let Some(budget) = &self.units
            && budget.left(now) < units
            && !budget.is_untouched(now)
        {
            return false;
        }
        let taken = self.calls.take(now, 1);
        if taken && let Some(budget) = &mut self.units {
            budget.overdraw(now, units);
        }
        taken
    }

    /// How many extra attempts of one unit could be made now.
    pub(super) fn left(&self, now: Instant) -> u32 {
        let calls = self.calls.left(now);
        match &self.units {
            Some(budget) if !budget.is_untouched(now) => calls.min(budget.left(now)),
            _ => calls,
        }
    }
}
