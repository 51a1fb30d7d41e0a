//! One upstream's way back to its whole share, in steps: after an outage, after a quarantine, and when it is new beside others that are
//! known. What has just come back is often not yet what it was: caches are cold, and whoever sends it everything at once sees to it that
//! it goes again (Envoy and nginx call the same *slow start*). It draws nothing and chooses nothing; it says how large the share is.
//!
//! ```text
//!   after a breaker:       1/4 ► 1/2 ► all
//!   new:             1/8 ► 1/4 ► 1/2 ► all
//!   quarantine: 1/16 ► 1/8 ► 1/4 ► 1/2 ► all
//! ```
//!
//! A step takes [`PASSES`] answers and [`LEAST`], so that what load does to the upstream can show; where calls are rare, one answer and
//! [`MOST`]. A failure sets the ramp back by a step, and never below its first. Shares are relative to the best share among those that could take the
//! call: where nobody has his whole share, nobody is held back.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::time::Instant;

/// So many answers are enough for a step.
pub const PASSES: u32 = 4;
/// No step is shorter.
pub const LEAST: Duration = Duration::from_secs(1);
/// After this long a single answer is enough.
pub const MOST: Duration = Duration::from_secs(5);

/// Why an upstream has not its whole share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ramp {
    /// Its breaker has closed.
    Recovered,
    /// It is new.
    New,
    /// It was quarantined.
    Released,
}

impl Ramp {
    /// How often the first share is halved.
    const fn halvings(self) -> u8 {
        match self {
            Self::Recovered => 2,
            Self::New => 3,
            Self::Released => 4,
        }
    }
}

/// One upstream's way back.
#[derive(Clone, Copy, Debug, Default)]
pub struct Probation {
    /// The share is halved so often; 0 for all of it.
    halvings: u8,
    /// At the ramp's foot.
    most_halvings: u8,
    passed: u32,
    since: Instant,
}

impl Probation {
    /// With its whole share.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            halvings: 0,
            most_halvings: 0,
            passed: 0,
            since: Instant::ZERO,
        }
    }

    /// Has it less than its whole share?
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.halvings > 0
    }

    /// Its share of what it would get, per thousand.
    #[must_use]
    pub const fn share_permille(&self) -> u32 {
        1_000_u32 >> self.halvings
    }

    /// A ramp begins; a longer one that is on goes on. True if none was on.
    pub fn begin(&mut self, ramp: Ramp, now: Instant) -> bool {
        let began = !self.is_on();
        if ramp.halvings() > self.halvings {
            self.halvings = ramp.halvings();
            self.most_halvings = self.most_halvings.max(self.halvings);
            self.passed = 0;
            self.since = now;
        }
        began
    }

    /// It answered. True if it has its whole share again with that.
    pub fn answered(&mut self, now: Instant) -> bool {
        if !self.is_on() {
            return false;
        }
        self.passed = self.passed.saturating_add(1);
        let lasted = now.saturating_duration_since(self.since);
        if self.passed >= PASSES && lasted >= LEAST || lasted >= MOST {
            self.halvings -= 1;
            self.passed = 0;
            self.since = now;
            if self.halvings == 0 {
                self.most_halvings = 0;
            }
        }
        !self.is_on()
    }

    /// It failed.
    pub fn failed(&mut self, now: Instant) {
        if self.is_on() {
            self.halvings = (self.halvings + 1).min(self.most_halvings);
            self.passed = 0;
            self.since = now;
        }
    }
}
