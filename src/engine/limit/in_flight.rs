//! How many attempts an upstream serves at once, found by their latency. The rule is in the [module](super)'s head.

use core::time::Duration;

use crate::time::Instant;

/// With fewer in flight nothing is a queue.
pub const WATCHED: u32 = 16;
/// No limit is lower.
pub const MIN_LIMIT: u32 = 8;
/// After an experiment that changed nothing, no other for so long.
pub const QUIET: Duration = Duration::from_secs(60);

/// One, as a stretch.
const ONE: u32 = 16;
/// Answers that take so long are taken for a queue.
const QUEUED: u32 = 4 * ONE;
/// With a limit: too long still.
const TOO_LONG: u32 = 3 * ONE;
/// With a limit: short enough for more.
const SHORT: u32 = 2 * ONE;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moved {
    /// The limit is this now.
    To(u32),
    /// There is none any more.
    Off,
    /// There is none any more, since it changed nothing.
    Slow,
}

#[derive(Clone, Debug)]
pub(super) struct InFlight {
    /// 0 for none.
    limit: u32,
    /// What it was at first.
    first: u32,
    /// The moving mean of the answers' stretch, in 1/16 of [`ONE`]; of an eighth each.
    stretch: u32,
    /// What it was when the experiment began; 0 once that is decided.
    before: u32,
    /// Answers until the round is over.
    left: u32,
    quiet_until: Instant,
}

impl InFlight {
    pub(super) const fn new() -> Self {
        Self {
            limit: 0,
            first: 0,
            stretch: ONE << 4,
            before: 0,
            left: 0,
            quiet_until: Instant::ZERO,
        }
    }

    pub(super) const fn limit(&self) -> Option<u32> {
        if self.limit == 0 {
            None
        } else {
            Some(self.limit)
        }
    }

    pub(super) const fn most(&self) -> u32 {
        if self.limit == 0 {
            u32::MAX
        } else {
            self.limit
        }
    }

    pub(super) fn answered(&mut self, stretch: u32, in_flight: u32, now: Instant) -> Option<Moved> {
        let stretch = stretch.clamp(1, 64 * ONE) << 4;
        self.stretch = self.stretch - self.stretch / 8 + stretch / 8;
        if self.limit > 0 {
            self.left = self.left.saturating_sub(1);
            return (self.left == 0).then(|| self.end_round(now))?;
        }
        if self.mean() < QUEUED || in_flight < WATCHED || now < self.quiet_until {
            return None;
        }
        // Twice what Little's law says that it serves without a queue. A queue that has just built up is not all in the mean yet.
        let queued = self.mean().max(stretch >> 4);
        let limit = u64::from(in_flight) * 2 * u64::from(ONE) / u64::from(queued);
        self.first = (limit as u32).max(MIN_LIMIT);
        self.before = queued;
        // The surplus drains first, then a round under the limit.
        self.left = in_flight.saturating_mul(2);
        Some(self.move_to(self.first))
    }

    const fn mean(&self) -> u32 {
        self.stretch >> 4
    }

    fn end_round(&mut self, now: Instant) -> Option<Moved> {
        let mean = self.mean();
        self.left = self.limit.max(WATCHED);
        let before = core::mem::take(&mut self.before);
        if before > 0 && mean.saturating_mul(4) > before.saturating_mul(3) {
            self.limit = 0;
            self.stretch = ONE << 4;
            self.quiet_until = now + QUIET;
            return Some(Moved::Slow);
        }
        if mean >= TOO_LONG {
            let lower = (self.limit - self.limit / 8).max(MIN_LIMIT);
            return (lower < self.limit).then(|| self.move_to(lower));
        }
        if mean >= SHORT {
            return None;
        }
        let higher = self.limit.saturating_add((self.limit / 16).max(1));
        if higher >= self.first.saturating_mul(4) {
            self.limit = 0;
            return Some(Moved::Off);
        }
        Some(self.move_to(higher))
    }

    const fn move_to(&mut self, limit: u32) -> Moved {
        self.limit = limit;
        Moved::To(limit)
    }
}
