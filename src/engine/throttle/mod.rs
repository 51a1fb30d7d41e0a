//! One upstream's hold-off: it throttles us, so it is left alone and comes back by itself, in a ramp. This is no failure of health
//! and no breaker hears of it; it knows no call and no other upstream.
//!
//! ```text
//!            throttled                    `until` has passed
//!   Free ─────────────► Held ─────────────────────────────────► Ramping
//!    ▲                   ▲                                       │   │
//!    │                   └──────────── throttled, longer ────────┘   │
//!    └──────────────────── RAMP_PASSES answers ──────────────────────┘
//! ```
//!
//! Two times are kept. `floor` is the upstream's own word (Retry-After): nothing is sent before it, whatever
//! else is out, because that is what turns a throttle into a ban. `until` is ours: at least the floor, at least the configured first time
//! ([`HoldOffConfig`]) doubled with each throttle in a row, to the configured longest, stretched at random so that shards do not return in
//! step. Where nothing else is left, one attempt at a time may be made between the two.
//!
//! **Why a quarter of a second by default.** Most allowances are per second, and most throttles are one burst too many: a whole second of an
//! upstream is more than what was too much, and where others have little room it is their burst too many. A provider that means more mostly says so. Whoever
//! goes on refusing has been left alone for a second by the third time, for half a minute by the eighth and for half an hour by the fourteenth, as a
//! used-up allowance of a minute, an hour or a day should be. A throttle in the middle of a ramp that had got
//! somewhere ([`PROGRESS`]), or that began before its time for want of a better upstream, is the same throttle again, not the next one.
//!
//! **Why a ramp.** The moment of return is when all the traffic that was moved away comes back. Admitting one attempt, then one
//! more for each answer, finds out whether the limit is lifted at the price of one refusal.
//!
//! **The account.** Limits are often of a key, not of a URL. While two upstreams of one account are held for throttles of their own, the others of it
//! are held as well; whoever is held for the account's sake alone does not count as one of the two.
//!
//! What another shard tells of its hold-off is taken over where it ends later than what is known here.
//!
//! A refusal of an attempt that was sent before the hold-off began, or during it for want of a better upstream, says nothing new: a hundred
//! calls in flight that are all refused are one throttle, not a hundred doublings.

#[cfg(test)]
mod tests;

use core::time::Duration;

use crate::config::HoldOffConfig;
use crate::rng::Rng;
use crate::time::Instant;

/// The longest that a Retry-After is believed.
pub const MAX_FLOOR: Duration = Duration::from_secs(30 * 60);
/// So many answers in a ramp show that the upstream had come back.
pub const PROGRESS: u32 = 4;
/// So many answers after a hold-off, and the upstream is free again.
pub const RAMP_PASSES: u32 = 16;
/// Up to this much, in per cent, is added to a hold-off at random.
const JITTER_PERCENT: u32 = 20;
/// More change nothing: the shortest first time that can be configured (100 ms) has outgrown the longest longest one (a day) before.
const MAX_DOUBLINGS: u32 = 31;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Free,
    Held,
    Ramping,
}

/// What an attempt's end says about throttling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The upstream served it.
    Served,
    /// The upstream throttled it: how long it asked for, if it did.
    Throttled {
        /// Retry-After or its like.
        retry_after: Option<Duration>,
    },
    /// It says nothing about throttling.
    Neutral,
}

/// What an attempt was admitted as. It is handed back with the attempt's end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Permit {
    epoch: u32,
    counted: bool,
}

/// One upstream's hold-off.
#[derive(Clone, Debug)]
pub struct Throttle {
    config: HoldOffConfig,
    phase: Phase,
    floor: Instant,
    until: Instant,
    /// The end of what throttles of this very upstream ask for: not of its account's.
    own_until: Instant,
    /// The latest end that was ever asked for: what was told before, and has been found out to be over since, is not believed again.
    latest: Instant,
    /// Throttles in a row, without a whole ramp between them.
    row: u32,
    /// Grows with every hold-off.
    epoch: u32,
    /// Attempts in flight that were admitted while held or ramping.
    out: u32,
    served: u32,
}

impl Throttle {
    /// Nothing is known: free.
    #[must_use]
    pub const fn new(config: HoldOffConfig) -> Self {
        Self {
            config,
            phase: Phase::Free,
            floor: Instant::ZERO,
            until: Instant::ZERO,
            own_until: Instant::ZERO,
            latest: Instant::ZERO,
            row: 0,
            epoch: 0,
            out: 0,
            served: 0,
        }
    }

    /// Would it admit an attempt now?
    #[must_use]
    pub fn admits(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Free => true,
            Phase::Held => now >= self.until && self.out == 0,
            Phase::Ramping => self.out <= self.served,
        }
    }

    /// Where nothing else is left: may one attempt be made before our own time is over? Never before the upstream's own.
    #[must_use]
    pub fn admits_least_bad(&self, now: Instant) -> bool {
        match self.phase {
            Phase::Free | Phase::Ramping => self.admits(now),
            Phase::Held => now >= self.floor && self.out == 0,
        }
    }

    /// Until when it is held off; `None` when it is not.
    #[must_use]
    pub fn held_until(&self) -> Option<Instant> {
        (self.phase == Phase::Held).then_some(self.until)
    }

    /// The end of what its own throttles ask for, while it is held at all.
    #[must_use]
    pub fn held_itself(&self) -> Option<Instant> {
        (self.phase == Phase::Held && self.own_until > Instant::ZERO).then_some(self.own_until)
    }

    /// Until when it is held off for throttles of its own; `None` when it is not.
    #[must_use]
    pub fn held_itself_until(&self, now: Instant) -> Option<Instant> {
        (self.phase == Phase::Held && self.own_until > now).then_some(self.own_until)
    }

    /// Before this the upstream itself does not want to hear of us.
    #[must_use]
    pub const fn floor(&self) -> Instant {
        self.floor
    }

    /// Is there nothing to wait for and no ramp to climb?
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.phase == Phase::Free
    }

    /// Is it coming back, with a part of its share?
    #[must_use]
    pub fn is_ramping(&self) -> bool {
        self.phase == Phase::Ramping
    }

    /// Counts an attempt in. The second value is true when this attempt begins the ramp.
    pub fn admit(&mut self, now: Instant) -> (Permit, bool) {
        let begins = self.phase == Phase::Held && now >= self.until;
        if begins {
            self.begin_ramp(0);
        }
        let counted = self.phase != Phase::Free;
        if counted {
            self.out += 1;
        }
        let permit = Permit {
            epoch: self.epoch,
            counted,
        };
        (permit, begins)
    }

    /// Counts an attempt's end. The answer is the end of a hold-off that began with it.
    pub fn finish(
        &mut self,
        permit: Permit,
        answer: Answer,
        now: Instant,
        rng: &mut Rng,
    ) -> Option<Instant> {
        let current = permit.epoch == self.epoch;
        if current && permit.counted {
            self.out = self.out.saturating_sub(1);
        }
        match answer {
            Answer::Neutral => None,
            Answer::Served => {
                if current {
                    self.serve();
                }
                None
            }
            // It was sent although we knew, for want of a better one, or before we knew.
            Answer::Throttled { retry_after } if !current || self.phase == Phase::Held => {
                self.raise_floor(retry_after, now);
                None
            }
            Answer::Throttled { retry_after } => Some(self.hold(retry_after, now, rng)),
        }
    }

    fn serve(&mut self) {
        match self.phase {
            Phase::Free => {}
            // Sent as the least bad, before its time, and served: it has come back.
            Phase::Held => self.begin_ramp(1),
            Phase::Ramping => {
                self.served += 1;
                if self.served >= RAMP_PASSES {
                    self.phase = Phase::Free;
                    self.row = 0;
                }
            }
        }
    }

    const fn begin_ramp(&mut self, served: u32) {
        self.phase = Phase::Ramping;
        self.served = served;
    }

    fn hold(&mut self, retry_after: Option<Duration>, now: Instant, rng: &mut Rng) -> Instant {
        let HoldOffConfig { first, longest } = self.config;
        let grown = first
            .saturating_mul(1 << self.row.min(MAX_DOUBLINGS))
            .min(longest.max(first));
        let asked = retry_after.unwrap_or_default().min(MAX_FLOOR);
        // A ramp that got somewhere, or that began before the last hold-off was over, is no reason for a longer one.
        let got_somewhere = self.phase == Phase::Ramping && self.served >= PROGRESS;
        let was_early = now < self.until;
        if self.row == 0 || !(got_somewhere || was_early) {
            self.row = self.row.saturating_add(1);
        }
        self.floor = now + asked;
        self.until = now + rng.stretched(grown.max(asked), JITTER_PERCENT);
        self.own_until = self.until;
        self.latest = self.latest.max(self.until);
        self.begin_hold();
        self.until
    }

    const fn begin_hold(&mut self) {
        self.epoch = self.epoch.wrapping_add(1);
        self.phase = Phase::Held;
        self.out = 0;
        self.served = 0;
    }

    /// Two others of its account are held until then: so is this one. The answer is the end of a hold-off that begins with it.
    pub fn join_account(&mut self, until: Instant, now: Instant) -> Option<Instant> {
        if until <= now || until <= self.latest {
            return None;
        }
        self.until = until;
        self.latest = until;
        if self.phase == Phase::Held {
            return None;
        }
        self.begin_hold();
        Some(until)
    }

    /// Another shard is held off by this upstream: the limit is the process's, so the later end counts. The answer is the end of a
    /// hold-off that begins with it. What was told before, or is over, changes nothing.
    pub fn adopt(&mut self, floor: Instant, until: Instant, now: Instant) -> Option<Instant> {
        let until = until.min(now + self.config.longest.max(MAX_FLOOR) * 2);
        if until <= now {
            return None;
        }
        self.floor = self.floor.max(floor.min(until));
        self.own_until = self.own_until.max(until);
        if until <= self.latest {
            return None;
        }
        self.until = until;
        self.latest = until;
        if self.phase == Phase::Held {
            return None;
        }
        self.row = self.row.max(1);
        self.begin_hold();
        Some(until)
    }

    fn raise_floor(&mut self, retry_after: Option<Duration>, now: Instant) {
        if self.phase == Phase::Held
            && let Some(asked) = retry_after
        {
            self.floor = self.floor.max(now + asked.min(MAX_FLOOR));
            self.until = self.until.max(self.floor);
            self.own_until = self.own_until.max(self.floor);
            self.latest = self.latest.max(self.until);
        }
    }
}
