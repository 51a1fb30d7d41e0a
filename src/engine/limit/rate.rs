//! How many attempts a second an upstream serves, found by its throttles. The rule is in the [module](super)'s head.

use core::time::Duration;

use crate::rng::Rng;
use crate::time::Instant;

/// No rate is set below this, in thousandths of an attempt a second: one in five seconds.
pub const MIN_RATE_MILLIS: u64 = 200;

/// The rate falls to so much of what was served, per cent.
const KEPT_PERCENT: u64 = 90;
/// After this long it is back there.
const PLATEAU_NS: u64 = 20_000_000_000;
/// Up to this much, in per cent, is added to it at random, so that limits are not tried all at once.
const JITTER_PERCENT: u32 = 50;
/// After so many times that it is forgotten.
const FORGOTTEN: u64 = 2;
/// So much may be sent in one go: what a network gathers into one moment.
const BURST_NS: u64 = 50_000_000;
/// What was served in the best second counts for so many seconds.
const BEST_FOR: u64 = 20;
const SECOND_NS: u64 = 1_000_000_000;

#[derive(Clone, Debug)]
pub(super) struct Rate {
    /// Attempts in the second of this number, and in the one before.
    second: u64,
    here: u32,
    before: u32,
    /// The most attempts in a second since the last limit was set, and which second that was.
    best: u32,
    best_second: u64,
    /// What was served when it was too much, in thousandths a second; 0 for nothing found.
    too_much_millis: u64,
    /// Since when the rate grows, and when it is back.
    since: Instant,
    plateau_ns: u64,
    /// When the next attempt is due at the limit (GCRA: ITU-T I.371).
    due: Instant,
}

impl Rate {
    pub(super) const fn new() -> Self {
        Self {
            second: 0,
            here: 0,
            before: 0,
            best: 0,
            best_second: 0,
            too_much_millis: 0,
            since: Instant::ZERO,
            plateau_ns: PLATEAU_NS,
            due: Instant::ZERO,
        }
    }

    /// The limit now, in thousandths of an attempt a second.
    pub(super) fn limit_millis(&self, now: Instant) -> Option<u64> {
        let age = now.0.saturating_sub(self.since.0);
        if self.too_much_millis == 0 || age / self.plateau_ns >= FORGOTTEN {
            return None;
        }
        Some(grown(self.too_much_millis, age, self.plateau_ns).max(MIN_RATE_MILLIS))
    }

    pub(super) fn has_room(&self, now: Instant) -> bool {
        self.limit_millis(now)
            .is_none_or(|millis| self.due.0 <= now.0.saturating_add(interval(millis).max(BURST_NS)))
    }

    /// When there is room for one more, if nothing is sent until then.
    pub(super) fn room_at(&self, now: Instant) -> Option<Instant> {
        let millis = self.limit_millis(now)?;
        Some(Instant(
            self.due.0.saturating_sub(interval(millis).max(BURST_NS)),
        ))
    }

    pub(super) fn started(&mut self, now: Instant) {
        let second = now.0 / SECOND_NS;
        if second != self.second {
            if self.here >= self.best || self.second > self.best_second + BEST_FOR {
                (self.best, self.best_second) = (self.here, self.second);
            }
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

    /// An attempt that was sent at `started` was refused: it was not served.
    pub(super) fn refused(&mut self, started: Instant) {
        let second = started.0 / SECOND_NS;
        if second == self.second {
            self.here = self.here.saturating_sub(1);
        } else if second + 1 == self.second {
            self.before = self.before.saturating_sub(1);
        }
        if second == self.best_second {
            self.best = self.best.saturating_sub(1);
        }
    }

    /// The limit that follows from a throttle, if one does.
    pub(super) fn throttled(&mut self, now: Instant, rng: &mut Rng) -> Option<u64> {
        let known = self.limit_millis(now);
        let served = self.served_millis(now);
        // One step down a second: more throttles within it are the same news.
        let just_fell = known.is_some() && now.0 < self.since.0.saturating_add(SECOND_NS);
        if served == 0 || just_fell {
            return None;
        }
        self.best = 0;
        self.too_much_millis = known.map_or(served, |known| known.min(served));
        self.since = now;
        self.plateau_ns = rng
            .stretched(Duration::from_nanos(PLATEAU_NS), JITTER_PERCENT)
            .as_nanos() as u64;
        self.due = now;
        self.limit_millis(now)
    }

    /// Attempts that were served in the last second, or in the best one of late, in thousandths. The last one alone may have been cut short by a hold-off.
    fn served_millis(&self, now: Instant) -> u64 {
        let into = now.0 % SECOND_NS;
        let (here, before) = match (now.0 / SECOND_NS).wrapping_sub(self.second) {
            0 => (self.here, self.before),
            1 => (0, self.here),
            _ => (0, 0),
        };
        let rest = u64::from(before) * ((SECOND_NS - into) / 1_000_000);
        let last = u64::from(here) * 1_000 + rest;
        let is_late = now.0 / SECOND_NS > self.best_second + BEST_FOR;
        let best = if is_late { 0 } else { self.best };
        last.max(u64::from(best) * 1_000)
    }
}

/// The time between two attempts at this rate.
fn interval(millis: u64) -> u64 {
    (SECOND_NS * 1_000).checked_div(millis).unwrap_or(u64::MAX)
}

/// w(t) of the module's head.
fn grown(too_much_millis: u64, age_ns: u64, plateau_ns: u64) -> u64 {
    // (t − K)/K in 1/1024, from −1 to 3; its cube within 27.
    let x = (age_ns as i64 - plateau_ns as i64) / (plateau_ns as i64 / 1_024);
    let cube = x * x * x / (1_024 * 1_024);
    let percent_1024 = 100 * 1_024 + (100 - KEPT_PERCENT as i64) * cube;
    let percent_1024 = u64::try_from(percent_1024).unwrap_or(0);
    too_much_millis.saturating_mul(percent_1024) / (100 * 1_024)
}
