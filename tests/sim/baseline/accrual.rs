//! When a baseline leaves an upstream out, and for how long. It knows no call.

use core::time::Duration;

use engine::fault::{Fault, FaultClass};
use engine::time::Instant;

/// A rule for leaving out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accrual {
    /// So many failures in a row; 0 for never.
    pub failures: u32,
    /// How long it is left out the first time.
    pub out: Duration,
    /// Doubled each time in a row, up to this.
    pub longest: Duration,
    /// How long a throttle without a Retry-After is respected; `None` where a throttle is a failure like others, and Retry-After is not read.
    pub throttle: Option<Duration>,
}

/// One upstream's failures.
#[derive(Clone, Copy, Debug, Default)]
pub struct Standing {
    row: u32,
    times: u32,
    until: Instant,
}

impl Standing {
    /// May it be used now?
    #[must_use]
    pub fn is_in(&self, now: Instant) -> bool {
        now >= self.until
    }

    /// It answered.
    pub const fn answered(&mut self) {
        self.row = 0;
        self.times = 0;
    }

    /// It failed.
    pub fn failed(&mut self, rule: &Accrual, fault: &Fault, now: Instant) {
        if fault.class == FaultClass::RateLimited
            && let Some(otherwise) = rule.throttle
        {
            self.until = self.until.max(now + fault.hold_off.unwrap_or(otherwise));
            return;
        }
        if rule.failures == 0 || !is_failure(fault) {
            return;
        }
        self.row += 1;
        if self.row >= rule.failures && self.is_in(now) {
            let span = rule.out.saturating_mul(1 << self.times.min(16));
            self.until = now + span.min(rule.longest.max(rule.out));
            self.times += 1;
        }
    }
}

/// Failures that a plain proxy notices: no answer, a 5xx, a throttle.
fn is_failure(fault: &Fault) -> bool {
    fault.traits().breaker_weight > 0
        || matches!(
            fault.class,
            FaultClass::RateLimited | FaultClass::Auth | FaultClass::QuotaBilling
        )
}
