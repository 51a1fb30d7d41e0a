//! How many attempts a second an upstream serves, found by its throttles. The rule is in the [module](super)'s head.

use core::time::Duration;

use crate::time::Instant;

/// A second throttle within this time of the first is no accident.
pub const AGAIN: Duration = Duration::from_secs(60);
/// No rate is set below this, in thousandths of an attempt a second: one in five seconds.
pub const MIN_RATE_MILLIS: u64 = 200;

/// The rate falls to so much of what was served, per cent.
const KEPT_PERCENT: u64 = 85;
/// After this long it is back there.
const PLATEAU_NS: u64 = 15_000_000_000;
/// After this long it is forgotten.
const FORGOTTEN_NS: u64 = 4 * PLATEAU_NS;
/// So much may be sent in one go: what a network gathers into one moment.
const BURST_NS: u64 = 50_000_000;
const SECOND_NS: u64 = 1_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Rate {
    /// Attempts in the second of this number, and in the one before.
    second: u64,
    here: u32,
    before: u32,
    /// What was served when it was too much, in thousandths a second; 0 for nothing found.
    too_much_millis: u64,
    /// Since when the rate grows.
    since: Instant,
    /// The last throttle that began a hold-off; the base for none.
    throttled: Instant,
    /// When the next attempt is due at the limit (GCRA: ITU-T I.371).
    due: Instant,
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self {
            second: 0,
            here: 0,
            before: 0,
            too_much_millis: 0,
            since: Instant::ZERO,
            throttled: Instant::ZERO,
            due: Instant::ZERO,
        }
    }

    /// The limit now, in thousandths of an attempt a second.
    pub(super) fn limit_millis(&self, now: Instant) -> Option<u64> {
        let age = now.0.saturating_sub(self.since.0);
        if self.too_much_millis == 0 || age >= FORGOTTEN_NS {
            return None;
        }
        Some(grown(self.too_much_millis, age).max(MIN_RATE_MILLIS))
    }

    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.limit_millis(now)
            .is_none_or(|millis| self.due.0 <= now.0.saturating_add(interval(millis).max(BURST_NS)))
    }

    pub(super) fn started(&mut self, now: Instant) {
        let second = now.0 / SECOND_NS;
        if second != self.second {
            self.before = if second == self.second.wrapping_add(1) {
                self.here
            } else {
                0
            };
            self.here = 0;
            self.second = second;
        }
        self.here = self.here.saturating_add(1);
        if self.too_much_millis > 0
            && let Some(millis) = self.limit_millis(now)
        {
            self.due = Instant(self.due.0.max(now.0).saturating_add(interval(millis)));
        }
    }

    /// The limit that follows from a throttle, if one does.
    pub(super) fn throttled(&mut self, now: Instant) -> Option<u64> {
        let known = self.limit_millis(now);
        let again = self.throttled > Instant::ZERO
            && now.saturating_duration_since(self.throttled) <= AGAIN;
        self.throttled = now;
        let served = self.served_millis(now);
        // One step down a second: more throttles within it are the same news.
        let just_fell = known.is_some() && now.0 < self.since.0.saturating_add(SECOND_NS);
        if served == 0 || just_fell || (known.is_none() && !again) {
            return None;
        }
        self.too_much_millis = known.map_or(served, |known| known.min(served));
        self.since = now;
        self.due = now;
        self.limit_millis(now)
    }

    /// Attempts in the last second but for the one that was throttled, in thousandths.
    fn served_millis(&self, now: Instant) -> u64 {
        let into = now.0 % SECOND_NS;
        let (here, before) = match (now.0 / SECOND_NS).wrapping_sub(self.second) {
            0 => (self.here, self.before),
            1 => (0, self.here),
            _ => (0, 0),
        };
        let rest = u64::from(before) * ((SECOND_NS - into) / 1_000_000);
        (u64::from(here) * 1_000 + rest).saturating_sub(1_000)
    }
}

/// The time between two attempts at this rate.
fn interval(millis: u64) -> u64 {
    (SECOND_NS * 1_000).checked_div(millis).unwrap_or(u64::MAX)
}

/// w(t) of the module's head.
fn grown(too_much_millis: u64, age_ns: u64) -> u64 {
    // (t − K)/K in 1/1024, from −1 to 3; its cube within 27.
    let x = (age_ns as i64 - PLATEAU_NS as i64) / (PLATEAU_NS as i64 / 1_024);
    let cube = x * x * x / (1_024 * 1_024);
    let percent_1024 = 100 * 1_024 + (100 - KEPT_PERCENT as i64) * cube;
    let percent_1024 = u64::try_from(percent_1024).unwrap_or(0);
    too_much_millis.saturating_mul(percent_1024) / (100 * 1_024)
}
