//! What retries may cost: the budget that keeps an outage from being multiplied, and the pause before the same upstream is asked
//! again. It does not know which faults may be retried (the fault table does) nor where to (the strategy does).
//!
//! The budget counts over a sliding window of ten seconds: retries may not exceed a share of the calls that began in it
//! and a fixed rate on top (Finagle's `RetryBudget`, with a window in place of a decaying bucket: what it allows can
//! be checked from outside, which the simulator does at every step). The fixed rate is on top, not instead: an upstream that fails a
//! fifth of its calls at random needs a little more than a fifth of them repeated, now and then.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::config::RetryBudgetConfig;
use crate::rng::Rng;
use crate::time::Instant;

/// The budget's window is this many parts of a second each.
pub const WINDOW_S: u64 = 10;
const PARTS: usize = WINDOW_S as usize;
const PART_NS: u64 = 1_000_000_000;

/// The first pause before the same upstream is asked again; it doubles.
pub const FIRST_PAUSE: Duration = Duration::from_millis(20);
/// The longest pause.
pub const MAX_PAUSE: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Default)]
struct Part {
    /// Seconds since the base, plus one so that an unused part is never taken for the first second.
    number: u64,
    calls: u32,
    retries: u32,
}

/// One shard's retry budget.
#[derive(Clone, Debug)]
pub struct Budget {
    config: RetryBudgetConfig,
    parts: [Part; PARTS],
}

impl Budget {
    /// A budget that has seen no call: it allows the fixed rate.
    #[must_use]
    pub const fn new(config: RetryBudgetConfig) -> Self {
        Self {
            config,
            parts: [Part {
                number: 0,
                calls: 0,
                retries: 0,
            }; PARTS],
        }
    }

    /// A call began.
    pub fn count_call(&mut self, now: Instant) {
        self.count(now, 1);
    }

    /// So many calls began, or calls of so many units.
    pub fn count(&mut self, now: Instant, amount: u32) {
        if let Some(part) = self.part(now) {
            part.calls = part.calls.saturating_add(amount);
        }
    }

    /// Was nothing taken within the window?
    #[must_use]
    pub fn is_untouched(&self, now: Instant) -> bool {
        let oldest = number(now).saturating_sub(WINDOW_S - 1);
        let mut parts = self.parts.iter().filter(|part| part.number >= oldest);
        parts.all(|part| part.retries == 0)
    }

    /// Takes so much, whether there is so much or not.
    pub fn overdraw(&mut self, now: Instant, cost: u32) {
        if let Some(part) = self.part(now) {
            part.retries = part.retries.saturating_add(cost);
        }
    }

    /// Takes `cost` retries out of the budget, if it has them.
    pub fn take(&mut self, now: Instant, cost: u32) -> bool {
        if self.left(now) < cost {
            return false;
        }
        if let Some(part) = self.part(now) {
            part.retries = part.retries.saturating_add(cost);
        }
        true
    }

    /// How many retries are left now.
    #[must_use]
    pub fn left(&self, now: Instant) -> u32 {
        let oldest = number(now).saturating_sub(WINDOW_S - 1);
        let (mut calls, mut retries) = (0_u64, 0_u64);
        for part in self.parts.iter().filter(|part| part.number >= oldest) {
            calls += u64::from(part.calls);
            retries += u64::from(part.retries);
        }
        let by_share = calls.saturating_mul(u64::from(self.config.permille_of_calls));
        let by_rate = u64::from(self.config.min_millis_per_second) * WINDOW_S;
        let left = (by_share.saturating_add(by_rate) / 1_000).saturating_sub(retries);
        u32::try_from(left).unwrap_or(u32::MAX)
    }

    fn part(&mut self, now: Instant) -> Option<&mut Part> {
        let number = number(now);
        let part = self.parts.get_mut((number % PARTS as u64) as usize)?;
        if part.number != number {
            *part = Part {
                number,
                ..Part::default()
            };
        }
        Some(part)
    }
}

const fn number(now: Instant) -> u64 {
    now.0 / PART_NS + WINDOW_S
}

/// The pause before the `nth` return (from 0) to an upstream that failed: doubled each time, and drawn from its upper
/// half so that callers that failed together do not come back together.
#[must_use]
pub fn pause(nth: u32, rng: &mut Rng) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << nth.min(16)).min(MAX_PAUSE);
    rng.stretched(longest / 2, 100)
}
